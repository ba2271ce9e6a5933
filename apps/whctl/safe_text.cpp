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

// East Asian wide and emoji, coarsely: enough to keep columns straight.
constexpr std::array<Range, 11> wide{{{0x1100, 0x115f},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0xffe0, 0xffe6},
                                      {0x1f300, 0x1f64f},
                                      {0x1f680, 0x1faff},
                                      {0x20000, 0x3fffd}}};

constexpr std::array<Range, 5> combining{
    {{0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};

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

std::string invalid_byte(unsigned char byte) { return hex("\\x%02x", byte); }

std::size_t width_of(char32_t code) { return is_in(combining, code) ? 0 : is_in(wide, code) ? 2 : 1; }

}  // namespace

std::string safe_line(std::string_view text) { return rewrite(text, "", visible_escape, invalid_byte); }

std::string safe_block(std::string_view text) { return rewrite(text, "\n\t", visible_escape, invalid_byte); }

std::string safe_json(std::string_view json) {
  return rewrite(json, "\n\t\r", json_escape, [](unsigned char) { return std::string("\\ufffd"); });
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto code = base::decode_utf8(text, length);
    columns += code ? width_of(*code) : 1;
    text.remove_prefix(code ? length : 1);
  }
  return columns;
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::size_t columns = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    std::size_t length = 0;
    const auto code = base::decode_utf8(text.substr(bytes), length);
    const std::size_t next = columns + (code ? width_of(*code) : 1);
    if (next > width - 1) break;
    columns = next;
    bytes += code ? length : 1;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

}  // namespace webhookd::whctl
