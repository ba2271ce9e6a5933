#include "control/protocol/json_write.hpp"

#include <array>
#include <charconv>

#include "base/text.hpp"

namespace webhookd::protocol {

namespace {

constexpr bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void append_unit(std::string& out, unsigned unit) {
  static constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) {
    out += digits[(unit >> shift) & 15];
  }
}

void append_code_point(std::string& out, char32_t code) {
  if (code < 0x10000) {
    append_unit(out, static_cast<unsigned>(code));
  } else {
    const auto rest = static_cast<unsigned>(code) - 0x10000;
    append_unit(out, 0xd800 + (rest >> 10));
    append_unit(out, 0xdc00 + (rest & 0x3ff));
  }
}

void append_escaped(std::string& out, std::string_view text, std::size_t& at) {
  static constexpr std::string_view letters = "\"\\\b\f\n\r\t";
  static constexpr std::string_view names = "\"\\bfnrt";
  if (const auto letter = letters.find(text[at]); letter != std::string_view::npos) {
    out += '\\';
    out += names[letter];
    ++at;
    return;
  }
  std::size_t length = 0;
  if (const auto code = base::decode_utf8(text.substr(at), length)) {
    append_code_point(out, *code);
    at += length;
  } else {
    append_unit(out, 0xfffd);
    ++at;
  }
}

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> digits;
  const auto [end, fault] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_plain(text[end])) {
      ++end;
    }
    out.append(text, at, end - at);
    at = end;
    if (at < text.size()) {
      append_escaped(out, text, at);
    }
  }
  out += '"';
}

void JsonWriter::separate() {
  if (needs_comma_) {
    out_ += ',';
  }
  needs_comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::name(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  separate();
  append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) { return raw(value ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::time(base::Time value) { return string(base::format_time(value)); }

}  // namespace webhookd::protocol
