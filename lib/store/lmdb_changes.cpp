#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "store/lmdb_changes_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

using domain::Message;
using domain::Webhook;

// About what a row of this many bytes takes on disk: large ones have pages of their own.
std::uint64_t growth_of_row(std::size_t bytes) {
  constexpr std::size_t page = 4096;
  return bytes < page / 2 ? bytes + 64 : bytes / page * page + page;
}

std::uint64_t growth_of(const AcceptItem& item) {
  constexpr std::uint64_t head = 128;
  constexpr std::uint64_t message_rows = 256;
  return growth_of_row(item.event->data.size() + head) + item.subscribers.size() * message_rows;
}

DueEntry due_entry(const Message& message) {
  return {message.webhook.sequence(), {*message.next_attempt_at, message.id.sequence()}};
}

// Rows are removed by key, after the cursor that found them is gone: LMDB's removal at a cursor has had too many
// faults.
std::vector<std::string> keys_of_attempts(View& view, std::uint64_t message) {
  std::vector<std::string> keys;
  const auto cursor = view.cursor(Table::attempts);
  bool more = cursor->seek(attempt_key(message, 0).view());
  for (; more && cursor->key().starts_with(sequence_key(message).view()); more = cursor->next()) {
    keys.emplace_back(cursor->key());
  }
  return keys;
}

// The webhook's first message at or behind the beginning of `bucket`.
std::optional<WebhookMessage> first_message_of(View& view, std::uint64_t webhook, std::uint64_t bucket) {
  const auto cursor = view.cursor(Table::by_webhook);
  if (!seek_webhook(*cursor, bucket_key(bucket, webhook).view(), webhook, max_bucket + 1)) {
    return std::nullopt;
  }
  return parse_by_webhook_key(cursor->key());
}

// One settlement, wait-out, … for each input, in order.
template <class Answer, class Inputs, class Apply>
std::vector<Answer> each(const Inputs& inputs, Apply apply) {
  std::vector<Answer> answers;
  answers.reserve(inputs.size());
  for (const auto& input : inputs) {
    answers.push_back(apply(input));
  }
  return answers;
}

}  // namespace

Result<void> Changes::begin() {
  auto meta = rows_.meta();
  if (!meta) {
    return meta.error();
  }
  if (!*meta) {
    return base::Error{base::ErrorCode::internal, "the record of the store itself is missing", {}};
  }
  meta_ = **meta;
  space_.refresh();
  return {};
}

void Changes::finish() {
  for (const auto& [webhook, tally] : tallies_) {
    if (tally.changed) {
      encode_counters(webhook, tally.counters, buffer_);
      transaction_.put(Table::counters, sequence_key(webhook).view(), buffer_);
    }
  }
  if (changed_) {
    encode_meta(meta_, buffer_);
    transaction_.put_main(meta_key, buffer_);
  }
}

Changes::Tally& Changes::tally_of(std::uint64_t webhook) {
  const auto [at, is_new] = tallies_.try_emplace(webhook);
  Tally& tally = at->second;
  if (is_new) {
    auto counters = rows_.counters(webhook);
    // Damaged counters begin again at nothing (and were reported): deliveries go on.
    tally.takes_messages = (!counters || *counters) && !rows_.is_deleting(webhook);
    tally.counters = counters ? counters->value_or(WebhookCounters{}) : WebhookCounters{};
  }
  return tally;
}

// ---- accepting ------------------------------------------------------------------------------------------------

std::vector<Result<Accepted>> Changes::accept(const std::vector<AcceptItem>& items, Time now) {
  return each<Result<Accepted>>(items, [&](const AcceptItem& item) { return accept_one(item, now); });
}

Result<Accepted> Changes::accept_one(const AcceptItem& item, Time now) {
  auto first = remembered_event(item.event->idempotency_key, item.idempotency_window, now);
  if (!first) {
    return first.error();
  }
  if (*first) {
    return duplicate_of(**first, *item.event);
  }
  if (space_.is_full()) {
    return store_is_full(space_.why_full());
  }
  space_.add_growth(growth_of(item));
  return add_event(item, now);
}

