// Retention inside a write transaction: what goes is found by a walk first and removed afterwards, by key.
#include <set>

#include "store/lmdb_changes_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

constexpr std::size_t removed_rows_max = 5000;  // of one transaction, about; attempts are many
constexpr std::size_t scanned_rows_max = 20'000;

// Rows that go with a message, about.
std::size_t rows_of(const domain::Message& message) { return 4 + message.attempts; }

// What its removal frees, rather too much than too little: a step that frees less than it should is followed by
// another, one that frees more has removed what might have stayed.
std::uint64_t bytes_of(const domain::Message& message, const EventHeader& event) {
  constexpr std::uint64_t row_bytes = 1024;
  return event.data_size / std::max<std::uint64_t>(event.message_count, 1) + row_bytes * (1 + message.attempts);
}

}  // namespace

Result<Expired> Changes::expire(const ExpireStep& step) {
  Expired answer;
  answer.after = step.after;
  answer.after_event = step.after_event;
  const std::uint64_t excess = space_.excess_above(step.max_bytes);
  expire_messages(step, excess, answer);
  if (answer.done) {
    answer.done = false;
    expire_events(step, answer.messages == 0 ? excess : 0, answer);
  }
  if (answer.done) {
    expire_audit(step, answer);
  }
  changed_ = changed_ || answer.messages + answer.events + answer.audit_lines > 0;
  return answer;
}

void Changes::expire_messages(const ExpireStep& step, std::uint64_t excess, Expired& answer) {
  std::vector<MessageRecord> going;
  std::uint64_t freed = 0;
  {
    std::size_t rows = 0;
    std::size_t scanned = 0;
    const auto cursor = transaction_.cursor(Table::changes);
    bool more = cursor->seek(change_key({step.after + 1, 0}).view());
    for (; more; more = cursor->next()) {
      const auto entry = parse_change_key(cursor->key());
      const auto record = entry ? rows_.any_message_at(entry->message) : Lookup<MessageRecord>(std::nullopt);
      const bool is_sound = record && *record && !rows_.is_deleting((*record)->message.webhook.sequence());
      const Disposal disposal =
          is_sound ? disposal_of(step, (*record)->message, excess > 0) : Disposal::pass;  // damage was reported
      if (disposal == Disposal::stop) {
        answer.next = (*record)->message.settled_at;
        break;
      }
      if (++scanned > scanned_rows_max) {
        break;
      }
      if (disposal == Disposal::remove) {
        if (going.size() == step.limit || rows >= removed_rows_max || (excess > 0 && freed >= excess)) {
          break;
        }
        rows += rows_of((*record)->message);
        freed += excess > 0 ? bytes_with((*record)->message) : 0;
        going.push_back(**record);
      }
      answer.after = entry ? entry->number : answer.after;
    }
    answer.done = !more || answer.next;
  }
  std::set<std::uint64_t> buckets;
  for (const MessageRecord& record : going) {
    expire_message(step, record, answer);
    buckets.insert(message_bucket(record.message.id.sequence()));
  }
  for (const std::uint64_t bucket : buckets) {
    remove_span_if_empty(bucket);
  }
}

std::uint64_t Changes::bytes_with(const domain::Message& message) {
  const auto event = rows_.event_header(message.event.sequence());
  return bytes_of(message, event && *event ? **event : EventHeader());
}

void Changes::expire_message(const ExpireStep& step, const MessageRecord& record, Expired& answer) {
  const domain::Message& message = record.message;
  remove_message({message.webhook.sequence(), message.id.sequence()});
  ++answer.messages;
  expire_event_if_bare(step, message.event.sequence(), answer);
}

void Changes::expire_event_if_bare(const ExpireStep& step, std::uint64_t event, Expired& answer) {
  const auto header = rows_.event_header(event);
  if (header && *header && !has_messages(**header) && !is_kept_for_its_key(step, (*header)->event)) {
    remove_event((*header)->event);
    ++answer.events;
  }
}

