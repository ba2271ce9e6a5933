// What happened lately: figures minute by minute for a day, of the whole daemon, and failures hour by hour, of one
// webhook. Kept in memory and bounded; minutes without anything cost nothing. A clock that was set back counts into the
// latest minute, so that nothing is counted twice.
//
// Never here: a clock; what is kept over restarts (the store's counters).
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "base/histogram.hpp"
#include "base/time.hpp"
#include "domain/attempt.hpp"

namespace webhookd::engine {

struct RecentFigures {
  std::uint64_t accepted = 0;                                     // events
  std::array<std::uint64_t, domain::outcome_kinds> outcomes{};    // attempts that ended, by OutcomeKind
  base::LatencyHistogram delivery_time{base::latency_bounds_ms};  // of each of them, in milliseconds

  void merge(const RecentFigures& other);
};

class RecentMinutes {
 public:
  static constexpr base::Duration span = std::chrono::hours(24);

  // The minute of `now`, to count into.
  RecentFigures& at(base::Time now);
  // All since the minute that `since` falls in.
  RecentFigures since(base::Time since) const;

 private:
  struct Minute {
    std::int64_t number = 0;
    RecentFigures figures;
  };
  std::deque<Minute> minutes_;
};

class RecentHours {
 public:
  void count(base::Time now);
  // Of the last 24 hours, to the hour.
  std::uint64_t last_day(base::Time now) const;

 private:
  static constexpr std::int64_t hours_kept = 24;
  struct Hour {
    std::int64_t number = -1;
    std::uint32_t count = 0;
  };
  std::array<Hour, hours_kept> hours_{};
};

}  // namespace webhookd::engine
