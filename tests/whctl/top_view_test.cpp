#include "top_view.hpp"

#include <doctest/doctest.h>

#include "text_width.hpp"

using namespace webhookd::whctl;
namespace base = webhookd::base;

namespace {

TopState busy() {
  TopState state;
  state.version = "0.1.0";
  state.uptime = "5m";
  state.now = {100, 90, 10, 12, 3};
  state.history = {{1, 1, 0}, {2, 2, 0}, {20, 18, 2}};
  state.endpoints = {{"orders \x1b[31m", "down", "active", 12}};
  state.failures = {{"msg_1", "orders", "a.b", "retrying", "HTTP 503"},
                    {"msg_2", "orders", "a.b", "failed", "timeout"}};
  state.chosen = 1;
  return state;
}

}  // namespace

TEST_CASE("a screen is filled exactly, with nothing wider than it and nothing that steers") {
  for (const std::size_t width : {std::size_t{40}, std::size_t{80}, std::size_t{200}}) {
    const auto lines = top_lines(busy(), {width, 24, false, false});
    CHECK(lines.size() == 24);
    for (const auto& line : lines) {
      CHECK(display_width(line) <= width);
      CHECK(line.find('\x1b') == std::string::npos);
    }
  }
  CHECK(top_lines(busy(), {80, 3, false, false}).size() == 3);
}

TEST_CASE("the view names rates, what waits, endpoints in trouble and the chosen failure") {
  const auto lines = top_lines(busy(), {80, 24, false, true});
  CHECK(lines[0] == "webhookd 0.1.0, up 5m");
  CHECK(lines[1] == "waiting     12        in flight 3");
  CHECK(lines[2] == "accepted    20/s      118");
  CHECK(lines[4] == "failing     2.0/s     008");
  CHECK(lines[7].starts_with("orders \\x1b[31m  down"));
  CHECK(lines[11].starts_with(">  msg_2    orders"));
}

TEST_CASE("rates are differences over time, and a restarted daemon gives none below zero") {
  const Rates rates = rates_between({10, 5, 1, 0, 0}, {30, 15, 1, 0, 0}, base::Duration{2000});
  CHECK(rates.accepted == 10);
  CHECK(rates.successes == 5);
  CHECK(rates.failures == 0);
  CHECK(rates_between({10, 0, 0, 0, 0}, {3, 0, 0, 0, 0}, base::Duration{1000}).accepted == 0);
}

TEST_CASE("a sparkline shows the latest values, the highest full") {
  CHECK(sparkline({8, 0, 4, 8}, 3, false) == " ▄█");
  CHECK(sparkline({8, 0, 4, 8}, 3, true) == "048");
  CHECK(sparkline({0, 0}, 3, true) == "00");
  CHECK(sparkline({}, 3, true) == "");
}
