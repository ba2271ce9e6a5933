#include "engine/recent.hpp"

#include <algorithm>

namespace webhookd::engine {

namespace {

std::int64_t minute_of(base::Time time) {
  return std::chrono::floor<std::chrono::minutes>(time).time_since_epoch().count();
}
std::int64_t hour_of(base::Time time) {
  return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

}  // namespace

void RecentFigures::merge(const RecentFigures& other) {
  accepted += other.accepted;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    outcomes[i] += other.outcomes[i];
  }
  delivery_time.merge(other.delivery_time);
}

RecentFigures& RecentMinutes::at(base::Time now) {
  const std::int64_t minute = minute_of(now);
  if (minutes_.empty() || minutes_.back().number < minute) {
    minutes_.push_back({minute, {}});
    const std::int64_t oldest = minute - std::chrono::duration_cast<std::chrono::minutes>(span).count();
    while (minutes_.front().number < oldest) {
      minutes_.pop_front();
    }
  }
  return minutes_.back().figures;
}

RecentFigures RecentMinutes::since(base::Time since) const {
  RecentFigures sum;
  const std::int64_t first = minute_of(since);
  for (auto minute = minutes_.rbegin(); minute != minutes_.rend() && minute->number >= first; ++minute) {
    sum.merge(minute->figures);
  }
  return sum;
}

void RecentHours::count(base::Time now) {
  const std::int64_t number = hour_of(now);
  Hour& hour = hours_[static_cast<std::size_t>(((number % hours_kept) + hours_kept) % hours_kept)];
  if (hour.number != number) {
    hour = {number, 0};
  }
  ++hour.count;
}

std::uint64_t RecentHours::last_day(base::Time now) const {
  const std::int64_t number = hour_of(now);
  std::uint64_t sum = 0;
  for (const Hour& hour : hours_) {
    sum += hour.number > number - hours_kept && hour.number <= number ? hour.count : 0;
  }
  return sum;
}

}  // namespace webhookd::engine
