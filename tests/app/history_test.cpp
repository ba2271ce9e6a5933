// Events with their messages and attempts out of one daemon and into another, with the real programs: nothing lost,
// nothing twice, over a kill and over files that were cut off.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// How many messages there are of each status, as the log counts them; those that wait together, because an endpoint
// that is down leaves most of them untried.
std::map<std::string, int> counts_of(const Daemon& daemon) {
  std::map<std::string, int> counts;
  std::istringstream lines(daemon.tell({"logs", "-n", "1000000", "-o", "jsonl"}));
  for (std::string line; std::getline(lines, line);) {
    const auto status = json::parse(line)["status"].get<std::string>();
    ++counts[status == "created" || status == "retrying" ? "waiting" : status];
  }
  return counts;
}

// Two webhooks, one of which never gets anything, and events for both.
struct Source {
  explicit Source(int events) {
    for (const auto& [name, url] : {std::pair("orders", good.url()), std::pair("audit", bad.url())}) {
      daemon.tell({"create", name, "--url", url, "-e", "*", "--retry-initial", "6h"});
    }
    Api(daemon.socket()).emit_many("subscription.create", events);
    REQUIRE(eventually([&] { return counts_of(daemon) == expected(events); }, std::chrono::seconds(60)));
    // Nobody delivers what has left.
    daemon.tell({"deactivate", "orders", "audit"});
  }
  static std::map<std::string, int> expected(int events) { return {{"success", events}, {"waiting", events}}; }

  CountingReceiver good;
  CountingReceiver bad{[](const auto&) { return 503; }};
  Daemon daemon;
};

}  // namespace

TEST_CASE("messages go to another daemon as they were: counts, attempts, payloads; and a second time changes nothing") {
  constexpr int events = 2000;
  Source source(events);
  const std::string file = source.daemon.directory().path() + "/messages.jsonl";
  const Ran exported = source.daemon.whctl({"export", "--messages", "-f", file});
  CHECK(exported.exit_code == 0);
  CHECK(exported.err == "wrote " + file + ": events: 2000, messages: 4000\n");
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  Daemon target;
  target.tell({"apply", "-f", "-", "--yes"}, source.daemon.tell({"export"}));

  const json planned = json::parse(target.tell({"import", "--messages", file, "--dry-run", "-o", "json"}));
  CHECK(counts_of(target).empty());
  const json taken = json::parse(target.tell({"import", "--messages", file, "-o", "json"}));
  CHECK(taken == planned);
  CHECK(taken == json{{"taken", events}, {"messages", 2 * events}, {"waiting", events}, {"known", 0}, {"refused", 0}});
  CHECK(counts_of(target) == Source::expected(events));
  const json again = json::parse(target.tell({"import", "--messages", "-", "-o", "json"}, text_of(file)));
  CHECK(again["taken"] == 0);
  CHECK(again["known"] == events);
  CHECK(counts_of(target) == Source::expected(events));
  CHECK(target.whctl({"check"}).exit_code == 0);

  const std::string failed = source.daemon.tell({"logs", "audit", "--status", "retrying", "-n", "1", "-q"});
  const json before = json::parse(source.daemon.tell({"show", failed, "-o", "json"}));
  const std::string there = target.tell({"logs", "audit", "--status", "retrying", "-n", "1", "-q"});
  const json after = json::parse(target.tell({"show", there, "-o", "json"}));
  for (const char* member : {"type", "status", "attempts", "created_at", "deadline", "last_code", "failure"}) {
    CAPTURE(member);
    CHECK(after[member] == before[member]);
  }
  CHECK(after["attempt_log"].size() == before["attempt_log"].size());
  CHECK(after["attempt_log"][0]["at"] == before["attempt_log"][0]["at"]);
  CHECK(json::parse(target.tell({"audit", "-o", "json"}))["items"][0]["operation"] == "importHistory");

  // What waited goes on here.
  target.tell({"edit", "audit", "--url", source.good.url()});
  target.tell({"activate", "audit"});
  target.tell({"retry", "--webhook", "audit", "--status", "created,retrying", "--yes"});
  CHECK(eventually(
      [&] {
        return counts_of(target) == std::map<std::string, int>{{"success", 2 * events}};
      },
      std::chrono::seconds(60)));
}

