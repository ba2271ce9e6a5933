#include "domain/backoff.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace webhookd::domain {

namespace {

// To whole seconds up to a minute, to 1 % (in whole seconds) above.
Duration quantised(double wait_ms) {
  const double grain_ms = std::max(1000.0, std::floor(wait_ms / 100.0 / 1000.0) * 1000.0);
  return Duration{static_cast<std::int64_t>(std::max(1.0, std::round(wait_ms / grain_ms)) * grain_ms)};
}

}  // namespace

Duration backoff_wait(const RetryPolicy& policy, std::uint32_t failures, double jitter) {
  base::check(failures >= 1, "a wait follows a failure");
  const double initial_ms = static_cast<double>(policy.initial.count());
  const double max_ms = static_cast<double>(policy.max.count());
  // The power may be infinite for a large n; min() brings it back.
  const double planned_ms = std::min(initial_ms * std::pow(policy.factor, static_cast<double>(failures - 1)), max_ms);
  return quantised(planned_ms * (1.0 + policy.jitter * std::clamp(jitter, -1.0, 1.0)));
}

Time next_attempt_at(const RetryPolicy& policy, std::uint32_t failures, double jitter,
                     std::optional<Duration> retry_after, Time now, Time deadline) {
  Duration wait = backoff_wait(policy, failures, jitter);
  if (retry_after) {
    wait = std::max(wait, std::min(*retry_after, limits::retry_after_max));
  }
  return std::min(now + wait, deadline);
}

}  // namespace webhookd::domain
