// Messages that are held: their webhook is inactive, or its endpoint is known to be dead right now. Nothing is tried,
// but windows go on, and what has waited out its window fails (behaviour.md section 6).
//
// There is no index by deadline. A sweep over what is due fails what has waited out its window and finds when the next
// one will have; a message is always due by its deadline, so nothing is missed. Its cost is bounded by waiting at least
// one millisecond for each row it saw.
#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr std::size_t sweep_rows = 256;
constexpr std::string_view inactive_words = "the webhook was inactive until the end of the retry window";

}  // namespace

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
  if (!result || !lane->is_held(now_) || lane->deleting) {
    end_sweep_early(*lane, result);
    return;
  }
  std::vector<store::WaitedOut> waited_out;
  const std::string why(lane->definition->is_active() ? lane->health.failure() : inactive_words);
  for (const store::ClaimedMessage& claimed : result->messages) {
    const Time deadline = domain::deadline_of(claimed.message, lane->definition->retry.window);
    if (deadline > now_) {
      earliest = std::min(earliest.value_or(end_of_time), deadline);
    } else if (lane->has_waited_out(deadline, now_) && !tracker_.find(claimed.message.id)) {
      waited_out.push_back({claimed.message.id, why, now_, lane->definition->retry.window});
    }
  }
  const std::size_t rows = rows_before + result->messages.size();
  wait_out(std::move(waited_out));
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
  } else if (!lane->expiry_sweep && !lane->definition->is_active()) {
    lane->backlog.reset();  // nothing is held any more
  }
  consider(*lane);
}

void Engine::Impl::end_sweep_early(Lane& lane, const Result<store::Claim>& result) {
  lane.sweeping = false;
  lane.expiry_sweep.reset();
  if (!result) {
    log_.write(base::LogLevel::error, "expiry_sweep_failed", {{"error", result.error().detail}});
    lane.expiry_sweep = now_ + 10s;
  } else if (lane.health.is_down()) {
    lane.expiry_sweep = now_;  // goes on when the next probe has failed
  }
  consider(lane);
}

// A probe has just failed: what has waited out its window at this endpoint fails, in memory and in the store.
void Engine::Impl::sweep_dead(Lane& lane) {
  if (!lane.expiry_sweep || *lane.expiry_sweep > now_ || lane.sweeping || !lane.is_held(now_)) {
    return;
  }
  std::vector<store::WaitedOut> waited_out;
  std::optional<Time> earliest;
  for (const std::list<Ready>* queue : {&lane.ready, &lane.arrivals}) {
    for (const Ready& ready : *queue) {
      const Tracked* tracked = tracker_.find(ready.message);
      if (ready.deadline > now_) {
        earliest = std::min(earliest.value_or(end_of_time), ready.deadline);
      } else if (lane.has_waited_out(ready.deadline, now_) && tracked && tracked->stage == Stage::ready) {
        waited_out.push_back({ready.message, lane.health.failure(), now_, lane.definition->retry.window});
      }
    }
  }
  wait_out(std::move(waited_out));
  lane.sweeping = true;
  lane.expiry_sweep.reset();
  sweep_step(lane, lane.backlog.value_or(store::DuePosition{}), 0, earliest);
}

// No attempt of them starts while this is being committed.
void Engine::Impl::wait_out(std::vector<store::WaitedOut> messages) {
  if (messages.empty()) {
    return;
  }
  std::vector<base::MessageId> ids;
  for (const store::WaitedOut& message : messages) {
    tracker_.track(message.message, Stage::changing);
    ids.push_back(message.message);
  }
  store_.wait_out(std::move(messages), back<std::vector<store::Settled>>([this, ids = std::move(ids)](auto settled) {
                    for (const base::MessageId id : ids) {
                      tracker_.release(id);
                    }
                    take_waited_out(settled);
                  }));
}

void Engine::Impl::take_waited_out(const Result<std::vector<store::Settled>>& settled) {
  if (!settled) {
    log_.write(base::LogLevel::error, "expiry_failed", {{"error", settled.error().detail}});
    registry_.each_lane([this](Lane& lane) { add_due(lane, store::DuePosition{}); });
    return;
  }
  retention_.note_write(now_);
  for (const store::Settled& one : *settled) {
    if (one.changed) {
      note_settled(one.message);
      log_.write(base::LogLevel::info, "message_failed",
                 {{"message", to_string(one.message.id)}, {"reason", "expired"}});
    }
  }
}

}  // namespace webhookd::engine
