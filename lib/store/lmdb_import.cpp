// Histories from another store, inside a write transaction. The messages of an event are one range of numbers, and a
// message to which something happened also stands in the feed of changes, as those of this store do: the feed is where
// followers and retention find it.
#include "store/lmdb_changes_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

using domain::EventHistory;
using domain::Message;

// About what it takes on disk: rows of messages and attempts with their indexes, and pages that are not full.
std::uint64_t growth_of(const EventHistory& history) {
  constexpr std::uint64_t page = 4096;
  return std::uint64_t{size_of(history)} * 3 / 2 + page;
}

}  // namespace

std::vector<Result<Imported>> Changes::import_histories(const std::vector<EventHistory>& histories,
                                                        Duration idempotency_window, Time now) {
  std::vector<Result<Imported>> answers;
  answers.reserve(histories.size());
  for (const EventHistory& history : histories) {
    answers.push_back(import_one(history, idempotency_window, now));
  }
  return answers;
}

Result<Imported> Changes::import_one(const EventHistory& history, Duration idempotency_window, Time now) {
  auto known = imported_before(*history.event->origin);
  if (!known) {
    return known.error();
  }
  if (*known) {
    return Imported{(*known)->event.id, true, rows_.messages_of(**known, 0).count, {}};
  }
  if (space_.is_full()) {
    return store_is_full(space_.why_full());
  }
  if (auto checked = check_webhooks(history); !checked) {
    return checked.error();
  }
  const auto holder = remembered_event(history.event->idempotency_key, idempotency_window, now);
  if (!holder) {
    return holder.error();
  }
  space_.add_growth(growth_of(history));
  return write_history(history, !history.event->idempotency_key.empty() && !*holder);
}

Lookup<EventHeader> Changes::imported_before(const domain::Origin& origin) {
  if (origin.store == store_id_text(meta_.store_id) && rows_.is_ours(origin.event)) {
    auto own = rows_.event_header(origin.event.sequence());
    if (!own || *own) {
      return own;
    }
  }
  const auto sequence = rows_.number(Table::idempotency, origin_key(origin));
  if (!sequence) {
    return sequence.error();
  }
  return *sequence ? rows_.event_header(**sequence) : Lookup<EventHeader>(std::optional<EventHeader>());
}

Result<void> Changes::check_webhooks(const EventHistory& history) {
  for (const domain::MessageHistory& message : history.messages) {
    if (subscriber_tally(message.message.webhook) == nullptr) {
      return no_such_webhook(message.message.webhook);
    }
  }
  return {};
}

Imported Changes::write_history(const EventHistory& history, bool takes_key) {
  domain::Event& event = *history.event;
  event.id = rows_.id_of<EventId>(meta_.next_event++);
  Imported answer{event.id, false, history.messages.size(), {}};
  const std::uint64_t first_message = meta_.next_number;
  std::uint64_t next_change = first_message + history.messages.size();
  for (const domain::MessageHistory& entry : history.messages) {
    const std::uint64_t sequence = meta_.next_number++;
    const Message message = as_imported(entry, rows_.id_of<MessageId>(sequence), event.id);
    write_imported(message, domain::is_untouched(message) ? 0 : next_change++, entry.attempts);
    if (message.is_waiting()) {
      answer.waiting.push_back(message);
    }
  }
  meta_.next_number = next_change;
  write_imported_event(event, first_message, answer.messages, takes_key);
  return answer;
}

void Changes::write_imported(const Message& message, std::uint64_t change,
                             const std::vector<domain::Attempt>& attempts) {
  const std::uint64_t sequence = message.id.sequence();
  const std::uint64_t webhook = message.webhook.sequence();
  encode_message(message, change, buffer_);
  transaction_.append(Table::messages, sequence_key(sequence).view(), buffer_);
  transaction_.put(Table::by_webhook, by_webhook_key({webhook, sequence}).view(), {});
  if (change != 0) {
    transaction_.append(Table::changes, change_key({change, sequence}).view(), {});
  }
  if (message.next_attempt_at) {
    transaction_.put(Table::due, due_key({webhook, {*message.next_attempt_at, sequence}}).view(), {});
  }
  for (const domain::Attempt& attempt : attempts) {
    encode_attempt(sequence, attempt, buffer_);
    transaction_.put(Table::attempts, attempt_key(sequence, attempt.number).view(), buffer_);
  }
  Tally& tally = tally_of(webhook);
  count_imported(tally.counters, message);
  tally.changed = true;
  ++meta_.messages;
  meta_.waiting += message.is_waiting() ? 1 : 0;
  note_time(sequence, message.created_at);
}

void Changes::write_imported_event(const domain::Event& event, std::uint64_t first_message, std::uint64_t message_count,
                                   bool takes_key) {
  const std::uint64_t sequence = event.id.sequence();
  encode_event_header(event, first_message, message_count, buffer_);
  transaction_.append(Table::events, sequence_key(sequence).view(), buffer_, event.data);
  const std::string origin = origin_key(*event.origin);
  encode_number(origin, sequence, buffer_);
  transaction_.put(Table::idempotency, origin, buffer_);
  if (takes_key) {
    encode_number(event.idempotency_key, sequence, buffer_);
    transaction_.put(Table::idempotency, event.idempotency_key, buffer_);
  }
  ++meta_.events;
  changed_ = true;
}

}  // namespace webhookd::store
