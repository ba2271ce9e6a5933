// One ear at the store for all who follow changes: it asks for the next change once, however many wait, and wakes them
// all. Of the control loop alone. Private to this folder.
//
// Never here: what has changed (that is read from the store), or who waits (follower_impl.hpp).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <list>

namespace webhookd::server {

namespace asio = boost::asio;
using SteadyTime = std::chrono::steady_clock::time_point;
struct Context;

class ChangeSignal {
 public:
  // The newest number heard of. What is read from the store from now on has all up to here.
  std::uint64_t newest() const { return newest_; }
  // Ends when a number above `after` is heard of, at `until`, or when all are woken.
  asio::awaitable<void> wait(Context& context, std::uint64_t after, SteadyTime until);
  void wake_all();

 private:
  void listen(Context& context);

  std::uint64_t newest_ = 0;
  bool is_listening_ = false;
  std::list<asio::steady_timer*> sleepers_;
};

}  // namespace webhookd::server
