#include "pulse.hpp"

#include <algorithm>

namespace webhookd::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto status_pause = 5s;  // between two lines, however busy the daemon is

// What the line says; other figures may change without a new line.
bool is_same(const engine::Progress& a, const engine::Progress& b) {
  return a.in_flight == b.in_flight && a.ready == b.ready && a.attempts == b.attempts && a.successes == b.successes &&
         a.accepted == b.accepted;
}

}  // namespace

std::string status_line(const engine::Progress& progress) {
  return std::to_string(progress.in_flight) + " requests in flight, " + std::to_string(progress.ready) + " more due, " +
         std::to_string(progress.successes) + " of " + std::to_string(progress.attempts) + " attempts succeeded, " +
         std::to_string(progress.accepted) + " events accepted";
}

Pulse::Pulse(std::optional<std::chrono::microseconds> watchdog) {
  if (watchdog) {
    period_ = *watchdog / 2;
  }
}

Pulse::Beat Pulse::beat(Time now, const engine::Progress& progress) {
  Beat beat;
  if (period_) {
    beat.alive = !alive_at_ || now >= *alive_at_ + *period_;
    alive_at_ = beat.alive ? now : *alive_at_;
    beat.next = *alive_at_ + *period_;
  }
  if (status_at_ && is_same(progress, said_)) {
    return beat;
  }
  if (status_at_ && now < *status_at_ + status_pause) {
    const Time later = *status_at_ + status_pause;
    beat.next = beat.next ? std::min(*beat.next, later) : later;
    return beat;
  }
  beat.status = status_line(progress);
  status_at_ = now;
  said_ = progress;
  return beat;
}

}  // namespace webhookd::daemon
