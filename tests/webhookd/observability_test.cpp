// Dashboard and alerts name only metrics that exist, and each alert has its recipe in the manual.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "control/server/metrics.hpp"
#include "manual.hpp"
#include "support/process.hpp"

using namespace webhookd;

namespace {

std::string shipped(const char* name) {
  std::ostringstream text;
  text << std::ifstream(std::string(WEBHOOKD_SOURCE_DIR) + "/apps/webhookd/observability/" + name).rdbuf();
  return text.str();
}

bool exists(const std::string& name) {
  for (const server::Metric& metric : server::metrics()) {
    const std::string known(metric.name);
    const bool is_part = metric.kind == server::MetricKind::histogram &&
                         (name == known + "_bucket" || name == known + "_sum" || name == known + "_count");
    if (name == known || is_part) {
      return true;
    }
  }
  return false;
}

// Names of metrics in `text` that nobody has; "none at all" when there is no name in it.
std::string unknown_metrics_in(const std::string& text) {
  static const std::regex name(R"re(\b(webhookd|process)_[a-z_]+)re");
  std::set<std::string> unknown;
  std::size_t count = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), name), end; match != end; ++match, ++count) {
    if (!exists(match->str())) {
      unknown.insert(match->str());
    }
  }
  return count == 0 ? "none at all" : base::join({unknown.begin(), unknown.end()}, " ");
}

}  // namespace

TEST_CASE("the dashboard is JSON and asks for metrics that exist") {
  const std::string text = shipped("webhookd-dashboard.json");
  const auto dashboard = nlohmann::json::parse(text);
  CHECK(dashboard["panels"].size() >= 10);
  CHECK(unknown_metrics_in(text) == "");
}

TEST_CASE("the alerts watch metrics that exist, and the operations manual has a recipe for each") {
  const std::string text = shipped("webhookd-alerts.yml");
  CHECK(unknown_metrics_in(text) == "");
  std::string manual;
  for (const auto& page : daemon::manual_pages()) {
    manual += page.text;
  }
  static const std::regex alert(R"re(- alert: (\w+))re");
  std::size_t count = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), alert), end; match != end; ++match, ++count) {
    CAPTURE((*match)[1].str());
    CHECK(manual.find((*match)[1].str()) != std::string::npos);
  }
  CHECK(count >= 8);
}

TEST_CASE("the alerts are silent for a healthy daemon and ring for what they name") {
  if (!std::filesystem::exists("/usr/bin/promtool")) {
    MESSAGE("SKIPPED: promtool is not installed");
    return;
  }
  const std::string source = WEBHOOKD_SOURCE_DIR;
  const std::string rules = source + "/apps/webhookd/observability/webhookd-alerts.yml";
  CHECK(support::run({"/usr/bin/promtool", "check", "rules", rules}).exit_code == 0);
  std::ostringstream text;
  text << std::ifstream(source + "/tests/webhookd/alerts_test.yml").rdbuf();
  const support::TemporaryDirectory directory;
  const std::string tests =
      directory.write("alerts_test.yml", std::regex_replace(text.str(), std::regex("RULES"), rules));
  const support::Ran ran = support::run({"/usr/bin/promtool", "test", "rules", tests});
  CHECK_MESSAGE(ran.exit_code == 0, ran.out << ran.err);
}