Lookup<EventHeader> Changes::remembered_event(const std::string& key, Duration window, Time now) {
  if (key.empty()) {
    return std::optional<EventHeader>();
  }
  const auto sequence = rows_.number(Table::idempotency, key);
  if (!sequence) {
    return sequence.error();
  }
  if (!*sequence) {
    return std::optional<EventHeader>();
  }
  auto header = rows_.event_header(**sequence);
  if (header && *header && !is_remembered((*header)->event.accepted_at, window, now)) {
    return std::optional<EventHeader>();
  }
  return header;
}

Result<Accepted> Changes::duplicate_of(const EventHeader& first, const domain::Event& again) {
  const auto event = rows_.event(first.event.id.sequence());
  if (!event) {
    return event.error();
  }
  if (const auto same = check_same_event(***event, again); !same) {
    return same.error();
  }
  const auto messages = rows_.messages_of(first, domain::limits::messages_in_answer);
  Accepted answer{first.event.id, first.event.type, first.event.timestamp, true, {}, messages.count};
  for (const Message& message : messages.first) {
    answer.messages.push_back({message.id, message.webhook});
  }
  return answer;
}

Changes::Tally* Changes::subscriber_tally(WebhookId webhook) {
  if (!rows_.is_ours(webhook)) {
    return nullptr;
  }
  Tally& tally = tally_of(webhook.sequence());
  return tally.takes_messages ? &tally : nullptr;
}

Accepted Changes::add_event(const AcceptItem& item, Time now) {
  domain::Event& event = *item.event;
  event.id = rows_.id_of<EventId>(meta_.next_event++);
  const std::uint64_t first_message = meta_.next_number;
  Accepted answer{event.id, event.type, event.timestamp, false, {}, 0};
  answer.messages.reserve(item.subscribers.size());
  for (const Subscriber& subscriber : item.subscribers) {
    if (Tally* tally = subscriber_tally(subscriber.webhook)) {
      const Message message = add_message(subscriber, *tally, event.id, now);
      answer.messages.push_back({message.id, message.webhook});
    }
  }
  answer.message_count = answer.messages.size();
  encode_event_header(event, first_message, answer.message_count, buffer_);
  transaction_.append(Table::events, sequence_key(event.id.sequence()).view(), buffer_, event.data);
  if (!event.idempotency_key.empty()) {
    encode_number(event.idempotency_key, event.id.sequence(), buffer_);
    transaction_.put(Table::idempotency, event.idempotency_key, buffer_);
  }
  ++meta_.events;
  changed_ = true;
  return answer;
}

Message Changes::add_message(const Subscriber& subscriber, Tally& tally, EventId event, Time now) {
  const std::uint64_t sequence = meta_.next_number++;
  Message message =
      domain::new_message(rows_.id_of<MessageId>(sequence), subscriber.webhook, event, now, subscriber.window);
  encode_message(message, 0, buffer_);
  transaction_.append(Table::messages, sequence_key(sequence).view(), buffer_);
  transaction_.put(Table::due, due_key(due_entry(message)).view(), {});
  transaction_.put(Table::by_webhook, by_webhook_key({subscriber.webhook.sequence(), sequence}).view(), {});
  count_new(tally.counters, message);
  tally.changed = true;
  ++meta_.messages;
  ++meta_.waiting;
  note_time(sequence, now);
  return message;
}

void Changes::note_time(std::uint64_t message, Time created_at) {
  Span& span = meta_.filling;
  const std::uint64_t bucket = message_bucket(message);
  const bool is_first = span == Span{};
  if (!is_first && bucket != span.bucket) {
    encode_span(span, buffer_);
    transaction_.put(Table::spans, span_key(span.bucket).view(), buffer_);
  }
  if (is_first || bucket != span.bucket) {
    span = {bucket, created_at, created_at};
  }
  span.earliest = std::min(span.earliest, created_at);
  span.latest = std::max(span.latest, created_at);
}

// ---- messages -------------------------------------------------------------------------------------------------

std::vector<Settled> Changes::settle(const std::vector<Settlement>& settlements) {
  return each<Settled>(settlements, [&](const Settlement& settlement) { return settle_one(settlement); });
}

