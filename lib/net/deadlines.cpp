#include "net/deadlines_impl.hpp"

namespace webhookd::net {

std::size_t Deadlines::slice(Steady::duration lateness) {
  constexpr auto lateness_step = std::chrono::milliseconds(100);  // each makes a slice larger by the smallest
  return slice_min + static_cast<std::size_t>(slice_min * lateness / lateness_step);
}

Deadlines::Ticket Deadlines::add(Steady::time_point at, std::shared_ptr<Expiring> who) {
  const Ticket ticket = waiting_.emplace(at, std::move(who));
  if (!set_for_ || at < *set_for_) {
    set_timer(at);
  }
  return ticket;
}

void Deadlines::set_timer(Steady::time_point at) {
  set_for_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this](error_code ec) {
    if (!ec) {
      expire_slice();
    }
  });
}

void Deadlines::expire_slice() {
  const auto now = Steady::now();
  set_for_.reset();
  std::size_t left = waiting_.empty() ? 0 : slice(std::max(now - waiting_.begin()->first, Steady::duration::zero()));
  for (; left > 0 && !waiting_.empty() && waiting_.begin()->first <= now; --left) {
    const std::shared_ptr<Expiring> who = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    who->expire();
  }
  if (!waiting_.empty()) {
    set_timer(std::max(waiting_.begin()->first, now + pause));
  }
}

}  // namespace webhookd::net