TEST_CASE("an import that a kill cut off is run again, and then everything is there once") {
  constexpr int events = 3000;
  Source source(events);
  const std::string file = source.daemon.directory().path() + "/messages.jsonl";
  source.daemon.tell({"export", "--messages", "-f", file});
  Daemon target;
  target.tell({"apply", "-f", "-", "--yes"}, source.daemon.tell({"export"}));
  Ran cut_off;
  std::thread importing([&] { cut_off = target.whctl({"import", "--messages", file}); });
  const auto stored = [&] {
    return json::parse(target.tell({"status", "-o", "json"}))["store"]["events"].get<std::uint64_t>();
  };
  const bool has_begun = eventually([&] { return stored() > 0; });
  target.kill();
  importing.join();
  REQUIRE(has_begun);
  target.start();
  const std::uint64_t kept = stored();
  MESSAGE("events taken before the kill: " << kept << " of " << events);
  const json rest = json::parse(target.tell({"import", "--messages", file, "-o", "json"}));
  CHECK(rest["known"] == kept);
  CHECK(rest["taken"] == events - kept);
  CHECK(counts_of(target) == Source::expected(events));
  CHECK(target.whctl({"check"}).exit_code == 0);
}

TEST_CASE(
    "a file that was cut off, or is of something else, is refused before anything is sent; a pipe is told at its end") {
  Source source(20);
  const std::string file = source.daemon.directory().path() + "/messages.jsonl";
  source.daemon.tell({"export", "--messages", "-f", file});
  Daemon target;
  target.tell({"apply", "-f", "-", "--yes"}, source.daemon.tell({"export"}));
  const std::string whole = text_of(file);
  const std::string cut = whole.substr(0, whole.rfind("{\"complete\""));
  const std::string cut_file = target.directory().write("cut.jsonl", cut);
  const Ran refused = target.whctl({"import", "--messages", cut_file});
  CHECK(refused.exit_code == 1);
  CHECK(refused.err.find("was cut off: its last line is missing; nothing of it was sent") != std::string::npos);
  CHECK(counts_of(target).empty());
  CHECK(target.whctl({"import", "--messages", target.directory().write("other", "{\"a\":1}\n")}).exit_code == 2);
  CHECK(target.whctl({"import", "--messages", "-"}, cut).exit_code == 1);
  CHECK(counts_of(target) == Source::expected(20));
}

TEST_CASE("a line whose webhook is not there is refused by its number and field, and enters once the webhook is") {
  Source source(5);
  const std::string file = source.daemon.directory().path() + "/messages.jsonl";
  source.daemon.tell({"export", "--messages", "-f", file});
  Daemon target;
  target.tell({"create", "orders", "--url", source.good.url(), "-e", "*"});
  const Ran partial = target.whctl({"import", "--messages", file});
  CHECK(partial.exit_code == 10);
  CHECK(partial.err.find(file + ":2: ") != std::string::npos);
  CHECK(partial.err.find("there is no webhook audit") != std::string::npos);
  CHECK(counts_of(target).empty());
  target.tell({"create", "audit", "--url", source.bad.url(), "-e", "*", "--retry-initial", "6h"});
  CHECK(target.whctl({"import", "--messages", file}).exit_code == 0);
  CHECK(counts_of(target)["success"] == 5);
}

TEST_CASE("an export is of what was asked for, and says what cannot be asked together") {
  Source source(3);
  source.daemon.tell({"emit", "api.create", "-d", "1"});
  const auto events_in = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"export", "--messages"});
    const std::string text = source.daemon.tell(words);
    return std::count(text.begin(), text.end(), '\n') - 1;
  };
  CHECK(events_in({}) == 4);
  CHECK(events_in({"--event", "api.create"}) == 1);
  CHECK(events_in({"--webhook", "orders"}) == 3);
  CHECK(events_in({"--until", "2020-01-01"}) == 0);
  CHECK(source.daemon.whctl({"export", "--webhook", "orders"}).exit_code == 2);
  CHECK(source.daemon.whctl({"import", "x.json"}).exit_code == 2);
  CHECK(source.daemon.whctl({"import", "x.json", "--from", "svix", "--messages"}).exit_code == 2);
  CHECK(source.daemon.whctl({"export", "--messages", "--webhook", "none"}).exit_code == 3);
}
