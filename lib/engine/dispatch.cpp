// What starts when: the horizon of the due index, the timers, the ring of turns, claims, and held messages.
#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr std::size_t heads_per_step = 4096;
constexpr std::uint32_t claim_rows_min = 32;  // what one look into the store should be worth
constexpr std::uint32_t claim_rows_max = 256;
constexpr std::size_t claim_bytes_max = std::size_t{1} << 20;
constexpr std::size_t sweep_rows = 256;
constexpr Time end_of_time = base::time_from_ms(std::int64_t{1} << 50);

}  // namespace

std::optional<Time> Engine::Impl::turn(Time now) {
  note_now(now);
  widen_horizon();
  run_timers();
  run_ring();
  if (!starts_.empty()) {
    transport_.start(std::exchange(starts_, {}));
  }
  submit_settlements();

  next_wake_.reset();
  const auto wake_at = [this](Time time) { next_wake_ = next_wake_ ? std::min(*next_wake_, time) : time; };
  if (!timers_.empty()) {
    wake_at(timers_.begin()->first);
  }
  if (next_bucket_) {
    wake_at(store::due_bucket_start(*next_bucket_));
  }
  if (resubmit_at_) {
    wake_at(*resubmit_at_);
  }
  return next_wake_;
}

bool Engine::Impl::is_settled(Time now) const {
  return flights_.empty() && under_way_ == 0 && settlements_.empty() && ring_.empty() &&
         (!next_wake_ || *next_wake_ > now);
}

// ---- the horizon ----------------------------------------------------------------------------------------------

// The bucket of now and the one after it are always below the horizon, so that whatever is due soon is known.
void Engine::Impl::widen_horizon() {
  const std::uint64_t wanted = store::due_bucket(now_) + 2;
  if (widening_ || horizon_ >= wanted) {
    return;
  }
  if (horizon_ != 0 && (!next_bucket_ || *next_bucket_ >= wanted)) {
    horizon_ = wanted;  // known to be empty up to there
    return;
  }
  widening_ = true;
  const store::DueHeadQuery query{horizon_, {}, wanted, heads_per_step};
  store_.due_heads(query, back<store::DueHeads>([this, query](auto result) { take_heads(query, std::move(result)); }));
}

void Engine::Impl::take_heads(store::DueHeadQuery query, Result<store::DueHeads> result) {
  widening_ = false;
  if (!result) {
    log_.write(base::LogLevel::error, "due_walk_failed", {{"error", result.error().detail}});
    next_bucket_ = query.from_bucket;  // tried again at the next turn
    return;
  }
  // Lanes found so far may already claim from everything below the new horizon: a head that is reported twice is
  // only looked at twice.
  horizon_ = query.until_bucket;
  for (const store::DueHead& head : result->heads) {
    if (Lane* lane = registry_.find(head.webhook)) {
      add_due(*lane, head.position);
    }
  }
  if (result->complete) {
    if (!next_bucket_ || *next_bucket_ < horizon_ || (result->next_bucket && *result->next_bucket < *next_bucket_)) {
      next_bucket_ = result->next_bucket;
    }
    return;
  }
  widening_ = true;
  query.from_bucket = result->resume_bucket;
  query.after = result->resume_after;
  store_.due_heads(query, back<store::DueHeads>([this, query](auto more) { take_heads(query, std::move(more)); }));
}

void Engine::Impl::add_due(Lane& lane, store::DuePosition position) {
  const std::uint64_t bucket = store::due_bucket(position.due);
  if (bucket >= horizon_) {
    next_bucket_ = next_bucket_ ? std::min(*next_bucket_, bucket) : bucket;
    return;
  }
  const bool is_first = !lane.backlog || position < *lane.backlog;
  if (is_first) {
    lane.backlog = position;
  }
  if (!lane.definition->is_active()) {
    lane.expiry_sweep = std::min(lane.expiry_sweep.value_or(position.due), position.due);
    consider(lane);
  } else if (is_first) {
    consider(lane);
  }
}

// ---- timers and turns -----------------------------------------------------------------------------------------

void Engine::Impl::set_wake(Lane& lane, std::optional<Time> wake) {
  if (lane.wake == wake) {
    return;
  }
  if (lane.wake) {
    timers_.erase({*lane.wake, &lane});
  }
  lane.wake = wake;
  if (wake) {
    timers_.insert({*wake, &lane});
  }
}

void Engine::Impl::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Lane& lane = *timers_.begin()->second;
    set_wake(lane, std::nullopt);
    consider(lane);
  }
}

