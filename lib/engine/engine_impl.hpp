// The inside of the engine, shared by its rooms: engine.cpp (what is asked of it), dispatch.cpp (what is due),
// turns.cpp (whose turn it is), held.cpp (what waits without being tried), settlement.cpp (what an outcome means),
// bulk.cpp (tasks over many messages), import.cpp (what comes from another store). One
// thread; completions come back through the executor.
#pragma once

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "engine/engine.hpp"
#include "engine/lane.hpp"
#include "engine/refusals.hpp"
#include "engine/registry.hpp"
#include "engine/retention.hpp"
#include "engine/slots.hpp"
#include "engine/tasks.hpp"
#include "engine/tracker.hpp"

namespace webhookd::engine {

class Engine::Impl {
 public:
  Impl(EngineOptions options, store::Store& store, Transport& transport, Executor& executor, base::Random random,
       base::LogSink& log)
      : options_(options),
        store_(store),
        transport_(transport),
        executor_(executor),
        random_(random),
        log_(log),
        registry_(options.max_in_flight_per_host),
        slots_(options.max_in_flight),
        retention_({options.retention_age, options.retention_audit_age, options.retention_max_bytes,
                    options.idempotency_window, options.purge_step}) {}

  // engine.cpp
  void start(Completion<void> done);
  void accept(std::vector<EventDraft> drafts, Time now, Completion<std::vector<Result<store::Accepted>>> done);
  void ping(WebhookId webhook, Time now, Completion<store::Accepted> done);
  void create_webhook(domain::Webhook webhook, Time now, Completion<domain::Webhook> done, store::Audit audit);
  void edit_webhook(domain::Webhook webhook, std::uint64_t expected, Time now, Completion<domain::Webhook> done,
                    store::Audit audit);
  void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, store::Audit audit);
  void cancel(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
              store::Audit audit);
  void retry(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
             store::Audit audit);
  void put_type(domain::EventType type, Completion<domain::EventType> done, store::Audit audit);
  void remove_type(std::string name, Completion<std::string> done, store::Audit audit);
  Progress progress() const;
  EngineFigures figures() const;
  RecentFigures recent(Time since) const { return recent_.since(since); }
  LaneFigures lane_figures();
  std::optional<WebhookFigures> webhook_figures(WebhookId webhook) const;
  const Registry& registry() const { return registry_; }
  void stop_starting() { stopped_ = true; }
  void set_limits(std::uint32_t max_in_flight, std::uint32_t max_in_flight_per_host);
  void set_retention(Duration age, Duration audit_age, std::uint64_t max_bytes, Time now) {
    retention_.change(age, audit_age, max_bytes, now);
  }

  // import.cpp
  void import_histories(std::vector<domain::EventHistory> histories, Time now,
                        Completion<std::vector<Result<store::Imported>>> done);

  // bulk.cpp
  void begin_bulk(store::BulkTask task, Time now, Completion<store::BulkTask> done, store::Audit audit);
  void end_bulk(base::TaskId task, Time now, Completion<store::BulkTask> done, store::Audit audit);
  Result<void> check_bulk(const store::BulkTask& task) const;

  // dispatch.cpp
  std::optional<Time> turn(Time now);
  bool is_settled(Time now) const;

  // settlement.cpp
  void report(std::vector<AttemptReport> reports, Time now);

 private:
  struct Flight {
    Ready ready;
    WebhookId webhook;
    std::shared_ptr<const domain::Webhook> definition;
    std::shared_ptr<Slots> host;
    Slots::Held slot;  // of the host as well
    bool is_probe = false;
    store::FlightSlot note = store::no_flight_slot;
    Time at{};

    std::uint32_t number() const { return ready.attempts + 1; }
    domain::Trigger trigger() const {
      return ready.manual ? domain::Trigger::manual : is_probe ? domain::Trigger::probe : domain::Trigger::automatic;
    }
  };
  enum class Place : std::uint8_t { front, back };

  // Settlements handed to the store and not yet durable. What waits there stands in one queue with what producers wait
  // for, so it is kept short; the rest waits here.
  static constexpr std::size_t submitted_max = 1024;
  static constexpr Time end_of_time = base::time_from_ms(std::int64_t{1} << 50);

