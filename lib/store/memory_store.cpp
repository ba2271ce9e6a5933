#include "store/memory_store.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "store/change_waiters.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

using domain::Message;

constexpr std::size_t attempts_shown = domain::limits::attempts_in_history;
constexpr std::uint32_t memory_schema = 4;

// The due index: bucket, webhook, due, message; the last three as the store orders them inside a bucket.
using DueKey = std::tuple<std::uint64_t, std::uint64_t, Time, std::uint64_t>;

struct StoredEvent {
  std::shared_ptr<const domain::Event> event;
  std::uint64_t first_message = 0;
  std::uint64_t message_count = 0;
};

struct StoredMessage {
  Message message;
  std::map<std::uint32_t, domain::Attempt> attempts;
  std::uint64_t change = 0;  // the number of its latest change; 0: none since its creation
};

// Everything that is durable. Each member function is one write, applied wholly or not at all.
class State {
 public:
  explicit State(std::uint64_t tag_key) : tag_key_(tag_key) {
    for (const domain::EventType& type : domain::shipped_catalogue()) {
      types_[type.name] = type;
    }
  }

  // Writes.
  std::vector<Result<Accepted>> accept(const std::vector<AcceptItem>& items, Time now);
  std::vector<Result<Imported>> import_histories(const std::vector<domain::EventHistory>& histories,
                                                 Duration idempotency_window, Time now);
  std::vector<Settled> settle(const std::vector<Settlement>& settlements);
  std::vector<Settled> wait_out(const std::vector<WaitedOut>& inputs);
  Result<Message> cancel(MessageId id, const domain::Actor& actor, Time now);
  Result<Message> retry(MessageId id, const domain::Actor& actor, Time now);
  Result<BulkTask> begin_bulk(const BulkTask& draft);
  Result<BulkProgress> step_bulk(const BulkStep& step);
  Result<BulkTask> end_bulk(TaskId id, Time now);
  Result<domain::Webhook> put_webhook(const WebhookWrite& write);
  Result<std::uint64_t> delete_webhook(WebhookId id);
  Result<PurgeStep> purge_webhook(WebhookId id, std::size_t limit);
  Resealed reseal(const Sealer& sealer);
  Expired expire(const ExpireStep& step);
  Result<domain::EventType> put_type(const domain::EventType& type);
  Result<std::string> remove_type(const std::string& name);
  template <class T>
  Result<T> noted(Result<T> result, const Audit& audit) {
    return store::noted(std::move(result), audit, [this](AuditLine line) { note_audit(std::move(line)); });
  }
  std::uint64_t note_audit(AuditLine line);

  // Reads.
  OpenState load() const;
  DueHeads due_heads(const DueHeadQuery& query) const;
  Claim claim_due(const ClaimQuery& query) const;
  MessagePage list_messages(const MessageQuery& query) const;
  MessageCount count_messages(const CountQuery& query) const;
  Result<BulkTask> bulk_task(TaskId id) const;
  std::vector<BulkTask> list_bulk_tasks(std::size_t limit) const;
  Result<ChangePage> changes(const ChangeQuery& query) const;
  std::uint64_t newest_number() const { return next_number_ - 1; }
  Result<MessageDetail> message(MessageId id) const;
  Result<EventDetail> event(EventId id, std::size_t message_limit) const;
  HistoryPage histories(const HistoryQuery& query) const;
  std::vector<MessageId> find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit) const;
  std::vector<EventId> find_events(std::uint64_t low, std::uint64_t high, std::size_t limit) const;
  std::vector<WebhookState> list_webhooks() const;
  Result<WebhookState> webhook(WebhookId id) const;
  std::vector<domain::EventType> list_types() const;
  AuditPage list_audit(const AuditQuery& query) const;
  StoreFigures figures() const;

  void set_full(bool full) { full_ = full; }

 private:
  template <class Id>
  Id id_of(std::uint64_t sequence) const {
    return Id{base::id_value(sequence, tag_key_)};
  }
  // Of a webhook that is not being deleted.
  WebhookState* find_webhook(WebhookId id);
  const WebhookState* find_webhook(WebhookId id) const;
  StoredMessage* find_message(MessageId id);
  const StoredMessage* find_message(MessageId id) const;
  const StoredEvent* find_event(EventId id) const;
  const std::string& type_of(const Message& message) const;

  Result<Accepted> accept_one(const AcceptItem& item, Time now);
  const StoredEvent* remembered_event(const std::string& key, Duration window, Time now) const;
  const StoredEvent* imported_before(const domain::Origin& origin) const;
  Result<Imported> import_one(const domain::EventHistory& history, Duration idempotency_window, Time now);
  Imported add_history(const domain::EventHistory& history);
  domain::EventHistory history_of(const StoredEvent& stored, const HistoryQuery& query) const;
  std::string store_id() const { return "memory-" + std::to_string(tag_key_); }
  Accepted add_event(const AcceptItem& item, Time now);
  Result<Accepted> duplicate_of(const StoredEvent& first, const domain::Event& again) const;
  Settled settle_one(const Settlement& settlement);
  Settled wait_out_one(const WaitedOut& input);
  // Replaces a record and all that follows from it: due entry, place in the feed and counts.
  void replace(StoredMessage& stored, const Message& after);
  std::vector<Message> messages_of(const StoredEvent& stored, std::size_t limit, std::uint64_t& count) const;
  DueKey due_key(const Message& message) const;
  bool is_shown(const MessageFilter& filter, const Message& message) const;
  void remove_message(std::uint64_t sequence);
  void expire_messages(const ExpireStep& step, Expired& answer);
  void expire_message(const ExpireStep& step, const Message& message, Expired& answer);
  void expire_events(const ExpireStep& step, Expired& answer);
  void expire_audit(const ExpireStep& step, Expired& answer);
  bool has_messages(const StoredEvent& stored) const;
  void remove_event(std::uint64_t sequence);

  std::uint64_t tag_key_;
  std::uint64_t next_event_ = 1;
  std::uint64_t next_number_ = 1;
  std::uint64_t next_webhook_ = 1;
  bool full_ = false;
  std::string master_key_;  // nothing is at rest here: only the id is kept
  std::map<std::uint64_t, StoredEvent> events_;
  std::map<std::uint64_t, StoredMessage> messages_;
  std::map<std::uint64_t, WebhookState> webhooks_;
  std::map<std::uint64_t, std::set<std::uint64_t>> by_webhook_;
  std::map<std::string, std::uint64_t> names_;
  std::map<std::string, domain::EventType> types_;
  std::map<std::string, std::uint64_t> idempotency_;
  std::map<std::pair<EventId, std::string>, std::uint64_t> origins_;  // of imported events
  std::set<DueKey> due_;
  std::map<std::uint64_t, BulkTask> tasks_;
  std::map<std::uint64_t, AuditLine> audit_;
  std::map<std::uint64_t, std::uint64_t> feed_;  // the number at which each message stands, and the message
};

