// The text of GET /metrics against the rules of the exposition format 0.0.4 and of Prometheus' naming, line by line.
#include "control/server/metrics.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "control/daemon_harness.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::server;

MetricFigures some_figures() {
  MetricFigures figures;
  figures.engine.accepted = 7;
  figures.lanes.certificate_expires_at = base::time_from_ms(1'800'000'000'000);
  figures.engine.outcomes[0] = 5;
  figures.engine.delivery_time.record(3);
  figures.engine.delivery_time.record(120'000);
  figures.store.commit_time.record(700);
  figures.process.resident_bytes = 1000;
  figures.process.open_descriptors = 10;
  figures.process.started_at = 1'790'000'000.25;
  figures.engine.last_shortage_at = base::time_from_ms(1'800'000'000'000);
  figures.engine.settled[static_cast<std::size_t>(domain::SettleReason::gone)] = 4;
  figures.tally.last_backup_at = base::time_from_ms(1'800'000'000'000);
  figures.reload = ReloadState{false, base::time_from_ms(1'790'000'001'000)};
  return figures;
}

struct Family {
  std::string kind;
  bool has_help = false;
  std::vector<std::string> samples;
};

// A family's samples follow its HELP and TYPE; nothing else stands between them.
std::map<std::string, Family> families_of(const std::string& text) {
  static const std::regex help(R"re(^# HELP (\S+) \S.*\.$)re");
  static const std::regex type(R"re(^# TYPE (\S+) (counter|gauge|histogram)$)re");
  static const std::regex sample(R"re(^([a-z_]+)(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? ([0-9.e+-]+)$)re");
  std::map<std::string, Family> families;
  std::string current;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    std::smatch parts;
    if (std::regex_match(line, parts, help)) {
      current = parts[1];
      CHECK(!families.contains(current));
      families[current].has_help = true;
    } else if (std::regex_match(line, parts, type)) {
      CHECK(parts[1] == current);
      families[current].kind = parts[2];
    } else {
      REQUIRE(std::regex_match(line, parts, sample));
      CHECK(parts[1].str().starts_with(current));
      families[current].samples.push_back(line);
    }
  }
  return families;
}

bool is_named_by_the_rules(const std::string& name, const std::string& kind) {
  const bool is_total = name.ends_with("_total");
  return (name.starts_with("webhookd_") || name.starts_with("process_")) && is_total == (kind == "counter") &&
         (kind != "histogram" || name.ends_with("_seconds")) && name.find("_ms") == std::string::npos;
}

}  // namespace

TEST_CASE("the metrics are text that Prometheus reads, one family for each row of the table, named by its rules") {
  const std::string text = metrics_text(some_figures());
  CHECK(text.ends_with("\n"));
  const auto families = families_of(text);
  CHECK(families.size() == metrics().size());
  for (const Metric& metric : metrics()) {
    CAPTURE(metric.name);
    REQUIRE(families.contains(std::string(metric.name)));
    const Family& family = families.at(std::string(metric.name));
    CHECK(family.has_help);
    CHECK(family.kind == to_string(metric.kind));
    CHECK(!family.samples.empty());
    CHECK(is_named_by_the_rules(std::string(metric.name), family.kind));
    CHECK((metric.labels.empty() ==
           (family.samples[0].find('{') == std::string::npos || metric.kind == MetricKind::histogram)));
  }
}

TEST_CASE("a histogram counts upwards to +Inf, in seconds") {
  const std::string text = metrics_text(some_figures());
  CHECK(text.find("webhookd_attempt_duration_seconds_bucket{le=\"0.002\"} 0\n") != std::string::npos);
  CHECK(text.find("webhookd_attempt_duration_seconds_bucket{le=\"0.005\"} 1\n") != std::string::npos);
  CHECK(text.find("webhookd_attempt_duration_seconds_bucket{le=\"60\"} 1\n") != std::string::npos);
  CHECK(text.find("webhookd_attempt_duration_seconds_bucket{le=\"+Inf\"} 2\n") != std::string::npos);
  CHECK(text.find("webhookd_attempt_duration_seconds_sum 120.003\n") != std::string::npos);
  CHECK(text.find("webhookd_attempt_duration_seconds_count 2\n") != std::string::npos);
  CHECK(text.find("webhookd_store_commit_duration_seconds_bucket{le=\"0.001\"} 1\n") != std::string::npos);
}

