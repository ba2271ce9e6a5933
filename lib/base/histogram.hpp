// How a quantity is spread, in a few fixed buckets: enough for a rate, a mean and a quantile, in constant memory, with
// a branch or two for each value. Bounds are upper ones and inclusive, as Prometheus counts them; what is above the
// last bound counts in a bucket of its own. Values are whole numbers in the unit of the bounds (the name of whoever
// owns the histogram says which).
//
// Never here: a lock, a clock, text. Whoever owns a histogram records into it from one thread and hands out copies.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace webhookd::base {

template <std::size_t N>
class Histogram {
 public:
  using Bounds = std::array<std::uint64_t, N>;

  // `bounds` rise strictly.
  constexpr explicit Histogram(const Bounds& bounds) : bounds_(bounds) {}

  void record(std::uint64_t value) {
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    ++counts_[static_cast<std::size_t>(bucket)];
    ++count_;
    sum_ += std::min(value, std::numeric_limits<std::uint64_t>::max() - sum_);
  }

  // Adds what the other one, of the same bounds, has seen.
  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    sum_ += std::min(other.sum_, std::numeric_limits<std::uint64_t>::max() - sum_);
  }

  const Bounds& bounds() const { return bounds_; }
  // Of each bucket alone; the last is of what is above all bounds.
  const std::array<std::uint64_t, N + 1>& counts() const { return counts_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }

  // Below or at which value the share `q` (0 to 1) lies, on a straight line inside its bucket as Prometheus draws it.
  // Above all bounds it is the last bound; of nothing it is 0.
  double quantile(double q) const {
    const double rank = q * static_cast<double>(count_);
    double below = 0;
    for (std::size_t i = 0; i < N; ++i) {
      const auto here = static_cast<double>(counts_[i]);
      if (here > 0 && below + here >= rank) {
        const auto lowest = i == 0 ? 0.0 : static_cast<double>(bounds_[i - 1]);
        return lowest + (static_cast<double>(bounds_[i]) - lowest) * std::max(0.0, rank - below) / here;
      }
      below += here;
    }
    return count_ == 0 ? 0.0 : static_cast<double>(bounds_.back());
  }

 private:
  Bounds bounds_;
  std::array<std::uint64_t, N + 1> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

// Latencies in milliseconds, from a local answer to the longest timeout.
inline constexpr std::array<std::uint64_t, 16> latency_bounds_ms = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1'000, 2'500, 5'000, 10'000, 15'000, 30'000, 60'000};
using LatencyHistogram = Histogram<latency_bounds_ms.size()>;

// Of what a disk does, in microseconds.
inline constexpr std::array<std::uint64_t, 16> disk_bounds_us = {
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};
using DiskHistogram = Histogram<disk_bounds_us.size()>;

}  // namespace webhookd::base
