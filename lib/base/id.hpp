// Identities. An id is 64 bits: a sequence number (44 bits, in the order of creation; dense but for messages, which
// share their numbers with their later changes) and a tag (20 bits, drawn from the store's own key). The sequence is
// the key in the store, so neighbours in time are neighbours on disk and an event's messages are one contiguous range;
// the tag makes an id of one store (or of a store restored from an older backup) different from the same sequence
// number in another, because receivers deduplicate by it. As text: a prefix that says what it names, and 13 lower-case
// Crockford base32 digits, which sort as the numbers do.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace webhookd::base {

inline constexpr int id_tag_bits = 20;
inline constexpr std::uint64_t max_sequence = (std::uint64_t{1} << 44) - 1;
inline constexpr std::size_t id_digits = 13;

template <class Kind>
struct Id {
  std::uint64_t value = 0;

  constexpr std::uint64_t sequence() const { return value >> id_tag_bits; }
  constexpr bool is_set() const { return value != 0; }
  auto operator<=>(const Id&) const = default;
};

struct WebhookKind {
  static constexpr std::string_view prefix = "wh_";
};
struct EventKind {
  static constexpr std::string_view prefix = "evt_";
};
struct MessageKind {
  static constexpr std::string_view prefix = "msg_";
};
struct TaskKind {
  static constexpr std::string_view prefix = "task_";
};
using WebhookId = Id<WebhookKind>;
using EventId = Id<EventKind>;
using MessageId = Id<MessageKind>;
using TaskId = Id<TaskKind>;

// The id of `sequence` (1 … max_sequence) in the store whose tag key is `tag_key`.
std::uint64_t id_value(std::uint64_t sequence, std::uint64_t tag_key);

std::string encode_id(std::string_view prefix, std::uint64_t value);
std::optional<std::uint64_t> decode_id(std::string_view prefix, std::string_view text);
// The lowest and highest id whose text starts with `text` (at least the prefix and one digit).
std::optional<std::pair<std::uint64_t, std::uint64_t>> decode_id_prefix(std::string_view prefix, std::string_view text);

template <class Kind>
std::string to_string(Id<Kind> id) {
  return encode_id(Kind::prefix, id.value);
}

template <class Kind>
std::optional<Id<Kind>> parse_id_of(std::string_view text) {
  if (const auto value = decode_id(Kind::prefix, text)) {
    return Id<Kind>{*value};
  }
  return std::nullopt;
}
inline std::optional<WebhookId> parse_webhook_id(std::string_view text) { return parse_id_of<WebhookKind>(text); }
inline std::optional<EventId> parse_event_id(std::string_view text) { return parse_id_of<EventKind>(text); }
inline std::optional<MessageId> parse_message_id(std::string_view text) { return parse_id_of<MessageKind>(text); }
inline std::optional<TaskId> parse_task_id(std::string_view text) { return parse_id_of<TaskKind>(text); }

}  // namespace webhookd::base

template <class Kind>
struct std::hash<webhookd::base::Id<Kind>> {
  std::size_t operator()(webhookd::base::Id<Kind> id) const noexcept {
    // Sequence and tag are both regular; one multiplication spreads them over the table.
    return static_cast<std::size_t>((id.value ^ (id.value >> 29)) * 0x9e3779b97f4a7c15ULL);
  }
};
