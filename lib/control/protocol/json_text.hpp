// JSON as text. The payload of an event must reach its receivers byte for byte, so requests are never turned into a
// tree and printed again: a tree loses key order, number spelling, duplicates and white space. This scanner checks the
// whole text once (RFC 8259 grammar, UTF-8, nesting) and hands out the raw spans of what the border wants to look at.
//
// Iterative with a bounded stack of one bit a level, so that no depth of input can exhaust anything. No allocation but
// the member list. It is on the accept path: one pass, eight bytes at a time inside strings.
//
// Escapes of lone surrogates ("\ud800") are grammar and pass in payloads, whose bytes are not ours to judge; where a
// string is decoded for our own use they are refused.
//
// Never here: what members mean; numbers as anything but text and double.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace webhookd::protocol {

inline constexpr std::size_t name_shown_max = 64;  // bytes of a member's name in an error

enum class JsonKind { object, array, string, number, boolean, null };

struct JsonMember {
  std::string name;        // decoded
  std::string_view value;  // the raw value, without surrounding white space
};

// Checks that `text` is one JSON value nested at most `depth` levels and, when it is an object, gives its members in
// order. Errors are invalid_request; they name the byte and, inside an object, the member ("/data") at fault: grammar,
// UTF-8, depth, a repeated member, or that it is no object.
base::Result<std::vector<JsonMember>> scan_object(std::string_view text, std::size_t depth);
// The same check for any value.
base::Result<void> check_json(std::string_view text, std::size_t depth);

// The rest is for raw values that have been checked.
JsonKind kind_of(std::string_view value);
std::string_view to_string(JsonKind kind);  // "an object", …: for messages to people
// The decoded string; nothing for a lone surrogate. `value` is of kind string.
std::optional<std::string> decode_string(std::string_view value);
// Nothing when it is too large for a double. `value` is of kind number.
std::optional<double> decode_number(std::string_view value);
std::vector<std::string_view> elements_of(std::string_view array);
// In order and with repetitions.
std::vector<JsonMember> members_of(std::string_view object);
// What a string stands for, whatever it is: a lone surrogate becomes the three bytes of its code point (WTF-8), so that
// different strings stay different. `value` is of kind string.
std::string decode_any_string(std::string_view value);

// For those who walk through a checked text themselves, by positions in it.
std::size_t next_token(std::string_view text, std::size_t at);  // past white space, commas and colons
std::size_t string_end(std::string_view text, std::size_t at);  // of the string that starts at `at`
std::size_t value_end(std::string_view text, std::size_t at);   // of the value that starts at `at`

// RFC 6901: "/" and the escaped token.
std::string pointer_to(std::string_view member);

}  // namespace webhookd::protocol
