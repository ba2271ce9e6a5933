// What every record of the LMDB store consists of. Encoders write into a buffer that the caller uses again; decoders
// answer a value or ErrorCode::internal that names the record and what is wrong with it. Ids are not stored: they
// follow from the key and the store's tag keys.
//
// Never here: where records are kept, transactions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/keys.hpp"
#include "store/store.hpp"

namespace webhookd::store {

inline constexpr std::uint32_t schema_version = 4;

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

// What ids are tagged with (base/id.hpp). A restored store goes on with another key, from the first number that it
// gives itself on: its ids then differ from those that the store it was copied from gave meanwhile, and those that it
// holds stay as they are.
class TagKeys {
 public:
  struct Later {
    std::uint64_t from = 0;  // the first sequence of any kind of id
    std::uint64_t key = 0;
    bool operator==(const Later&) const = default;
  };

  TagKeys() = default;
  TagKeys(std::uint64_t first) : first_(first) {}  // NOLINT(google-explicit-constructor): most stores have one
  // `from` above that of all before.
  void go_on_with(Later later) { later_.push_back(later); }

  std::uint64_t first() const { return first_; }
  const std::vector<Later>& later() const { return later_; }
  std::uint64_t newest() const { return later_.empty() ? first_ : later_.back().key; }
  std::uint64_t of(std::uint64_t sequence) const {
    std::uint64_t key = first_;
    for (const Later& later : later_) {
      key = sequence >= later.from ? later.key : key;
    }
    return key;
  }
  bool operator==(const TagKeys&) const = default;

 private:
  std::uint64_t first_ = 0;
  std::vector<Later> later_;
};

// Set, and given by a store with these keys.
template <class Id>
Id id_of(std::uint64_t sequence, const TagKeys& tag_keys) {
  return sequence == 0 || sequence > base::max_sequence ? Id{} : Id{base::id_value(sequence, tag_keys.of(sequence))};
}

// The one small record that every commit writes.
struct Meta {
  std::uint64_t store_id = 0;
  TagKeys tag_keys;
  std::uint64_t next_event = 1;
  std::uint64_t next_number = 1;  // of messages, of their changes, of tasks, and of lines of the audit
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

// Secrets are sealed, but for a null sealer.
void encode_webhook(const domain::Webhook& webhook, const Sealer* sealer, std::string& out);
// With null seals a sealed secret stays as it is stored: for those who look at all else.
Result<domain::Webhook> decode_webhook(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record,
                                       const Seals* seals);

void encode_counters(std::uint64_t webhook, const WebhookCounters& counters, std::string& out);
Result<WebhookCounters> decode_counters(std::uint64_t webhook, std::string_view record);

void encode_type(const domain::EventType& type, std::string& out);
Result<domain::EventType> decode_type(std::string_view name, std::string_view record);

// The header alone; the row is the header and behind it `event.data`.
void encode_event_header(const domain::Event& event, std::uint64_t first_message, std::uint64_t message_count,
                         std::string& out);
// Looks at the head of the row only, however large the data.
Result<EventHeader> decode_event_header(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view row);
Result<std::shared_ptr<domain::Event>> decode_event(std::uint64_t sequence, const TagKeys& tag_keys,
                                                    std::string_view row);

void encode_message(const domain::Message& message, std::uint64_t change, std::string& out);
Result<MessageRecord> decode_message(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record);

void encode_attempt(std::uint64_t message, const domain::Attempt& attempt, std::string& out);
Result<domain::Attempt> decode_attempt(std::uint64_t message, std::string_view key, std::string_view record);

void encode_task(const BulkTask& task, std::string& out);
Result<BulkTask> decode_task(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record);

// Of the audit: the number is the key.
void encode_audit(const AuditLine& line, std::string& out);
Result<AuditLine> decode_audit(std::uint64_t number, std::string_view record);

void encode_span(const Span& span, std::string& out);
Result<Span> decode_span(std::uint64_t bucket, std::string_view record);

// One number: what names, idempotency and deleting hold.
void encode_number(std::string_view key, std::uint64_t number, std::string& out);
Result<std::uint64_t> decode_number(Table table, std::string_view key, std::string_view record);

}  // namespace webhookd::store
