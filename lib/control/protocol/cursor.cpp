#include "control/protocol/cursor.hpp"

#include <algorithm>
#include <optional>

#include "base/base64.hpp"
#include "base/random.hpp"
#include "control/protocol/json_text.hpp"

namespace webhookd::protocol {

namespace {

// version (1 byte), list (8 bytes), position, check sum over all of it (8 bytes)
constexpr char version = 1;
constexpr std::size_t number_bytes = 8;
constexpr std::size_t cursor_bytes_max = 2048;

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

std::string to_base64url(std::string_view bytes) {
  std::string text = base::base64_encode(bytes);
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> from_base64url(std::string_view url_text) {
  if (url_text.size() > cursor_bytes_max || url_text.find_first_of("+/=") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string text(url_text);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return base::base64_decode(text);
}

base::Error refuse(std::string_view parameter, std::string_view why) {
  const std::string detail = std::string(parameter) + ": " + std::string(why);
  return {base::ErrorCode::invalid_request, detail, {{pointer_to(parameter), detail}}};
}

// The list of every cursor of the feed.
constexpr std::uint64_t feed = 0x66656564;

base::Result<std::string> unpack(std::string_view parameter, std::uint64_t list, std::string_view cursor) {
  const auto bytes = from_base64url(cursor);
  if (!bytes || bytes->size() < 1 + 2 * number_bytes || bytes->front() != version) {
    return refuse(parameter, "is not a cursor that we gave");
  }
  const std::string_view text(*bytes);
  const std::string_view body = text.substr(0, text.size() - number_bytes);
  if (read_number(text.substr(body.size())) != fingerprint(version, body)) {
    return refuse(parameter, "is damaged");
  }
  if (read_number(body.substr(1, number_bytes)) != list) {
    return refuse(parameter, list == feed ? "is the cursor of a list, not of the stream of changes"
                                          : "belongs to a list with another filter or order");
  }
  return std::string(body.substr(1 + number_bytes));
}

}  // namespace

std::uint64_t fingerprint(std::uint64_t seed, std::string_view text) {
  std::uint64_t sum = base::mix64(seed ^ text.size());
  for (const char c : text) {
    sum = base::mix64(sum ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15ULL;
  }
  return sum;
}

std::string number_position(std::uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(number >> shift & 0xff);
  }
  return bytes;
}

std::uint64_t position_number(std::string_view position) {
  return position.size() == number_bytes ? read_number(position) : 0;
}

std::string encode_cursor(std::uint64_t list, std::string_view position) {
  std::string bytes(1, version);
  bytes += number_position(list);
  bytes += position;
  bytes += number_position(fingerprint(version, bytes));
  return to_base64url(bytes);
}

base::Result<std::string> decode_cursor(std::uint64_t list, std::string_view cursor) {
  return unpack("cursor", list, cursor);
}

std::string encode_feed_cursor(const FeedPosition& position) {
  return encode_cursor(feed, number_position(position.store) + number_position(position.number));
}

base::Result<FeedPosition> decode_feed_cursor(std::string_view cursor) {
  const auto position = unpack("after", feed, cursor);
  if (!position) {
    return position.error();
  }
  if (position->size() != 2 * number_bytes) {
    return refuse("after", "is not a cursor that we gave");
  }
  const std::string_view text(*position);
  return FeedPosition{read_number(text.substr(0, number_bytes)), read_number(text.substr(number_bytes))};
}

base::Error foreign_feed_cursor() {
  return refuse("after", "is a cursor of another store; after=start begins at the beginning of this one");
}

base::Error early_feed_cursor() {
  return refuse("after", "lies ahead of this store: it was restored from an older copy; after=start begins anew");
}

}  // namespace webhookd::protocol
