#include <algorithm>

#include "store/lmdb_rows_impl.hpp"

namespace webhookd::store {

void DamageReport::add(const base::Error& damage) {
  if (is_new(damage.detail)) {
    log_.write(base::LogLevel::error, "store_record_damaged", {{"detail", damage.detail}});
  }
}

void DamageReport::add_structural(const View& view) {
  if (const auto damage = view.structural_damage()) {
    if (is_new(view.failed_table())) {
      log_.write(base::LogLevel::error, "store_structure_damaged", {{"detail", damage->detail}});
    }
  }
}

bool DamageReport::is_new(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (remembered_.contains(what)) {
    return false;
  }
  if (remembered_.size() < remembered_max) {
    remembered_.insert(what);
  }
  ++count_;
  return true;
}

Lookup<Meta> Rows::meta() {
  return look_up<Meta>(view_.get_main(meta_key), [](std::string_view record) { return decode_meta(record); });
}

Lookup<MessageRecord> Rows::message(MessageId id) {
  return is_ours(id) ? message_at(id.sequence()) : Lookup<MessageRecord>(std::nullopt);
}

Lookup<MessageRecord> Rows::any_message_at(std::uint64_t sequence) {
  return look_up<MessageRecord>(view_.get(Table::messages, sequence_key(sequence).view()),
                                [&](std::string_view record) { return decode_message(sequence, tag_keys_, record); });
}

Lookup<MessageRecord> Rows::message_at(std::uint64_t sequence) {
  auto found = any_message_at(sequence);
  if (found && *found && is_deleting((*found)->message.webhook.sequence())) {
    return std::optional<MessageRecord>();
  }
  return found;
}

Lookup<EventHeader> Rows::event_header(std::uint64_t sequence) {
  return look_up<EventHeader>(view_.get(Table::events, sequence_key(sequence).view(), Reach::ends),
                              [&](std::string_view row) { return decode_event_header(sequence, tag_keys_, row); });
}

Lookup<domain::EventRef> Rows::event(std::uint64_t sequence) {
  return look_up<domain::EventRef>(view_.get(Table::events, sequence_key(sequence).view()),
                                   [&](std::string_view row) { return decode_event(sequence, tag_keys_, row); });
}

Lookup<domain::Webhook> Rows::webhook(std::uint64_t sequence) {
  return look_up<domain::Webhook>(
      view_.get(Table::webhooks, sequence_key(sequence).view()),
      [&](std::string_view record) { return decode_webhook(sequence, tag_keys_, record, &seals_); });
}

Lookup<BulkTask> Rows::task(TaskId id) {
  if (!is_ours(id)) {
    return std::optional<BulkTask>();
  }
  const std::uint64_t sequence = id.sequence();
  return look_up<BulkTask>(view_.get(Table::tasks, sequence_key(sequence).view()),
                           [&](std::string_view record) { return decode_task(sequence, tag_keys_, record); });
}

Lookup<WebhookCounters> Rows::counters(std::uint64_t webhook) {
  return look_up<WebhookCounters>(view_.get(Table::counters, sequence_key(webhook).view()),
                                  [&](std::string_view record) { return decode_counters(webhook, record); });
}

Lookup<std::uint64_t> Rows::number(Table table, std::string_view key) {
  return look_up<std::uint64_t>(view_.get(table, key),
                                [&](std::string_view record) { return decode_number(table, key, record); });
}

bool Rows::is_deleting(std::uint64_t webhook) {
  if (!deleting_) {
    deleting_.emplace();
    if (view_.rows(Table::deleting) > 0) {
      const auto cursor = view_.cursor(Table::deleting);
      for (bool more = cursor->first(); more; more = cursor->next()) {
        deleting_->push_back(parse_sequence_key(cursor->key()).value_or(0));
      }
    }
  }
  return std::binary_search(deleting_->begin(), deleting_->end(), webhook);
}

Rows::EventMessages Rows::messages_of(const EventHeader& event, std::size_t limit) {
  EventMessages found;
  if (event.message_count == 0) {
    return found;
  }
  const std::uint64_t end = event.first_message + event.message_count;
  const auto cursor = view_.cursor(Table::messages);
  for (bool more = cursor->seek(sequence_key(event.first_message).view()); more; more = cursor->next()) {
    const auto sequence = parse_sequence_key(cursor->key());
    if (!sequence || *sequence >= end) {
      break;
    }
    auto record = decode_message(*sequence, tag_keys_, cursor->value());
    if (!record) {
      damage_.add(record.error());
      continue;
    }
    if (!is_deleting(record->message.webhook.sequence()) && found.count++ < limit) {
      found.first.push_back(std::move(record->message));
    }
  }
  return found;
}

const std::string* TypeReader::type_of(const domain::Message& message) {
  if (message.event.sequence() != sequence_) {
    sequence_ = message.event.sequence();
    auto header = rows_.event_header(sequence_);
    found_ = header && *header;
    type_ = found_ ? std::move((*header)->event.type) : std::string();
  }
  return found_ ? &type_ : nullptr;
}

bool seek_webhook(Cursor& cursor, std::string_view from, std::uint64_t webhook, std::uint64_t until_bucket) {
  bool found = cursor.seek(from);
  while (found) {
    const auto place = parse_bucket_place(cursor.key());
    if (!place || place->bucket >= until_bucket) {
      return false;
    }
    if (place->webhook == webhook) {
      return true;
    }
    // Behind its place in this bucket, or before its place in a later one.
    const std::uint64_t bucket = place->webhook > webhook ? place->bucket + 1 : place->bucket;
    found = bucket <= max_bucket && cursor.seek(bucket_key(bucket, webhook).view());
  }
  return false;
}

bool seek_webhook_back(Cursor& cursor, std::string_view from, std::uint64_t webhook) {
  bool found = cursor.seek_back(from);
  while (found) {
    const auto place = parse_bucket_place(cursor.key());
    if (!place) {
      return false;
    }
    if (place->webhook == webhook) {
      return true;
    }
    if (place->webhook < webhook && place->bucket == 0) {
      return false;
    }
    const std::uint64_t bucket = place->webhook < webhook ? place->bucket - 1 : place->bucket;
    found = cursor.seek_back(bucket_key(bucket, webhook + 1).view());
  }
  return false;
}

}  // namespace webhookd::store
