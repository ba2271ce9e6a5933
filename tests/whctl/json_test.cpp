#include "json.hpp"

#include <doctest/doctest.h>

using namespace webhookd::whctl;

TEST_CASE("pretty JSON keeps key order, repetitions and the spelling of numbers") {
  CHECK(pretty_json(R"({"b":1.50,"a":[1e3,{}],"b":12345678901234567890})") ==
        "{\n  \"b\": 1.50,\n  \"a\": [\n    1e3,\n    {}\n  ],\n  \"b\": 12345678901234567890\n}");
}

TEST_CASE("brackets and quotes inside strings are left alone") {
  CHECK(pretty_json(R"({"a":"{[\",: \\"})") == "{\n  \"a\": \"{[\\\",: \\\\\"\n}");
  CHECK(compact_json("{ \"a\" : \" x \" }\n") == R"({"a":" x "})");
}

TEST_CASE("a document is one JSON value, nested within bounds") {
  CHECK(Document::parse(" [1] \n").has_value());
  CHECK_FALSE(Document::parse("[1] [2]").has_value());
  CHECK_FALSE(Document::parse("").has_value());
  CHECK_FALSE(Document::parse(std::string(100'000, '[')).has_value());
}

TEST_CASE("members are found by name, and an absent one is null") {
  const auto document = Document::parse(R"({"a":{"b":"x\u0041"},"n":null})");
  REQUIRE(document);
  CHECK(document->root()["a"]["b"].text() == "xA");
  CHECK(document->root()["a"]["c"].is_null());
  CHECK(document->root()["z"]["y"].is_null());
  CHECK(document->root().has("n"));
}

TEST_CASE("a value is replaced or added at a path") {
  CHECK(with_value_at(R"({"a":{"b":1,"c":2},"d":3})", "a.b", "9") == R"({"a":{"b":9,"c":2},"d":3})");
  CHECK(with_value_at(R"({"a":1})", "x.y", "[]") == R"({"a":1,"x":{"y":[]}})");
  CHECK(with_value_at(R"({"a":1})", "a.b", "2") == R"({"a":{"b":2}})");
}
