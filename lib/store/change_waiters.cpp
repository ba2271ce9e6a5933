#include "store/change_waiters.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace webhookd::store {

ChangeWaiters::~ChangeWaiters() {
  for (Waiter& waiter : waiters_) {
    waiter.done(base::Error{base::ErrorCode::unavailable, "the store closes", {}});
  }
}

void ChangeWaiters::wait(std::uint64_t after, Completion<std::uint64_t> done) {
  std::uint64_t newest = 0;
  {
    const std::lock_guard lock(mutex_);
    if (newest_ <= after) {
      waiters_.push_back({after, std::move(done)});
      return;
    }
    newest = newest_;
  }
  done(newest);
}

void ChangeWaiters::reach(std::uint64_t newest) {
  std::vector<Waiter> satisfied;
  {
    const std::lock_guard lock(mutex_);
    if (newest <= newest_) {
      return;
    }
    newest_ = newest;
    const auto still =
        std::partition(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) { return waiter.after >= newest; });
    satisfied.assign(std::make_move_iterator(still), std::make_move_iterator(waiters_.end()));
    waiters_.erase(still, waiters_.end());
  }
  for (Waiter& waiter : satisfied) {
    waiter.done(newest);
  }
}

}  // namespace webhookd::store
