#include "safe_text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/text.hpp"

namespace webhookd::whctl {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t count>
bool is_in(const std::array<Range, count>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const Range& range) { return range.first <= code && code <= range.last; });
}

// What can steer a terminal or hide text: controls, and the format characters of Unicode 15.
constexpr std::array<Range, 14> steering{{{0x00, 0x1f},
                                          {0x7f, 0x9f},
                                          {0xad, 0xad},
                                          {0x61c, 0x61c},
                                          {0x180e, 0x180e},
                                          {0x200b, 0x200f},
                                          {0x2028, 0x202e},
                                          {0x2060, 0x206f},
                                          {0xfeff, 0xfeff},
                                          {0xfff9, 0xfffb},
                                          {0x110bd, 0x110bd},
                                          {0x1bca0, 0x1bca3},
                                          {0x1d173, 0x1d17a},
                                          {0xe0000, 0xe007f}}};

std::string hex(const char* format, unsigned value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string visible_escape(char32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    default:
      break;
  }
  const auto value = static_cast<unsigned>(code);
  return value < 0x80 ? hex("\\x%02x", value) : value < 0x10000 ? hex("\\u%04x", value) : hex("\\U%08x", value);
}

std::string json_escape(char32_t code) {
  const auto value = static_cast<unsigned>(code);
  if (value < 0x10000) return hex("\\u%04x", value);
  const unsigned rest = value - 0x10000;
  return hex("\\u%04x", 0xd800 + (rest >> 10)) + hex("\\u%04x", 0xdc00 + (rest & 0x3ff));
}

// Copies `text`; what `kept` does not name and steers goes through `escape`, an invalid byte through `invalid`.
template <class Escape, class Invalid>
std::string rewrite(std::string_view text, std::string_view kept, Escape escape, Invalid invalid) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = 0;
    const auto code = base::decode_utf8(text, length);
    if (!code) {
      out += invalid(static_cast<unsigned char>(text.front()));
      length = 1;
    } else if (is_in(steering, *code) && (*code > 0x7f || kept.find(static_cast<char>(*code)) == kept.npos)) {
      out += escape(*code);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

template <class Escape>
std::string beyond_ascii(std::string_view text, Escape escape) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto code = base::decode_utf8(text, length);
    const std::size_t taken = code ? length : 1;
    out += code && *code > 0x7f ? escape(*code) : std::string(text.substr(0, taken));
    text.remove_prefix(taken);
  }
  return out;
}

std::string invalid_byte(unsigned char byte) { return hex("\\x%02x", byte); }

}  // namespace

std::string safe_line(std::string_view text) { return rewrite(text, "", visible_escape, invalid_byte); }

std::string safe_block(std::string_view text) { return rewrite(text, "\n\t", visible_escape, invalid_byte); }

std::string safe_json(std::string_view json) {
  return rewrite(json, "\n\t\r", json_escape, [](unsigned char) { return std::string("\\ufffd"); });
}

std::string ascii_text(std::string_view text) { return beyond_ascii(text, visible_escape); }

std::string ascii_json(std::string_view json) { return beyond_ascii(json, json_escape); }

}  // namespace webhookd::whctl
