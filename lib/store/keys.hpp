// Every key of the LMDB store. Numbers are big-endian and of fixed width, so keys sort as their numbers do; each key is
// made by one function here and nowhere else.
//
// Schema version 4 (1 had no changes, 2 no tasks, 3 no audit). Sequences are those of the ids (base/id.hpp), 6 bytes.
//
//   table        key                                                    value
//   (main)       "schema"                                               4 bytes, readable by every version for ever
//   (main)       "meta"                                                 Meta: identity, next sequences, kept counts
//   webhooks     webhook                                                domain::Webhook
//   counters     webhook                                                WebhookCounters
//   deleting     webhook                                                where its purge goes on (message bucket)
//   names        display name (long ones: their beginning and a hash)   webhook
//   types        name                                                   domain::EventType
//   events       event                                                  EventHeader, then the data verbatim
//   messages     message                                                MessageRecord
//   attempts     message, number (4)                                    domain::Attempt
//   due          due bucket (4), webhook, rest of due (3), message      nothing
//   changes      number (6), message                                    nothing
//   by_webhook   message bucket (4), webhook, rest of message (2)       nothing
//   spans        message bucket (4)                                     Span: earliest and latest created_at
//   tasks        number (6)                                             BulkTask
//   audit        number (6)                                             AuditLine
//   idempotency  the producer's key                                     event
//   idempotency  byte 1, id that the event had elsewhere (8), its store event that was imported
//
// The two indexes begin with a coarse bucket (of due time; of message sequence >> 13), because a commit then touches
// the pages of few buckets however much is stored: with (webhook, message) alone durable puts fall to a tenth at ten
// million rows (performance.md). Both are read by skipping: seek to the webhook in a bucket, else to the next bucket.
// A message's sequence, the numbers of later changes, of tasks and of lines of the audit are one sequence,
// Meta::next_number (store.hpp says what the feed of changes is). changes has an entry for each message that changed
// since its creation, under the number of its latest change, which its record repeats: the entry moves to the end with
// every change, in the same transaction. A message that never changed stands at its own sequence and has no entry, so a
// creation costs no row here, and what changed behind a position is the merge of two walks, over messages and over
// changes, that begin at the same number. Numbers are given once, so entries are appended, and from its low end the
// table is the order in which messages settled, with those that still wait in between: the order in which retention
// removes.
//
// spans lets a search by time skip whole buckets, and stays right when the clock was set back. The bucket being filled
// has its span in Meta.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/store.hpp"

namespace webhookd::store {

enum class Table : std::uint8_t {
  webhooks,
  counters,
  deleting,
  names,
  types,
  events,
  messages,
  attempts,
  due,
  changes,
  by_webhook,
  spans,
  tasks,
  audit,
  idempotency,
};
inline constexpr std::array<const char*, 15> table_names = {
    "webhooks", "counters", "deleting",   "names", "types", "events", "messages",   "attempts",
    "due",      "changes",  "by_webhook", "spans", "tasks", "audit",  "idempotency"};
// How long every key of the table is; 0: they differ.
std::size_t key_bytes(Table table);
inline constexpr std::string_view schema_key = "schema";
inline constexpr std::string_view meta_key = "meta";
inline constexpr std::string_view sealed_key = "sealed";  // the id of the sealer; absent: nothing is sealed

inline constexpr int message_bucket_bits = 13;
constexpr std::uint64_t message_bucket(std::uint64_t message) { return message >> message_bucket_bits; }
constexpr std::uint64_t first_of_message_bucket(std::uint64_t bucket) { return bucket << message_bucket_bits; }

// What buckets of both indexes fit in; a seek to a later one finds nothing.
inline constexpr std::uint64_t max_bucket = 0xffffffff;

class Key {
 public:
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), size_}; }
  // The lowest `width` bytes of `value`, highest first.
  Key& append(std::uint64_t value, int width);

 private:
  std::array<unsigned char, 20> bytes_{};
  std::size_t size_ = 0;
};

struct DueEntry {
  std::uint64_t webhook = 0;
  DuePosition position;
};
struct WebhookMessage {
  std::uint64_t webhook = 0;
  std::uint64_t message = 0;
};
struct ChangeEntry {
  std::uint64_t number = 0;
  std::uint64_t message = 0;
};

Key sequence_key(std::uint64_t sequence);
Key attempt_key(std::uint64_t message, std::uint32_t number);
Key due_key(const DueEntry& entry);
Key change_key(const ChangeEntry& entry);
Key by_webhook_key(const WebhookMessage& entry);
// The first key of one webhook in one bucket, of either index.
Key bucket_key(std::uint64_t bucket, std::uint64_t webhook);
Key span_key(std::uint64_t bucket);
// A display name may be longer than a key of LMDB can be.
std::string name_key(std::string_view display_name);
// Where an imported event is found. No key of a producer begins as these do: those are printable.
std::string origin_key(const domain::Origin& origin);
std::string origin_prefix(EventId elsewhere);  // of that id in whatever store

// Nothing when the bytes are no such key.
std::optional<std::uint64_t> parse_sequence_key(std::string_view key);
std::optional<std::uint64_t> parse_span_key(std::string_view key);
std::optional<DueEntry> parse_due_key(std::string_view key);
std::optional<ChangeEntry> parse_change_key(std::string_view key);
std::optional<WebhookMessage> parse_by_webhook_key(std::string_view key);
// Bucket and webhook, of a key of either index.
struct BucketPlace {
  std::uint64_t bucket = 0;
  std::uint64_t webhook = 0;
};
std::optional<BucketPlace> parse_bucket_place(std::string_view key);

}  // namespace webhookd::store