// ---- finding --------------------------------------------------------------------------------------------------

const WebhookState* State::find_webhook(WebhookId id) const {
  const auto found = webhooks_.find(id.sequence());
  const bool visible = found != webhooks_.end() && found->second.webhook.id == id && !found->second.deleting;
  return visible ? &found->second : nullptr;
}

WebhookState* State::find_webhook(WebhookId id) {
  return const_cast<WebhookState*>(static_cast<const State*>(this)->find_webhook(id));
}

const StoredMessage* State::find_message(MessageId id) const {
  const auto found = messages_.find(id.sequence());
  const bool visible = found != messages_.end() && found->second.message.id == id &&
                       find_webhook(found->second.message.webhook) != nullptr;
  return visible ? &found->second : nullptr;
}

StoredMessage* State::find_message(MessageId id) {
  return const_cast<StoredMessage*>(static_cast<const State*>(this)->find_message(id));
}

const StoredEvent* State::find_event(EventId id) const {
  const auto found = events_.find(id.sequence());
  if (found != events_.end() && found->second.event->id == id) {
    return &found->second;
  }
  const auto elsewhere = origins_.lower_bound({id, {}});
  return elsewhere != origins_.end() && elsewhere->first.first == id ? &events_.at(elsewhere->second) : nullptr;
}

const std::string& State::type_of(const Message& message) const {
  return events_.at(message.event.sequence()).event->type;
}

DueKey State::due_key(const Message& message) const {
  return {due_bucket(*message.next_attempt_at), message.webhook.sequence(), *message.next_attempt_at,
          message.id.sequence()};
}

std::vector<Message> State::messages_of(const StoredEvent& stored, std::size_t limit, std::uint64_t& count) const {
  std::vector<Message> found;
  count = 0;
  const auto end = messages_.lower_bound(stored.first_message + stored.message_count);
  for (auto at = messages_.lower_bound(stored.first_message); at != end; ++at) {
    if (find_webhook(at->second.message.webhook) != nullptr && count++ < limit) {
      found.push_back(at->second.message);
    }
  }
  return found;
}

// ---- accepting ------------------------------------------------------------------------------------------------

std::vector<Result<Accepted>> State::accept(const std::vector<AcceptItem>& items, Time now) {
  std::vector<Result<Accepted>> answers;
  answers.reserve(items.size());
  for (const AcceptItem& item : items) {
    answers.push_back(accept_one(item, now));
  }
  return answers;
}

Result<Accepted> State::accept_one(const AcceptItem& item, Time now) {
  if (const StoredEvent* first = remembered_event(item.event->idempotency_key, item.idempotency_window, now)) {
    return duplicate_of(*first, *item.event);
  }
  if (full_) {
    return store_is_full("the store is set full");
  }
  return add_event(item, now);
}

const StoredEvent* State::remembered_event(const std::string& key, Duration window, Time now) const {
  const auto known = idempotency_.find(key);
  if (key.empty() || known == idempotency_.end()) {
    return nullptr;
  }
  const StoredEvent& first = events_.at(known->second);
  return is_remembered(first.event->accepted_at, window, now) ? &first : nullptr;
}

Result<Accepted> State::duplicate_of(const StoredEvent& first, const domain::Event& again) const {
  if (const auto same = check_same_event(*first.event, again); !same) {
    return same.error();
  }
  Accepted answer{first.event->id, first.event->type, first.event->timestamp, true, {}, 0};
  for (const Message& message : messages_of(first, domain::limits::messages_in_answer, answer.message_count)) {
    answer.messages.push_back({message.id, message.webhook});
  }
  return answer;
}

Accepted State::add_event(const AcceptItem& item, Time now) {
  const std::uint64_t sequence = next_event_++;
  item.event->id = id_of<EventId>(sequence);
  const std::uint64_t first_message = next_number_;
  Accepted answer{item.event->id, item.event->type, item.event->timestamp, false, {}, 0};
  for (const Subscriber& subscriber : item.subscribers) {
    WebhookState* webhook = find_webhook(subscriber.webhook);
    if (webhook == nullptr) {
      continue;
    }
    const std::uint64_t number = next_number_++;
    const auto message =
        domain::new_message(id_of<MessageId>(number), subscriber.webhook, item.event->id, now, subscriber.window);
    messages_[number].message = message;
    feed_[number] = number;
    by_webhook_[subscriber.webhook.sequence()].insert(number);
    due_.insert(due_key(message));
    count_new(webhook->counters, message);
    answer.messages.push_back({message.id, message.webhook});
  }
  answer.message_count = answer.messages.size();
  events_[sequence] = {item.event, first_message, answer.message_count};
  if (!item.event->idempotency_key.empty()) {
    idempotency_[item.event->idempotency_key] = sequence;
  }
  return answer;
}

