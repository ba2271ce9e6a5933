// Who waits for the next change of any message (Store::next_change), and the newest number they are compared with. One
// commit wakes all whom it satisfies; completions run outside the lock, so they may call the store again.
//
// Never here: which change it was, or waiting: a completion is kept until it can be answered.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "store/store.hpp"

namespace webhookd::store {

// Any thread.
class ChangeWaiters {
 public:
  explicit ChangeWaiters(std::uint64_t newest) : newest_(newest) {}
  // The store closes: who still waits hears `unavailable`.
  ~ChangeWaiters();
  ChangeWaiters(const ChangeWaiters&) = delete;
  ChangeWaiters& operator=(const ChangeWaiters&) = delete;

  void wait(std::uint64_t after, Completion<std::uint64_t> done);
  // Numbers up to `newest` are durable. A lower one than before changes nothing.
  void reach(std::uint64_t newest);

 private:
  struct Waiter {
    std::uint64_t after = 0;
    Completion<std::uint64_t> done;
  };

  std::mutex mutex_;
  std::uint64_t newest_;
  std::vector<Waiter> waiters_;
};

}  // namespace webhookd::store
