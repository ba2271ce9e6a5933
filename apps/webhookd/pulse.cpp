#include "pulse.hpp"

#include <algorithm>

namespace webhookd::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto status_pause = 5s;  // between two lines, however busy the daemon is

// What the line says; other figures may change without a new line.
bool is_same(const engine::EngineFigures& a, const engine::EngineFigures& b) {
  return a.in_flight == b.in_flight && a.ready == b.ready && a.attempts == b.attempts && a.successes == b.successes &&
         a.accepted == b.accepted;
}

}  // namespace

std::string status_line(const engine::EngineFigures& figures) {
  return std::to_string(figures.in_flight) + " requests in flight, " + std::to_string(figures.ready) + " more due, " +
         std::to_string(figures.successes) + " of " + std::to_string(figures.attempts) + " attempts succeeded, " +
         std::to_string(figures.accepted) + " events accepted";
}

Pulse::Pulse(std::optional<std::chrono::microseconds> watchdog) {
  if (watchdog) {
    period_ = *watchdog / 2;
  }
}

Pulse::Beat Pulse::beat(Time now, const engine::EngineFigures& figures) {
  Beat beat;
  if (period_) {
    beat.alive = !alive_at_ || now >= *alive_at_ + *period_;
    alive_at_ = beat.alive ? now : *alive_at_;
    beat.next = *alive_at_ + *period_;
  }
  if (status_at_ && is_same(figures, said_)) {
    return beat;
  }
  if (status_at_ && now < *status_at_ + status_pause) {
    const Time later = *status_at_ + status_pause;
    beat.next = beat.next ? std::min(*beat.next, later) : later;
    return beat;
  }
  beat.status = status_line(figures);
  status_at_ = now;
  said_ = figures;
  return beat;
}

}  // namespace webhookd::daemon
