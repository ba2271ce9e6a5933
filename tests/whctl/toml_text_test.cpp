#include "toml_text.hpp"

#include <doctest/doctest.h>

using namespace webhookd::whctl;

TEST_CASE("TOML is read as the JSON of the same values") {
  const auto json = json_of_toml("a = 1\nb.c = [1.5, true, \"x\"]\n", "f");
  REQUIRE(json.has_value());
  CHECK(*json == R"({"a":1,"b":{"c":[1.5,true,"x"]}})");
}

TEST_CASE("what JSON has no values for is read as its text") {
  const auto json = json_of_toml("a = inf\nb = -inf\nc = nan\nd = 07:32:00\n", "f");
  REQUIRE(json.has_value());
  CHECK(*json == R"({"a":"inf","b":"-inf","c":"nan","d":"07:32:00"})");
  CHECK(Document::parse(*json).has_value());
}

TEST_CASE("a text that the parser of TOML stumbles over is refused by the file's name") {
  for (const char* text : {"[{", "x = 1979-05-27 7]\n"}) {
    CAPTURE(text);
    const auto refused = json_of_toml(text, "f");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().what == "f");
  }
  CHECK(json_of_toml("a = \n", "f").error().what == "f:1");
}
