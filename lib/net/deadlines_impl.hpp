// The deadlines of one loop, behind one timer. Endpoints that hang together time out together: a crowd is worked off in
// slices, with a pause after each, so that it holds up neither the loop (whose other attempts get their turn between
// two slices) nor the machine. The later a slice is, the larger it is, so that a crowd of any size is soon gone;
// whoever times out alone does so on time.
//
// The timer is set only for what is earlier than what it is set for: most exchanges end long before their deadline, and
// cost no system call here. It may go off once for nobody after the last of them has ended, and then stays silent.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>

#include "net/connection_impl.hpp"

namespace webhookd::net {

class Expiring {
 public:
  virtual void expire() = 0;

 protected:
  Expiring() = default;
  ~Expiring() = default;
  Expiring(const Expiring&) = default;
  Expiring& operator=(const Expiring&) = default;
};

class Deadlines {
  using Waiting = std::multimap<Steady::time_point, std::shared_ptr<Expiring>>;

 public:
  using Ticket = Waiting::iterator;

  static constexpr std::size_t slice_min = 64;
  static constexpr Steady::duration pause = std::chrono::milliseconds(10);
  // How many expire at once when the first of them is so late. Of 2000 that come due together the last is a fifth of a
  // second late.
  static std::size_t slice(Steady::duration lateness);

  explicit Deadlines(asio::io_context& io) : timer_(io.get_executor()) {}

  // Keeps it alive until it has expired or its ticket is given back; either ends the ticket.
  Ticket add(Steady::time_point at, std::shared_ptr<Expiring> who);
  void remove(Ticket ticket) { waiting_.erase(ticket); }

 private:
  void set_timer(Steady::time_point at);
  void expire_slice();

  Waiting waiting_;
  Timer timer_;
  std::optional<Steady::time_point> set_for_;
};

}  // namespace webhookd::net
