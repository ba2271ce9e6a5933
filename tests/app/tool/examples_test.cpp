// Every example of --help and of the manual pages, run as it stands there against a real daemon. An id in an example
// stands for one of the fixture; a command that runs until it is told to stop is told to stop.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "commands.hpp"
#include "help.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;
using webhookd::whctl::Command;
using webhookd::whctl::Example;

const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";

// What the examples find: files beside them, a master key and the next one, two webhooks (orders answers 200, audit
// 503), an event that was delivered and a message that waits. Commands that make webhooks find none.
struct Fixture {
  static std::string credentials_with_keys(const TemporaryDirectory& place) {
    for (const auto& [name, digit] : {std::pair("master_key", '1'), std::pair("master_key.next", '2')}) {
      std::filesystem::permissions(place.write(name, std::string(64, digit)), std::filesystem::perms::owner_read);
    }
    return place.path();
  }
  Fixture(bool has_webhooks, bool has_test_clock)
      : daemon(has_test_clock ? std::vector<std::string>{"--test-clock"} : std::vector<std::string>{}, "",
               R"(["127.0.0.0/8"])", {{"CREDENTIALS_DIRECTORY=" + credentials_with_keys(keys)}, -1, {}}) {
    const auto& place = daemon.directory();
    place.write("event.json", "{\"subscription\":{\"id\":7}}");
    place.write("events.ndjson",
                "{\"type\":\"subscription.create\",\"data\":{}}\n{\"type\":\"api.create\",\"data\":1}\n");
    place.write("orders.toml",
                "[[webhook]]\ndisplay_name = \"portal\"\nurl = \"https://portal.example/hook\"\n"
                "events = [\"subscription.*\"]\ntimeout = \"5s\"\nsecret_file = \"key\"\n");
    place.write("endpoints.json",
                "{\"data\":[{\"id\":\"ep_1\",\"uid\":\"portal\",\"url\":\"https://portal.example/hook\","
                "\"filterTypes\":[\"subscription.create\"],\"disabled\":false}]}");
    place.write("messages.jsonl",
                "{\"format\":\"webhookd-history\",\"version\":1}\n"
                "{\"complete\":true,\"events\":0,\"messages\":0,\"damaged\":0}\n");
    place.write("types.toml", "[[type]]\nname = \"invoice.sent\"\ndescription = \"an invoice was sent\"\n");
    place.write("requests.ndjson",
                "{\"method\":\"POST\",\"target\":\"/\",\"headers\":[[\"x\",\"y\"]],\"body\":\"{}\"}\n");
    place.write("key", secret);
    place.write("body", "{\"test\": 2432232314}");
    if (!has_webhooks) return;
    daemon.tell({"create", "orders", "--url", good.url(), "-e", "subscription.*"});
    daemon.tell({"types", "add", "order.paid"});
    daemon.tell({"create", "audit", "--url", bad.url(), "-e", "api.create", "--retry-initial", "1h"});
    event = daemon.tell({"emit", "subscription.create", "-d", "{}"});
    const std::string failing = daemon.tell({"emit", "api.create", "-d", "{}"});
    message = json::parse(daemon.tell({"show", failing, "-o", "json"}))["messages"][0]["id"];
    REQUIRE(eventually([&] { return json::parse(daemon.tell({"show", message, "-o", "json"}))["attempts"] == 1; }));
    REQUIRE(eventually([&] { return good.requests() == 1; }));
  }

  Ran run_line(std::string line, bool until_stopped) const {
    if (!line.starts_with("whctl sign") && !line.starts_with("whctl verify")) {
      line = std::regex_replace(line, std::regex("msg_[0-9a-zA-Z]+"), message);
      line = std::regex_replace(line, std::regex("evt_[0-9a-zA-Z]+"), event);
    }
    if (until_stopped) {
      line +=
          " 2> err & timeout 20 sh -c \"until grep -q 'listening on' err; do sleep 0.01; done\"; kill -INT $!; wait $!";
    }
    const std::string binary = WHCTL_BINARY;
    const std::string path = "PATH=" + binary.substr(0, binary.rfind('/')) + ":/usr/bin:/bin";
    return run({"/bin/sh", "-c", "cd " + daemon.directory().path() + "; " + line}, "", std::chrono::seconds(60),
               {"WHCTL_SOCKET=" + daemon.socket(), path, "XDG_CONFIG_HOME=/nonexistent", "EDITOR=true"});
  }

  CountingReceiver good;
  CountingReceiver bad{[](const auto&) { return 503; }};
  TemporaryDirectory keys;
  Daemon daemon;
  std::string event;
  std::string message;
};

void check_example(std::string_view command, const Example& example) {
  const std::string line(example.line);
  CAPTURE(line);
  const bool makes_webhooks = command == "create" || command == "apply" || command == "import";
  const bool until_stopped = command == "listen" && line.find("--replay") == std::string::npos;
  const Fixture fixture(!makes_webhooks, command.starts_with("clock"));
  const Ran ran = fixture.run_line(line, until_stopped);
  CAPTURE(ran.out);
  CAPTURE(ran.err);
  // Nothing may keep the clock of a machine that only tests: then the doctor warns.
  const bool is_warned = command == "doctor" && ran.exit_code == 10;
  CHECK((is_warned || ran.exit_code == (until_stopped ? 130 : example.exits)));
}

}  // namespace

TEST_CASE("every command has an example, and every example does what it says") {
  for (const Command& command : webhookd::whctl::all_commands()) {
    if (webhookd::whctl::is_hidden(command)) continue;
    CAPTURE(command.path);
    CHECK_FALSE(command.examples.empty());
    for (const auto& example : command.examples) check_example(command.path, example);
  }
}

TEST_CASE("the examples of the overview do what they say") {
  for (const auto& example : webhookd::whctl::overview_examples()) {
    check_example(example.line.starts_with("whctl create") ? "create" : "", example);
  }
}