// ---- histories ------------------------------------------------------------------------------------------------

std::vector<Result<Imported>> State::import_histories(const std::vector<domain::EventHistory>& histories,
                                                      Duration idempotency_window, Time now) {
  std::vector<Result<Imported>> answers;
  answers.reserve(histories.size());
  for (const domain::EventHistory& history : histories) {
    answers.push_back(import_one(history, idempotency_window, now));
  }
  return answers;
}

const StoredEvent* State::imported_before(const domain::Origin& origin) const {
  const auto own = events_.find(origin.event.sequence());
  if (origin.store == store_id() && own != events_.end() && own->second.event->id == origin.event) {
    return &own->second;
  }
  const auto known = origins_.find({origin.event, origin.store});
  return known == origins_.end() ? nullptr : &events_.at(known->second);
}

Result<Imported> State::import_one(const domain::EventHistory& history, Duration idempotency_window, Time now) {
  if (const StoredEvent* known = imported_before(*history.event->origin)) {
    Imported answer{known->event->id, true, 0, {}};
    messages_of(*known, 0, answer.messages);
    return answer;
  }
  if (full_) {
    return store_is_full("the store is set full");
  }
  for (const domain::MessageHistory& message : history.messages) {
    if (find_webhook(message.message.webhook) == nullptr) {
      return no_such_webhook(message.message.webhook);
    }
  }
  const std::string& key = history.event->idempotency_key;
  const bool takes_key = !key.empty() && remembered_event(key, idempotency_window, now) == nullptr;
  const Imported answer = add_history(history);
  if (takes_key) {
    idempotency_[key] = answer.event.sequence();
  }
  return answer;
}

Imported State::add_history(const domain::EventHistory& history) {
  const std::uint64_t sequence = next_event_++;
  history.event->id = id_of<EventId>(sequence);
  Imported answer{history.event->id, false, history.messages.size(), {}};
  const std::uint64_t first_message = next_number_;
  std::uint64_t change = first_message + history.messages.size();
  for (const domain::MessageHistory& entry : history.messages) {
    const std::uint64_t number = next_number_++;
    StoredMessage stored{as_imported(entry, id_of<MessageId>(number), answer.event), {}, 0};
    for (const domain::Attempt& attempt : entry.attempts) {
      stored.attempts[attempt.number] = attempt;
    }
    stored.change = domain::is_untouched(stored.message) ? 0 : change++;
    feed_[stored.change == 0 ? number : stored.change] = number;
    by_webhook_[stored.message.webhook.sequence()].insert(number);
    count_imported(find_webhook(stored.message.webhook)->counters, stored.message);
    if (stored.message.is_waiting()) {
      due_.insert(due_key(stored.message));
      answer.waiting.push_back(stored.message);
    }
    messages_[number] = std::move(stored);
  }
  next_number_ = change;
  events_[sequence] = {history.event, first_message, answer.messages};
  origins_[{history.event->origin->event, history.event->origin->store}] = sequence;
  return answer;
}

domain::EventHistory State::history_of(const StoredEvent& stored, const HistoryQuery& query) const {
  domain::EventHistory history{std::make_shared<domain::Event>(*stored.event), {}};
  std::uint64_t ignored = 0;
  for (const Message& message : messages_of(stored, stored.message_count, ignored)) {
    if (query.webhook && message.webhook != *query.webhook) {
      continue;
    }
    domain::MessageHistory entry{message, {}};
    for (const auto& [number, attempt] : messages_.at(message.id.sequence()).attempts) {
      entry.attempts.push_back(attempt);
    }
    const std::size_t surplus = entry.attempts.size() - std::min(entry.attempts.size(), attempts_shown);
    entry.attempts.erase(entry.attempts.begin(), entry.attempts.begin() + static_cast<std::ptrdiff_t>(surplus));
    history.messages.push_back(std::move(entry));
  }
  cut_excerpts(history);
  return history;
}

HistoryPage State::histories(const HistoryQuery& query) const {
  HistoryPage page;
  page.newest = events_.empty() ? 0 : events_.rbegin()->first;
  page.position = query.after;
  const std::uint64_t end = query.up_to.value_or(page.newest);
  std::size_t bytes = 0;
  std::size_t scanned = 0;
  for (auto at = events_.upper_bound(query.after); at != events_.end() && at->first <= end; ++at) {
    if (page.events.size() == query.limit || bytes >= query.bytes || scanned++ == query.scan_limit) {
      return page;
    }
    page.position = at->first;
    if (!matches_event(query, *at->second.event)) {
      continue;
    }
    domain::EventHistory history = history_of(at->second, query);
    if (!query.webhook || !history.messages.empty()) {
      bytes += size_of(history);
      page.events.push_back(std::move(history));
    }
  }
  page.at_end = true;
  return page;
}

// ---- messages -------------------------------------------------------------------------------------------------

void State::replace(StoredMessage& record, const Message& after) {
  Message& stored = record.message;
  feed_.erase(record.change == 0 ? stored.id.sequence() : record.change);
  record.change = next_number_++;
  feed_[record.change] = stored.id.sequence();
  if (stored.next_attempt_at != after.next_attempt_at) {
    if (stored.next_attempt_at) {
      due_.erase(due_key(stored));
    }
    if (after.next_attempt_at) {
      due_.insert(due_key(after));
    }
  }
  count_change(find_webhook(after.webhook)->counters, stored.status, after);
  stored = after;
}

std::vector<Settled> State::settle(const std::vector<Settlement>& settlements) {
  std::vector<Settled> answers;
  answers.reserve(settlements.size());
  for (const Settlement& settlement : settlements) {
    answers.push_back(settle_one(settlement));
  }
  return answers;
}