void Changes::expire_events(const ExpireStep& step, std::uint64_t excess, Expired& answer) {
  std::vector<domain::Event> going;
  std::uint64_t freed = 0;
  {
    std::size_t scanned = 0;
    const auto cursor = transaction_.cursor(Table::events, Reach::ends);
    bool more = cursor->seek(sequence_key(step.after_event + 1).view());
    for (; more; more = cursor->next()) {
      const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(0);
      const auto header = rows_.event_header(sequence);
      const bool is_sound = header && *header;
      const Disposal disposal = is_sound ? disposal_of(step, (*header)->event, excess > 0) : Disposal::pass;
      if (disposal == Disposal::stop) {
        const Time accepted_at = (*header)->event.accepted_at;
        answer.next = std::min(answer.next.value_or(accepted_at), accepted_at);
        more = false;
        break;
      }
      const bool goes = disposal == Disposal::remove && !has_messages(**header);
      const bool is_enough =
          answer.messages + answer.events + going.size() >= step.limit || (excess > 0 && freed >= excess);
      if ((goes && is_enough) || ++scanned > scanned_rows_max) {
        break;
      }
      answer.after_event = sequence;
      if (goes) {
        freed += (*header)->data_size;
        going.push_back((*header)->event);
      }
    }
    answer.done = !more;
  }
  for (const domain::Event& event : going) {
    remove_event(event);
    ++answer.events;
  }
  answer.after_event = answer.done ? 0 : answer.after_event;
}

// Lines stand in the order in which they were written; the oldest is looked at first, each time.
void Changes::expire_audit(const ExpireStep& step, Expired& answer) {
  std::vector<std::string> going;
  {
    std::size_t scanned = 0;
    const auto cursor = transaction_.cursor(Table::audit);
    for (bool more = cursor->first(); more && scanned < scanned_rows_max; more = cursor->next(), ++scanned) {
      const auto line = decode_audit(parse_sequence_key(cursor->key()).value_or(0), cursor->value());
      if (!line) {
        rows_.damage().add(line.error());
        continue;
      }
      const Disposal disposal = disposal_of(step, *line);
      if (disposal == Disposal::stop) {
        answer.next_audit = line->at;
        break;
      }
      if (disposal == Disposal::remove && going.size() == step.limit) {
        answer.done = false;
        break;
      }
      if (disposal == Disposal::remove) {
        going.emplace_back(cursor->key());
      }
    }
  }
  for (const std::string& key : going) {
    transaction_.remove(Table::audit, key);
  }
  answer.audit_lines = going.size();
}

bool Changes::has_messages(const EventHeader& event) {
  if (event.message_count == 0) {
    return false;
  }
  const auto cursor = transaction_.cursor(Table::messages);
  return cursor->seek(sequence_key(event.first_message).view()) &&
         parse_sequence_key(cursor->key()).value_or(0) < event.first_message + event.message_count;
}

void Changes::remove_event(const domain::Event& event) {
  const std::uint64_t sequence = event.id.sequence();
  if (!event.idempotency_key.empty()) {
    const auto holder = rows_.number(Table::idempotency, event.idempotency_key);
    if (holder && *holder && **holder == sequence) {
      transaction_.remove(Table::idempotency, event.idempotency_key);
    }
  }
  if (event.origin) {
    transaction_.remove(Table::idempotency, origin_key(*event.origin));
  }
  transaction_.remove(Table::events, sequence_key(sequence).view());
  meta_.events -= meta_.events > 0 ? 1 : 0;
}

void Changes::remove_span_if_empty(std::uint64_t bucket) {
  if (bucket == meta_.filling.bucket) {
    return;
  }
  const auto cursor = transaction_.cursor(Table::messages);
  const bool is_empty = !cursor->seek(sequence_key(first_of_message_bucket(bucket)).view()) ||
                        message_bucket(parse_sequence_key(cursor->key()).value_or(0)) != bucket;
  if (is_empty) {
    transaction_.remove(Table::spans, span_key(bucket).view());
  }
}

}  // namespace webhookd::store
