// What is due: the horizon of the due index, and the claims that bring due messages into memory.
#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr std::size_t heads_per_step = 4096;
constexpr std::uint32_t claim_rows_min = 32;  // what one look into the store should be worth
constexpr std::uint32_t claim_rows_max = 256;
constexpr std::size_t claim_bytes_max = std::size_t{1} << 20;
constexpr Duration late_turn = 1min;  // a turn this late was not a matter of load: the process or the clock stood still

}  // namespace

std::optional<Time> Engine::Impl::turn(Time now) {
  if (!is_started_) {
    return std::nullopt;  // what was interrupted is not in the log yet, and nothing may be numbered before it is
  }
  if (now < now_ - late_turn || (next_wake_ && now > *next_wake_ + late_turn)) {
    log_.write(base::LogLevel::warning, "clock_jumped", {{"to", base::format_time(now)}});
    forgive_endpoints(now);
  } else if (!is_watching_) {
    forgive_endpoints(now);  // a start may come after a long stop
  }
  is_watching_ = true;
  note_now(now);
  widen_horizon();
  run_timers();
  run_ring();
  run_tasks();
  if (!starts_.empty()) {
    transport_.start(std::exchange(starts_, {}));
  }
  submit_settlements();
  run_retention();
  look_for_room();

  next_wake_.reset();
  const auto wake_at = [this](Time time) { next_wake_ = next_wake_ ? std::min(*next_wake_, time) : time; };
  if (!timers_.empty()) {
    wake_at(timers_.begin()->first.first);
  }
  if (next_bucket_) {
    wake_at(store::due_bucket_start(*next_bucket_));
  }
  next_due_ = next_wake_;
  if (resubmit_at_) {
    wake_at(*resubmit_at_);
  }
  if (const auto wake = tasks_.next_wake(); wake && !stopped_) {
    wake_at(*wake);
  }
  if (const auto wake = retention_.wake(); wake && !stopped_) {
    wake_at(*wake);
  }
  if (const auto wake = refusals_.wake()) {
    wake_at(*wake);
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
  if (!lane.definition->is_active() || lane.health.is_down()) {
    lane.expiry_sweep = std::min(lane.expiry_sweep.value_or(position.due), position.due);
  }
  if (is_first || !lane.definition->is_active()) {
    consider(lane);
  }
}

// ---- claims ---------------------------------------------------------------------------------------------------

// What is due comes first; then, after a recovery, what waits for its own time.
void Engine::Impl::claim(Lane& lane) {
  lane.claiming = true;
  const bool is_release = !(lane.backlog && lane.backlog->due <= now_);
  store::ClaimQuery query;
  query.webhook = lane.id();
  query.from = is_release ? lane.release->cursor : *lane.backlog;
  query.due_until = is_release ? end_of_time : now_;
  query.until_bucket = is_release ? store::due_bucket(end_of_time) : horizon_;
  query.rows = std::clamp(lane.window.size(lane.definition->max_in_flight) * 2, claim_rows_min, claim_rows_max);
  query.bytes = claim_bytes_max;
  if (ready_bytes_ >= options_.payload_bytes_max) {
    query.rows = 1;  // memory is spoken for; the lane still gets its turn
  }
  if (!is_release) {
    lane.backlog.reset();  // what is added meanwhile is merged with the answer
  }
  const std::uint64_t number = tracker_.begin_claim();
  store_.claim_due(query, back<store::Claim>([this, webhook = lane.id(), number, is_release](auto result) {
                     take_claim(webhook, number, is_release, std::move(result));
                   }));
}

void Engine::Impl::take_claim(WebhookId webhook, std::uint64_t number, bool is_release, Result<store::Claim> result) {
  Lane* lane = registry_.find(webhook);
  if (lane) {
    lane->claiming = false;
    if (result) {
      for (store::ClaimedMessage& claimed : result->messages) {
        take_claimed(*lane, is_release, claimed);
      }
      if (is_release) {
        advance_release(*lane, result->next);
      } else if (result->next && (!lane->backlog || *result->next < *lane->backlog)) {
        lane->backlog = result->next;
      }
    } else {
      // A damaged record must not stop what lies behind it for ever: the store reports it, we go round again later.
      log_.write(base::LogLevel::error, "claim_failed",
                 {{"webhook", to_string(webhook)}, {"error", result.error().detail}});
      lane->backlog = store::DuePosition{};
      lane->release.reset();
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

void Engine::Impl::advance_release(Lane& lane, std::optional<store::DuePosition> next) {
  if (!lane.release) {
    return;  // the endpoint went down again meanwhile
  }
  if (next) {
    lane.release->cursor = *next;
  } else {
    lane.release.reset();
  }
}

void Engine::Impl::take_claimed(Lane& lane, bool is_release, store::ClaimedMessage& claimed) {
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
  if (lane.deleting || (is_release && !is_released(lane, message))) {
    return;
  }
  hold(lane, lane.ready, ready_from(lane, claimed));
}

// After a recovery a message whose latest attempt was made before it is due at once; one that failed since then keeps
// its wait.
bool Engine::Impl::is_released(const Lane& lane, const domain::Message& message) const {
  return *message.next_attempt_at <= now_ ||
         (lane.release && (!message.last_attempt_at || *message.last_attempt_at < lane.release->since));
}

Ready Engine::Impl::ready_from(const Lane& lane, store::ClaimedMessage& claimed) {
  const domain::Message& message = claimed.message;
  return {message.id,
          std::move(claimed.event),
          message.attempts,
          message.is_manually_due(),
          *message.next_attempt_at,
          domain::deadline_of(message, lane.definition->retry.window)};
}

// A person asked for this message: it does not queue behind the webhook's backlog, and a probe is made with it.
void Engine::Impl::summon(Lane& lane, const domain::Message& message) {
  lane.health.hasten(now_);
  const store::DuePosition position{*message.next_attempt_at, message.id.sequence()};
  store::ClaimQuery query;
  query.webhook = lane.id();
  query.from = position;
  query.due_until = position.due;
  query.until_bucket = store::due_bucket(position.due) + 1;
  query.rows = 1;
  const std::uint64_t number = tracker_.begin_claim();
  store_.claim_due(query, back<store::Claim>([this, webhook = lane.id(), position, number](auto result) {
                     Lane* found = registry_.find(webhook);
                     if (found && !found->deleting) {
                       take_summoned(*found, position, std::move(result));
                     }
                     tracker_.end_claim(number);
                   }));
}

void Engine::Impl::take_summoned(Lane& lane, store::DuePosition position, Result<store::Claim> result) {
  if (result && !result->messages.empty() && lane.definition->is_active() && position.due <= now_) {
    store::ClaimedMessage& claimed = result->messages.front();
    Tracked* tracked = tracker_.find(claimed.message.id);
    if (claimed.message.id.sequence() == position.message_sequence && (!tracked || tracked->stage == Stage::ready)) {
      if (tracked) {
        drop_held(lane, claimed.message.id);
      }
      hold(lane, lane.arrivals, ready_from(lane, claimed), Place::front);
      lane.is_arrivals_turn = true;
      consider(lane);
      return;
    }
  }
  add_due(lane, position);
}

}  // namespace webhookd::engine
