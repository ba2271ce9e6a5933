#include "store/keys.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/random.hpp"

namespace webhookd::store {

namespace {

constexpr int sequence_width = 6;
constexpr int number_width = 4;
constexpr int bucket_width = 4;
constexpr int due_rest_width = 3;
constexpr int message_rest_width = 2;
constexpr std::size_t due_key_size = bucket_width + sequence_width + due_rest_width + sequence_width;
constexpr std::size_t by_webhook_key_size = bucket_width + sequence_width + message_rest_width;

constexpr std::size_t any_size = 0;
// In the order of Table.
constexpr std::array<std::size_t, table_names.size()> key_sizes = {
    sequence_width,                 // webhooks
    sequence_width,                 // counters
    sequence_width,                 // deleting
    any_size,                       // names
    any_size,                       // types
    sequence_width,                 // events
    sequence_width,                 // messages
    sequence_width + number_width,  // attempts
    due_key_size,                   // due
    2 * sequence_width,             // changes
    by_webhook_key_size,            // by_webhook
    bucket_width,                   // spans
    sequence_width,                 // tasks
    sequence_width,                 // audit
    any_size,                       // idempotency
};

constexpr std::uint64_t low_bits(std::uint64_t value, int bits) { return value & ((std::uint64_t{1} << bits) - 1); }

std::uint64_t take(std::string_view& key, int width) {
  std::uint64_t value = 0;
  for (int i = 0; i < width; ++i) {
    value = (value << 8) | static_cast<unsigned char>(key[static_cast<std::size_t>(i)]);
  }
  key.remove_prefix(static_cast<std::size_t>(width));
  return value;
}

std::uint64_t hash(std::string_view text, std::uint64_t state) {
  for (const char c : text) {
    state = base::mix64(state ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15ULL;
  }
  return base::mix64(state ^ text.size());
}

}  // namespace

std::size_t key_bytes(Table table) { return key_sizes[static_cast<std::size_t>(table)]; }

Key& Key::append(std::uint64_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
    bytes_[size_++] = static_cast<unsigned char>(value >> shift);
  }
  return *this;
}

Key sequence_key(std::uint64_t sequence) { return Key{}.append(sequence, sequence_width); }

Key attempt_key(std::uint64_t message, std::uint32_t number) {
  return Key{}.append(message, sequence_width).append(number, number_width);
}

Key bucket_key(std::uint64_t bucket, std::uint64_t webhook) {
  return Key{}.append(std::min(bucket, max_bucket), bucket_width).append(webhook, sequence_width);
}

Key due_key(const DueEntry& entry) {
  const auto ms = static_cast<std::uint64_t>(base::to_ms(entry.position.due));
  return bucket_key(due_bucket(entry.position.due), entry.webhook)
      .append(low_bits(ms, due_bucket_bits), due_rest_width)
      .append(entry.position.message_sequence, sequence_width);
}

Key change_key(const ChangeEntry& entry) {
  return Key{}.append(entry.number, sequence_width).append(entry.message, sequence_width);
}

Key by_webhook_key(const WebhookMessage& entry) {
  return bucket_key(message_bucket(entry.message), entry.webhook)
      .append(low_bits(entry.message, message_bucket_bits), message_rest_width);
}

Key span_key(std::uint64_t bucket) { return Key{}.append(std::min(bucket, max_bucket), bucket_width); }

std::string name_key(std::string_view display_name) {
  constexpr std::size_t verbatim = 480;
  if (display_name.size() <= verbatim) {
    return std::string(display_name);
  }
  // Two names of this length meet only when 128 bits of hash do; then the second is refused as taken.
  Key tail;
  tail.append(hash(display_name, 1), 8).append(hash(display_name, 2), 8);
  return std::string(display_name.substr(0, verbatim)).append(tail.view());
}

std::string origin_prefix(EventId elsewhere) {
  constexpr std::uint64_t mark = 1;
  Key key;
  return std::string(key.append(mark, 1).append(elsewhere.value, 8).view());
}

std::string origin_key(const domain::Origin& origin) { return origin_prefix(origin.event) + origin.store; }

std::optional<std::uint64_t> parse_sequence_key(std::string_view key) {
  if (key.size() != sequence_width) {
    return std::nullopt;
  }
  return take(key, sequence_width);
}

std::optional<std::uint64_t> parse_span_key(std::string_view key) {
  if (key.size() != bucket_width) {
    return std::nullopt;
  }
  return take(key, bucket_width);
}

std::optional<BucketPlace> parse_bucket_place(std::string_view key) {
  if (key.size() != due_key_size && key.size() != by_webhook_key_size) {
    return std::nullopt;
  }
  const std::uint64_t bucket = take(key, bucket_width);
  return BucketPlace{bucket, take(key, sequence_width)};
}

std::optional<DueEntry> parse_due_key(std::string_view key) {
  if (key.size() != due_key_size) {
    return std::nullopt;
  }
  DueEntry entry;
  const std::uint64_t bucket = take(key, bucket_width);
  entry.webhook = take(key, sequence_width);
  entry.position.due = due_bucket_start(bucket) + Duration{static_cast<std::int64_t>(take(key, due_rest_width))};
  entry.position.message_sequence = take(key, sequence_width);
  return entry;
}

std::optional<ChangeEntry> parse_change_key(std::string_view key) {
  if (key.size() != 2 * sequence_width) {
    return std::nullopt;
  }
  ChangeEntry entry;
  entry.number = take(key, sequence_width);
  entry.message = take(key, sequence_width);
  return entry;
}

std::optional<WebhookMessage> parse_by_webhook_key(std::string_view key) {
  if (key.size() != by_webhook_key_size) {
    return std::nullopt;
  }
  WebhookMessage entry;
  const std::uint64_t bucket = take(key, bucket_width);
  entry.webhook = take(key, sequence_width);
  entry.message = first_of_message_bucket(bucket) | take(key, message_rest_width);
  return entry;
}

}  // namespace webhookd::store