  // For histograms, which know no time before.
  static std::uint64_t milliseconds(Duration span) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, span.count()));
  }

  // A completion that runs `then` on the engine's thread and counts as under way until it has.
  template <class T, class F>
  Completion<T> back(F then) {
    ++under_way_;
    return [this, then = std::move(then)](Result<T> result) mutable {
      executor_.post([this, then = std::move(then), result = std::move(result)]() mutable {
        --under_way_;
        then(std::move(result));
      });
    };
  }

  // engine.cpp
  struct AcceptJob;
  void take_loaded(const store::OpenState& state);
  void settle_interrupted(const std::vector<store::FlightNote>& flights, Completion<void> done);
  void submit_accept(std::shared_ptr<AcceptJob> job);
  void take_accepted(AcceptJob& job, std::size_t first, Result<std::vector<Result<store::Accepted>>> results);
  void dispatch_fresh(const store::Accepted& accepted, const domain::EventRef& event);
  void recheck(const std::vector<store::Subscriber>& subscribers);
  void purge(WebhookId webhook);
  void keep_from_starting(domain::MessageId message);
  void abort_flights_of(WebhookId webhook);
  void drop_ready(Lane& lane);
  void retire_if_done(Lane& lane);

  void run_retention();
  void take_expired(const Result<store::Expired>& expired);
  void note_full(const base::Error& error);
  void look_for_room();

  // import.cpp
  void take_imported(const std::vector<Result<store::Imported>>& results);

  // dispatch.cpp
  void note_now(Time now) { now_ = now; }
  void widen_horizon();
  void take_heads(store::DueHeadQuery query, Result<store::DueHeads> result);
  void add_due(Lane& lane, store::DuePosition position);
  void claim(Lane& lane);
  void take_claim(WebhookId webhook, std::uint64_t number, bool is_release, Result<store::Claim> result);
  void advance_release(Lane& lane, std::optional<store::DuePosition> next);
  void take_claimed(Lane& lane, bool is_release, store::ClaimedMessage& claimed);
  bool is_released(const Lane& lane, const domain::Message& message) const;
  static Ready ready_from(const Lane& lane, store::ClaimedMessage& claimed);
  void summon(Lane& lane, const domain::Message& message);
  void take_summoned(Lane& lane, store::DuePosition position, Result<store::Claim> result);

  // turns.cpp
  void set_wake(Lane& lane, std::optional<Time> wake);
  void run_timers();
  void forgive_endpoints(Time now);
  bool has_start(const Lane& lane) const;
  void consider(Lane& lane);
  void leave_queues(Lane& lane);
  bool may_start(Lane& lane);
  void run_ring();
  void hold(Lane& lane, std::list<Ready>& queue, Ready ready, Place place = Place::back);
  Ready take_out(Lane& lane, std::list<Ready>& queue, std::list<Ready>::iterator place);
  void hold_arrival(Lane& lane, Ready ready);
  void give_to_store(Lane& lane, const Ready& ready);
  void drop_held(Lane& lane, base::MessageId message);
  bool put_fresh_first(Lane& lane);
  Ready next_of(Lane& lane);
  static Time ready_since(const Lane& lane, const Ready& ready);
  bool start_next(Lane& lane);

  // held.cpp
  void consider_inactive(Lane& lane);
  void sweep_expired(Lane& lane);
  void sweep_dead(Lane& lane);
  void sweep_step(Lane& lane, store::DuePosition from, std::size_t rows_before, std::optional<Time> earliest);
  void take_sweep(WebhookId webhook, std::size_t rows_before, std::optional<Time> earliest,
                  Result<store::Claim> result);
  void end_sweep_early(Lane& lane, const Result<store::Claim>& result);
  void wait_out(std::vector<store::WaitedOut> messages);
  void take_waited_out(const Result<std::vector<store::Settled>>& settled);

  // bulk.cpp
  void run_tasks();
  void count_for(const Tasks::Running& running);
  void take_count(Tasks::Running& running, const Result<store::MessageCount>& counted);
  void look_for(const Tasks::Running& running);
  void step(const Tasks::Running& running, const store::MessagePage& page);
  void take_step(base::TaskId id, const Result<store::BulkProgress>& progress);
  void release_changing(const std::vector<domain::MessageId>& messages);
  void take_changed(Lane& lane, std::size_t asked, const Result<store::BulkProgress>& progress);
  void put_off(Tasks::Running& running, const base::Error& error);

  // settlement.cpp
  void take_report(AttemptReport report);
  void learn(Lane& lane, const Flight& flight, const AttemptReport& report);
  void put_back(Flight flight);
  void submit_settlements();
  void take_settled(const std::vector<store::Settlement>& settlements, Result<std::vector<store::Settled>> result);
  void take_one_settled(const store::Settlement& settlement, const store::Settled& settled);
  void note_settled(const domain::Message& message);
  void mirror_gone(Lane& lane, const store::Settlement& settlement);

  EngineOptions options_;
  store::Store& store_;
  Transport& transport_;
  Executor& executor_;
  base::Random random_;
  base::LogSink& log_;

  Time now_{};
  bool is_started_ = false;
  bool is_watching_ = false;  // since the first turn
  bool stopped_ = false;
  Registry registry_;
  Tracker tracker_;
  Slots slots_;
  Tasks tasks_;

  std::deque<Lane*> ring_;                              // whose turn it is
  std::map<std::pair<Time, WebhookId>, Lane*> timers_;  // when to consider a lane again
  std::uint64_t horizon_ = 0;                           // heads of all buckets below are known
  std::optional<std::uint64_t> next_bucket_;            // the first with work at or above the horizon
  bool widening_ = false;

  Retention retention_;
  Refusals refusals_;

  std::unordered_map<AttemptKey, Flight> flights_;
  AttemptKey next_key_ = 1;
  std::vector<AttemptRequest> starts_;         // of this turn
  std::deque<store::Settlement> settlements_;  // to be submitted at the end of a turn
  std::size_t submitted_ = 0;                  // at the store, not yet durable
  std::size_t settle_batch_ = submitted_max;   // at most so many in one call; fewer after one that failed
  std::optional<Time> resubmit_at_;            // after a failed commit
  std::size_t ready_bytes_ = 0;
  std::size_t ready_count_ = 0;
  std::uint64_t unsettled_ = 0;
  std::uint64_t under_way_ = 0;  // store calls not yet answered

  RecentMinutes recent_;
  EngineFigures counted_;  // what is counted since the start; figures() adds what is so now
  std::optional<Time> next_wake_;
  std::optional<Time> next_due_;  // of messages; the engine may wake for other work before
};

}  // namespace webhookd::engine
