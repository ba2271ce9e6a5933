// How long to wait after a failed attempt (behaviour.md section 7): min(initial * factor^(n-1), max), plus or minus
// jitter, lengthened by Retry-After, quantised so that neighbours share index pages, and cut so that the last attempt
// falls exactly on the deadline.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "domain/webhook.hpp"

namespace webhookd::domain {

// `failures` is n >= 1; `jitter` is drawn from -1 … 1.
Duration backoff_wait(const RetryPolicy& policy, std::uint32_t failures, double jitter);

// When the next attempt is made after the n-th failure at `now`; never past `deadline`, which must be later than now.
Time next_attempt_at(const RetryPolicy& policy, std::uint32_t failures, double jitter,
                     std::optional<Duration> retry_after, Time now, Time deadline);

}  // namespace webhookd::domain
