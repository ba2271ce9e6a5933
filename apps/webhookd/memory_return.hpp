// When the memory that a burst of work has left with the allocator goes back to the system: once, some seconds after
// the work has ended. Each thread's arena keeps what it has had, so a burst of 100 000 events leaves some 80 MiB with a
// daemon that needs three. Asked at each turn of the engine, and no later than it said; without work since the last
// time it asks for nothing.
//
// Pure: the time is given, and what is to be done is an answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace webhookd::daemon {

class MemoryReturn {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Step {
    bool trims = false;        // now
    std::optional<Time> next;  // ask again no later than this
  };

  // `work` counts what was done since the start (events and attempts); `is_busy`: some of it is under way.
  Step look(Time now, std::uint64_t work, bool is_busy);

 private:
  std::uint64_t seen_ = 0;
  std::uint64_t returned_ = 0;  // `work` when it was last done
  Time changed_at_{};
};

}  // namespace webhookd::daemon