std::vector<Settled> Changes::wait_out(const std::vector<WaitedOut>& inputs) {
  return each<Settled>(inputs, [&](const WaitedOut& input) { return wait_out_one(input); });
}

Settled Changes::settle_one(const Settlement& settlement) {
  const auto stored = rows_.message(settlement.message);
  if (!stored || !*stored) {
    return {};  // gone, or damaged and reported
  }
  Settled answer{(*stored)->message, false};
  const SettleEffect effect = apply_settlement(answer.message, settlement);
  if (effect == SettleEffect::repeated) {
    return answer;
  }
  log_attempt(settlement.message, settlement.attempt);
  replace(**stored, answer.message);
  answer.changed = effect == SettleEffect::changed;
  if (answer.changed) {
    turn_off_if_gone(answer.message, settlement.ended_at);
  }
  return answer;
}

void Changes::log_attempt(MessageId message, const domain::Attempt& attempt) {
  if (space_.is_exhausted()) {
    return;  // what is left of the map is kept for the messages themselves
  }
  if (space_.is_full()) {
    domain::Attempt brief = attempt;
    brief.outcome.response_headers.clear();
    brief.outcome.response_body.clear();
    brief.outcome.response_truncated = true;
    encode_attempt(message.sequence(), brief, buffer_);
  } else {
    encode_attempt(message.sequence(), attempt, buffer_);
  }
  transaction_.put(Table::attempts, attempt_key(message.sequence(), attempt.number).view(), buffer_);
  space_.add_growth(growth_of_row(buffer_.size()));
}

void Changes::turn_off_if_gone(const Message& message, Time now) {
  if (message.reason != domain::SettleReason::gone) {
    return;
  }
  auto webhook = rows_.webhook(message.webhook.sequence());
  if (webhook && *webhook && make_gone(**webhook, message, now)) {
    store_webhook(**webhook);
    note_audit(line_of_gone(**webhook, message.id, now));
  }
}

Settled Changes::wait_out_one(const WaitedOut& input) {
  const auto stored = rows_.message(input.message);
  if (!stored || !*stored) {
    return {};
  }
  Settled answer{(*stored)->message, false};
  answer.changed = apply_waiting_out(answer.message, input);
  if (answer.changed) {
    replace(**stored, answer.message);
  }
  return answer;
}

void Changes::replace(const MessageRecord& stored, const Message& after) {
  const Message& before = stored.message;
  if (before.next_attempt_at != after.next_attempt_at) {
    if (before.next_attempt_at) {
      transaction_.remove(Table::due, due_key(due_entry(before)).view());
    }
    if (after.next_attempt_at) {
      transaction_.put(Table::due, due_key(due_entry(after)).view(), {});
    }
  }
  encode_message(after, move_to_end_of_feed(stored), buffer_);
  transaction_.put(Table::messages, sequence_key(after.id.sequence()).view(), buffer_);
  if (before.status != after.status) {
    Tally& tally = tally_of(after.webhook.sequence());
    count_change(tally.counters, before.status, after);
    tally.changed = true;
    meta_.waiting -= before.is_waiting() && !after.is_waiting() ? 1 : 0;
    meta_.waiting += !before.is_waiting() && after.is_waiting() ? 1 : 0;
  }
  changed_ = true;
}

std::uint64_t Changes::move_to_end_of_feed(const MessageRecord& stored) {
  const std::uint64_t message = stored.message.id.sequence();
  if (stored.change != 0) {
    transaction_.remove(Table::changes, change_key({stored.change, message}).view());
  }
  const std::uint64_t number = meta_.next_number++;
  transaction_.append(Table::changes, change_key({number, message}).view(), {});
  return number;
}

Result<MessageRecord> Changes::existing_message(MessageId id) {
  const auto stored = rows_.message(id);
  if (!stored) {
    return stored.error();
  }
  if (!*stored) {
    return no_such_message(id);
  }
  return **stored;
}

