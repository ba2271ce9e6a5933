// Opaque cursors: where a page ended, which list it belongs to, and a check sum, as base64url. A cursor that was
// damaged, or that is used with another list, order or filter, is refused by name instead of giving a wrong page. A
// cursor of the feed of changes names the store instead: it fits every filter, and no other store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace webhookd::protocol {

// `list` identifies the list, its order and its filters (fingerprint); `position` is the list's own business.
std::string encode_cursor(std::uint64_t list, std::string_view position);
// The position. Errors are invalid_request and name `cursor`.
base::Result<std::string> decode_cursor(std::uint64_t list, std::string_view cursor);

// Positions that are one number.
std::string number_position(std::uint64_t number);
std::uint64_t position_number(std::string_view position);  // 0 when it is none

// store::ChangePage's `store` and `position`.
struct FeedPosition {
  std::uint64_t store = 0;
  std::uint64_t number = 0;
};
std::string encode_feed_cursor(const FeedPosition& position);
// Errors name `after`.
base::Result<FeedPosition> decode_feed_cursor(std::string_view cursor);
base::Error foreign_feed_cursor();  // of another store
base::Error early_feed_cursor();    // of a position that the store has not reached

std::uint64_t fingerprint(std::uint64_t seed, std::string_view text);

}  // namespace webhookd::protocol
