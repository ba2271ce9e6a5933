#include "pulse.hpp"

#include <doctest/doctest.h>

using namespace webhookd;
using namespace webhookd::daemon;
using namespace std::chrono_literals;

namespace {

constexpr Pulse::Time start{1000s};

engine::Progress figures_after(std::uint64_t attempts) {
  engine::Progress figures;
  figures.attempts = attempts;
  figures.successes = attempts;
  return figures;
}

}  // namespace

TEST_CASE("without a watchdog and without work nothing is asked for") {
  Pulse pulse(std::nullopt);
  CHECK(pulse.beat(start, figures_after(0)).status.has_value());
  const auto idle = pulse.beat(start + 1h, figures_after(0));
  CHECK(!idle.alive);
  CHECK(!idle.status);
  CHECK(!idle.next);
}

TEST_CASE("a sign of life comes twice in each period of the watchdog, however many turns there are") {
  Pulse pulse(10s);
  CHECK(pulse.beat(start, figures_after(0)).alive);
  for (const auto later : {1s, 3s, 4s}) {
    const auto beat = pulse.beat(start + later, figures_after(0));
    CHECK(!beat.alive);
    CHECK(beat.next == start + 5s);
  }
  CHECK(pulse.beat(start + 5s, figures_after(0)).alive);
}

TEST_CASE("figures are said at once, then every five seconds while they change, and the last ones always") {
  Pulse pulse(std::nullopt);
  pulse.beat(start, figures_after(0));
  const auto early = pulse.beat(start + 1s, figures_after(1));
  CHECK(!early.status);
  CHECK(early.next == start + 5s);
  const auto late = pulse.beat(start + 5s, figures_after(7));
  CHECK(late.status == "0 requests in flight, 0 more due, 7 of 7 attempts succeeded, 0 events accepted");
  CHECK(!late.next);
}

TEST_CASE("the earlier of a sign of life and of new figures is asked for") {
  Pulse pulse(60s);
  pulse.beat(start, figures_after(0));
  CHECK(pulse.beat(start + 1s, figures_after(1)).next == start + 5s);
}
