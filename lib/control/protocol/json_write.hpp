// Writes JSON into one string, member by member: keeps the order of the fields as documented, inserts payloads
// verbatim, and escapes everything a terminal could act on (all but printable ASCII; invalid UTF-8 becomes U+FFFD),
// because answers of receivers may be arbitrary bytes and people print our output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace webhookd::protocol {

void append_json_string(std::string& out, std::string_view text);

// Commas and colons are its business; balance and grammar are the caller's.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  // The name of the next value.
  JsonWriter& name(std::string_view name);

  JsonWriter& string(std::string_view text);
  JsonWriter& number(std::uint64_t value);
  JsonWriter& number(double value);  // shortest spelling that reads back; finite
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // a valid JSON text
  JsonWriter& time(base::Time value);
  JsonWriter& time(const std::optional<base::Time>& value) { return value ? time(*value) : null(); }
  JsonWriter& seconds(base::Duration value) { return number(base::to_seconds(value)); }
  JsonWriter& text_or_null(std::string_view text) { return text.empty() ? null() : string(text); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace webhookd::protocol
