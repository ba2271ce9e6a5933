#include "domain/endpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

constexpr std::array<std::string_view, 3> health_names = {"up", "down", "throttled"};

constexpr std::uint16_t request_timeout = 408;
constexpr std::uint16_t too_many_requests = 429;

constexpr double clock_grain_ms = 2;
constexpr double slack_max_ms = 10;

bool is_endpoint_status(std::uint16_t code) {
  return code == request_timeout || code == too_many_requests || code >= 500;
}

}  // namespace

EndpointSignal endpoint_signal(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::success:
      return EndpointSignal::alive;
    case OutcomeKind::status:
      return is_endpoint_status(outcome.code) ? EndpointSignal::failing : EndpointSignal::alive;
    case OutcomeKind::timeout:
    case OutcomeKind::connect:
    case OutcomeKind::dns:
    case OutcomeKind::tls:
    case OutcomeKind::reset:
    case OutcomeKind::protocol:
      return EndpointSignal::failing;
    case OutcomeKind::denied:
    case OutcomeKind::aborted:
    case OutcomeKind::interrupted:
      return EndpointSignal::nothing;
  }
  return EndpointSignal::nothing;
}

std::string_view to_string(Health health) { return health_names[static_cast<std::size_t>(health)]; }

void Window::on_signal(EndpointSignal signal, std::uint32_t bound) {
  if (signal == EndpointSignal::alive) {
    size_ = std::min(size_ + 1, bound);
  } else if (signal == EndpointSignal::failing) {
    size_ = std::max(size_ / 2, std::uint32_t{1});
  }
}

// ---- health -----------------------------------------------------------------------------------------------------

EndpointHealth::Change EndpointHealth::on_outcome(const Outcome& outcome, bool was_probe, Time now) {
  switch (endpoint_signal(outcome)) {
    case EndpointSignal::alive:
      return on_answer(outcome.kind == OutcomeKind::success);
    case EndpointSignal::failing:
      return on_failure(outcome, was_probe, now);
    case EndpointSignal::nothing:
      return Change::none;
  }
  return Change::none;
}

EndpointHealth::Change EndpointHealth::on_answer(bool is_success) {
  const bool was_down = std::exchange(is_down_, false);
  failures_in_row_ = 0;
  has_answered_ = true;
  probe_failed_at_.reset();
  probe_wait_ = probe_wait_min;
  if (is_success && std::exchange(owes_release_, false)) {
    return Change::recovered;
  }
  return was_down ? Change::came_up : Change::none;
}

EndpointHealth::Change EndpointHealth::on_failure(const Outcome& outcome, bool was_probe, Time now) {
  failures_in_row_ = std::min(failures_in_row_ + 1, failures_until_down);
  failed_at_ = now;
  failure_ = describe(outcome);
  if (outcome.code == too_many_requests) {
    const Duration pause = std::min<Duration>(outcome.retry_after.value_or(throttle_default), limits::retry_after_max);
    throttled_until_ = std::max(throttled_until_, now + pause);
  }
  if (!is_down_ && failures_in_row_ == failures_until_down) {
    is_down_ = true;
    owes_release_ = true;
    probe_wait_ = probe_wait_min;
    probe_at_ = now + probe_wait_;
    return Change::went_down;
  }
  if (is_down_ && was_probe) {
    probe_wait_ = std::min<Duration>(probe_wait_ * 2, probe_wait_max);
    probe_at_ = now + probe_wait_;
    probe_failed_at_ = now;
  }
  return Change::none;
}

Health EndpointHealth::state(Time now) const {
  if (is_down_) {
    return Health::down;
  }
  return now < throttled_until_ ? Health::throttled : Health::up;
}

void EndpointHealth::hasten(Time now) { probe_at_ = std::min(probe_at_, std::max(now, failed_at_ + probe_wait_min)); }

void EndpointHealth::renew(Time now) {
  const bool owes_release = owes_release_;
  *this = {};
  owes_release_ = owes_release;
  watched_since_ = now;
}

// ---- pace -------------------------------------------------------------------------------------------------------

Time Pace::not_before() const { return base::time_from_ms(static_cast<std::int64_t>(std::ceil(next_ms_))); }

void Pace::on_start(Time now, double per_second) {
  const double interval_ms = 1000 / per_second;
  const double slack_ms = std::clamp(interval_ms, clock_grain_ms, slack_max_ms);
  next_ms_ = std::max(next_ms_, static_cast<double>(base::to_ms(now)) - slack_ms) + interval_ms;
}

}  // namespace webhookd::domain
