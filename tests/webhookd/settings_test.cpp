// The table of settings: what the file may say, what is printed, what the package installs.
#include "settings.hpp"

#include <doctest/doctest.h>

#include <regex>

#include "support/process.hpp"

using namespace webhookd;
using namespace webhookd::daemon;

namespace {

base::Result<Settings> read_text(const std::string& text) {
  const support::TemporaryDirectory directory;
  Settings settings = default_settings();
  if (auto read = read_settings(directory.write("c.toml", text), settings); !read) {
    return read.error();
  }
  return settings;
}

std::string refusal_of(const std::string& text) {
  const auto read = read_text(text);
  return read ? "" : read.error().detail;
}

// "section.key" as a line of TOML without a section.
std::string line_for(const Key& key, const std::string& value) { return std::string(key.name) + " = " + value + "\n"; }

}  // namespace

TEST_CASE("the packaged configuration reads, and sets nothing but who may emit") {
  const auto settings = read_text(packaged_configuration());
  REQUIRE(settings.has_value());
  const auto changes = differences(default_settings(), *settings);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].key == "access.emit");
}

TEST_CASE("every key stands in the packaged configuration, with its default where it is a comment") {
  std::string text = packaged_configuration();
  text = std::regex_replace(text, std::regex("\n#([a-z_.]+ = )"), "\n$1");
  const auto settings = read_text(text);
  REQUIRE(settings.has_value());
  for (const Key& key : configuration_keys()) {
    CAPTURE(key.name);
    CHECK(settings->sources.at(std::string(key.name)).find("c.toml:") != std::string::npos);
  }
  CHECK(differences(default_settings(), *settings).size() == 1);
}

TEST_CASE("every value out of its range is refused with file, line, key and what is allowed") {
  for (const Key& key : configuration_keys()) {
    CAPTURE(key.name);
    CHECK(refusal_of("\n" + line_for(key, "{}")).find("c.toml:2: " + std::string(key.name) + ": must be ") !=
          std::string::npos);
    if (!key.highest.empty()) {
      for (const char* extreme : {"-1", "\"999999d\"", "\"99999TiB\"", "99999999999999999"}) {
        CHECK(refusal_of(line_for(key, extreme)).find(allowed_values(key)) != std::string::npos);
      }
    }
  }
}

TEST_CASE("every key says what it takes and what it is when it is not set") {
  for (const Key& key : configuration_keys()) {
    CAPTURE(key.name);
    CHECK(!allowed_values(key).empty());
    CHECK(!default_value(key).empty());
    CHECK(allowed_values(key).find("texts") == std::string::npos);
  }
  CHECK(words_on_units() ==
        "Units of durations are ms, s, m, h, d, w, of sizes KiB, MiB, GiB, TiB; both are written as texts in quotes.");
  CHECK(packaged_configuration().find(words_on_units()) != std::string::npos);
  CHECK(refusal_of("access.read = 7\n").find("must be a list of users (names or numbers) and @groups") !=
        std::string::npos);
  CHECK(refusal_of("log.level = \"loud\"\n").find("must be one of \"debug\", \"info\"") != std::string::npos);
}

TEST_CASE("a directory is no configuration, and does not read as an empty one") {
  const support::TemporaryDirectory directory;
  Settings settings = default_settings();
  const auto read = read_settings(directory.path(), settings);
  REQUIRE(!read);
  CHECK(read.error().detail == directory.path() + ": is a directory, not a file of settings");
}

TEST_CASE("texts with controls in them are printed so that they read back") {
  const auto settings = read_text("[access]\nread = [\"a\\n\\u0001\\u007f\", \"b\\\"\\\\\"]\n");
  REQUIRE(settings.has_value());
  CHECK(print_settings(*settings).find(R"(read = ["a\u000a\u0001\u007f", "b\"\\"])") != std::string::npos);
  const auto again = read_text(print_settings(*settings));
  REQUIRE(again.has_value());
  CHECK(again->access_read == settings->access_read);
}

TEST_CASE("a letter past ASCII outside of a string is refused with its line") {
  for (const char* text : {"\n\u00e9 = 1\n", "\nlog.level = \u00e9\n", "\nlog.level = \"info\" \u040a\n"}) {
    CAPTURE(text);
    CHECK(refusal_of(text).find("c.toml:2: ") != std::string::npos);
  }
}

TEST_CASE("a text that the parser of TOML stumbles over is refused like any other") {
  for (const char* text : {"[{", "[[{}]]", "x = 1979-05-27 7]\n"}) {
    CAPTURE(text);
    CHECK(refusal_of(text).find("c.toml: this is no TOML") != std::string::npos);
  }
}

TEST_CASE("an unknown key is refused with its line and what may be meant") {
  CHECK(refusal_of("[delivery]\ntimout = \"3s\"\n")
            .find("c.toml:2: delivery.timout: unknown key; did you mean "
                  "`delivery.timeout`?") != std::string::npos);
}

TEST_CASE("schemas warn unless the file says off or enforce, and a reload takes it") {
  CHECK(default_settings().events_schema == "warn");
  for (const char* word : {"off", "warn", "enforce"}) {
    const auto settings = read_text("[events]\nschema = \"" + std::string(word) + "\"\n");
    REQUIRE(settings.has_value());
    CHECK(settings->events_schema == word);
    CHECK(with_live(default_settings(), *settings).events_schema == word);
  }
  CHECK(refusal_of("[events]\nschema = \"enforced\"\n").find("c.toml:2: events.schema: must be") != std::string::npos);
  CHECK(refusal_of("[events]\nschema = true\n").find("\"enforce\"") != std::string::npos);
}

TEST_CASE("a reload takes the live keys and leaves the others") {
  Settings before = default_settings();
  Settings after = before;
  after.log_level = "debug";
  after.store_quota = 1;
  const Settings merged = with_live(before, after);
  CHECK(merged.log_level == "debug");
  CHECK(merged.store_quota == before.store_quota);
}
