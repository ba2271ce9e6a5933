// What is asked of the engine: loading, acceptance, changes of webhooks and types, cancel and retry, figures.
#include "engine/engine.hpp"

#include <algorithm>

#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

// Records of one accept transaction (events and messages), by architecture's bound on write transactions.
constexpr std::size_t accept_records_max = 1000;

base::Error not_found(WebhookId webhook) {
  return {base::ErrorCode::not_found, "there is no webhook " + to_string(webhook), {}};
}

base::Error lost_store() {
  return {base::ErrorCode::internal, "the store failed; whether the change was made is not known", {}};
}

}  // namespace

// ---- start ----------------------------------------------------------------------------------------------------

void Engine::Impl::start(Completion<void> whole) {
  Completion<void> done = [this, whole = std::move(whole)](Result<void> result) mutable {
    is_started_ = result.has_value();
    whole(std::move(result));
  };
  store_.load(back<store::OpenState>([this, done = std::move(done)](auto state) mutable {
    if (!state) {
      done(std::move(state.error()));
      return;
    }
    take_loaded(*state);
    settle_interrupted(state->interrupted, std::move(done));
  }));
}

void Engine::Impl::take_loaded(const store::OpenState& state) {
  for (const domain::EventType& type : state.types) {
    registry_.put_type(type);
  }
  for (const store::BulkTask& task : state.tasks) {
    tasks_.add(task);
  }
  for (const store::WebhookState& webhook : state.webhooks) {
    Lane& lane = registry_.add(std::make_shared<const domain::Webhook>(webhook.webhook));
    lane.deleting = webhook.deleting;
    if (webhook.deleting) {
      purge(lane.id());
    }
  }
}

// Attempts that were under way when the process before this one ended go into the log before anything starts, so that
// the next attempt of each message has a number of its own. The messages stay as they were: due.
void Engine::Impl::settle_interrupted(const std::vector<store::FlightNote>& flights, Completion<void> done) {
  auto settlements = std::make_shared<std::vector<store::Settlement>>();
  for (const store::FlightNote& flight : flights) {
    const Lane* lane = registry_.find(flight.webhook);
    if (!lane) {
      store_.forget_flight(flight.slot);
      continue;
    }
    store::Settlement settlement;
    settlement.message = flight.message;
    settlement.webhook = flight.webhook;
    settlement.attempt.number = flight.number;
    settlement.attempt.at = flight.at;
    settlement.attempt.trigger = flight.trigger;
    settlement.attempt.url = lane->definition->url.text();
    settlement.attempt.outcome.kind = domain::OutcomeKind::interrupted;
    settlement.attempt.outcome.error = "webhookd ended while the request was in flight";
    settlement.policy = lane->definition->retry;
    settlement.ended_at = flight.at;
    settlement.flight = flight.slot;
    settlements->push_back(std::move(settlement));
  }
  if (settlements->empty()) {
    done({});
    return;
  }
  store_.settle(settlements,
                back<std::vector<store::Settled>>([this, settlements, done = std::move(done)](auto settled) mutable {
                  if (!settled) {
                    done(std::move(settled.error()));
                    return;
                  }
                  for (const store::Settlement& settlement : *settlements) {
                    store_.forget_flight(settlement.flight);
                  }
                  done({});
                }));
}

// ---- acceptance -----------------------------------------------------------------------------------------------

// One call of accept, in as many transactions as its size asks for.
struct Engine::Impl::AcceptJob {
  std::vector<store::AcceptItem> items;
  std::vector<std::size_t> places;  // items[i] answers drafts[places[i]]
  std::vector<domain::EventRef> events;
  std::vector<Result<store::Accepted>> results;
  std::size_t next = 0;  // the first item not yet submitted
  Time now{};
  Completion<std::vector<Result<store::Accepted>>> done;
};

