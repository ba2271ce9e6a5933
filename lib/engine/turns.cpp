// Whose turn it is: timers, the ring of lanes, and the start of attempts within windows, caps, health and pace.
#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr std::size_t arrivals_max = 32;

}  // namespace

// ---- timers -----------------------------------------------------------------------------------------------------

void Engine::Impl::set_wake(Lane& lane, std::optional<Time> wake) {
  if (lane.wake == wake) {
    return;
  }
  if (lane.wake) {
    timers_.erase({*lane.wake, lane.id()});
  }
  lane.wake = wake;
  if (wake) {
    timers_.emplace(std::pair(*wake, lane.id()), &lane);
  }
}

void Engine::Impl::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) {
    Lane& lane = *timers_.begin()->second;
    set_wake(lane, std::nullopt);
    consider(lane);
  }
}

// Nobody looked for a while, or the clock was set: what was known of endpoints and pauses says nothing any more. They
// count as up, so that each overdue message still gets its last attempt (behaviour.md section 6).
void Engine::Impl::forgive_endpoints(Time now) {
  now_ = now;
  retention_.begin_anew(now);
  registry_.each_lane([this](Lane& lane) {
    lane.health.renew(now_);
    lane.pace = {};
    lane.not_before = {};
    consider(lane);
  });
}

// ---- turns ------------------------------------------------------------------------------------------------------

bool Engine::Impl::has_start(const Lane& lane) const { return lane.holds_any() || lane.has_due_in_store(now_); }

// Puts a lane where it belongs: into the ring when it can start something, else to sleep until it may.
void Engine::Impl::consider(Lane& lane) {
  if (lane.deleting || stopped_) {
    set_wake(lane, std::nullopt);
    return;
  }
  if (!lane.definition->is_active()) {
    consider_inactive(lane);
    return;
  }
  if (!has_start(lane)) {
    set_wake(lane, lane.backlog ? std::optional(lane.backlog->due) : std::nullopt);
    return;
  }
  if (const Time earliest = lane.earliest_start(); earliest > now_) {
    set_wake(lane, earliest);
    return;
  }
  set_wake(lane, std::nullopt);
  if (lane.room() > 0 && !lane.queued && !lane.claiming) {
    lane.queued = true;
    ring_.push_back(&lane);
  }
}

void Engine::Impl::leave_queues(Lane& lane) {
  std::erase(ring_, &lane);
  lane.host->forget(lane);
  slots_.forget(lane);
  lane.queued = false;
  set_wake(lane, std::nullopt);
}

// False: it is considered again when that changes.
bool Engine::Impl::may_start(Lane& lane) {
  if (lane.deleting || !lane.definition->is_active() || lane.room() == 0 || lane.claiming) {
    return false;
  }
  if (lane.earliest_start() > now_) {
    consider(lane);
    return false;
  }
  return true;
}

void Engine::Impl::run_ring() {
  if (stopped_) {
    return;
  }
  slots_.readmit(ring_);
  std::deque<Lane*> retriers;           // lanes with retries alone, while retries have their share
  std::optional<bool> fresh_is_parked;  // looked up when it matters
  while (!slots_.is_full() && !(ring_.empty() && retriers.empty())) {
    const bool may_hold_back = !ring_.empty();
    if (!may_hold_back && slots_.retries_have_their_share()) {
      fresh_is_parked = fresh_is_parked ? fresh_is_parked : slots_.holds_fresh_back();
      if (*fresh_is_parked) {
        break;
      }
    }
    std::deque<Lane*>& queue = may_hold_back ? ring_ : retriers;
    Lane& lane = *queue.front();
    queue.pop_front();
    lane.queued = false;
    if (!may_start(lane)) {
      continue;
    }
    lane.queued = true;
    if (!lane.host->admits_or_parks(lane) || !slots_.admits_or_parks(lane)) {
      fresh_is_parked.reset();
      continue;  // it stays queued there
    }
    if (may_hold_back && lane.holds_any() && slots_.retries_have_their_share() && !put_fresh_first(lane)) {
      retriers.push_back(&lane);
      continue;
    }
    lane.queued = false;
    if (!start_next(lane) && lane.has_due_in_store(now_)) {
      claim(lane);
    }
    consider(lane);
  }
  ring_.insert(ring_.begin(), retriers.begin(), retriers.end());
}

// ---- held in memory ---------------------------------------------------------------------------------------------

void Engine::Impl::hold(Lane& lane, std::list<Ready>& queue, Ready ready, Place place) {
  lane.fresh_held += ready.is_fresh();
  ready_bytes_ += ready.cost();
  ++ready_count_;
  tracker_.track(ready.message, Stage::ready);
  if (place == Place::back) {
    queue.push_back(std::move(ready));
  } else {
    queue.push_front(std::move(ready));
  }
}