bool Engine::Impl::has_start(const Lane& lane) const {
  return !lane.ready.empty() || (lane.backlog && lane.backlog->due <= now_);
}

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
  } else if (lane.not_before > now_) {
    set_wake(lane, lane.not_before);
  } else {
    set_wake(lane, std::nullopt);
    if (lane.room() > 0 && !lane.queued && !lane.claiming) {
      enqueue(lane);
    }
  }
}

void Engine::Impl::enqueue(Lane& lane) {
  lane.queued = true;
  ring_.push_back(&lane);
}

void Engine::Impl::leave_queues(Lane& lane) {
  std::erase(ring_, &lane);
  std::erase(lane.host->parked, &lane);
  lane.queued = false;
  set_wake(lane, std::nullopt);
}

void Engine::Impl::run_ring() {
  if (stopped_) {
    return;
  }
  while (!ring_.empty() && flights_.size() < options_.max_in_flight) {
    Lane& lane = *ring_.front();
    ring_.pop_front();
    lane.queued = false;
    if (lane.deleting || !lane.definition->is_active() || lane.room() == 0 || lane.claiming) {
      continue;  // it is considered again when that changes
    }
    if (lane.host->in_flight >= options_.max_in_flight_per_host) {
      lane.queued = true;
      lane.host->parked.push_back(&lane);
      continue;
    }
    if (!start_next(lane) && !lane.claiming && lane.backlog && lane.backlog->due <= now_) {
      claim(lane);
    }
    consider(lane);
  }
}

// ---- claims ---------------------------------------------------------------------------------------------------

void Engine::Impl::push_ready(Lane& lane, Ready ready) {
  ready_bytes_ += ready.cost();
  ++ready_count_;
  lane.ready.push_back(std::move(ready));
}

Ready Engine::Impl::pop_ready(Lane& lane) {
  Ready ready = std::move(lane.ready.front());
  lane.ready.pop_front();
  ready_bytes_ -= ready.cost();
  --ready_count_;
  return ready;
}

void Engine::Impl::claim(Lane& lane) {
  lane.claiming = true;
  store::ClaimQuery query;
  query.webhook = lane.id();
  query.from = *lane.backlog;
  query.due_until = now_;
  query.until_bucket = horizon_;
  query.rows = std::clamp(lane.window.size(lane.definition->max_in_flight) * 2, claim_rows_min, claim_rows_max);
  query.bytes = claim_bytes_max;
  if (ready_bytes_ >= options_.payload_bytes_max) {
    query.rows = 1;  // memory is spoken for; the lane still gets its turn
  }
  lane.backlog.reset();  // what is added meanwhile is merged with the answer
  const std::uint64_t number = tracker_.begin_claim();
  store_.claim_due(query, back<store::Claim>([this, webhook = lane.id(), number](auto result) {
                     take_claim(webhook, number, std::move(result));
                   }));
}

void Engine::Impl::take_claim(WebhookId webhook, std::uint64_t number, Result<store::Claim> result) {
  Lane* lane = registry_.find(webhook);
  if (lane) {
    lane->claiming = false;
    if (result) {
      for (store::ClaimedMessage& claimed : result->messages) {
        take_claimed(*lane, claimed);
      }
      if (result->next && (!lane->backlog || *result->next < *lane->backlog)) {
        lane->backlog = result->next;
      }
    } else {
      // A damaged record must not stop what lies behind it for ever: the store reports it, we go round again later.
      log_.write(base::LogLevel::error, "claim_failed",
                 {{"webhook", to_string(webhook)}, {"error", result.error().detail}});
      lane->backlog = store::DuePosition{};
      lane->not_before = now_ + 10s;
    }
  }
  tracker_.end_claim(number);
  if (lane && lane->deleting) {
    retire_if_done(*lane);
  } else if (lane) {
    consider(*lane);
  }
}

void Engine::Impl::take_claimed(Lane& lane, store::ClaimedMessage& claimed) {
  const domain::Message& message = claimed.message;
  if (const Tracked* tracked = tracker_.find(message.id)) {
    if (tracked->stage == Stage::lingering) {
      const store::DuePosition position{*message.next_attempt_at, message.id.sequence()};
      if (!lane.backlog || position < *lane.backlog) {
        lane.backlog = position;  // perhaps a state from before a change: asked for again
      }
    }
    return;
  }
  if (lane.deleting) {
    return;
  }
  tracker_.track(message.id, Stage::ready);
  push_ready(lane, {message.id, std::move(claimed.event), message.attempts, message.is_manually_due()});
}