void Engine::Impl::accept(std::vector<EventDraft> drafts, Time now,
                          Completion<std::vector<Result<store::Accepted>>> done) {
  note_now(now);
  auto job = std::make_shared<AcceptJob>();
  job->now = now;
  job->done = std::move(done);
  job->results.reserve(drafts.size());
  for (EventDraft& draft : drafts) {
    if (auto known = registry_.check_type(draft.type); !known) {
      job->results.emplace_back(known.error());
      continue;
    }
    auto event = std::make_shared<domain::Event>();
    event->type = std::move(draft.type);
    event->timestamp = draft.timestamp.value_or(now);
    event->accepted_at = now;
    event->idempotency_key = std::move(draft.idempotency_key);
    event->data = std::move(draft.data);
    job->events.push_back(event);
    job->items.push_back({event, registry_.subscribers(event->type), options_.idempotency_window});
    job->places.push_back(job->results.size());
    job->results.emplace_back(lost_store());
  }
  submit_accept(std::move(job));
}

void Engine::Impl::submit_accept(std::shared_ptr<AcceptJob> job) {
  if (job->next == job->items.size()) {
    job->done(std::move(job->results));
    return;
  }
  const std::size_t first = job->next;
  std::vector<store::AcceptItem> items;
  std::size_t records = 0;
  while (job->next < job->items.size() && (items.empty() || records < accept_records_max)) {
    store::AcceptItem& item = job->items[job->next++];
    records += 1 + item.subscribers.size();
    items.push_back(item);
  }
  const Time now = job->now;
  store_.accept(std::move(items), now,
                back<std::vector<Result<store::Accepted>>>([this, job = std::move(job), first](auto results) {
                  take_accepted(*job, first, std::move(results));
                  submit_accept(job);
                }));
}

void Engine::Impl::take_accepted(AcceptJob& job, std::size_t first,
                                 Result<std::vector<Result<store::Accepted>>> results) {
  for (std::size_t i = first; i < job.next; ++i) {
    Result<store::Accepted>& answer = job.results[job.places[i]];
    if (!results) {
      answer = results.error();
      recheck(job.items[i].subscribers);  // the commit may have landed all the same
      continue;
    }
    answer = std::move((*results)[i - first]);
    if (!answer) {
      note_full(answer.error());
    }
    if (answer && !answer->duplicate) {
      ++counted_.accepted;
      counted_.messages_created += answer->message_count;
      retention_.note_write(now_);
      ++recent_.at(now_).accepted;
      dispatch_fresh(*answer, job.events[i]);
    }
  }
}

// Fresh messages start from memory, beside an older backlog of their webhook, unless memory is spoken for.
void Engine::Impl::dispatch_fresh(const store::Accepted& accepted, const domain::EventRef& event) {
  for (const store::MessageRef& ref : accepted.messages) {
    Lane* lane = registry_.find(ref.webhook);
    if (!lane || lane->deleting) {
      continue;
    }
    const store::DuePosition position{event->accepted_at, ref.message.sequence()};
    if (!lane->definition->is_active() || store::due_bucket(position.due) >= horizon_ ||
        ready_bytes_ >= options_.payload_bytes_max) {
      add_due(*lane, position);
      continue;
    }
    const Time deadline = event->accepted_at + lane->definition->retry.window;
    Ready ready{ref.message, event, 0, false, position.due, deadline};
    if (lane->health.is_down()) {
      lane->expiry_sweep = std::min(lane->expiry_sweep.value_or(end_of_time), deadline);
    }
    const bool is_behind_backlog = lane->claiming || lane->release || (lane->backlog && *lane->backlog < position);
    if (is_behind_backlog || lane->health.is_down()) {
      hold_arrival(*lane, std::move(ready));
    } else {
      hold(*lane, lane->ready, std::move(ready));
    }
    consider(*lane);
  }
}

void Engine::Impl::recheck(const std::vector<store::Subscriber>& subscribers) {
  for (const store::Subscriber& subscriber : subscribers) {
    if (Lane* lane = registry_.find(subscriber.webhook)) {
      add_due(*lane, store::DuePosition{});
    }
  }
}

