#include <memory>

#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

// A timer among the sleepers for as long as it lives, also when the coroutine is unwound.
class Sleeper {
 public:
  Sleeper(asio::io_context& io, std::list<asio::steady_timer*>& sleepers)
      : timer(io), sleepers_(sleepers), place_(sleepers.insert(sleepers.end(), &timer)) {}
  ~Sleeper() { sleepers_.erase(place_); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  asio::steady_timer timer;

 private:
  std::list<asio::steady_timer*>& sleepers_;
  std::list<asio::steady_timer*>::iterator place_;
};

}  // namespace

asio::awaitable<void> ChangeSignal::wait(Context& context, std::uint64_t after, SteadyTime until) {
  if (newest_ > after) {
    co_return;
  }
  Sleeper sleeper(context.io, sleepers_);
  sleeper.timer.expires_at(until);
  listen(context);
  co_await sleeper.timer.async_wait(as_values);
}

void ChangeSignal::wake_all() {
  for (asio::steady_timer* sleeper : sleepers_) {
    sleeper->cancel();
  }
}

void ChangeSignal::listen(Context& context) {
  if (is_listening_) {
    return;
  }
  is_listening_ = true;
  // The completion keeps the Context; what it posts must not, or a stopped loop would keep it for ever.
  context.world.store.next_change(newest_, [keep = context.shared_from_this()](Result<std::uint64_t> newest) {
    asio::post(keep->io, [context_pointer = keep.get(), newest = std::move(newest)] {
      ChangeSignal& signal = context_pointer->changes;
      signal.is_listening_ = false;
      signal.newest_ = newest ? *newest : signal.newest_;
      signal.wake_all();
    });
  });
}

}  // namespace webhookd::server
