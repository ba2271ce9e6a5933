// Small rules about text that several rooms share: UTF-8, ASCII classes, lower case, lists for messages to people.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::base {

// One code point of strictly valid UTF-8 (no overlong forms, surrogates, or values past U+10FFFF) at the start of
// `text`; its length in bytes is added to `length`. Nothing when the bytes are not valid.
std::optional<char32_t> decode_utf8(std::string_view text, std::size_t& length);
bool is_valid_utf8(std::string_view text);
// The number of code points; only for valid UTF-8.
std::size_t count_code_points(std::string_view text);
// True when a C0, DEL or C1 control occurs (as a code point).
bool has_control_characters(std::string_view text);

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string to_lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// Plain decimal digits without sign, space or leading zero (but "0"), at most `max`.
std::optional<unsigned long long> parse_whole_number(std::string_view text, unsigned long long max);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Of `candidates`, the one that `word` most likely meant (edit distance at most 2, less for short words); or nothing.
std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& candidates);

// A basic string of TOML with its quotes. Controls, and bytes that are not UTF-8, stand as escapes.
std::string toml_basic_string(std::string_view text);

}  // namespace webhookd::base