void Engine::Impl::ping(WebhookId webhook, Time now, Completion<store::Accepted> done) {
  note_now(now);
  const Lane* lane = registry_.find(webhook);
  if (!lane || lane->deleting) {
    done(not_found(webhook));
    return;
  }
  if (!lane->definition->is_active()) {
    done(base::Error{base::ErrorCode::webhook_inactive,
                     "webhook " + to_string(webhook) + " is inactive: activate it, then ping",
                     {}});
    return;
  }
  auto event = std::make_shared<domain::Event>();
  event->type = domain::ping_type;
  event->timestamp = now;
  event->accepted_at = now;
  event->data = R"({"webhook":")" + to_string(webhook) + R"("})";
  auto job = std::make_shared<AcceptJob>();
  job->now = now;
  job->events.push_back(event);
  job->items.push_back({event, {{webhook, lane->definition->retry.window}}, Duration{}});
  job->places.push_back(0);
  job->results.emplace_back(lost_store());
  job->done = [done = std::move(done)](auto results) mutable { done(std::move((*results)[0])); };
  submit_accept(std::move(job));
}

// ---- webhooks -------------------------------------------------------------------------------------------------

void Engine::Impl::create_webhook(domain::Webhook webhook, Time now, Completion<domain::Webhook> done,
                                  store::Audit audit) {
  note_now(now);
  if (auto checked = registry_.check_events(webhook); !checked) {
    done(checked.error());
    return;
  }
  webhook.id = {};
  webhook.version = 1;
  webhook.created_at = now;
  webhook.updated_at = now;
  store_.put_webhook({std::move(webhook), 0, std::move(audit)},
                     back<domain::Webhook>([this, done = std::move(done)](auto stored) mutable {
                       if (stored) {
                         registry_.add(std::make_shared<const domain::Webhook>(*stored));
                       }
                       done(std::move(stored));
                     }));
}

void Engine::Impl::edit_webhook(domain::Webhook webhook, std::uint64_t expected, Time now,
                                Completion<domain::Webhook> done, store::Audit audit) {
  note_now(now);
  const Lane* known = registry_.find(webhook.id);
  if (!known || known->deleting) {
    done(not_found(webhook.id));
    return;
  }
  if (auto checked = registry_.check_events(webhook); !checked) {
    done(checked.error());
    return;
  }
  webhook.version = expected + 1;
  webhook.created_at = known->definition->created_at;
  webhook.updated_at = now;
  store_.put_webhook({std::move(webhook), expected, std::move(audit)},
                     back<domain::Webhook>([this, done = std::move(done)](auto stored) mutable {
                       if (stored) {
                         if (Lane* lane = registry_.find(stored->id)) {
                           const bool same_window = lane->definition->retry.window == stored->retry.window;
                           registry_.redefine(*lane, std::make_shared<const domain::Webhook>(*stored), now_);
                           if (!stored->is_active() || !same_window) {
                             drop_ready(*lane);  // found again as it is to be now
                           }
                           if (!same_window) {
                             lane->expiry_sweep = now_;
                           }
                           lane->health.hasten(now_);  // the edit may be what mends it
                           consider(*lane);
                         }
                       }
                       done(std::move(stored));
                     }));
}

void Engine::Impl::delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, store::Audit audit) {
  Lane* lane = registry_.find(webhook);
  if (!lane || lane->deleting) {
    done(not_found(webhook));
    return;
  }
  lane->deleting = true;
  registry_.forget_subscribers();
  drop_ready(*lane);
  leave_queues(*lane);
  abort_flights_of(webhook);
  store_.delete_webhook(webhook, back<std::uint64_t>([this, webhook, done = std::move(done)](auto waiting) mutable {
                          if (waiting) {
                            counted_.settled[static_cast<std::size_t>(domain::SettleReason::cancelled)] += *waiting;
                            purge(webhook);
                          } else if (Lane* kept = registry_.find(webhook)) {
                            kept->deleting = false;  // it stays; its messages are found again
                            registry_.forget_subscribers();
                            add_due(*kept, store::DuePosition{});
                            consider(*kept);
                          }
                          done(std::move(waiting));
                        }),
                        std::move(audit));
}

