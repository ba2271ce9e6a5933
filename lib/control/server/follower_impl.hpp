// A session that waits for changes: a long poll or a stream. It goes on when something has changed, but not more often
// than every few milliseconds, so that a busy store is read in pages and not commit by commit. While nothing changes it
// wakes only to see whether its peer is still there. Private to this folder.
#pragma once

#include "control/server/call_impl.hpp"

namespace webhookd::server {

class Follower {
 public:
  // Refused with `unavailable` when there are too many already.
  static Result<void> check_room(const Context& context);

  Follower(Context& context, const Request& request);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // After a change that came since this was last called, or at `until`. The error says that there is nobody to go on
  // for: the daemon is stopping, or the peer has left.
  asio::awaitable<Result<void>> next_change(SteadyTime until);

 private:
  bool peer_has_left() const;

  Context& context_;
  const Request& request_;
  asio::steady_timer pause_;
  SteadyTime last_turn_;
  std::uint64_t seen_ = 0;
};

}  // namespace webhookd::server
