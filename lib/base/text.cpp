#include "base/text.hpp"

#include <algorithm>
#include <limits>

namespace webhookd::base {

namespace {

// How a lead byte opens a sequence: its length, its payload bits, and the least value that needs that length.
struct LeadByte {
  unsigned char mask;
  unsigned char mark;
  std::size_t bytes;
  char32_t least;
};
constexpr LeadByte lead_bytes[] = {
    {0x80, 0x00, 1, 0x0},
    {0xe0, 0xc0, 2, 0x80},
    {0xf0, 0xe0, 3, 0x800},
    {0xf8, 0xf0, 4, 0x10000},
};

const LeadByte* lead_byte(unsigned char byte) {
  const auto* found = std::find_if(std::begin(lead_bytes), std::end(lead_bytes),
                                   [byte](const LeadByte& lead) { return (byte & lead.mask) == lead.mark; });
  return found == std::end(lead_bytes) ? nullptr : found;
}

bool is_scalar_value(char32_t point) { return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff); }

bool is_control(char32_t point) { return point < 0x20 || (point >= 0x7f && point <= 0x9f); }

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours cost one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    above[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

constexpr std::size_t short_word = 5;  // up to here one slip is allowed, above two; dashes in front do not count
constexpr std::size_t suggestable_word = 128;  // nobody mistypes more than this; bounds the work

}  // namespace

std::optional<char32_t> decode_utf8(std::string_view text, std::size_t& length) {
  const LeadByte* lead = text.empty() ? nullptr : lead_byte(static_cast<unsigned char>(text[0]));
  if (lead == nullptr || text.size() < lead->bytes) {
    return std::nullopt;
  }
  char32_t point = static_cast<unsigned char>(text[0]) & static_cast<unsigned char>(~lead->mask);
  for (std::size_t i = 1; i < lead->bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) {
      return std::nullopt;
    }
    point = (point << 6) | (byte & 0x3f);
  }
  if (point < lead->least || !is_scalar_value(point)) {
    return std::nullopt;
  }
  length += lead->bytes;
  return point;
}

bool is_valid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!decode_utf8(text.substr(at), at)) {
      return false;
    }
  }
  return true;
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool has_control_characters(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto point = decode_utf8(text.substr(at), at);
    if (!point) {
      ++at;  // not UTF-8 at all: is_valid_utf8 says so, here only code points count
    } else if (is_control(*point)) {
      return true;
    }
  }
  return false;
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](char c) { return to_lower(c); });
  return lowered;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::optional<unsigned long long> parse_whole_number(std::string_view text, unsigned long long max) {
  if (text.empty() || (text[0] == '0' && text.size() > 1) || !std::all_of(text.begin(), text.end(), is_digit)) {
    return std::nullopt;
  }
  unsigned long long value = 0;
  for (const char c : text) {
    const auto digit = static_cast<unsigned long long>(c - '0');
    if (value > (std::numeric_limits<unsigned long long>::max() - digit) / 10) {
      return std::nullopt;
    }
    value = value * 10 + digit;
  }
  return value <= max ? std::optional(value) : std::nullopt;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += i == 0 ? std::string_view() : separator;
    text += parts[i];
  }
  return text;
}

std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > suggestable_word) {
    return std::nullopt;
  }
  const std::size_t letters = word.size() - std::min(word.size(), word.find_first_not_of('-'));
  std::size_t best = (letters <= short_word ? 1 : 2) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > suggestable_word) {
      continue;
    }
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string toml_basic_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    std::size_t length = 0;
    const auto code = decode_utf8(text, length);
    const std::size_t taken = code ? length : 1;
    if (!code || *code < 0x20 || *code == 0x7f) {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(text.front());
      out.append("\\u00").append({digits[byte >> 4], digits[byte & 15]});
    } else {
      if (*code == '"' || *code == '\\') out += '\\';
      out.append(text.substr(0, taken));
    }
    text.remove_prefix(taken);
  }
  return out + "\"";
}

}  // namespace webhookd::base