void Engine::Impl::abort_flights_of(WebhookId webhook) {
  for (const auto& [key, flight] : flights_) {
    if (flight.webhook == webhook) {
      transport_.abort(key);
    }
  }
}

// What was claimed goes back to being the store's alone; the lane will find it again from the beginning.
void Engine::Impl::drop_ready(Lane& lane) {
  lane.release.reset();
  if (!lane.holds_any()) {
    return;
  }
  for (std::list<Ready>* queue : {&lane.ready, &lane.arrivals}) {
    while (!queue->empty()) {
      const Ready ready = take_out(lane, *queue, queue->begin());
      const Tracked* tracked = tracker_.find(ready.message);
      if (tracked && tracked->stage == Stage::ready) {
        tracker_.release(ready.message);
      }
    }
  }
  lane.backlog = store::DuePosition{};
}

void Engine::Impl::purge(WebhookId webhook) {
  store_.purge_webhook(webhook, options_.purge_step, back<store::PurgeStep>([this, webhook](auto step) {
                         Lane* lane = registry_.find(webhook);
                         if (!step) {
                           // Tried again at the next start; what is left is invisible and harmless.
                           log_.write(base::LogLevel::error, "purge_failed",
                                      {{"webhook", to_string(webhook)}, {"error", step.error().detail}});
                         } else if (!step->done) {
                           purge(webhook);
                         } else if (lane) {
                           retention_.note_write(now_);  // events may be left without messages
                           lane->purged = true;
                           retire_if_done(*lane);
                         }
                       }));
}

// ---- retention ------------------------------------------------------------------------------------------------

void Engine::Impl::run_retention() {
  if (stopped_) {
    return;
  }
  if (const auto step = retention_.next_step(now_)) {
    store_.expire(*step, back<store::Expired>([this](auto expired) { take_expired(expired); }));
  }
}

void Engine::Impl::take_expired(const Result<store::Expired>& expired) {
  if (expired) {
    counted_.removed.messages += expired->messages;
    counted_.removed.events += expired->events;
    counted_.removed.audit_lines += expired->audit_lines;
  } else {
    log_.write(base::LogLevel::error, "retention_failed", {{"error", expired.error().detail}});
  }
  if (retention_.take(expired, now_)) {
    const Retention::Removed& removed = retention_.removed();
    log_.write(base::LogLevel::info, "retention",
               {{"messages", std::to_string(removed.messages)},
                {"events", std::to_string(removed.events)},
                {"audit_lines", std::to_string(removed.audit_lines)}});
  }
}

// An event was refused; for want of room, or else it is nothing to us.
void Engine::Impl::note_full(const base::Error& error) {
  if (error.code != base::ErrorCode::store_full) {
    return;
  }
  retention_.note_full(now_);
  if (refusals_.note(now_)) {
    log_.write(base::LogLevel::error, "store_full", {{"why", error.detail}});
  }
}

void Engine::Impl::look_for_room() {
  if (!refusals_.begin_look(now_)) {
    return;
  }
  store_.figures(back<store::StoreFigures>([this](auto figures) {
    if (refusals_.take(!figures || figures->full, now_)) {
      log_.write(
          base::LogLevel::info, "store_has_room",
          {{"used_bytes", std::to_string(figures->used_bytes)}, {"quota_bytes", std::to_string(figures->quota_bytes)}});
    }
  }));
}

void Engine::Impl::retire_if_done(Lane& lane) {
  if (lane.deleting && lane.purged && lane.in_flight == 0 && lane.unsettled == 0 && !lane.claiming) {
    leave_queues(lane);
    registry_.remove(lane);
  }
}

// ---- messages -------------------------------------------------------------------------------------------------

// While its cancel is being committed. An attempt in flight is aborted.
void Engine::Impl::keep_from_starting(domain::MessageId message) {
  const Tracked* tracked = tracker_.find(message);
  if (tracked && tracked->stage == Stage::flying) {
    transport_.abort(tracked->attempt_key);
  } else if (!tracked || tracked->stage == Stage::ready) {
    tracker_.track(message, Stage::changing);
  }
}

