// What outcomes say about an endpoint, apart from the message (behaviour.md section 8): timeouts, refused or reset
// connections, name and TLS failures, 408, 429 and 5xx are failures of the endpoint; other statuses are failures of the
// message and say that the endpoint is alive. From these come the window of requests in flight, the health with its
// probes, and the pace of a webhook's rate. Values and rules only: who starts what is the engine's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "domain/attempt.hpp"

namespace webhookd::domain {

using base::Duration;
using base::Time;
using namespace std::chrono_literals;

enum class Health : std::uint8_t { up, down, throttled };

enum class EndpointSignal : std::uint8_t { alive, failing, nothing };

EndpointSignal endpoint_signal(const Outcome& outcome);

std::string_view to_string(Health health);

// How many requests one webhook may have in flight: starts at 4, grows by one with each success up to the webhook's
// own bound (slow start: doubling each round trip), halves with each endpoint failure, never below 1.
class Window {
 public:
  static constexpr std::uint32_t initial = 4;

  std::uint32_t size(std::uint32_t bound) const { return size_ < bound ? size_ : bound; }
  void on_signal(EndpointSignal signal, std::uint32_t bound);

 private:
  std::uint32_t size_ = initial;
};

// Whether an endpoint answers. After five failures in a row it is down: one attempt at a time, a probe, not before
// `not_before()`, which moves away from 5 s to 5 min. An answer of any kind brings it up again; the first success after
// it was down says that its backlog is to be released. 429 throttles it until its Retry-After. All of this only ever
// delays what is due.
class EndpointHealth {
 public:
  static constexpr int failures_until_down = 5;
  static constexpr Duration probe_wait_min = 5s;
  static constexpr Duration probe_wait_max = 5min;
  static constexpr Duration throttle_default = 1s;  // after a 429 that does not say how long

  enum class Change : std::uint8_t { none, went_down, came_up, recovered };  // recovered: release the backlog

  Change on_outcome(const Outcome& outcome, bool was_probe, Time now);

  Health state(Time now) const;
  bool is_down() const { return is_down_; }
  // No attempt starts earlier.
  Time not_before() const { return is_down_ ? std::max(probe_at_, throttled_until_) : throttled_until_; }
  // It never answered since it became known or was last renewed.
  bool is_unproven() const { return !has_answered_; }
  // Its latest attempt failed, and nothing speaks for the next one: it never answered, or is one failure from down.
  bool is_suspect() const {
    return failures_in_row_ > 0 && (!has_answered_ || failures_in_row_ >= failures_until_down - 1);
  }
  // A probe failed within the current probe interval: the endpoint is known to be dead now, not some time ago.
  bool is_freshly_probed(Time now) const {
    return is_down_ && probe_failed_at_ && now <= *probe_failed_at_ + probe_wait_;
  }
  const std::string& failure() const { return failure_; }  // the latest, in words

  // A person wants to know now: the next probe is due, though no sooner than 5 s after the latest failure.
  void hasten(Time now);
  // What was learnt is void (a start, another URL, an activation, a clock that jumped): up, but a release that is owed
  // stays owed.
  void renew(Time now);
  // Since when the endpoint is watched. A deadline that passed before did not pass while it was known to be down.
  Time watched_since() const { return watched_since_; }

 private:
  Change on_failure(const Outcome& outcome, bool was_probe, Time now);
  Change on_answer(bool is_success);

  int failures_in_row_ = 0;
  bool is_down_ = false;
  bool owes_release_ = false;
  bool has_answered_ = false;
  Duration probe_wait_ = probe_wait_min;
  Time probe_at_{};
  Time failed_at_{};
  std::optional<Time> probe_failed_at_;
  Time throttled_until_{};
  Time watched_since_{};
  std::string failure_;
};

// The pace of a webhook with a rate (the generic cell rate algorithm): starts are spread evenly; what a late wake-up
// lost is made good within one interval and at most 10 ms, so that bursts do not show and the clock's grain costs
// nothing.
class Pace {
 public:
  Time not_before() const;
  void on_start(Time now, double per_second);

 private:
  double next_ms_ = 0;
};

}  // namespace webhookd::domain
