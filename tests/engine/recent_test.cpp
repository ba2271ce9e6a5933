#include "engine/recent.hpp"

#include <doctest/doctest.h>

using namespace webhookd;
using namespace webhookd::engine;
using namespace std::chrono_literals;

namespace {
constexpr base::Time first_minute = base::time_from_ms(1'800'000'000'000);
}

TEST_CASE("what happened since a time is the sum of its minutes") {
  RecentMinutes minutes;
  for (int i = 0; i < 10; ++i) {
    minutes.at(first_minute + i * 1min).accepted += 1;
    minutes.at(first_minute + i * 1min).outcomes[0] += 2;
    minutes.at(first_minute + i * 1min).delivery_time.record(static_cast<std::uint64_t>(i));
  }
  CHECK(minutes.since(first_minute).accepted == 10);
  CHECK(minutes.since(first_minute + 7min).accepted == 3);
  CHECK(minutes.since(first_minute + 7min).outcomes[0] == 6);
  CHECK(minutes.since(first_minute + 7min).delivery_time.count() == 3);
  CHECK(minutes.since(first_minute + 1h).accepted == 0);
}

TEST_CASE("minutes are kept for a day, and a clock that was set back counts into the latest") {
  RecentMinutes minutes;
  minutes.at(first_minute).accepted += 1;
  minutes.at(first_minute + 23h).accepted += 1;
  CHECK(minutes.since(first_minute).accepted == 2);
  minutes.at(first_minute + 25h).accepted += 1;
  CHECK(minutes.since(first_minute).accepted == 2);
  minutes.at(first_minute + 20h).accepted += 1;
  CHECK(minutes.since(first_minute + 25h).accepted == 2);
}

TEST_CASE("hours of the last day are counted, older ones are not") {
  RecentHours hours;
  hours.count(first_minute);
  hours.count(first_minute + 1h);
  hours.count(first_minute + 1h);
  CHECK(hours.last_day(first_minute + 1h) == 3);
  CHECK(hours.last_day(first_minute + 24h) == 2);
  CHECK(hours.last_day(first_minute + 48h) == 0);
  hours.count(first_minute + 25h);
  CHECK(hours.last_day(first_minute + 25h) == 1);
}
