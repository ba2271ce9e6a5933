#include "values.hpp"

#include <doctest/doctest.h>

#include "control/protocol/problems.hpp"
#include "exit_codes.hpp"

using namespace webhookd::whctl;
namespace base = webhookd::base;
namespace protocol = webhookd::protocol;

namespace {

Invocation with(std::string name, std::string value) {
  Invocation invocation;
  invocation.words[std::move(name)] = {std::move(value)};
  return invocation;
}

base::Time noon() { return *base::parse_time("2026-01-31T12:00:00Z"); }

std::string time_of(const std::string& text) {
  const auto time = time_value(with("since", text), "since", noon);
  return time ? base::format_time(*time) : time.error().what + ": " + time.error().why;
}

}  // namespace

TEST_CASE("a time is RFC 3339, a date, or how long ago") {
  CHECK(time_of("2026-01-30T10:00:00+01:00") == "2026-01-30T09:00:00.000Z");
  CHECK(time_of("2026-01-30") == "2026-01-30T00:00:00.000Z");
  CHECK(time_of("90m") == "2026-01-31T10:30:00.000Z");
  CHECK(time_of("yesterday") == "2026-01-30T00:00:00.000Z");
  CHECK(time_of("tomorow") == "--since: cannot read \"tomorow\"");
}

TEST_CASE("durations and counts name the flag when they cannot be read") {
  CHECK(duration_value(with("timeout", "1h30m"), "timeout")->count() == 5'400'000);
  CHECK(duration_value(with("timeout", "15"), "timeout").error().what == "--timeout");
  CHECK(duration_value(with("D", "x"), "D").error().what == "D");
  CHECK(count_value(with("port", "8080"), "port", 65'535).value() == 8080);
  CHECK_FALSE(count_value(with("port", "65536"), "port", 65'535).has_value());
  CHECK_FALSE(count_value(with("port", "-1"), "port", 65'535).has_value());
}

TEST_CASE("rates and decimals are plain numbers") {
  CHECK(parse_rate("rate", "10/s").value() == 10);
  CHECK(parse_rate("rate", "0.5/s").value() == 0.5);
  CHECK_FALSE(parse_rate("rate", "10/m").has_value());
  CHECK_FALSE(parse_decimal("retry-factor", "1e5").has_value());
  CHECK_FALSE(parse_decimal("retry-factor", "nan").has_value());
  CHECK_FALSE(parse_decimal("retry-factor", "-1").has_value());
  CHECK_FALSE(parse_decimal("retry-factor", "1.5x").has_value());
}

TEST_CASE("every problem code of the API has its exit code") {
  struct Row {
    std::string_view code;
    int exit;
  };
  const std::vector<Row> expected{
      {"invalid_request", 2},   {"invalid_field", 2},    {"unknown_type", 2},    {"too_large", 2},
      {"not_found", 3},         {"ambiguous_id", 2},     {"forbidden", 4},       {"method_not_allowed", 2},
      {"unsupported_media", 2}, {"name_taken", 5},       {"type_in_use", 5},     {"type_reserved", 5},
      {"type_exists", 5},       {"webhook_inactive", 5}, {"already_settled", 5}, {"idempotency_conflict", 5},
      {"interrupted", 130},     {"no_master_key", 5},    {"no_test_clock", 5},   {"version_mismatch", 5},
      {"schema_mismatch", 2},   {"store_full", 1},       {"unavailable", 6},     {"wait_timeout", 7},
      {"internal", 1}};
  for (const auto& kind : protocol::problem_kinds()) {
    CAPTURE(kind.name);
    const auto row = std::find_if(expected.begin(), expected.end(), [&](const Row& r) { return r.code == kind.name; });
    REQUIRE(row != expected.end());
    CHECK(static_cast<int>(exit_code_of(kind.name)) == row->exit);
  }
  CHECK(static_cast<int>(exit_code_of("unreachable")) == 6);
  CHECK(static_cast<int>(exit_code_of("socket_denied")) == 4);
  CHECK(static_cast<int>(exit_code_of("usage")) == 2);
  CHECK(static_cast<int>(exit_code_of("refused")) == 9);
  CHECK(static_cast<int>(exit_code_of("never heard of")) == 1);
}