Settled State::settle_one(const Settlement& settlement) {
  StoredMessage* stored = find_message(settlement.message);
  if (stored == nullptr) {
    return {};
  }
  Message after = stored->message;
  const SettleEffect effect = apply_settlement(after, settlement);
  if (effect == SettleEffect::repeated) {
    return {after, false};
  }
  stored->attempts[settlement.attempt.number] = settlement.attempt;
  replace(*stored, after);
  if (effect == SettleEffect::changed) {
    domain::Webhook& webhook = find_webhook(after.webhook)->webhook;
    if (make_gone(webhook, after, settlement.ended_at)) {
      note_audit(line_of_gone(webhook, after.id, settlement.ended_at));
    }
  }
  return {after, effect == SettleEffect::changed};
}

std::vector<Settled> State::wait_out(const std::vector<WaitedOut>& inputs) {
  std::vector<Settled> answers;
  answers.reserve(inputs.size());
  for (const WaitedOut& input : inputs) {
    answers.push_back(wait_out_one(input));
  }
  return answers;
}

Settled State::wait_out_one(const WaitedOut& input) {
  StoredMessage* stored = find_message(input.message);
  if (stored == nullptr) {
    return {};
  }
  Message after = stored->message;
  const bool changed = apply_waiting_out(after, input);
  if (changed) {
    replace(*stored, after);
  }
  return {after, changed};
}

Result<Message> State::cancel(MessageId id, const domain::Actor& actor, Time now) {
  StoredMessage* stored = find_message(id);
  if (stored == nullptr) {
    return no_such_message(id);
  }
  Message after = stored->message;
  if (const auto cancelled = domain::apply_cancel(after, actor, now); !cancelled) {
    return cancelled.error();
  }
  replace(*stored, after);
  return after;
}

Result<Message> State::retry(MessageId id, const domain::Actor& actor, Time now) {
  StoredMessage* stored = find_message(id);
  if (stored == nullptr) {
    return no_such_message(id);
  }
  Message after = stored->message;
  const domain::Webhook& webhook = find_webhook(after.webhook)->webhook;
  if (const auto retried = domain::apply_retry(after, actor, now, webhook.retry.window, webhook.is_active());
      !retried) {
    return retried.error();
  }
  replace(*stored, after);
  return after;
}

// ---- bulk tasks -----------------------------------------------------------------------------------------------

Result<BulkTask> State::begin_bulk(const BulkTask& draft) {
  const std::uint64_t number = next_number_++;
  if (tasks_.size() >= ended_tasks_kept) {
    const auto ended = std::find_if(tasks_.begin(), tasks_.end(),
                                    [](const auto& task) { return task.second.state != BulkState::running; });
    if (ended != tasks_.end()) {
      tasks_.erase(ended);
    }
  }
  BulkTask& task = tasks_[number];
  task = draft;
  task.id = id_of<TaskId>(number);
  task.up_to = number;
  return task;
}

Result<BulkProgress> State::step_bulk(const BulkStep& step) {
  if (const auto known = bulk_task(step.task); !known) {
    return known.error();
  }
  BulkTask& task = tasks_[step.task.sequence()];
  BulkProgress progress;
  if (is_next_step(task, step)) {
    for (const MessageId id : step.messages) {
      const StoredMessage* stored = find_message(id);
      if (stored == nullptr || !matches_message(task.filter, stored->message)) {
        continue;
      }
      auto changed =
          task.action == BulkAction::retry ? retry(id, task.actor, step.now) : cancel(id, task.actor, step.now);
      ++(changed ? task.done : task.failed);
      if (changed) {
        progress.changed.push_back(std::move(*changed));
      }
    }
    advance(task, step);
  }
  progress.task = task;
  return progress;
}

Result<BulkTask> State::end_bulk(TaskId id, Time now) {
  const auto known = bulk_task(id);
  if (!known) {
    return known;
  }
  if (known->state != BulkState::running) {
    return task_has_ended(id);
  }
  BulkTask& task = tasks_[id.sequence()];
  task.state = BulkState::cancelled;
  task.ended_at = now;
  return task;
}

// ---- webhooks and types ---------------------------------------------------------------------------------------

Result<domain::Webhook> State::put_webhook(const WebhookWrite& write) {
  domain::Webhook webhook = write.webhook;
  const bool is_new = !webhook.id.is_set();
  WebhookState* stored = is_new ? nullptr : find_webhook(webhook.id);
  if (!is_new && stored == nullptr) {
    return no_such_webhook(webhook.id);
  }
  if (stored != nullptr && stored->webhook.version != write.expected_version) {
    return version_has_moved(stored->webhook, write.expected_version);
  }
  const auto holder = names_.find(webhook.display_name);
  if (holder != names_.end() && (is_new || holder->second != webhook.id.sequence())) {
    return name_is_taken(webhook.display_name);
  }
  if (is_new) {
    webhook.id = id_of<WebhookId>(next_webhook_++);
  } else {
    names_.erase(stored->webhook.display_name);
  }
  names_[webhook.display_name] = webhook.id.sequence();
  webhooks_[webhook.id.sequence()].webhook = webhook;
  return webhook;
}

Result<std::uint64_t> State::delete_webhook(WebhookId id) {
  WebhookState* stored = find_webhook(id);
  if (stored == nullptr) {
    return no_such_webhook(id);
  }
  const std::uint64_t waited = stored->counters.waiting;
  count_deleted(stored->counters);
  stored->deleting = true;
  names_.erase(stored->webhook.display_name);
  return waited;
}

void State::remove_message(std::uint64_t sequence) {
  const auto found = messages_.find(sequence);
  if (found->second.message.next_attempt_at) {
    due_.erase(due_key(found->second.message));
  }
  feed_.erase(found->second.change == 0 ? sequence : found->second.change);
  messages_.erase(found);
}