void Engine::Impl::cancel(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                          store::Audit audit) {
  note_now(now);
  keep_from_starting(message);
  store_.cancel(message, std::move(actor), now,
                back<domain::Message>([this, message, done = std::move(done)](auto cancelled) mutable {
                  if (const Tracked* left = tracker_.find(message); left && left->stage == Stage::changing) {
                    tracker_.release(message);
                    if (!cancelled && cancelled.error().code == base::ErrorCode::internal) {
                      // Unknown: if it still waits, its lane finds it again.
                      registry_.each_lane([this](Lane& lane) { add_due(lane, store::DuePosition{}); });
                    }
                  }
                  if (cancelled) {
                    note_settled(*cancelled);
                  }
                  retention_.note_write(now_);
                  done(std::move(cancelled));
                }),
                std::move(audit));
}

void Engine::Impl::retry(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                         store::Audit audit) {
  note_now(now);
  store_.retry(message, std::move(actor), now, back<domain::Message>([this, done = std::move(done)](auto due) mutable {
                 if (due) {
                   if (Lane* lane = registry_.find(due->webhook)) {
                     summon(*lane, *due);
                   }
                 }
                 done(std::move(due));
               }),
               std::move(audit));
}

// ---- types ----------------------------------------------------------------------------------------------------

void Engine::Impl::put_type(domain::EventType type, Completion<domain::EventType> done, store::Audit audit) {
  store_.put_type(std::move(type), back<domain::EventType>([this, done = std::move(done)](auto stored) mutable {
                    if (stored) {
                      registry_.put_type(*stored);
                    }
                    done(std::move(stored));
                  }),
                  std::move(audit));
}

void Engine::Impl::remove_type(std::string name, Completion<std::string> done, store::Audit audit) {
  if (auto allowed = registry_.check_removal(name); !allowed) {
    done(allowed.error());
    return;
  }
  store_.remove_type(name, back<std::string>([this, done = std::move(done)](auto removed) mutable {
                       if (removed) {
                         registry_.remove_type(*removed);
                       }
                       done(std::move(removed));
                     }),
                     std::move(audit));
}

void Engine::Impl::set_limits(std::uint32_t max_in_flight, std::uint32_t max_in_flight_per_host) {
  slots_.set_bound(max_in_flight);  // the next turn lets in whom it has room for
  registry_.set_slots_per_host(max_in_flight_per_host, ring_);
}

// ---- figures --------------------------------------------------------------------------------------------------

Progress Engine::Impl::progress() const {
  Progress progress = counted_;
  progress.in_flight = flights_.size();
  progress.ready = ready_count_;
  progress.unsettled = unsettled_;
  return progress;
}

EngineFigures Engine::Impl::figures() const {
  EngineFigures figures = counted_;
  static_cast<Progress&>(figures) = progress();
  figures.next_due = next_due_;
  return figures;
}

LaneFigures Engine::Impl::lane_figures() {
  LaneFigures figures;
  registry_.each_lane([this, &figures](const Lane& lane) {
    const domain::Health health = lane.health.state(now_);
    figures.webhooks += !lane.deleting;
    figures.inactive += !lane.definition->is_active();
    figures.down += health == domain::Health::down;
    figures.throttled += health == domain::Health::throttled;
    const auto& expiry = lane.certificate_expires_at;
    if (expiry && *expiry < figures.certificate_expires_at.value_or(Time::max())) {
      figures.certificate_expires_at = expiry;
    }
  });
  return figures;
}

std::optional<WebhookFigures> Engine::Impl::webhook_figures(WebhookId webhook) const {
  const Lane* lane = registry_.find(webhook);
  if (!lane) {
    return std::nullopt;
  }
  return WebhookFigures{lane->health.state(now_), lane->in_flight, lane->in_flight + lane->room(),
                        lane->failures.last_day(now_), lane->certificate_expires_at};
}

// ---- the facade -----------------------------------------------------------------------------------------------

