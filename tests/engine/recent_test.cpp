#include "engine/recent.hpp"

#include <doctest/doctest.h>

using namespace webhookd;
using namespace webhookd::engine;
using namespace std::chrono_literals;

namespace {
constexpr base::Time noon = base::time_from_ms(1'800'000'000'000);
}

TEST_CASE("what happened since a time is the sum of its minutes") {
  RecentMinutes minutes;
  for (int i = 0; i < 10; ++i) {
    minutes.at(noon + i * 1min).accepted += 1;
    minutes.at(noon + i * 1min).outcomes[0] += 2;
    minutes.at(noon + i * 1min).delivery_time.record(static_cast<std::uint64_t>(i));
  }
  CHECK(minutes.since(noon).accepted == 10);
  CHECK(minutes.since(noon + 7min).accepted == 3);
  CHECK(minutes.since(noon + 7min).outcomes[0] == 6);
  CHECK(minutes.since(noon + 7min).delivery_time.count() == 3);
  CHECK(minutes.since(noon + 1h).accepted == 0);
}

TEST_CASE("minutes are kept for a day, and a clock that was set back counts into the latest") {
  RecentMinutes minutes;
  minutes.at(noon).accepted += 1;
  minutes.at(noon + 23h).accepted += 1;
  CHECK(minutes.since(noon).accepted == 2);
  minutes.at(noon + 25h).accepted += 1;
  CHECK(minutes.since(noon).accepted == 2);
  minutes.at(noon + 20h).accepted += 1;
  CHECK(minutes.since(noon + 25h).accepted == 2);
}

TEST_CASE("hours of the last day are counted, older ones are not") {
  RecentHours hours;
  hours.count(noon);
  hours.count(noon + 1h);
  hours.count(noon + 1h);
  CHECK(hours.last_day(noon + 1h) == 3);
  CHECK(hours.last_day(noon + 24h) == 2);
  CHECK(hours.last_day(noon + 48h) == 0);
  hours.count(noon + 25h);
  CHECK(hours.last_day(noon + 25h) == 1);
}
