// What an outcome means: for the lane's window, for the message (through the store), for the webhook (410).
#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr Duration shortage_pause = 1s;
constexpr Duration resubmit_pause = 1s;
// Endpoints that hang together time out together. Each draws its own pause, so that they do not go on in step, all at
// one instant, every time at the cost of whoever is due then. Other failures come when they come.
constexpr Duration suspect_pause_max = 1s;

}  // namespace

void Engine::Impl::report(std::vector<AttemptReport> reports, Time now) {
  note_now(now);
  for (AttemptReport& one : reports) {
    take_report(std::move(one));
  }
}

void Engine::Impl::take_report(AttemptReport report) {
  const auto found = flights_.find(report.key);
  base::check(found != flights_.end(), "a report belongs to an attempt in flight");
  Flight flight = std::move(found->second);
  flights_.erase(found);
  slots_.give_back(flight.slot);
  flight.host->give_back(flight.slot);
  flight.host->readmit(ring_);
  Lane* lane = registry_.find(flight.webhook);
  base::check(lane != nullptr, "a lane outlives its attempts");
  --lane->in_flight;
  if (lane->queued && (slots_.release_idle(*lane) || lane->host->release_idle(*lane))) {
    ring_.push_back(lane);
  }
  if (report.shortage) {
    put_back(std::move(flight));
    return;
  }
  learn(*lane, flight, report);

  tracker_.track(flight.ready.message, Stage::settling);
  ++lane->unsettled;
  ++unsettled_;
  store::Settlement settlement;
  settlement.message = flight.ready.message;
  settlement.webhook = flight.webhook;
  settlement.attempt.number = flight.number();
  settlement.attempt.at = flight.at;
  settlement.attempt.trigger = flight.trigger();
  settlement.attempt.url = flight.definition->url.text();
  settlement.attempt.outcome = std::move(report.outcome);
  settlement.policy = lane->definition->retry;
  settlement.jitter = random_.signed_unit();
  settlement.ended_at = now_;
  settlement.flight = flight.note;
  settlements_.push_back(std::move(settlement));
  consider(*lane);
}

// What the outcome says about the endpoint; nothing, if the webhook has moved to another one meanwhile.
void Engine::Impl::learn(Lane& lane, const Flight& flight, const AttemptReport& report) {
  const domain::Outcome& outcome = report.outcome;
  ++(outcome.kind == domain::OutcomeKind::success ? counted_.successes : counted_.failures);
  ++counted_.outcomes[static_cast<std::size_t>(outcome.kind)];
  counted_.delivery_time.record(milliseconds(outcome.duration));
  RecentFigures& recent = recent_.at(now_);
  ++recent.outcomes[static_cast<std::size_t>(outcome.kind)];
  recent.delivery_time.record(milliseconds(outcome.duration));
  if (lane.definition != flight.definition && lane.definition->url != flight.definition->url) {
    return;
  }
  if (report.certificate_expires_at) {
    lane.certificate_expires_at = report.certificate_expires_at;
  }
  lane.window.on_signal(domain::endpoint_signal(outcome), lane.definition->max_in_flight);
  const auto change = lane.health.on_outcome(outcome, flight.is_probe, now_);
  if (outcome.kind == domain::OutcomeKind::timeout && lane.health.is_suspect() && lane.not_before <= now_) {
    lane.not_before = now_ + Duration(static_cast<Duration::rep>(random_.below(suspect_pause_max.count())));
  }
  switch (change) {
    case domain::EndpointHealth::Change::none:
      sweep_dead(lane);
      return;
    case domain::EndpointHealth::Change::went_down:
      lane.release.reset();
      lane.expiry_sweep = now_;
      log_.write(base::LogLevel::warning, "endpoint_down",
                 {{"webhook", to_string(lane.id())}, {"failure", lane.health.failure()}});
      return;
    case domain::EndpointHealth::Change::recovered:
      lane.release = Release{now_, {now_, 0}};
      [[fallthrough]];
    case domain::EndpointHealth::Change::came_up:
      lane.expiry_sweep.reset();
      lane.up_since = now_;
      log_.write(base::LogLevel::info, "endpoint_up", {{"webhook", to_string(lane.id())}});
      return;
  }
}

