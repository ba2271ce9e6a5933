// What every record of the LMDB store consists of. Encoders write into a buffer that the caller uses again; decoders
// answer a value or ErrorCode::internal that names the record and what is wrong with it. Ids are not stored: they
// follow from the key and the store's tag key.
//
// Never here: where records are kept, transactions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/keys.hpp"
#include "store/store.hpp"

namespace webhookd::store {

inline constexpr std::uint32_t schema_version = 2;

// The record of the schema, which every version reads; 0 when it is none.
std::uint32_t decode_schema(std::string_view record);
std::string store_id_text(std::uint64_t id);

// The earliest and the latest created_at of one bucket of messages.
struct Span {
  std::uint64_t bucket = 0;
  Time earliest{};
  Time latest{};
  bool operator==(const Span&) const = default;
};

// The one small record that every commit writes.
struct Meta {
  std::uint64_t store_id = 0;
  std::uint64_t tag_key = 0;
  std::uint64_t next_event = 1;
  std::uint64_t next_number = 1;  // of messages and of their changes
  std::uint64_t next_webhook = 1;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t waiting = 0;
  std::uint64_t webhooks = 0;
  Span filling;  // of the bucket of the newest message; meaningless while there was none
  bool operator==(const Meta&) const = default;
};

// A message, and where it stands in the feed of changes.
struct MessageRecord {
  domain::Message message;
  std::uint64_t change = 0;  // the number of its latest change; 0: none since its creation
  bool operator==(const MessageRecord&) const = default;
};

// An event without its data.
struct EventHeader {
  domain::Event event;
  std::uint64_t first_message = 0;
  std::uint64_t message_count = 0;  // ever created: one contiguous range
  std::size_t data_size = 0;
};

void encode_meta(const Meta& meta, std::string& out);
Result<Meta> decode_meta(std::string_view record);

void encode_webhook(const domain::Webhook& webhook, std::string& out);
Result<domain::Webhook> decode_webhook(std::uint64_t sequence, std::uint64_t tag_key, std::string_view record);

void encode_counters(std::uint64_t webhook, const WebhookCounters& counters, std::string& out);
Result<WebhookCounters> decode_counters(std::uint64_t webhook, std::string_view record);

void encode_type(const domain::EventType& type, std::string& out);
Result<domain::EventType> decode_type(std::string_view name, std::string_view record);

// The header alone; the row is the header and behind it `event.data`.
void encode_event_header(const domain::Event& event, std::uint64_t first_message, std::uint64_t message_count,
                         std::string& out);
// Looks at the head of the row only, however large the data.
Result<EventHeader> decode_event_header(std::uint64_t sequence, std::uint64_t tag_key, std::string_view row);
Result<std::shared_ptr<domain::Event>> decode_event(std::uint64_t sequence, std::uint64_t tag_key,
                                                    std::string_view row);

void encode_message(const domain::Message& message, std::uint64_t change, std::string& out);
Result<MessageRecord> decode_message(std::uint64_t sequence, std::uint64_t tag_key, std::string_view record);

void encode_attempt(std::uint64_t message, const domain::Attempt& attempt, std::string& out);
Result<domain::Attempt> decode_attempt(std::uint64_t message, std::string_view key, std::string_view record);

void encode_span(const Span& span, std::string& out);
Result<Span> decode_span(std::uint64_t bucket, std::string_view record);

// One number: what names, idempotency and deleting hold.
void encode_number(std::string_view key, std::uint64_t number, std::string& out);
Result<std::uint64_t> decode_number(Table table, std::string_view key, std::string_view record);

}  // namespace webhookd::store