Result<PurgeStep> State::purge_webhook(WebhookId id, std::size_t limit) {
  const auto found = webhooks_.find(id.sequence());
  if (found == webhooks_.end() || found->second.webhook.id != id) {
    return PurgeStep{0, true};
  }
  if (!found->second.deleting) {
    return not_being_deleted(id);
  }
  PurgeStep step;
  std::set<std::uint64_t>& sequences = by_webhook_[id.sequence()];
  for (; step.removed < limit && !sequences.empty(); ++step.removed) {
    remove_message(*sequences.begin());
    sequences.erase(sequences.begin());
  }
  step.done = sequences.empty();
  if (step.done) {
    by_webhook_.erase(id.sequence());
    webhooks_.erase(found);
  }
  return step;
}

// ---- retention ------------------------------------------------------------------------------------------------

Resealed State::reseal(const Sealer& sealer) {
  Resealed answer{std::exchange(master_key_, sealer.key_id()), sealer.key_id(), 0};
  answer.webhooks = answer.from == answer.to ? 0 : webhooks_.size();
  return answer;
}

Expired State::expire(const ExpireStep& step) {
  Expired answer;
  answer.after = step.after;
  answer.after_event = step.after_event;
  expire_messages(step, answer);
  if (answer.done) {
    expire_events(step, answer);
  }
  if (answer.done) {
    expire_audit(step, answer);
  }
  return answer;
}

void State::expire_messages(const ExpireStep& step, Expired& answer) {
  for (auto at = feed_.upper_bound(step.after); at != feed_.end();) {
    const auto [number, sequence] = *at++;
    if (messages_.at(sequence).change == 0) {
      continue;  // it never changed, so it waits
    }
    const Message message = messages_.at(sequence).message;
    const bool is_deleting = webhooks_.at(message.webhook.sequence()).deleting;
    const Disposal disposal = is_deleting ? Disposal::pass : disposal_of(step, message, full_);
    if (disposal == Disposal::stop) {
      answer.next = message.settled_at;
      break;
    }
    if (disposal == Disposal::remove && answer.messages == step.limit) {
      return;
    }
    answer.after = number;
    if (disposal == Disposal::remove) {
      expire_message(step, message, answer);
    }
  }
  answer.done = true;
}

void State::expire_message(const ExpireStep& step, const Message& message, Expired& answer) {
  ++answer.messages;
  remove_message(message.id.sequence());
  by_webhook_[message.webhook.sequence()].erase(message.id.sequence());
  const StoredEvent& event = events_.at(message.event.sequence());
  if (!has_messages(event) && !is_kept_for_its_key(step, *event.event)) {
    ++answer.events;
    remove_event(message.event.sequence());
  }
}

void State::expire_events(const ExpireStep& step, Expired& answer) {
  answer.done = false;
  const bool is_pressed = full_ && answer.messages == 0;
  for (auto at = events_.upper_bound(step.after_event); at != events_.end();) {
    const auto& [sequence, stored] = *at++;
    const Disposal disposal = disposal_of(step, *stored.event, is_pressed);
    if (disposal == Disposal::stop) {
      answer.next = std::min(answer.next.value_or(stored.event->accepted_at), stored.event->accepted_at);
      break;
    }
    const bool goes = disposal == Disposal::remove && !has_messages(stored);
    if (goes && answer.messages + answer.events >= step.limit) {
      return;
    }
    answer.after_event = sequence;
    if (goes) {
      ++answer.events;
      remove_event(sequence);
    }
  }
  answer.after_event = 0;
  answer.done = true;
}

void State::expire_audit(const ExpireStep& step, Expired& answer) {
  for (auto at = audit_.begin(); at != audit_.end();) {
    const Disposal disposal = disposal_of(step, at->second);
    if (disposal == Disposal::stop) {
      answer.next_audit = at->second.at;
      return;
    }
    if (disposal == Disposal::remove && answer.audit_lines == step.limit) {
      answer.done = false;
      return;
    }
    answer.audit_lines += disposal == Disposal::remove ? 1 : 0;
    at = disposal == Disposal::remove ? audit_.erase(at) : std::next(at);
  }
}

bool State::has_messages(const StoredEvent& stored) const {
  const auto first = messages_.lower_bound(stored.first_message);
  return first != messages_.end() && first->first < stored.first_message + stored.message_count;
}

void State::remove_event(std::uint64_t sequence) {
  const auto found = events_.find(sequence);
  const auto key = idempotency_.find(found->second.event->idempotency_key);
  if (key != idempotency_.end() && key->second == sequence) {
    idempotency_.erase(key);
  }
  if (const auto& origin = found->second.event->origin) {
    origins_.erase({origin->event, origin->store});
  }
  events_.erase(found);
}

Result<domain::EventType> State::put_type(const domain::EventType& type) {
  types_[type.name] = type;
  return type;
}

Result<std::string> State::remove_type(const std::string& name) {
  if (types_.erase(name) == 0) {
    return no_such_type(name);
  }
  return name;
}

std::uint64_t State::note_audit(AuditLine line) {
  line.number = next_number_++;
  audit_[line.number] = line;
  return line.number;
}

// ---- reads ----------------------------------------------------------------------------------------------------

OpenState State::load() const {
  OpenState state;
  for (const auto& [sequence, webhook] : webhooks_) {
    state.webhooks.push_back(webhook);
  }
  state.types = list_types();
  state.tasks = list_bulk_tasks(tasks_.size());
  std::erase_if(state.tasks, [](const BulkTask& task) { return task.state != BulkState::running; });
  return state;
}