Engine::Engine(EngineOptions options, store::Store& store, Transport& transport, Executor& executor,
               base::Random random, base::LogSink& log)
    : impl_(std::make_unique<Impl>(options, store, transport, executor, random, log)) {}
Engine::~Engine() = default;

void Engine::start(Completion<void> done) { impl_->start(std::move(done)); }
std::optional<Time> Engine::turn(Time now) { return impl_->turn(now); }
void Engine::report(std::vector<AttemptReport> reports, Time now) { impl_->report(std::move(reports), now); }
void Engine::set_limits(std::uint32_t max_in_flight, std::uint32_t max_in_flight_per_host) {
  impl_->set_limits(max_in_flight, max_in_flight_per_host);
}
void Engine::set_retention(Duration age, Duration audit_age, std::uint64_t max_bytes, Time now) {
  impl_->set_retention(age, audit_age, max_bytes, now);
}
void Engine::stop_starting() { impl_->stop_starting(); }
bool Engine::is_settled(Time now) const { return impl_->is_settled(now); }
void Engine::accept(std::vector<EventDraft> drafts, Time now, Completion<std::vector<Result<store::Accepted>>> done) {
  impl_->accept(std::move(drafts), now, std::move(done));
}
void Engine::import_histories(std::vector<domain::EventHistory> histories, Time now,
                              Completion<std::vector<Result<store::Imported>>> done) {
  impl_->import_histories(std::move(histories), now, std::move(done));
}
void Engine::ping(WebhookId webhook, Time now, Completion<store::Accepted> done) {
  impl_->ping(webhook, now, std::move(done));
}
void Engine::create_webhook(domain::Webhook webhook, Time now, Completion<domain::Webhook> done, store::Audit audit) {
  impl_->create_webhook(std::move(webhook), now, std::move(done), std::move(audit));
}
void Engine::edit_webhook(domain::Webhook webhook, std::uint64_t expected_version, Time now,
                          Completion<domain::Webhook> done, store::Audit audit) {
  impl_->edit_webhook(std::move(webhook), expected_version, now, std::move(done), std::move(audit));
}
void Engine::delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, store::Audit audit) {
  impl_->delete_webhook(webhook, std::move(done), std::move(audit));
}
void Engine::cancel(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                    store::Audit audit) {
  impl_->cancel(message, std::move(actor), now, std::move(done), std::move(audit));
}
void Engine::retry(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                   store::Audit audit) {
  impl_->retry(message, std::move(actor), now, std::move(done), std::move(audit));
}
void Engine::begin_bulk(store::BulkTask task, Time now, Completion<store::BulkTask> done, store::Audit audit) {
  impl_->begin_bulk(std::move(task), now, std::move(done), std::move(audit));
}
void Engine::end_bulk(base::TaskId task, Time now, Completion<store::BulkTask> done, store::Audit audit) {
  impl_->end_bulk(task, now, std::move(done), std::move(audit));
}
Result<void> Engine::check_bulk(const store::BulkTask& task) const { return impl_->check_bulk(task); }
void Engine::put_type(domain::EventType type, Completion<domain::EventType> done, store::Audit audit) {
  impl_->put_type(std::move(type), std::move(done), std::move(audit));
}
void Engine::remove_type(std::string name, Completion<std::string> done, store::Audit audit) {
  impl_->remove_type(std::move(name), std::move(done), std::move(audit));
}
Result<void> Engine::check_events(const domain::Webhook& webhook) const {
  return impl_->registry().check_events(webhook);
}
Result<void> Engine::check_removal(std::string_view type) const { return impl_->registry().check_removal(type); }
Result<void> Engine::check_type(std::string_view type) const { return impl_->registry().check_type(type); }
Progress Engine::progress() const { return impl_->progress(); }
EngineFigures Engine::figures() const { return impl_->figures(); }
LaneFigures Engine::lane_figures() const { return impl_->lane_figures(); }
RecentFigures Engine::recent(Time since) const { return impl_->recent(since); }
std::optional<WebhookFigures> Engine::webhook_figures(WebhookId webhook) const {
  return impl_->webhook_figures(webhook);
}

}  // namespace webhookd::engine
