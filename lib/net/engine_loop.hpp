// The engine's thread and its clock. Tasks posted from anywhere run one after the other; after each batch the engine
// gets its turn and says when it wants the next. With nothing to do the thread sleeps until then: no ticks.
//
// Sleeping is on the wall clock (an absolute wait), because due times are wall-clock times: when somebody sets the
// clock, the kernel wakes the sleeper at the right moment. In test mode the clock stands still and moves only when
// told: from due time to due time, each time only after everything that was started has been settled in the store.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/task.hpp"
#include "engine/engine.hpp"
#include "engine/ports.hpp"

namespace webhookd::net {

class EngineLoop final : public engine::Executor, public engine::Clock {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct TestClock {
    base::Time start{};
    std::function<void(base::Time)> moved;  // called on the engine's thread, so that a restart can go on from there
  };

  explicit EngineLoop(std::optional<TestClock> test_clock);
  ~EngineLoop() override;

  // Called on the engine's thread after each turn, and no later than it answered the last time. Only before run().
  using AfterTurn = std::function<std::optional<SteadyTime>(SteadyTime now)>;
  void after_turns(AfterTurn after_turn) { after_turn_ = std::move(after_turn); }

  // Starts the thread. The engine is used only by it from now on.
  void run(engine::Engine& engine);
  // Ends the thread after the task that is running; queued tasks are dropped.
  void stop();

  void post(base::Task task) override;
  base::Time now() const override;

  // Test mode only; one move at a time (a second one is refused with `unavailable`).
  void advance(base::Duration by, base::Completion<base::Time> done);

 private:
  void work(engine::Engine& engine);
  // Runs what is queued; false when it is time to end.
  bool run_batch(std::optional<base::Time> wake);
  // Until something is queued, or it is time for a turn.
  void sleep(std::unique_lock<std::mutex>& lock, std::optional<base::Time> wake);
  // One step of a test clock's move. True when the clock moved and the engine should have its turn again.
  bool step_clock(const engine::Engine& engine, std::optional<base::Time> wake);

  struct Move {
    base::Time target;
    base::Completion<base::Time> done;
  };

  const bool is_test_;
  std::atomic<std::int64_t> test_now_ms_{0};
  std::function<void(base::Time)> moved_;
  std::optional<Move> move_;  // engine thread only
  AfterTurn after_turn_;
  std::optional<SteadyTime> after_turn_by_;  // engine thread only

  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::vector<base::Task> queue_;
  std::vector<base::Task> batch_;  // engine thread only; kept for its capacity
  bool sleeping_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace webhookd::net
