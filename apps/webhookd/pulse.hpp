// What the service manager hears from a daemon that runs: that the engine's thread still turns, and its figures when
// they changed. Asked at each turn of the engine, and no later than it said; without a watchdog and without work it
// asks for nothing, so that an idle daemon sleeps.
//
// Pure: the time is given, and what is to be sent is an answer.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "engine/engine.hpp"

namespace webhookd::daemon {

// "3 requests in flight, 2 more due, 117 of 120 attempts succeeded, 118 events accepted"
std::string status_line(const engine::Progress& progress);

class Pulse {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Beat {
    bool alive = false;                 // say so now
    std::optional<std::string> status;  // say this now
    std::optional<Time> next;           // ask again no later than this
  };

  // `watchdog` is how long the service manager waits for a sign of life; half of it is how often one is given.
  explicit Pulse(std::optional<std::chrono::microseconds> watchdog);

  Beat beat(Time now, const engine::Progress& progress);

 private:
  std::optional<std::chrono::microseconds> period_;
  std::optional<Time> alive_at_;   // last said
  std::optional<Time> status_at_;  // last said
  engine::Progress said_;
};

}  // namespace webhookd::daemon
