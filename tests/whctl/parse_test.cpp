#include "parse.hpp"

#include <doctest/doctest.h>

#include "session.hpp"

using namespace webhookd::whctl;

namespace {

// What a person sees when the line is wrong; "" when it is right.
std::string said(const std::vector<std::string>& words) {
  const auto parsed = parse(words);
  return parsed ? std::string() : failure_text(parsed.error());
}

}  // namespace

TEST_CASE("mistyped commands are named, with what was probably meant") {
  CHECK(said({"lsit"}) == "whctl: lsit: unknown command\nhint: did you mean list?\n");
  CHECK(said({"types", "lst"}) == "whctl: lst: unknown command\nhint: did you mean list?\n");
  CHECK(said({"zzzzzz"}) == "whctl: zzzzzz: unknown command\nhint: `whctl help` lists the commands\n");
}

TEST_CASE("mistyped flags are named, with what was probably meant") {
  CHECK(said({"create", "a", "--ulr", "x"}) == "whctl: --ulr: unknown flag\nhint: did you mean --url?\n");
  CHECK(said({"--qiet", "list"}) == "whctl: --qiet: unknown flag\nhint: did you mean --quiet?\n");
}

TEST_CASE("values outside the choices of a flag are refused") {
  CHECK(said({"list", "-o", "jsn"}) ==
        "whctl: --output: \"jsn\" is none of table, wide, json, jsonl, yaml, csv, name\nhint: did you mean json?\n");
  CHECK(said({"logs", "--status", "failed,cancelld"}) ==
        "whctl: --status: \"cancelld\" is none of created, retrying, success, failed, cancelled\n"
        "hint: did you mean cancelled?\n");
  CHECK(said({"logs", "--status", "failed,cancelled"}) == "");
}

TEST_CASE("a switch takes no value, whatever it says") {
  for (const char* word : {"=false", "=true", "=0", "="}) {
    CAPTURE(word);
    CHECK(said({"delete", "x", "--yes" + std::string(word)}) ==
          "whctl: --yes: takes no value\nhint: leave out \"" + std::string(word) + "\": the flag alone means yes\n");
  }
  CHECK(said({"apply", "-f", "x", "--prune=false", "--prune"}).starts_with("whctl: --prune: takes no value"));
  CHECK(said({"delete", "x", "-y=false"}) ==
        "whctl: \"=false\": a flag without a value was given one\nhint: `whctl help delete` explains it\n");
  for (const auto& command : all_commands()) {
    for (const auto* flags : {&command.flags, &global_flags()}) {
      for (const auto& flag : *flags) {
        if (!flag.value.empty()) continue;
        std::vector<std::string> words{"--" + std::string(flag.name) + "=false"};
        for (std::string_view rest = command.path; !rest.empty();) {
          const auto word = rest.substr(0, rest.find(' '));
          words.insert(words.end() - 1, std::string(word));
          rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        }
        CAPTURE(command.path);
        CHECK(said(words).starts_with("whctl: --" + std::string(flag.name) + ": takes no value\n"));
      }
    }
  }
}

TEST_CASE("what looks like a switch with a value, but is the value of something, comes through whole") {
  const auto flag = parse({"emit", "a.b", "-d", "--yes=false", "--reason=--prune="});
  REQUIRE(flag.has_value());
  CHECK(flag->value("data") == "--yes=false");
  CHECK(flag->value("reason") == "--prune=");
  const auto argument = parse({"show", "--", "--yes=1"});
  REQUIRE(argument.has_value());
  CHECK(argument->value("ID") == "--yes=1");
  const auto both = parse({"types", "add", "a.b", "--example=x"});
  REQUIRE(both.has_value());
  CHECK(both->value("example") == "x");
}

TEST_CASE("a flag where none can stand is not taken for a mistyped one") {
  CHECK(said({"create", "--", "-x", "--url", "u"}) ==
        "whctl: --url: stands where it is no flag\n"
        "hint: flags of a command stand behind its name, and before \"--\"\n");
}

TEST_CASE("what is missing is named") {
  CHECK(said({"create"}) == "whctl: NAME: this argument is missing\nhint: `whctl help create` explains it\n");
  CHECK(said({"create", "a"}) == "whctl: --url: this flag is required\nhint: `whctl help create` explains it\n");
  CHECK(said({"create", "a", "--url"}) ==
        "whctl: --url: this flag needs a value\nhint: `whctl help` lists the commands\n");
  CHECK(said({"show", ""}) == "whctl: ID: this argument is empty\n");
  CHECK(said({"secret"}) ==
        "whctl: secret: needs one of show, rotate, rotate-master\nhint: `whctl help secret` explains it\n");
}

TEST_CASE("an argument too many is refused") {
  CHECK(said({"show", "a", "--", "b=c"}) == "whctl: b=c: one argument too many\nhint: `whctl help show` explains it\n");
  CHECK(said({"show", "a", "b"}) == "whctl: b: one argument too many\nhint: `whctl help show` explains it\n");
}

TEST_CASE("text that is not UTF-8 is refused") {
  CHECK(said({"show", "\xff"}) == "whctl: ID: the argument is not valid UTF-8\n");
  CHECK(said({"retry", "msg_1", "--reason", "\xff"}) == "whctl: --reason: the value is not valid UTF-8\n");
}

TEST_CASE("global flags are accepted before and after the command") {
  const auto before = parse({"--socket", "/x", "-q", "types", "list"});
  const auto after = parse({"types", "list", "-q", "--socket", "/x"});
  REQUIRE(before.has_value());
  REQUIRE(after.has_value());
  CHECK(before->words == after->words);
  CHECK(before->command == find_command("types list"));
}

TEST_CASE("a scalar flag given twice means its last value, a list flag all of them") {
  const auto parsed = parse({"create", "a", "--url", "x", "-e", "b.c", "--url", "y", "--event=d.e"});
  REQUIRE(parsed.has_value());
  CHECK(parsed->value("url") == "y");
  CHECK(parsed->all("event") == std::vector<std::string>{"b.c", "d.e"});
}

TEST_CASE("values with brackets, commas, dashes and spaces come through whole") {
  const auto parsed = parse({"emit", "a.b", "-d", "[1,2]"});
  REQUIRE(parsed.has_value());
  CHECK(parsed->value("data") == "[1,2]");
  const auto negative = parse({"emit", "-d", "-5", "a.b"});
  REQUIRE(negative.has_value());
  CHECK(negative->value("data") == "-5");
  CHECK(negative->value("TYPE") == "a.b");
  const auto many = parse({"delete", "[a,b]", "c d"});
  REQUIRE(many.has_value());
  CHECK(many->all("WEBHOOK") == std::vector<std::string>{"[a,b]", "c d"});
}

TEST_CASE("a webhook may have the name of a command, and after -- that of a flag") {
  const auto shown = parse({"show", "list"});
  REQUIRE(shown.has_value());
  CHECK(shown->value("ID") == "list");
  const auto dashed = parse({"show", "--", "-x"});
  REQUIRE(dashed.has_value());
  CHECK(dashed->value("ID") == "-x");
}

TEST_CASE("every command of the table is found by its words, has help, an example and a handler") {
  for (const auto& command : all_commands()) {
    CAPTURE(command.path);
    CHECK(find_command(command.path) == &command);
    CHECK_FALSE(command.help.empty());
    CHECK_FALSE(command.examples.empty());
    CHECK((command.run != nullptr));
    for (const auto& example : command.examples) {
      CHECK(example.line.find("whctl " + std::string(command.path)) != std::string_view::npos);
    }
  }
}