Ready Engine::Impl::take_out(Lane& lane, std::list<Ready>& queue, std::list<Ready>::iterator place) {
  Ready ready = std::move(*place);
  lane.fresh_held -= ready.is_fresh();
  queue.erase(place);
  ready_bytes_ -= ready.cost();
  --ready_count_;
  return ready;
}

// What is new goes beside the older ones that wait in the store; the oldest of too many goes back there.
void Engine::Impl::hold_arrival(Lane& lane, Ready ready) {
  hold(lane, lane.arrivals, std::move(ready));
  if (lane.arrivals.size() > arrivals_max) {
    give_to_store(lane, take_out(lane, lane.arrivals, lane.arrivals.begin()));
  }
}

void Engine::Impl::give_to_store(Lane& lane, const Ready& ready) {
  const Tracked* tracked = tracker_.find(ready.message);
  if (tracked && tracked->stage == Stage::ready) {
    tracker_.release(ready.message);
    add_due(lane, ready.position());
  }
}

// Takes one message out of the lane's hands; it stays tracked.
void Engine::Impl::drop_held(Lane& lane, base::MessageId message) {
  for (std::list<Ready>* queue : {&lane.ready, &lane.arrivals}) {
    const auto found =
        std::find_if(queue->begin(), queue->end(), [message](const Ready& ready) { return ready.message == message; });
    if (found != queue->end()) {
      take_out(lane, *queue, found);
      return;
    }
  }
}

// Brings a message that was never tried to the front of its queue and makes it that queue's turn; false when the lane
// holds none.
bool Engine::Impl::put_fresh_first(Lane& lane) {
  for (std::list<Ready>* queue : {&lane.arrivals, &lane.ready}) {
    const auto found = std::find_if(queue->begin(), queue->end(), [](const Ready& ready) { return ready.is_fresh(); });
    if (found != queue->end()) {
      queue->splice(queue->begin(), *queue, found);
      lane.is_arrivals_turn = queue == &lane.arrivals;
      return true;
    }
  }
  return false;
}

// ---- starts -----------------------------------------------------------------------------------------------------

// Arrivals and backlog take turns. A probe is made with what a person asked for, else with the newest message that was
// never tried, else with the one that has been due longest.
Ready Engine::Impl::next_of(Lane& lane) {
  if (lane.health.is_down()) {
    if (!lane.arrivals.empty()) {
      const bool is_summoned = lane.arrivals.front().manual;
      return take_out(lane, lane.arrivals, is_summoned ? lane.arrivals.begin() : std::prev(lane.arrivals.end()));
    }
    const auto newest =
        std::find_if(lane.ready.rbegin(), lane.ready.rend(), [](const Ready& ready) { return ready.is_fresh(); });
    return take_out(lane, lane.ready, newest == lane.ready.rend() ? lane.ready.begin() : std::prev(newest.base()));
  }
  const bool from_arrivals = !lane.arrivals.empty() && (lane.is_arrivals_turn || lane.ready.empty());
  lane.is_arrivals_turn = !from_arrivals;
  std::list<Ready>& queue = from_arrivals ? lane.arrivals : lane.ready;
  return take_out(lane, queue, queue.begin());
}

// Since when nothing but we kept it from being tried. What its endpoint kept waiting, by being down or by asking to be
// left alone, and what waited while its webhook was inactive or nobody was here, was not late before.
Time Engine::Impl::ready_since(const Lane& lane, const Ready& ready) {
  return std::max({ready.due, lane.up_since, lane.health.watched_since(), lane.health.not_before()});
}

// Starts the next message that is still to be tried; false when the lane holds none.
bool Engine::Impl::start_next(Lane& lane) {
  while (lane.holds_any()) {
    Ready ready = next_of(lane);
    Tracked* tracked = tracker_.find(ready.message);
    if (!tracked || tracked->stage != Stage::ready) {
      continue;  // cancelled while it waited for its turn
    }
    const AttemptKey key = next_key_++;
    tracked->stage = Stage::flying;
    tracked->attempt_key = key;
    Flight flight;
    flight.webhook = lane.id();
    flight.definition = lane.definition;
    flight.host = lane.host;
    flight.slot = Slots::held_for(lane, !ready.is_fresh());
    slots_.take(flight.slot);
    lane.host->take(flight.slot);
    flight.is_probe = lane.health.is_down();
    flight.at = now_;
    if (!flight.is_probe) {
      counted_.queue_age.record(milliseconds(now_ - ready_since(lane, ready)));
    }
    flight.ready = std::move(ready);
    flight.note = store_.note_flight({flight.ready.message, lane.id(), flight.number(), now_, flight.trigger(), {}});
    starts_.push_back({key, flight.ready.message, flight.ready.event, lane.definition, now_});
    flights_.emplace(key, std::move(flight));
    ++lane.in_flight;
    ++counted_.attempts;
    if (lane.definition->rate) {
      lane.pace.on_start(now_, *lane.definition->rate);
    }
    return true;
  }
  return false;
}

}  // namespace webhookd::engine
