// Ten days by the test clock, over the real network.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/time.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using nlohmann::json;
using namespace std::chrono_literals;

json told(const Daemon& daemon, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  return json::parse(daemon.tell(std::move(arguments)));
}

base::Time time_of(const json& value) { return *base::parse_time(value.get<std::string>()); }

}  // namespace

TEST_CASE("ten days of a receiver that answers 500: about 50 attempts at the planned times, the last on the deadline") {
  Daemon daemon({"--test-clock"});
  CountingReceiver bad([](const auto&) { return 500; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*"});
  const json event = told(daemon, {"emit", "subscription.create", "-d", "{}"});
  const std::string id = event["messages"][0]["id"];
  daemon.tell({"clock", "advance", "36h"});
  CHECK(told(daemon, {"show", id})["status"] == "retrying");
  daemon.tell({"clock", "advance", "9d"});
  const json message = told(daemon, {"show", id});
  CHECK(message["status"] == "failed");
  CHECK(message["reason"] == "expired");
  const json& log = message["attempt_log"];
  CHECK(log.size() >= 48);
  CHECK(log.size() <= 56);
  CHECK(bad.requests() == log.size());
  CHECK(time_of(log.back()["at"]) >= time_of(message["deadline"]));
  CHECK(time_of(log.back()["at"]) < time_of(message["deadline"]) + 1s);
  const double planned_s[] = {5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 21600, 21600};
  for (std::size_t i = 0; i < std::size(planned_s); ++i) {
    const auto wait = time_of(log[i + 1]["at"]) - time_of(log[i]["at"]);
    CHECK(base::to_seconds(wait) >= planned_s[i] * 0.89 - 1);
    CHECK(base::to_seconds(wait) <= planned_s[i] * 1.11 + 1);
  }
}

TEST_CASE("a 410 ends Failed (gone) and deactivates the webhook") {
  Daemon daemon({"--test-clock"});
  CountingReceiver gone([](const auto&) { return 410; });
  daemon.tell({"create", "orders", "--url", gone.url(), "-e", "*"});
  const std::string id = told(daemon, {"emit", "subscription.create", "-d", "{}"})["messages"][0]["id"];
  CHECK(daemon.whctl({"wait", id, "--timeout", "10s"}).exit_code == 8);
  CHECK(told(daemon, {"show", id})["reason"] == "gone");
  CHECK(told(daemon, {"show", "orders"})["status"] == "inactive");
  CHECK(told(daemon, {"show", "orders"})["status_reason"] == "gone");
  CHECK(daemon.whctl({"retry", id}).exit_code == 5);
}

TEST_CASE("an edit of the URL in between moves the next attempt to the new address") {
  Daemon daemon({"--test-clock"});
  CountingReceiver bad([](const auto&) { return 500; });
  CountingReceiver good;
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*"});
  const std::string id = told(daemon, {"emit", "subscription.create", "-d", "{}"})["messages"][0]["id"];
  daemon.tell({"clock", "advance", "1h"});
  const auto before = bad.requests();
  daemon.tell({"edit", "orders", "--url", good.url()});
  daemon.tell({"clock", "advance", "6h"});
  CHECK(bad.requests() == before);
  CHECK(good.distinct_successes() == 1);
  CHECK(told(daemon, {"show", id})["status"] == "success");
}

TEST_CASE(
    "what waits at an inactive webhook until the end of its window fails as expired, and a restart keeps the clock") {
  Daemon daemon({"--test-clock"});
  CountingReceiver bad([](const auto&) { return 500; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*"});
  const std::string id = told(daemon, {"emit", "subscription.create", "-d", "{}"})["messages"][0]["id"];
  daemon.tell({"clock", "advance", "1d"});
  daemon.tell({"deactivate", "orders"});
  const auto requests = bad.requests();
  const auto then = time_of(told(daemon, {"clock"})["now"]);
  daemon.kill();
  daemon.start();
  CHECK(time_of(told(daemon, {"clock"})["now"]) >= then);
  daemon.tell({"clock", "advance", "10d"});
  CHECK(bad.requests() == requests);
  CHECK(told(daemon, {"show", id})["status"] == "failed");
  CHECK(told(daemon, {"show", id})["reason"] == "expired");
}

TEST_CASE("the test clock refuses the system's data directory, and a real clock is not moved") {
  const Ran refused =
      run({WEBHOOKD_BINARY, "--test-clock", "--data-dir", "/var/lib/webhookd", "--socket", "/tmp/x.sock"});
  CHECK(refused.exit_code == 78);
  CHECK(refused.err.find("--data-dir") != std::string::npos);
  for (const char* other_spelling : {"/var/lib/webhookd/", "/var/lib//webhookd", "/var/lib/./webhookd"}) {
    CHECK(run({WEBHOOKD_BINARY, "--test-clock", "--data-dir", other_spelling, "--socket", "/tmp/x.sock"}).exit_code ==
          78);
  }
  Daemon daemon;
  CHECK(daemon.whctl({"clock", "advance", "1h"}).exit_code != 0);
}