Result<Message> Changes::cancel(MessageId id, const domain::Actor& actor, Time now) {
  const auto stored = existing_message(id);
  if (!stored) {
    return stored.error();
  }
  Message after = stored->message;
  if (const auto cancelled = domain::apply_cancel(after, actor, now); !cancelled) {
    return cancelled.error();
  }
  replace(*stored, after);
  return after;
}

Result<Message> Changes::retry(MessageId id, const domain::Actor& actor, Time now) {
  const auto stored = existing_message(id);
  if (!stored) {
    return stored.error();
  }
  Message after = stored->message;
  const auto webhook = find_webhook(after.webhook);
  if (!webhook) {
    return webhook.error();
  }
  if (!*webhook) {
    return no_such_message(id);
  }
  if (const auto retried = domain::apply_retry(after, actor, now, (*webhook)->retry.window, (*webhook)->is_active());
      !retried) {
    return retried.error();
  }
  replace(*stored, after);
  return after;
}

// ---- bulk tasks -----------------------------------------------------------------------------------------------

Result<BulkTask> Changes::existing_task(TaskId id) {
  const auto stored = rows_.task(id);
  if (!stored) {
    return stored.error();
  }
  if (!*stored) {
    return no_such_task(id);
  }
  return **stored;
}

void Changes::store_task(const BulkTask& task) {
  encode_task(task, buffer_);
  transaction_.put(Table::tasks, sequence_key(task.id.sequence()).view(), buffer_);
  changed_ = true;
}

// One goes for each that comes, so one is enough.
void Changes::forget_old_tasks() {
  if (transaction_.rows(Table::tasks) < ended_tasks_kept) {
    return;
  }
  std::string oldest;
  {
    const auto cursor = transaction_.cursor(Table::tasks);
    for (bool more = cursor->first(); more && oldest.empty(); more = cursor->next()) {
      const auto task = decode_task(parse_sequence_key(cursor->key()).value_or(0), rows_.tag_keys(), cursor->value());
      if (!task || task->state != BulkState::running) {
        oldest = cursor->key();
      }
    }
  }
  if (!oldest.empty()) {
    transaction_.remove(Table::tasks, oldest);
  }
}

Result<BulkTask> Changes::begin_bulk(const BulkTask& draft) {
  BulkTask task = draft;
  const std::uint64_t number = meta_.next_number++;
  task.id = rows_.id_of<TaskId>(number);
  task.up_to = number;
  forget_old_tasks();
  store_task(task);
  return task;
}

Result<BulkProgress> Changes::step_bulk(const BulkStep& step) {
  auto task = existing_task(step.task);
  if (!task) {
    return task.error();
  }
  BulkProgress progress{std::move(*task), {}};
  if (!is_next_step(progress.task, step)) {
    return progress;
  }
  for (const MessageId id : step.messages) {
    const auto stored = rows_.message(id);
    if (!stored || !*stored || !matches_message(progress.task.filter, (*stored)->message)) {
      continue;
    }
    const auto changed = progress.task.action == BulkAction::retry ? retry(id, progress.task.actor, step.now)
                                                                   : cancel(id, progress.task.actor, step.now);
    ++(changed ? progress.task.done : progress.task.failed);
    if (changed) {
      progress.changed.push_back(*changed);
    }
  }
  advance(progress.task, step);
  store_task(progress.task);
  return progress;
}

Result<BulkTask> Changes::end_bulk(TaskId id, Time now) {
  auto task = existing_task(id);
  if (!task) {
    return task;
  }
  if (task->state != BulkState::running) {
    return task_has_ended(id);
  }
  task->state = BulkState::cancelled;
  task->ended_at = now;
  store_task(*task);
  return task;
}

// ---- webhooks and types ---------------------------------------------------------------------------------------

Lookup<Webhook> Changes::find_webhook(WebhookId id) {
  if (!rows_.is_ours(id) || rows_.is_deleting(id.sequence())) {
    return std::optional<Webhook>();
  }
  return rows_.webhook(id.sequence());
}

void Changes::store_webhook(const Webhook& webhook) {
  const std::string key_id = rows_.sealed_with();
  const SealerRef sealer = key_id.empty() ? nullptr : rows_.seals().find(key_id);
  base::check(key_id.empty() || sealer != nullptr, "a sealed store was opened with its sealer");
  store_webhook(webhook, sealer.get());
}