// A shortage on our side is no attempt: the message keeps its place and is tried again soon.
void Engine::Impl::put_back(Flight flight) {
  Lane& lane = *registry_.find(flight.webhook);
  lane.not_before = now_ + shortage_pause;
  store_.forget_flight(flight.note);
  ++counted_.shortages;
  counted_.last_shortage_at = now_;
  log_.write(base::LogLevel::warning, "shortage", {{"webhook", to_string(flight.webhook)}});
  if (lane.deleting) {
    tracker_.release(flight.ready.message);
    retire_if_done(lane);
    return;
  }
  hold(lane, lane.ready, std::move(flight.ready), Place::front);
  consider(lane);
}

void Engine::Impl::submit_settlements() {
  const std::size_t room = submitted_max - std::min(submitted_, submitted_max);
  if (settlements_.empty() || room == 0 || (resubmit_at_ && *resubmit_at_ > now_)) {
    return;
  }
  resubmit_at_.reset();
  // The store may fail; the outcomes are kept until it has them. Settlements are idempotent.
  const auto end =
      settlements_.begin() + static_cast<std::ptrdiff_t>(std::min({room, settle_batch_, settlements_.size()}));
  std::vector<store::Settlement> first(std::move_iterator(settlements_.begin()), std::move_iterator(end));
  settlements_.erase(settlements_.begin(), end);
  submitted_ += first.size();
  const auto kept = std::make_shared<const std::vector<store::Settlement>>(std::move(first));
  store_.settle(
      kept, back<std::vector<store::Settled>>([this, kept](auto result) { take_settled(*kept, std::move(result)); }));
}

void Engine::Impl::take_settled(const std::vector<store::Settlement>& settlements,
                                Result<std::vector<store::Settled>> result) {
  submitted_ -= settlements.size();
  if (!result) {
    log_.write(base::LogLevel::error, "settle_failed", {{"error", result.error().detail}});
    settlements_.insert(settlements_.end(), settlements.begin(), settlements.end());
    // One record that cannot be written fails all that are with it: they part, so that the others get through.
    settle_batch_ = std::max<std::size_t>(settlements.size() / 2, 1);
    resubmit_at_ = now_ + resubmit_pause;
    return;
  }
  settle_batch_ = std::min(settle_batch_ * 2, submitted_max);
  base::check(result->size() == settlements.size(), "every settlement is answered");
  retention_.note_write(now_);
  for (std::size_t i = 0; i < settlements.size(); ++i) {
    take_one_settled(settlements[i], (*result)[i]);
  }
}

void Engine::Impl::take_one_settled(const store::Settlement& settlement, const store::Settled& settled) {
  --unsettled_;
  store_.forget_flight(settlement.flight);
  const Tracked* tracked = tracker_.find(settlement.message);
  if (tracked && tracked->stage == Stage::settling) {
    tracker_.release(settlement.message);
  }
  Lane* lane = registry_.find(settlement.webhook);
  base::check(lane != nullptr, "a lane outlives its settlements");
  --lane->unsettled;
  if (settled.message.id.is_set() && settled.message.is_waiting()) {
    add_due(*lane, {*settled.message.next_attempt_at, settled.message.id.sequence()});
    if (lane->health.is_down()) {
      lane->expiry_sweep = std::min(lane->expiry_sweep.value_or(end_of_time), settled.message.deadline);
    }
  }
  if (settled.changed) {
    note_settled(settled.message);
  }
  if (settled.changed && settled.message.reason == domain::SettleReason::gone) {
    mirror_gone(*lane, settlement);
  }
  retire_if_done(*lane);
}

void Engine::Impl::note_settled(const domain::Message& message) {
  if (!message.is_waiting()) {
    ++counted_.settled[static_cast<std::size_t>(message.reason)];
  }
  Lane* lane = registry_.find(message.webhook);
  if (lane && message.status == domain::MessageStatus::failed) {
    lane->failures.count(now_);
  }
}

// The store made the webhook inactive in the transaction of the 410; the same edit is made here.
void Engine::Impl::mirror_gone(Lane& lane, const store::Settlement& settlement) {
  if (!lane.definition->is_active()) {
    return;
  }
  auto webhook = std::make_shared<domain::Webhook>(*lane.definition);
  webhook->status = domain::WebhookStatus::inactive;
  webhook->status_reason = domain::InactiveReason::gone;
  webhook->version += 1;
  webhook->updated_at = settlement.ended_at;
  registry_.redefine(lane, std::move(webhook), now_);
  drop_ready(lane);
  log_.write(base::LogLevel::warning, "webhook_gone", {{"webhook", to_string(lane.id())}});
  consider(lane);
}

}  // namespace webhookd::engine
