#include <poll.h>

#include <algorithm>

#include "control/server/follower_impl.hpp"

namespace webhookd::server {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t followers_max = 256;
constexpr auto least_pause = 10ms;
constexpr auto peer_pause = 5s;

}  // namespace

Result<void> Follower::check_room(const Context& context) {
  if (context.waiters >= followers_max) {
    return refusal(ErrorCode::unavailable,
                   "too many waits and streams at once; at most " + std::to_string(followers_max));
  }
  return {};
}

Follower::Follower(Context& context, const Request& request)
    : context_(context), request_(request), pause_(context.io), last_turn_(std::chrono::steady_clock::now()) {
  ++context_.waiters;
}

Follower::~Follower() { --context_.waiters; }

asio::awaitable<Result<void>> Follower::next_change(SteadyTime until) {
  while (context_.changes.newest() <= seen_ && std::chrono::steady_clock::now() < until) {
    const SteadyTime look_up = std::min(until, std::chrono::steady_clock::now() + peer_pause);
    co_await context_.changes.wait(context_, seen_, look_up);
    if (context_.draining || context_.closing || peer_has_left()) {
      co_return refusal(ErrorCode::unavailable, "the daemon is stopping");
    }
  }
  pause_.expires_at(std::min(until, last_turn_ + least_pause));
  co_await pause_.async_wait(as_values);
  last_turn_ = std::chrono::steady_clock::now();
  seen_ = context_.changes.newest();
  co_return Result<void>();
}

bool Follower::peer_has_left() const {
  pollfd peer{request_.session->socket.native_handle(), 0, 0};
  return ::poll(&peer, 1, 0) == 1 && (peer.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace webhookd::server