void Changes::store_webhook(const Webhook& webhook, const Sealer* sealer) {
  encode_webhook(webhook, sealer, buffer_);
  transaction_.put(Table::webhooks, sequence_key(webhook.id.sequence()).view(), buffer_);
  changed_ = true;
}

Result<Resealed> Changes::reseal(const Sealer& sealer) {
  Resealed answer{rows_.sealed_with(), sealer.key_id(), 0};
  if (answer.from == answer.to) {
    return answer;
  }
  // All are read before the first is written: one that cannot be read leaves everything as it is.
  std::vector<Webhook> webhooks;
  {
    const auto cursor = transaction_.cursor(Table::webhooks);
    for (bool more = cursor->first(); more; more = cursor->next()) {
      const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(0);
      auto webhook = decode_webhook(sequence, rows_.tag_keys(), cursor->value(), &rows_.seals());
      if (!webhook) {
        return rows_.damaged(webhook.error());
      }
      webhooks.push_back(std::move(*webhook));
    }
  }
  for (const Webhook& webhook : webhooks) {
    store_webhook(webhook, &sealer);
  }
  transaction_.put_main(sealed_key, answer.to);
  changed_ = true;
  answer.webhooks = webhooks.size();
  return answer;
}

Result<void> Changes::check_name_is_free(const Webhook& webhook) {
  const auto holder = rows_.number(Table::names, name_key(webhook.display_name));
  if (!holder) {
    return holder.error();
  }
  if (*holder && **holder != webhook.id.sequence()) {
    return name_is_taken(webhook.display_name);
  }
  return {};
}

Result<Webhook> Changes::put_webhook(const WebhookWrite& write) {
  Webhook webhook = write.webhook;
  const bool is_new = !webhook.id.is_set();
  const auto stored = is_new ? Lookup<Webhook>(std::nullopt) : find_webhook(webhook.id);
  if (!stored) {
    return stored.error();
  }
  if (!is_new && !*stored) {
    return no_such_webhook(webhook.id);
  }
  if (!is_new && (*stored)->version != write.expected_version) {
    return version_has_moved(**stored, write.expected_version);
  }
  if (const auto free = check_name_is_free(webhook); !free) {
    return free.error();
  }
  if (is_new) {
    webhook.id = rows_.id_of<WebhookId>(meta_.next_webhook++);
    ++meta_.webhooks;
    tallies_[webhook.id.sequence()] = {{}, true, true};
  } else if ((*stored)->display_name != webhook.display_name) {
    transaction_.remove(Table::names, name_key((*stored)->display_name));
  }
  const std::string name = name_key(webhook.display_name);
  encode_number(name, webhook.id.sequence(), buffer_);
  transaction_.put(Table::names, name, buffer_);
  store_webhook(webhook);
  return webhook;
}

Result<std::uint64_t> Changes::delete_webhook(WebhookId id) {
  const auto stored = find_webhook(id);
  if (!stored) {
    return stored.error();
  }
  if (!*stored) {
    return no_such_webhook(id);
  }
  Tally& tally = tally_of(id.sequence());
  const std::uint64_t waited = tally.counters.waiting;
  count_deleted(tally.counters);
  tally.takes_messages = false;
  tally.changed = true;
  meta_.waiting -= std::min(meta_.waiting, waited);
  --meta_.webhooks;
  transaction_.remove(Table::names, name_key((*stored)->display_name));
  const Key key = sequence_key(id.sequence());
  encode_number(key.view(), 0, buffer_);
  transaction_.put(Table::deleting, key.view(), buffer_);
  rows_.forget_deleting();
  changed_ = true;
  return waited;
}

Result<domain::EventType> Changes::put_type(const domain::EventType& type) {
  encode_type(type, buffer_);
  transaction_.put(Table::types, type.name, buffer_);
  changed_ = true;
  return type;
}

