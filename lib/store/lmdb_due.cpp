#include "store/lmdb_reads_impl.hpp"

namespace webhookd::store {

namespace {

using domain::Message;

base::Error stray_entry(const Rows& rows, const DuePosition& position) {
  return {base::ErrorCode::internal,
          "the due entry of message " + to_string(rows.id_of<MessageId>(position.message_sequence)) + " at " +
              base::format_time(position.due) + " does not fit its record",
          {}};
}

// The message that a due entry stands for, and the head of its event; nothing when either is damaged (reported).
struct DueMessage {
  Message message;
  std::size_t data_size = 0;
};
std::optional<DueMessage> look_at(Rows& rows, const DuePosition& position) {
  auto record = rows.any_message_at(position.message_sequence);
  if (!record) {
    return std::nullopt;
  }
  if (!*record || (*record)->message.next_attempt_at != position.due) {
    rows.damage().add(stray_entry(rows, position));
    return std::nullopt;
  }
  Message& message = (*record)->message;
  const auto event = rows.event_header(message.event.sequence());
  if (!event) {
    return std::nullopt;
  }
  if (!*event) {
    rows.damage().add(stray_entry(rows, position));
    return std::nullopt;
  }
  return DueMessage{std::move(message), (*event)->data_size};
}

}  // namespace

DueHeads read_due_heads(Rows& rows, const DueHeadQuery& query) {
  DueHeads answer;
  std::uint64_t bucket = query.from_bucket;
  std::uint64_t webhook = query.after.sequence();
  const auto cursor = rows.view().cursor(Table::due);
  while (bucket <= max_bucket && cursor->seek(bucket_key(bucket, webhook + 1).view())) {
    const auto entry = parse_due_key(cursor->key());
    if (!entry) {
      break;
    }
    const std::uint64_t found_bucket = due_bucket(entry->position.due);
    if (!rows.is_deleting(entry->webhook)) {
      if (found_bucket >= query.until_bucket) {
        answer.next_bucket = found_bucket;
        break;
      }
      if (answer.heads.size() == query.limit) {
        const bool none = answer.heads.empty();
        answer.resume_bucket = none ? query.from_bucket : due_bucket(answer.heads.back().position.due);
        answer.resume_after = none ? query.after : answer.heads.back().webhook;
        return answer;
      }
      answer.heads.push_back({rows.id_of<WebhookId>(entry->webhook), entry->position});
    }
    bucket = found_bucket;
    webhook = entry->webhook;
  }
  answer.complete = true;
  return answer;
}

Claim read_claim(Rows& rows, const ClaimQuery& query) {
  Claim answer;
  const std::uint64_t webhook = query.webhook.sequence();
  if (!rows.is_ours(query.webhook) || rows.is_deleting(webhook) || due_bucket(query.from.due) > max_bucket) {
    return answer;
  }
  const auto cursor = rows.view().cursor(Table::due);
  std::size_t bytes = 0;
  Key from = due_key({webhook, query.from});
  while (seek_webhook(*cursor, from.view(), webhook, query.until_bucket)) {
    const DuePosition position = parse_due_key(cursor->key())->position;
    from = due_key({webhook, {position.due, position.message_sequence + 1}});
    if (position.due > query.due_until || answer.messages.size() >= query.rows) {
      answer.next = position;
      break;
    }
    auto due = look_at(rows, position);
    if (!due) {
      continue;
    }
    bytes += due->data_size;
    if (!answer.messages.empty() && bytes > query.bytes) {
      answer.next = position;
      break;
    }
    auto event = rows.event(due->message.event.sequence());
    if (event && *event) {
      answer.messages.push_back({std::move(due->message), std::move(**event)});
    }
  }
  return answer;
}

}  // namespace webhookd::store