DueHeads State::due_heads(const DueHeadQuery& query) const {
  DueHeads answer;
  std::uint64_t resume_bucket = query.from_bucket;
  std::uint64_t resume_after = query.after.sequence();
  auto at = due_.lower_bound({resume_bucket, resume_after + 1, Time::min(), 0});
  for (; at != due_.end(); at = due_.lower_bound({resume_bucket, resume_after + 1, Time::min(), 0})) {
    const auto& [bucket, webhook, due, message] = *at;
    resume_bucket = bucket;
    resume_after = webhook;
    if (webhooks_.at(webhook).deleting) {
      continue;
    }
    if (bucket >= query.until_bucket) {
      answer.next_bucket = bucket;
      break;
    }
    if (answer.heads.size() == query.limit) {
      const DueHead& last = answer.heads.empty() ? DueHead{} : answer.heads.back();
      answer.resume_bucket = answer.heads.empty() ? query.from_bucket : due_bucket(last.position.due);
      answer.resume_after = answer.heads.empty() ? query.after : last.webhook;
      return answer;
    }
    answer.heads.push_back({id_of<WebhookId>(webhook), {due, message}});
  }
  answer.complete = true;
  return answer;
}

Claim State::claim_due(const ClaimQuery& query) const {
  Claim answer;
  if (find_webhook(query.webhook) == nullptr) {
    return answer;
  }
  const std::uint64_t webhook = query.webhook.sequence();
  std::uint64_t bucket = due_bucket(query.from.due);
  std::size_t bytes = 0;
  auto at = due_.lower_bound({bucket, webhook, query.from.due, query.from.message_sequence});
  while (at != due_.end() && std::get<0>(*at) < query.until_bucket) {
    const auto& [found_bucket, found_webhook, due, sequence] = *at;
    if (found_webhook != webhook) {
      // This bucket has no more of it, or the landing is in a later bucket: go to its place there.
      bucket = found_webhook > webhook ? found_bucket + 1 : found_bucket;
      at = due_.lower_bound({bucket, webhook, Time::min(), 0});
      continue;
    }
    const Message& message = messages_.at(sequence).message;
    const domain::EventRef& event = events_.at(message.event.sequence()).event;
    const bool fits = answer.messages.empty() || bytes + event->data.size() <= query.bytes;
    if (due > query.due_until || answer.messages.size() >= query.rows || !fits) {
      answer.next = DuePosition{due, sequence};
      break;
    }
    bytes += event->data.size();
    answer.messages.push_back({message, event});
    ++at;
  }
  return answer;
}

bool State::is_shown(const MessageFilter& filter, const Message& message) const {
  return find_webhook(message.webhook) != nullptr && matches_message(filter, message) &&
         matches_type(filter, message, type_of(message));
}

MessagePage State::list_messages(const MessageQuery& query) const {
  MessagePage page;
  const auto scan = [&](auto at, auto end) {
    std::size_t looked_at = 0;
    std::uint64_t last = 0;
    for (; at != end; ++at) {
      const std::uint64_t sequence = at->first;
      const Message& message = at->second.message;
      if (page.rows.size() == query.limit || looked_at == query.scan_limit) {
        page.next = last;
        return;
      }
      ++looked_at;
      last = sequence;
      if (is_shown(query, message)) {
        page.rows.push_back({message, type_of(message)});
      }
    }
  };
  if (query.oldest_first) {
    scan(messages_.upper_bound(query.after_sequence), messages_.end());
  } else {
    const auto start = query.after_sequence == 0 ? messages_.end() : messages_.lower_bound(query.after_sequence);
    scan(std::make_reverse_iterator(start), messages_.rend());
  }
  return page;
}

MessageCount State::count_messages(const CountQuery& query) const {
  MessageCount counted;
  std::size_t looked_at = 0;
  for (auto at = messages_.upper_bound(query.after); at != messages_.end() && at->first <= query.up_to; ++at) {
    if (looked_at++ == query.scan_limit) {
      counted.next = at->first - 1;
      break;
    }
    counted.count += is_shown(query, at->second.message) ? 1 : 0;
  }
  return counted;
}

Result<BulkTask> State::bulk_task(TaskId id) const {
  const auto found = tasks_.find(id.sequence());
  return found == tasks_.end() || found->second.id != id ? Result<BulkTask>(no_such_task(id)) : found->second;
}

std::vector<BulkTask> State::list_bulk_tasks(std::size_t limit) const {
  std::vector<BulkTask> tasks;
  for (auto at = tasks_.rbegin(); at != tasks_.rend() && tasks.size() < limit; ++at) {
    tasks.push_back(at->second);
  }
  return tasks;
}

Result<ChangePage> State::changes(const ChangeQuery& query) const {
  const std::uint64_t newest = newest_number();
  if (query.after > newest) {
    return position_is_ahead(query.after, newest);
  }
  ChangePage page{{}, query.after, false, newest, feed_identity(0, tag_key_)};
  const std::uint64_t end = std::min(query.up_to.value_or(newest), newest);
  std::size_t looked_at = 0;
  for (auto at = feed_.upper_bound(query.after); at != feed_.end() && at->first <= end; ++at) {
    if (page.rows.size() >= query.limit || looked_at++ >= query.scan_limit) {
      return page;
    }
    page.position = at->first;
    const Message& message = messages_.at(at->second).message;
    if (is_shown(query, message)) {
      page.rows.push_back({at->first, message, type_of(message)});
    }
  }
  page.position = std::max(query.after, end);
  page.at_end = true;
  return page;
}

Result<MessageDetail> State::message(MessageId id) const {
  const StoredMessage* stored = find_message(id);
  if (stored == nullptr) {
    return no_such_message(id);
  }
  MessageDetail detail{stored->message, events_.at(stored->message.event.sequence()).event, {}};
  const std::size_t all = stored->attempts.size();
  auto at = std::next(stored->attempts.begin(), static_cast<std::ptrdiff_t>(all - std::min(all, attempts_shown)));
  for (; at != stored->attempts.end(); ++at) {
    detail.attempts.push_back(at->second);
  }
  return detail;
}

Result<EventDetail> State::event(EventId id, std::size_t message_limit) const {
  const StoredEvent* stored = find_event(id);
  if (stored == nullptr) {
    return no_such_event(id);
  }
  EventDetail detail{stored->event, {}, 0};
  detail.messages = messages_of(*stored, message_limit, detail.message_count);
  return detail;
}

