// The inside of the engine, shared by its three rooms: engine.cpp (what is asked of it), dispatch.cpp (what starts
// when), settlement.cpp (what an outcome means). One thread; completions come back through the executor.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "engine/engine.hpp"
#include "engine/lane.hpp"
#include "engine/registry.hpp"
#include "engine/tracker.hpp"

namespace webhookd::engine {

class Engine::Impl {
 public:
  Impl(EngineOptions options, store::Store& store, Transport& transport, Executor& executor, base::Random random,
       base::LogSink& log)
      : options_(options), store_(store), transport_(transport), executor_(executor), random_(random), log_(log) {}

  // engine.cpp
  void start(Completion<void> done);
  void accept(std::vector<EventDraft> drafts, Time now, Completion<std::vector<Result<store::Accepted>>> done);
  void ping(WebhookId webhook, Time now, Completion<store::Accepted> done);
  void create_webhook(domain::Webhook webhook, Time now, Completion<domain::Webhook> done);
  void edit_webhook(domain::Webhook webhook, std::uint64_t expected, Time now, Completion<domain::Webhook> done);
  void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done);
  void cancel(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done);
  void retry(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done);
  void put_type(domain::EventType type, Completion<domain::EventType> done);
  void remove_type(std::string name, Completion<std::string> done);
  EngineFigures figures() const;
  std::optional<WebhookFigures> webhook_figures(WebhookId webhook) const;
  const Registry& registry() const { return registry_; }
  void stop_starting() { stopped_ = true; }

  // dispatch.cpp
  std::optional<Time> turn(Time now);
  bool is_settled(Time now) const;

  // settlement.cpp
  void report(std::vector<AttemptReport> reports, Time now);

 private:
  struct Flight {
    base::MessageId message;
    WebhookId webhook;
    std::shared_ptr<const domain::Webhook> definition;
    std::shared_ptr<Host> host;
    domain::EventRef event;
    std::uint32_t number = 0;
    bool manual = false;
    Time at{};
  };

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
  void take_loaded(store::OpenState state);
  void submit_accept(std::shared_ptr<AcceptJob> job);
  void take_accepted(AcceptJob& job, std::size_t first, Result<std::vector<Result<store::Accepted>>> results);
  void dispatch_fresh(const store::Accepted& accepted, const domain::EventRef& event);
  void recheck(const std::vector<store::Subscriber>& subscribers);
  void purge(WebhookId webhook);
  void abort_flights_of(WebhookId webhook);
  void drop_ready(Lane& lane);
  void retire_if_done(Lane& lane);

  // dispatch.cpp
  void note_now(Time now) { now_ = now; }
  void widen_horizon();
  void take_heads(store::DueHeadQuery query, Result<store::DueHeads> result);
  void run_timers();
  void run_ring();
  bool has_start(const Lane& lane) const;
  void consider(Lane& lane);
  void consider_inactive(Lane& lane);
  void set_wake(Lane& lane, std::optional<Time> wake);
  void enqueue(Lane& lane);
  void leave_queues(Lane& lane);
  void add_due(Lane& lane, store::DuePosition position);
  void push_ready(Lane& lane, Ready ready);
  Ready pop_ready(Lane& lane);
  void claim(Lane& lane);
  void take_claim(WebhookId webhook, std::uint64_t number, Result<store::Claim> result);
  void take_claimed(Lane& lane, store::ClaimedMessage& claimed);
  bool start_next(Lane& lane);
  void sweep_expired(Lane& lane);
  void take_sweep(WebhookId webhook, std::size_t rows_before, std::optional<Time> earliest_before,
                  Result<store::Claim> result);
  void sweep_step(Lane& lane, store::DuePosition from, std::size_t rows_before, std::optional<Time> earliest);
  void take_waited_out(const std::vector<store::Settled>& settled);

  // settlement.cpp
  void take_report(AttemptReport report);
  void put_back(Flight flight);
  void submit_settlements();
  void take_settled(const std::vector<store::Settlement>& settlements, Result<std::vector<store::Settled>> result);
  void take_one_settled(const store::Settlement& settlement, const store::Settled& settled);
  void mirror_gone(Lane& lane, const store::Settlement& settlement);

  EngineOptions options_;
  store::Store& store_;
  Transport& transport_;
  Executor& executor_;
  base::Random random_;
  base::LogSink& log_;

  Time now_{};
  bool stopped_ = false;
  Registry registry_;
  Tracker tracker_;

  std::deque<Lane*> ring_;                    // whose turn it is
  std::set<std::pair<Time, Lane*>> timers_;   // when to consider a lane again
  std::uint64_t horizon_ = 0;                 // heads of all buckets below are known
  std::optional<std::uint64_t> next_bucket_;  // the first with work at or above the horizon
  bool widening_ = false;

  std::unordered_map<AttemptKey, Flight> flights_;
  AttemptKey next_key_ = 1;
  std::vector<AttemptRequest> starts_;          // of this turn
  std::vector<store::Settlement> settlements_;  // to be submitted at the end of this turn
  std::optional<Time> resubmit_at_;             // after a failed commit
  std::size_t ready_bytes_ = 0;
  std::size_t ready_count_ = 0;
  std::uint64_t unsettled_ = 0;
  std::uint64_t under_way_ = 0;  // store calls not yet answered

  std::uint64_t attempts_ = 0;
  std::uint64_t successes_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t accepted_ = 0;
  std::optional<Time> next_wake_;
};

}  // namespace webhookd::engine
