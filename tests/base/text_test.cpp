#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace webhookd::base;

TEST_CASE("valid UTF-8 is exactly what the standard allows") {
  CHECK(is_valid_utf8(""));
  CHECK(is_valid_utf8("plain"));
  CHECK(is_valid_utf8("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
  CHECK(is_valid_utf8("\xf4\x8f\xbf\xbf"));        // U+10FFFF
  CHECK_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));  // past it
  CHECK_FALSE(is_valid_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_valid_utf8("\xe0\x80\xaf"));
  CHECK_FALSE(is_valid_utf8("\xf0\x80\x80\xaf"));
  CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));  // a surrogate
  CHECK_FALSE(is_valid_utf8("\x80"));          // a lone continuation byte
  CHECK_FALSE(is_valid_utf8("\xe2\x82"));      // cut short
  CHECK_FALSE(is_valid_utf8("\xff"));
  CHECK_FALSE(is_valid_utf8("a\xe2\x28\xa1"));
}

TEST_CASE("decoding adds the length of the code point and nothing on failure") {
  std::size_t length = 2;
  CHECK(decode_utf8("\xe2\x82\xac!", length) == U'\u20ac');
  CHECK(length == 5);
  CHECK_FALSE(decode_utf8("", length));
  CHECK_FALSE(decode_utf8("\xe2\x82", length));
  CHECK(length == 5);
}

TEST_CASE("characters are code points, not bytes") {
  CHECK(count_code_points("") == 0);
  CHECK(count_code_points("caf\xc3\xa9") == 4);
  CHECK(count_code_points("\xf0\x9f\x98\x80") == 1);
}

TEST_CASE("control characters are C0, DEL and C1, also when C1 is written as UTF-8") {
  CHECK(has_control_characters("a\nb"));
  CHECK(has_control_characters(std::string_view("a\0b", 3)));
  CHECK(has_control_characters("\x1b[31m"));
  CHECK(has_control_characters("\x7f"));
  CHECK(has_control_characters("\xc2\x9b"));  // CSI
  CHECK_FALSE(has_control_characters("\xc2\xa0 \xe2\x82\xac"));
}

TEST_CASE("case is ignored in ASCII only") {
  CHECK(to_lower("ABC-xyz\xc3\x89") == "abc-xyz\xc3\x89");
  CHECK(equals_ignoring_case("Content-Type", "content-TYPE"));
  CHECK_FALSE(equals_ignoring_case("a", "ab"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
}

TEST_CASE("a whole number is plain digits within its bound") {
  CHECK(parse_whole_number("0", 10) == 0);
  CHECK(parse_whole_number("65535", 65535) == 65535);
  CHECK_FALSE(parse_whole_number("65536", 65535));
  CHECK_FALSE(parse_whole_number("", 10));
  CHECK_FALSE(parse_whole_number("08", 10));
  CHECK_FALSE(parse_whole_number("00", 10));
  CHECK_FALSE(parse_whole_number("+1", 10));
  CHECK_FALSE(parse_whole_number("-1", 10));
  CHECK_FALSE(parse_whole_number(" 1", 10));
  CHECK_FALSE(parse_whole_number("1x", 10));
  CHECK(parse_whole_number("18446744073709551615", ~0ULL) == ~0ULL);
  CHECK_FALSE(parse_whole_number("18446744073709551616", ~0ULL));
}

TEST_CASE("parts are joined by a separator") {
  CHECK(join({}, ", ").empty());
  CHECK(join({"a"}, ", ") == "a");
  CHECK(join({"a", "b", "c"}, ", ") == "a, b, c");
}

TEST_CASE("a typo finds the word that was meant, nonsense finds nothing") {
  const std::vector<std::string> commands = {"create", "list", "logs", "retry", "cancel"};
  CHECK(closest("craete", commands) == "create");
  CHECK(closest("lst", commands) == "list");
  CHECK(closest("retri", commands) == "retry");
  CHECK_FALSE(closest("frobnicate", commands));
  // Two slips in a short word leave another word.
  CHECK_FALSE(closest("nope", {"top"}));
  CHECK_FALSE(closest("tcsh", {"bash", "zsh", "fish"}));
  CHECK_FALSE(closest("--name", {"--rate"}));
  CHECK(closest("--ulr", {"--url"}) == "--url");
  CHECK_FALSE(closest("ab", commands));
  CHECK_FALSE(closest("", commands));
  CHECK_FALSE(closest(std::string(100'000, 'a'), commands));
}