std::vector<MessageId> State::find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit) const {
  std::vector<MessageId> found;
  for (auto at = messages_.lower_bound(low >> base::id_tag_bits); at != messages_.end() && found.size() < limit; ++at) {
    const Message& message = at->second.message;
    if (message.id.value > high) {
      break;
    }
    if (message.id.value >= low && find_webhook(message.webhook) != nullptr) {
      found.push_back(message.id);
    }
  }
  return found;
}

std::vector<EventId> State::find_events(std::uint64_t low, std::uint64_t high, std::size_t limit) const {
  std::vector<EventId> found;
  for (auto at = events_.lower_bound(low >> base::id_tag_bits); at != events_.end() && found.size() < limit; ++at) {
    const EventId id = at->second.event->id;
    if (id.value > high) {
      break;
    }
    if (id.value >= low) {
      found.push_back(id);
    }
  }
  return found;
}

std::vector<WebhookState> State::list_webhooks() const {
  std::vector<WebhookState> webhooks;
  for (const auto& [sequence, state] : webhooks_) {
    if (!state.deleting) {
      webhooks.push_back(state);
    }
  }
  return webhooks;
}

Result<WebhookState> State::webhook(WebhookId id) const {
  const WebhookState* stored = find_webhook(id);
  if (stored == nullptr) {
    return no_such_webhook(id);
  }
  return *stored;
}

std::vector<domain::EventType> State::list_types() const {
  std::vector<domain::EventType> types;
  for (const auto& [name, type] : types_) {
    types.push_back(type);
  }
  return types;
}

AuditPage State::list_audit(const AuditQuery& query) const {
  AuditPage page;
  const auto start = query.before == 0 ? audit_.end() : audit_.lower_bound(query.before);
  std::uint64_t last = query.before;
  std::size_t looked_at = 0;
  for (auto at = std::make_reverse_iterator(start); at != audit_.rend(); ++at) {
    if (page.lines.size() == query.limit || looked_at++ == query.scan_limit) {
      page.next = last;
      break;
    }
    last = at->first;
    if (matches_audit(query, at->second)) {
      page.lines.push_back(at->second);
    }
  }
  return page;
}

StoreFigures State::figures() const {
  StoreFigures figures;
  figures.store_id = store_id();
  figures.schema = memory_schema;
  figures.events = events_.size();
  figures.messages = messages_.size();
  for (const auto& [sequence, state] : webhooks_) {
    figures.waiting += state.counters.waiting;
    figures.webhooks += state.deleting ? 0 : 1;
  }
  for (const auto& [sequence, stored] : events_) {
    figures.used_bytes += stored.event->data.size();
  }
  figures.full = full_;
  figures.full_because = full_ ? "quota" : "";
  figures.master_key = master_key_;
  return figures;
}

// ---- the store ------------------------------------------------------------------------------------------------

class MemoryStoreImpl final : public MemoryStore {
 public:
  explicit MemoryStoreImpl(std::uint64_t tag_key) : state_(tag_key) {}

  // Control of time and crashes.
  bool step() override {
    if (queue_.empty()) {
      return false;
    }
    Write write = std::move(queue_.front());
    queue_.pop_front();
    base::Task answer = write(state_);
    ++commits_;
    answer();
    waiters_.reach(state_.newest_number());
    return true;
  }
  std::size_t queued_writes() const override { return queue_.size(); }
  void crash() override { queue_.clear(); }
  void crash_after_commit() override {
    if (!queue_.empty()) {
      // The answer is dropped: nobody was left to hear it.
      const base::Task unheard = queue_.front()(state_);
      ++commits_;
    }
    crash();
  }
  void set_full(bool full) override { state_.set_full(full); }
  void damage(MessageId message) override { damaged_ = message; }