TEST_CASE("what the kernel does not say is left out instead of being zero") {
  MetricFigures figures = some_figures();
  figures.process.open_descriptors.reset();
  CHECK(metrics_text(figures).find("\nprocess_open_fds ") == std::string::npos);
}

TEST_CASE("the kernel says of this process what every process has") {
  const ProcessFigures figures = read_process_figures();
  CHECK(figures.resident_bytes.value_or(0) > 100'000);
  CHECK(figures.open_descriptors.value_or(0) >= 3);
  CHECK(figures.descriptors_max >= figures.open_descriptors.value_or(0));
}

TEST_CASE("messages that settled are told apart by status and reason") {
  const std::string text = metrics_text(some_figures());
  CHECK(text.find("webhookd_messages_settled_total{status=\"failed\",reason=\"gone\"} 4\n") != std::string::npos);
  CHECK(text.find("webhookd_messages_settled_total{status=\"success\",reason=\"delivered\"} 0\n") != std::string::npos);
}

TEST_CASE("a refused reload shows, with the time of the one before that was taken") {
  const std::string text = metrics_text(some_figures());
  CHECK(text.find("\nwebhookd_config_last_reload_successful 0\n") != std::string::npos);
  CHECK(text.find("\nwebhookd_config_last_reload_success_timestamp_seconds 1790000001\n") != std::string::npos);
}

TEST_CASE("the kernel says when this process was started") {
  const double start = read_process_start().value_or(0);
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(start < now);
  CHECK(start > now - 24 * 3600);
}

TEST_CASE("refused events are counted by the reason, and requests by their answers") {
  control_test::Daemon daemon;
  daemon.add_webhook("orders");
  const auto metrics = [&] { return daemon.call("GET", "/metrics").body; };
  const auto has = [&](const std::string& line) { return metrics().find("\n" + line + "\n") != std::string::npos; };
  const std::string event = R"({"type":"subscription.create","data":{}})";
  CHECK(daemon.call("POST", "/v1/events", event).status == 201);
  CHECK(daemon.call("POST", "/v1/events", R"({"type":"no.such","data":{}})").status == 422);
  CHECK(daemon.call("POST", "/v1/events", "nonsense").status == 400);
  daemon.set_full(true);
  CHECK(daemon.call("POST", "/v1/events", event).status == 507);
  CHECK(daemon.call("POST", "/v1/events?dry_run=true", event).status == 507);
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["full_because"] == "quota");
  daemon.set_full(false);
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["full_because"].is_null());
  const std::string lines = event + "\nnonsense\n" + R"({"type":"no.such","data":{}})" + "\n";
  CHECK(daemon.call("POST", "/v1/events", lines, "Content-Type: application/x-ndjson\r\n").status == 200);
  CHECK(has("webhookd_events_refused_total{reason=\"store_full\"} 1"));
  CHECK(has("webhookd_events_refused_total{reason=\"unknown_type\"} 2"));
  CHECK(has("webhookd_events_refused_total{reason=\"invalid\"} 2"));
  CHECK(has("webhookd_events_refused_total{reason=\"failed\"} 0"));
  CHECK(has("webhookd_events_accepted_total 2"));
  CHECK(has("webhookd_messages_created_total 2"));
  CHECK(has("webhookd_control_requests_total{result=\"refused\"} 2"));
  CHECK(has("webhookd_control_requests_total{result=\"failed\"} 2"));
}

TEST_CASE("what happens all the time is told at once, and then now and then with its count") {
  Seldom seldom(std::chrono::seconds(10));
  Seldom::Time now{};
  now += std::chrono::hours(1);
  CHECK(seldom.note(now) == 1);
  for (int i = 0; i < 66; ++i) {
    CHECK(!seldom.note(now + std::chrono::seconds(9)));
  }
  CHECK(seldom.note(now + std::chrono::seconds(10)) == 67);
}

TEST_CASE("each user is told of by itself, and however many there are, memory is bounded") {
  SeldomByUser users;
  const Seldom::Time now = Seldom::Time{} + std::chrono::hours(1);
  CHECK(users.note(1000, now) == 1);
  CHECK(!users.note(1000, now));
  CHECK(users.note(1001, now) == 1);
  for (std::uint32_t user = 2000; user < 3000; ++user) {
    users.note(user, now);
  }
  CHECK(!users.note(4000, now));
  CHECK(users.note(4000, now + std::chrono::minutes(2)) == 1);
}
