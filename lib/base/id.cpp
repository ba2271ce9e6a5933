#include "base/id.hpp"

#include "base/check.hpp"
#include "base/random.hpp"

namespace webhookd::base {

namespace {

constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford: no i, l, o, u
constexpr int bits_per_digit = 5;

// Reads at most 13 digits into the upper digits of a value; false at a character that is no digit or when
// the first digit needs the 65th bit.
bool read_digits(std::string_view text, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = digits.find(text[i]);
    if (digit == std::string_view::npos || (i == 0 && digit > 15)) {
      return false;
    }
    value = (value << bits_per_digit) | digit;
  }
  return true;
}

}  // namespace

std::uint64_t id_value(std::uint64_t sequence, std::uint64_t tag_key) {
  check(sequence > 0 && sequence <= max_sequence, "an id's sequence number fits 44 bits");
  const std::uint64_t tag = mix64(sequence ^ tag_key) & ((std::uint64_t{1} << id_tag_bits) - 1);
  return (sequence << id_tag_bits) | tag;
}

std::string encode_id(std::string_view prefix, std::uint64_t value) {
  std::string text(prefix);
  for (int digit = static_cast<int>(id_digits) - 1; digit >= 0; --digit) {
    text += digits[(value >> (digit * bits_per_digit)) & 31];
  }
  return text;
}

std::optional<std::uint64_t> decode_id(std::string_view prefix, std::string_view text) {
  std::uint64_t value = 0;
  if (!text.starts_with(prefix) || text.size() != prefix.size() + id_digits ||
      !read_digits(text.substr(prefix.size()), value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> decode_id_prefix(std::string_view prefix,
                                                                        std::string_view text) {
  if (!text.starts_with(prefix) || text.size() <= prefix.size() || text.size() > prefix.size() + id_digits) {
    return std::nullopt;
  }
  const std::string_view part = text.substr(prefix.size());
  std::uint64_t value = 0;
  if (!read_digits(part, value)) {
    return std::nullopt;
  }
  const int missing_bits = static_cast<int>(id_digits - part.size()) * bits_per_digit;
  const std::uint64_t low = value << missing_bits;
  return std::pair{low, low | ((std::uint64_t{1} << missing_bits) - 1)};
}

}  // namespace webhookd::base
