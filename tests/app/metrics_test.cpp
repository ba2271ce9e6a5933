// GET /metrics of a real daemon, on the socket and on the loopback port.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"
#include "support/scripted_receiver.hpp"

namespace {

using namespace webhookd::support;

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

Ran fetch(std::uint16_t port, const std::string& path) {
  return run({"/usr/bin/env", "bash", "-c",
              "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port) + " && printf 'GET " + path +
                  " HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && cat <&3"});
}

}  // namespace

TEST_CASE("the metrics count what was accepted and how attempts ended, on the socket and on the loopback port") {
  const auto port = webhookd::test::closed_port();
  Daemon daemon({}, "[metrics]\nlisten = \"127.0.0.1:" + std::to_string(port) + "\"\n");
  CountingReceiver receiver;
  CountingReceiver failing([](const auto&) { return 500; });
  Api api(daemon.socket());
  api.create_webhook({{"display_name", "good"}, {"url", receiver.url()}, {"events", {"*"}}});
  api.create_webhook({{"display_name", "bad"}, {"url", failing.url()}, {"events", {"*"}}});
  api.emit("subscription.create");
  std::string text;
  REQUIRE(eventually([&] {
    text = api.ask("GET", "/metrics").body;
    return has_line(text, "webhookd_attempts_total{outcome=\"success\"} 1") &&
           has_line(text, "webhookd_attempts_total{outcome=\"status\"} 1") &&
           has_line(text, "webhookd_messages_settled_total{status=\"success\",reason=\"delivered\"} 1");
  }));
  CHECK(has_line(text, "webhookd_events_accepted_total 1"));
  CHECK(has_line(text, "webhookd_attempt_duration_seconds_count 2"));
  CHECK(has_line(text, "webhookd_webhooks 2"));
  const Ran scrape = fetch(port, "/metrics");
  CHECK(scrape.out.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(scrape.out.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
  CHECK(has_line(scrape.out, "webhookd_events_accepted_total 1"));
  CHECK(fetch(port, "/v1/status").out.starts_with("HTTP/1.1 404 "));
  CHECK(has_line(text, "webhookd_messages_created_total 2"));
  CHECK(has_line(text, "webhookd_config_last_reload_successful 1"));
  CHECK(text.find("\nwebhookd_backup_last_success_timestamp_seconds ") == std::string::npos);
  daemon.tell({"backup", daemon.directory().path() + "/backup"});
  daemon.directory().write("webhookd.toml", "nonsense");
  CHECK(daemon.whctl({"reload"}).exit_code == 2);
  text = api.ask("GET", "/metrics").body;
  CHECK(has_line(text, "webhookd_config_last_reload_successful 0"));
  CHECK(text.find("\nwebhookd_backup_last_success_timestamp_seconds 1") != std::string::npos);
  if (std::filesystem::exists("/usr/bin/promtool")) {
    CHECK(run({"/usr/bin/promtool", "check", "metrics"}, text).exit_code == 0);
  } else {
    MESSAGE("SKIPPED: promtool is not installed; tests/control/metrics_test.cpp checks the format by itself");
  }
}

TEST_CASE("metrics are served on loopback alone, and a place that is taken is named") {
  const TemporaryDirectory directory;
  const auto start = [&](const std::string& place) {
    const std::string config = directory.write("c.toml", "[metrics]\nlisten = \"" + place + "\"\n");
    return run({WEBHOOKD_BINARY, "--config", config, "--data-dir", directory.path() + "/data", "--socket",
                directory.path() + "/w.sock"});
  };
  for (const char* place :
       {"0.0.0.0:9464", "10.1.2.3:9464", "[::]:9464", "localhost:9464", "127.0.0.1", "9464", ":9464"}) {
    CAPTURE(place);
    const Ran ran = start(place);
    CHECK(ran.exit_code == 78);
    CHECK(ran.err.find("metrics.listen: \"" + std::string(place) + "\": must be") != std::string::npos);
  }
  CountingReceiver taken;
  const std::string url = taken.url("");
  const Ran ran = start(url.substr(7));
  CHECK(ran.exit_code == 1);
  CHECK(ran.err.find("metrics.listen: cannot listen on 127.0.0.1 port") != std::string::npos);
}
