#include "net/engine_loop.hpp"

#include "base/check.hpp"

namespace webhookd::net {

EngineLoop::EngineLoop(std::optional<TestClock> test_clock) : is_test_(test_clock.has_value()) {
  if (test_clock) {
    test_now_ms_ = base::to_ms(test_clock->start);
    moved_ = std::move(test_clock->moved);
  }
}

EngineLoop::~EngineLoop() { stop(); }

void EngineLoop::run(engine::Engine& engine) {
  thread_ = std::thread([this, &engine] { work(engine); });
}

void EngineLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_up_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void EngineLoop::post(base::Task task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(task));
    wake = sleeping_;
    sleeping_ = false;
  }
  if (wake) {
    wake_up_.notify_one();
  }
}

base::Time EngineLoop::now() const {
  if (is_test_) {
    return base::time_from_ms(test_now_ms_.load());
  }
  return std::chrono::floor<base::Duration>(std::chrono::system_clock::now());
}

void EngineLoop::advance(base::Duration by, base::Completion<base::Time> done) {
  base::check(is_test_, "only a test clock is moved");
  post([this, by, done = std::move(done)]() mutable {
    if (move_) {
      done(base::Error{base::ErrorCode::unavailable, "the clock is already moving: wait for it", {}});
      return;
    }
    move_ = Move{now() + by, std::move(done)};
  });
}

void EngineLoop::work(engine::Engine& engine) {
  std::optional<base::Time> wake;
  while (run_batch(wake)) {
    do {
      wake = engine.turn(now());
    } while (is_test_ && step_clock(engine, wake));
    if (after_turn_) {
      after_turn_by_ = after_turn_(std::chrono::steady_clock::now());
    }
  }
}

bool EngineLoop::run_batch(std::optional<base::Time> wake) {
  {
    std::unique_lock lock(mutex_);
    sleeping_ = queue_.empty();
    sleep(lock, wake);
    sleeping_ = false;
    if (stopping_) {
      return false;
    }
    batch_.swap(queue_);
  }
  for (base::Task& task : batch_) {
    task();
  }
  batch_.clear();
  return true;
}

void EngineLoop::sleep(std::unique_lock<std::mutex>& lock, std::optional<base::Time> wake) {
  const auto is_woken = [this] { return stopping_ || !queue_.empty(); };
  if (is_test_) {
    wake.reset();  // the clock is moved by tasks
  }
  const bool is_after_turn_first = after_turn_by_ && (!wake || *after_turn_by_ - std::chrono::steady_clock::now() <
                                                                   *wake - std::chrono::system_clock::now());
  if (is_after_turn_first) {
    wake_up_.wait_until(lock, *after_turn_by_, is_woken);
  } else if (wake) {
    wake_up_.wait_until(lock, *wake, is_woken);
  } else {
    wake_up_.wait(lock, is_woken);
  }
}

bool EngineLoop::step_clock(const engine::Engine& engine, std::optional<base::Time> wake) {
  if (!move_ || !engine.is_settled(now())) {
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty()) {
      return false;
    }
  }
  const base::Time before = now();
  if (before < move_->target) {
    const base::Time next = wake && *wake < move_->target ? *wake : move_->target;
    test_now_ms_ = base::to_ms(next);
    if (moved_) {
      moved_(next);
    }
    return true;
  }
  Move finished = std::move(*move_);
  move_.reset();
  finished.done(before);
  return false;
}

}  // namespace webhookd::net
