#include "control/protocol/json_text.hpp"

#include <doctest/doctest.h>

#include <string>

#include "control/protocol/json_write.hpp"

using namespace webhookd;
using namespace webhookd::protocol;

namespace {

constexpr std::size_t depth = 128;

bool is_json(std::string_view text) { return check_json(text, depth).has_value(); }

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

std::string written(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("valid JSON of every kind passes") {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "1.5",
                           "-1.5e10",
                           "1E+2",
                           "1e-2",
                           "12345678901234567890123",
                           "\"\"",
                           "\"a\\n\\u00e9\\\\\\/\"",
                           "\"\xc3\xa9\"",
                           "[]",
                           "[1]",
                           "[1,[2,{}],\"x\"]",
                           "{}",
                           "{\"a\":1,\"b\":[{}]}",
                           " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
                           "\"\\ud83d\\ude00\"",
                           "\"\\ud800\"",
                           "\"long enough to use the eight byte step\""}) {
    CAPTURE(text);
    CHECK(is_json(text));
  }
}

TEST_CASE("what is not JSON is refused") {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "True",
                           "01",
                           "-",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "\"",
                           "\"a",
                           "'a'",
                           "\"\t\"",
                           "\"\n\"",
                           "\"\\x41\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:2}",
                           "{\"a\":1 \"b\":2}",
                           "[1}",
                           "{\"a\":1]",
                           "1 2",
                           "{} {}",
                           "null,",
                           "//x\n1",
                           "\xef\xbb\xbf{}",
                           "\x01"}) {
    CAPTURE(text);
    CHECK_FALSE(is_json(text));
  }
}

TEST_CASE("every prefix of a valid text is refused, wherever it is cut") {
  const std::string text = R"({"type":"a.b","data":{"x":[1.5e3,"\u00e9",true,null]}})";
  for (std::size_t length = 0; length < text.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(is_json(std::string_view(text).substr(0, length)));
  }
}

TEST_CASE("invalid UTF-8 is refused wherever it stands") {
  for (const char* text : {"\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"",
                           "\"abcdefgh\xff\"", "{\"\xff\":1}", "\xff"}) {
    CHECK_FALSE(is_json(text));
  }
}

TEST_CASE("a NUL byte is refused in text and kept when it is escaped") {
  CHECK_FALSE(is_json(std::string_view("\"a\0b\"", 5)));
  CHECK(is_json("\"a\\u0000b\""));
  CHECK(*decode_string("\"a\\u0000b\"") == std::string("a\0b", 3));
}

TEST_CASE("nesting is allowed to the limit and not a level further") {
  CHECK(is_json(nested(128)));
  CHECK_FALSE(is_json(nested(129)));
}

TEST_CASE("200 000 levels are a clean error that names the limit") {
  const auto checked = check_json(std::string(200'000, '['), depth);
  REQUIRE(checked.has_error());
  CHECK(checked.error().code == base::ErrorCode::invalid_request);
  CHECK(checked.error().detail.find("128 levels") != std::string::npos);
  std::string objects;
  for (int i = 0; i < 200'000; ++i) {
    objects += "{\"a\":";
  }
  CHECK(scan_object(objects, depth).has_error());
}

TEST_CASE("members are given in order with their exact bytes") {
  const auto members = scan_object(R"( {"b" : { "z":1,  "a":1.00 } ,"a":[1 , 2],"\u0063":"x y" , "d":-1e5})", depth);
  REQUIRE(members.has_value());
  REQUIRE(members->size() == 4);
  CHECK((*members)[0].name == "b");
  CHECK((*members)[0].value == R"({ "z":1,  "a":1.00 })");
  CHECK((*members)[1].value == "[1 , 2]");
  CHECK((*members)[2].name == "c");
  CHECK((*members)[2].value == "\"x y\"");
  CHECK((*members)[3].value == "-1e5");
}

TEST_CASE("a repeated top-level member is refused by name, a repeated inner one is kept") {
  const auto repeated = scan_object(R"({"type":"a.b","type":"c.d"})", depth);
  REQUIRE(repeated.has_error());
  CHECK(repeated.error().fields[0].pointer == "/type");
  CHECK(scan_object(R"({"data":{"a":1,"a":2}})", depth).has_value());
  CHECK(scan_object(R"({"a":1,"\u0061":2})", depth).has_error());
}

TEST_CASE("thousands of members are refused before they cost anything") {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) {
    text += "\"" + std::to_string(i) + "\":1,";
  }
  text.back() = '}';
  CHECK(scan_object(text, depth).has_error());
}

TEST_CASE("an error inside a member names the member") {
  const auto broken = scan_object(R"({"type":"a.b","data":{"x":tru}})", depth);
  REQUIRE(broken.has_error());
  REQUIRE(broken.error().fields.size() == 1);
  CHECK(broken.error().fields[0].pointer == "/data");
  CHECK(broken.error().detail.starts_with("data: "));
}

TEST_CASE("anything but an object is named for what it is") {
  const auto array = scan_object("[1]", depth);
  REQUIRE(array.has_error());
  CHECK(array.error().detail.find("not an array") != std::string::npos);
}

TEST_CASE("strings decode their escapes, and lone surrogates are no text") {
  CHECK(*decode_string(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(*decode_string(R"("\u0041\u00e9\u20ac\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK_FALSE(decode_string(R"("\ud83d")"));
  CHECK_FALSE(decode_string(R"("\ude00")"));
  CHECK_FALSE(decode_string(R"("\ud83dx")"));
  CHECK_FALSE(decode_string(R"("\ud83d\u0041")"));
}

TEST_CASE("elements and members are cut out of checked text") {
  const auto elements = elements_of(R"([ 1 , "a,]" ,{"x":[2]}, [ ] ,true ])");
  REQUIRE(elements.size() == 5);
  CHECK(elements[1] == "\"a,]\"");
  CHECK(elements[2] == R"({"x":[2]})");
  CHECK(elements[3] == "[ ]");
  CHECK(elements[4] == "true");
  const auto members = members_of(R"({ "a\"b" : "}" , "c":{"d":null} })");
  REQUIRE(members.size() == 2);
  CHECK(members[0].name == "a\"b");
  CHECK(members[1].value == R"({"d":null})");
  CHECK(elements_of("[]").empty());
  CHECK(members_of("{ }").empty());
}

TEST_CASE("numbers too large for a double are no number") {
  CHECK(*decode_number("1e3") == 1000);
  CHECK_FALSE(decode_number("1e999"));
}

TEST_CASE("written strings hold printable ASCII only, whatever bytes they were") {
  CHECK(written("a\"\\\n\x1b") == "\"a\\\"\\\\\\n\\u001b\"");
  CHECK(written("\xc3\xa9") == "\"\\u00e9\"");
  CHECK(written("\xf0\x9f\x98\x80") == "\"\\ud83d\\ude00\"");
  CHECK(written("a\xff\x9b") == "\"a\\ufffd\\ufffd\"");
  CHECK(written(std::string_view("\0", 1)) == "\"\\u0000\"");
  CHECK(written("\x7f") == "\"\\u007f\"");
}

TEST_CASE("a writer separates members and elements") {
  std::string out;
  JsonWriter json(out);
  json.begin_object().name("a").number(std::uint64_t{1}).name("b").begin_array().string("x").null().begin_object();
  json.end_object().end_array().name("c").boolean(true).name("d").number(0.1).end_object();
  CHECK(out == R"({"a":1,"b":["x",null,{}],"c":true,"d":0.1})");
}