// Starts the first ready message that is still to be tried; false when there is none.
bool Engine::Impl::start_next(Lane& lane) {
  while (!lane.ready.empty()) {
    Ready ready = pop_ready(lane);
    Tracked* tracked = tracker_.find(ready.message);
    if (!tracked || tracked->stage != Stage::ready) {
      continue;  // cancelled while it waited for its turn
    }
    const AttemptKey key = next_key_++;
    tracked->stage = Stage::flying;
    tracked->attempt_key = key;
    flights_.emplace(key, Flight{ready.message, lane.id(), lane.definition, lane.host, ready.event, ready.attempts + 1,
                                 ready.manual, now_});
    ++lane.in_flight;
    ++lane.host->in_flight;
    ++attempts_;
    starts_.push_back({key, ready.message, std::move(ready.event), lane.definition, now_});
    return true;
  }
  return false;
}

// ---- held messages --------------------------------------------------------------------------------------------

// While a webhook is inactive nothing is tried, but windows go on. There is no index by deadline: a sweep over what is
// due fails what has waited out its window and finds when the next one will have. Its cost is bounded by waiting at
// least one millisecond for each row it saw.
void Engine::Impl::consider_inactive(Lane& lane) {
  if (lane.sweeping) {
    return;
  }
  std::optional<Time> wake = lane.expiry_sweep;
  if (!wake && lane.backlog) {
    wake = lane.backlog->due;
  }
  if (wake && *wake <= now_) {
    set_wake(lane, std::nullopt);
    sweep_expired(lane);
    return;
  }
  set_wake(lane, wake);
}

void Engine::Impl::sweep_expired(Lane& lane) {
  lane.sweeping = true;
  lane.expiry_sweep.reset();
  sweep_step(lane, lane.backlog.value_or(store::DuePosition{}), 0, std::nullopt);
}

void Engine::Impl::sweep_step(Lane& lane, store::DuePosition from, std::size_t rows_before,
                              std::optional<Time> earliest) {
  store::ClaimQuery query;
  query.webhook = lane.id();
  query.from = from;
  query.due_until = now_;
  query.until_bucket = horizon_;
  query.rows = sweep_rows;
  query.with_events = false;
  store_.claim_due(query, back<store::Claim>([this, webhook = lane.id(), rows_before, earliest](auto result) {
                     take_sweep(webhook, rows_before, earliest, std::move(result));
                   }));
}

void Engine::Impl::take_sweep(WebhookId webhook, std::size_t rows_before, std::optional<Time> earliest,
                              Result<store::Claim> result) {
  Lane* lane = registry_.find(webhook);
  if (!lane) {
    return;
  }
  if (!result || lane->definition->is_active() || lane->deleting) {
    if (!result) {
      log_.write(base::LogLevel::error, "expiry_sweep_failed", {{"error", result.error().detail}});
      lane->expiry_sweep = now_ + 10s;
    }
    lane->sweeping = false;
    consider(*lane);
    return;
  }
  std::vector<store::WaitedOut> waited_out;
  for (const store::ClaimedMessage& claimed : result->messages) {
    if (claimed.message.deadline > now_) {
      earliest = std::min(earliest.value_or(end_of_time), claimed.message.deadline);
    } else if (!tracker_.find(claimed.message.id)) {
      waited_out.push_back({claimed.message.id, "the webhook was inactive until the end of the retry window", now_});
    }
  }
  const std::size_t rows = rows_before + result->messages.size();
  if (!waited_out.empty()) {
    store_.wait_out(std::move(waited_out), back<std::vector<store::Settled>>([this](auto settled) {
                      if (settled) {
                        take_waited_out(*settled);
                      } else {
                        log_.write(base::LogLevel::error, "expiry_failed", {{"error", settled.error().detail}});
                      }
                    }));
  }
  if (result->next && result->next->due <= now_) {
    sweep_step(*lane, *result->next, rows, earliest);
    return;
  }
  lane->sweeping = false;
  if (result->next) {
    earliest = std::min(earliest.value_or(end_of_time), result->next->due);
  }
  if (earliest) {
    const Time due = lane->expiry_sweep ? std::min(*lane->expiry_sweep, *earliest) : *earliest;
    lane->expiry_sweep = std::max(due, now_ + Duration{static_cast<std::int64_t>(rows)});
  } else if (!lane->expiry_sweep) {
    lane->backlog.reset();  // nothing is held any more
  }
  consider(*lane);
}

void Engine::Impl::take_waited_out(const std::vector<store::Settled>& settled) {
  for (const store::Settled& one : settled) {
    if (one.changed) {
      log_.write(base::LogLevel::info, "message_failed",
                 {{"message", to_string(one.message.id)}, {"reason", "expired"}});
    }
  }
}

}  // namespace webhookd::engine