Result<std::string> Changes::remove_type(const std::string& name) {
  if (name.empty() || name.size() > domain::limits::event_type_bytes || !transaction_.get(Table::types, name)) {
    return no_such_type(name);
  }
  transaction_.remove(Table::types, name);
  changed_ = true;
  return name;
}

// ---- audit ----------------------------------------------------------------------------------------------------

std::uint64_t Changes::note_audit(AuditLine line) {
  line.number = meta_.next_number++;
  encode_audit(line, buffer_);
  transaction_.append(Table::audit, sequence_key(line.number).view(), buffer_);
  changed_ = true;
  return line.number;
}

// ---- purging --------------------------------------------------------------------------------------------------

Result<PurgeStep> Changes::purge_webhook(WebhookId id, std::size_t limit) {
  const std::uint64_t webhook = id.sequence();
  const Key key = sequence_key(webhook);
  if (!rows_.is_ours(id) || !transaction_.get(Table::counters, key.view())) {
    return PurgeStep{0, true};
  }
  if (!rows_.is_deleting(webhook)) {
    return not_being_deleted(id);
  }
  auto progress = rows_.number(Table::deleting, key.view());
  std::uint64_t bucket = progress ? progress->value_or(0) : 0;  // a damaged one begins again
  PurgeStep step;
  step.removed = remove_messages(webhook, limit, bucket);
  const bool messages_left = bucket <= max_bucket;
  step.done = !messages_left && remove_due_entries(webhook, limit);
  changed_ = true;
  if (step.done) {
    forget_webhook(webhook);
  } else {
    encode_number(key.view(), bucket, buffer_);
    transaction_.put(Table::deleting, key.view(), buffer_);
  }
  return step;
}

// From `bucket` on, which becomes where to go on; above max_bucket when there are no more.
std::size_t Changes::remove_messages(std::uint64_t webhook, std::size_t limit, std::uint64_t& bucket) {
  constexpr std::size_t rows_max = 5000;  // of one transaction; attempts are many
  std::size_t removed = 0;
  for (std::size_t rows = 0; bucket <= max_bucket; ++removed) {
    const auto entry = first_message_of(transaction_, webhook, bucket);
    bucket = entry ? message_bucket(entry->message) : max_bucket + 1;
    if (!entry || removed == limit || rows >= rows_max) {
      break;
    }
    rows += remove_message(*entry);
  }
  return removed;
}

std::size_t Changes::remove_message(const WebhookMessage& entry) {
  const Key key = sequence_key(entry.message);
  if (const auto record = rows_.any_message_at(entry.message); record && *record) {
    if ((*record)->message.next_attempt_at) {
      transaction_.remove(Table::due, due_key(due_entry((*record)->message)).view());
    }
    if ((*record)->change != 0) {
      transaction_.remove(Table::changes, change_key({(*record)->change, entry.message}).view());
    }
  }
  const auto attempts = keys_of_attempts(transaction_, entry.message);
  for (const std::string& attempt : attempts) {
    transaction_.remove(Table::attempts, attempt);
  }
  transaction_.remove(Table::messages, key.view());
  transaction_.remove(Table::by_webhook, by_webhook_key(entry).view());
  meta_.messages -= meta_.messages > 0 ? 1 : 0;
  return 4 + attempts.size();
}

// Entries whose message was damaged, and so could not say when it was due. True when none is left.
bool Changes::remove_due_entries(std::uint64_t webhook, std::size_t limit) {
  std::string from(bucket_key(0, webhook).view());
  for (std::size_t removed = 0; removed <= limit; ++removed) {
    {
      const auto cursor = transaction_.cursor(Table::due);
      if (!seek_webhook(*cursor, from, webhook, max_bucket + 1)) {
        return true;
      }
      from = cursor->key();
    }
    transaction_.remove(Table::due, from);
  }
  return false;
}

void Changes::forget_webhook(std::uint64_t webhook) {
  const Key key = sequence_key(webhook);
  transaction_.remove(Table::webhooks, key.view());
  transaction_.remove(Table::counters, key.view());
  transaction_.remove(Table::deleting, key.view());
  rows_.forget_deleting();
  tallies_.erase(webhook);
}

}  // namespace webhookd::store
