// The text of GET /metrics against the rules of the exposition format 0.0.4 and of Prometheus' naming, line by line.
#include "control/server/metrics.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

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
  static const std::regex sample(R"re(^([a-z_]+)(\{[a-z]+="[^"\\]*"\})? ([0-9.e+-]+)$)re");
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