  // Writes.
  void accept(std::vector<AcceptItem> items, Time now, Completion<std::vector<Result<Accepted>>> done) override {
    queue([items = std::move(items), now](State& state) { return state.accept(items, now); }, std::move(done));
  }
  void import_histories(std::vector<domain::EventHistory> histories, Duration idempotency_window, Time now,
                        Completion<std::vector<Result<Imported>>> done) override {
    queue([histories = std::move(histories), idempotency_window,
           now](State& state) { return state.import_histories(histories, idempotency_window, now); },
          std::move(done));
  }
  void settle(Settlements settlements, Completion<std::vector<Settled>> done) override {
    const bool is_damaged = std::any_of(settlements->begin(), settlements->end(),
                                        [this](const Settlement& one) { return one.message == damaged_; });
    queue(
        [settlements, is_damaged](State& state) -> Result<std::vector<Settled>> {
          return is_damaged ? Result<std::vector<Settled>>(base::Error{base::ErrorCode::internal, "a damaged page", {}})
                            : Result<std::vector<Settled>>(state.settle(*settlements));
        },
        std::move(done));
  }
  void wait_out(std::vector<WaitedOut> messages, Completion<std::vector<Settled>> done) override {
    queue([messages = std::move(messages)](State& state) { return state.wait_out(messages); }, std::move(done));
  }
  void cancel(MessageId message, domain::Actor actor, Time now, Completion<Message> done, Audit audit) override {
    queue([message, actor = std::move(actor), now,
           audit](State& state) { return state.noted(state.cancel(message, actor, now), audit); },
          std::move(done));
  }
  void retry(MessageId message, domain::Actor actor, Time now, Completion<Message> done, Audit audit) override {
    queue([message, actor = std::move(actor), now,
           audit](State& state) { return state.noted(state.retry(message, actor, now), audit); },
          std::move(done));
  }
  void begin_bulk(BulkTask task, Completion<BulkTask> done, Audit audit) override {
    queue([task = std::move(task), audit](State& state) { return state.noted(state.begin_bulk(task), audit); },
          std::move(done));
  }
  void step_bulk(BulkStep step, Completion<BulkProgress> done) override {
    queue([step = std::move(step)](State& state) { return state.step_bulk(step); }, std::move(done));
  }
  void end_bulk(TaskId task, Time now, Completion<BulkTask> done, Audit audit) override {
    queue([task, now, audit](State& state) { return state.noted(state.end_bulk(task, now), audit); }, std::move(done));
  }
  void put_webhook(WebhookWrite write, Completion<domain::Webhook> done) override {
    queue([write = std::move(write)](State& state) { return state.noted(state.put_webhook(write), write.audit); },
          std::move(done));
  }
  void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, Audit audit) override {
    queue([webhook, audit](State& state) { return state.noted(state.delete_webhook(webhook), audit); },
          std::move(done));
  }
  void purge_webhook(WebhookId webhook, std::size_t limit, Completion<PurgeStep> done) override {
    queue([webhook, limit](State& state) { return state.purge_webhook(webhook, limit); }, std::move(done));
  }
  void reseal(SealerRef sealer, Completion<Resealed> done, Audit audit) override {
    queue([sealer = std::move(sealer),
           audit](State& state) { return state.noted(Result<Resealed>(state.reseal(*sealer)), audit); },
          std::move(done));
  }
  void expire(ExpireStep step, Completion<Expired> done) override {
    queue([step](State& state) { return Result<Expired>(state.expire(step)); }, std::move(done));
  }
  void put_type(domain::EventType type, Completion<domain::EventType> done, Audit audit) override {
    queue([type = std::move(type), audit](State& state) { return state.noted(state.put_type(type), audit); },
          std::move(done));
  }
  void remove_type(std::string name, Completion<std::string> done, Audit audit) override {
    queue([name = std::move(name), audit](State& state) { return state.noted(state.remove_type(name), audit); },
          std::move(done));
  }
  void note_audit(Audit audit, Completion<std::uint64_t> done) override {
    queue([audit](State& state) { return Result<std::uint64_t>(state.note_audit(*audit)); }, std::move(done));
  }

  FlightSlot note_flight(const FlightNote& note) override {
    flights_[++last_flight_] = note;
    return last_flight_;
  }
  void forget_flight(FlightSlot slot) override { flights_.erase(slot); }

  // Reads.
  void load(Completion<OpenState> done) override {
    OpenState state = state_.load();
    for (const auto& [slot, note] : flights_) {
      state.interrupted.push_back(note);
      state.interrupted.back().slot = slot;
    }
    done(std::move(state));
  }
  void due_heads(DueHeadQuery query, Completion<DueHeads> done) override { done(state_.due_heads(query)); }
  void claim_due(ClaimQuery query, Completion<Claim> done) override { done(state_.claim_due(query)); }
  void list_messages(MessageQuery query, Completion<MessagePage> done) override { done(state_.list_messages(query)); }
  void count_messages(CountQuery query, Completion<MessageCount> done) override { done(state_.count_messages(query)); }
  void bulk_task(TaskId id, Completion<BulkTask> done) override { done(state_.bulk_task(id)); }
  void list_bulk_tasks(std::size_t limit, Completion<std::vector<BulkTask>> done) override {
    done(state_.list_bulk_tasks(limit));
  }
  void changes(ChangeQuery query, Completion<ChangePage> done) override { done(state_.changes(query)); }
  void next_change(std::uint64_t after, Completion<std::uint64_t> done) override {
    waiters_.wait(after, std::move(done));
  }
  void message(MessageId id, Completion<MessageDetail> done) override { done(state_.message(id)); }
  void event(EventId id, std::size_t message_limit, Completion<EventDetail> done) override {
    done(state_.event(id, message_limit));
  }
  void histories(HistoryQuery query, Completion<HistoryPage> done) override { done(state_.histories(query)); }
  void find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit,
                     Completion<std::vector<MessageId>> done) override {
    done(state_.find_messages(low, high, limit));
  }
  void find_events(std::uint64_t low, std::uint64_t high, std::size_t limit,
                   Completion<std::vector<EventId>> done) override {
    done(state_.find_events(low, high, limit));
  }
  void list_webhooks(Completion<std::vector<WebhookState>> done) override { done(state_.list_webhooks()); }
  void webhook(WebhookId id, Completion<WebhookState> done) override { done(state_.webhook(id)); }
  void list_types(Completion<std::vector<domain::EventType>> done) override { done(state_.list_types()); }
  void list_audit(AuditQuery query, Completion<AuditPage> done) override { done(state_.list_audit(query)); }
  void copy(Completion<StoreCopy> done) override {
    done(base::Error{base::ErrorCode::unavailable, "a store in memory has no file to copy", {}});
  }
  void figures(Completion<StoreFigures> done) override {
    StoreFigures figures = state_.figures();
    figures.commits = commits_;
    done(std::move(figures));
  }

 private:
  std::optional<MessageId> damaged_;
  // Changes the state and gives back the answer, still to be told.
  using Write = base::UniqueFunction<base::Task(State&)>;

  template <class Apply, class T>
  void queue(Apply apply, Completion<T> done) {
    queue_.push_back([apply = std::move(apply), done = std::move(done)](State& state) mutable -> base::Task {
      return [answer = Result<T>(apply(state)), done = std::move(done)]() mutable { done(std::move(answer)); };
    });
  }

  State state_;
  std::map<FlightSlot, FlightNote> flights_;  // outlives crashes
  FlightSlot last_flight_ = no_flight_slot;
  std::deque<Write> queue_;
  std::uint64_t commits_ = 0;
  ChangeWaiters waiters_{0};
};

}  // namespace

std::unique_ptr<MemoryStore> MemoryStore::create(std::uint64_t tag_key) {
  return std::make_unique<MemoryStoreImpl>(tag_key);
}

}  // namespace webhookd::store
