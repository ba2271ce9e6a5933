// How many requests may be in flight, over all webhooks or to one host, and who may take the slots when they become
// few:
//  * the last quarter is for lanes that have nothing in flight, so that no number of hanging endpoints keeps a healthy
//    one from its turn;
//  * endpoints that never answered take at most half, so that the others keep room to be busy in;
//  * of the slots over all webhooks, retries take at most half while fresh messages wait.
// Lanes that are refused a slot are parked here and come back when there is room. Counts only; no lane is looked into
// beyond its own figures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>

#include "engine/lane.hpp"

namespace webhookd::engine {

class Slots {
 public:
  explicit Slots(std::uint32_t bound) { set_bound(bound); }

  // What is taken above a lower bound ends by itself; readmit() afterwards.
  void set_bound(std::uint32_t bound) {
    bound_ = bound;
    shared_ = bound - bound / 4;
    unproven_bound_ = bound - bound / 2;
    retry_bound_ = bound - bound / 2;
  }

  struct Held {
    bool unproven = false;
    bool retry = false;
  };
  static Held held_for(const Lane& lane, bool is_retry) { return {lane.health.is_unproven(), is_retry}; }

  bool is_full() const { return taken_ >= bound_; }
  bool retries_have_their_share() const { return retries_ >= retry_bound_; }

  void take(Held held) {
    ++taken_;
    unproven_ += held.unproven;
    retries_ += held.retry;
  }
  void give_back(Held held) {
    --taken_;
    unproven_ -= held.unproven;
    retries_ -= held.retry;
  }

  // False parks the lane until there may be room for it.
  bool admits_or_parks(Lane& lane) {
    if (taken_ >= bound_) {
      any_.push_back(&lane);
      return false;
    }
    if (lane.in_flight > 0 && taken_ >= shared_) {
      busy_.push_back(&lane);
      return false;
    }
    if (lane.health.is_unproven() && unproven_ >= unproven_bound_) {
      unproven_lanes_.push_back(&lane);
      return false;
    }
    return true;
  }
  // Parked lanes (all of them are queued) for which there may be room again, to the end of `ring`.
  void readmit(std::deque<Lane*>& ring) {
    move(any_, bound_, taken_, ring);
    move(busy_, shared_, taken_, ring);
    move(unproven_lanes_, unproven_bound_, unproven_, ring);
  }
  // A fresh message waits in a lane that is parked here.
  bool holds_fresh_back() const {
    const auto has_fresh = [](const Lane* lane) { return lane->fresh_held > 0; };
    return std::any_of(any_.begin(), any_.end(), has_fresh) || std::any_of(busy_.begin(), busy_.end(), has_fresh) ||
           std::any_of(unproven_lanes_.begin(), unproven_lanes_.end(), has_fresh);
  }
  // A lane whose last request has ended is not refused as a busy one any more; true when it was parked as such.
  bool release_idle(Lane& lane) { return lane.in_flight == 0 && std::erase(busy_, &lane) > 0; }
  // True when it was parked here.
  bool forget(Lane& lane) {
    return std::erase(any_, &lane) + std::erase(busy_, &lane) + std::erase(unproven_lanes_, &lane) > 0;
  }

 private:
  static void move(std::list<Lane*>& parked, std::uint32_t bound, std::uint32_t count, std::deque<Lane*>& ring) {
    for (; count < bound && !parked.empty(); ++count) {
      ring.push_back(parked.front());
      parked.pop_front();
    }
  }

  std::uint32_t bound_ = 0;
  std::uint32_t shared_ = 0;
  std::uint32_t unproven_bound_ = 0;
  std::uint32_t retry_bound_ = 0;
  std::uint32_t taken_ = 0;
  std::uint32_t unproven_ = 0;
  std::uint32_t retries_ = 0;
  std::list<Lane*> any_;
  std::list<Lane*> busy_;
  std::list<Lane*> unproven_lanes_;
};

}  // namespace webhookd::engine
