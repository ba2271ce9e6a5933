// The engine decides: which message is tried when, by which webhook's turn, within which windows; what an outcome
// means; what starts again after a restart. It is one object used from one thread; functions run to completion and
// never wait. Time comes in as `now`, randomness as a generator, the world through ports.hpp and store/store.hpp, so
// the same engine runs in production and in simulation.
//
// STRATEGIES
//  * Webhooks first, messages second. Memory holds, for each webhook, its window, the messages claimed for it (a short
//    queue) and the position of the first due message not yet claimed. What is due later than the horizon is known only
//    to the store. A million waiting messages cost no memory here.
//  * A message that was just accepted is dispatched from memory unless its webhook has an older backlog in the store.
//  * Due webhooks take turns, one attempt each, so no webhook's backlog holds another's.
//  * What is in flight or not yet durably settled is tracked by message; the store may offer it again and is ignored.
//  * The engine serialises all changes to webhooks and types, because acceptance must see them in one order.
//
// Never here: a clock, a thread, a socket, a lock, a global.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "domain/attempt.hpp"
#include "domain/endpoint.hpp"
#include "engine/ports.hpp"
#include "engine/recent.hpp"
#include "engine/retention.hpp"
#include "store/store.hpp"

namespace webhookd::engine {

using base::Completion;
using base::Duration;
using base::Result;
using base::Time;
using base::WebhookId;
using namespace std::chrono_literals;

struct EngineOptions {
  std::uint32_t max_in_flight = 1024;                     // over all webhooks
  std::uint32_t max_in_flight_per_host = 256;             // over all webhooks of one scheme, host and port
  std::size_t payload_bytes_max = std::size_t{64} << 20;  // event data held in memory for claimed messages
  Duration idempotency_window = 24h;
  std::size_t purge_step = 500;  // messages removed in one transaction
  Duration retention_age = 30 * 24h;
  Duration retention_audit_age = 365 * 24h;
  std::uint64_t retention_max_bytes = ~std::uint64_t{0};
};

// What a producer sends, checked by the border for size, grammar and depth.
struct EventDraft {
  std::string type;
  std::string data;  // verbatim JSON
  std::optional<Time> timestamp;
  std::string idempotency_key;
};

struct WebhookFigures {
  domain::Health health = domain::Health::up;
  std::uint32_t in_flight = 0;
  std::uint32_t window = 0;
  std::uint64_t failed_last_day = 0;                          // messages, since the start
  std::optional<Time> certificate_expires_at = std::nullopt;  // the receiver's, when it has answered over TLS
};

// From what nobody notices to a backlog of a day, in milliseconds.
inline constexpr base::LatencyHistogram::Bounds queue_age_bounds_ms = {
    10,     50,     100,    250,     500,       1'000,     2'500,      5'000,
    10'000, 30'000, 60'000, 300'000, 1'800'000, 3'600'000, 21'600'000, 86'400'000};

// Counted when asked: as many steps as there are webhooks.
struct LaneFigures {
  std::uint64_t webhooks = 0;
  std::uint64_t inactive = 0;
  std::uint64_t down = 0;
  std::uint64_t throttled = 0;
  std::optional<Time> certificate_expires_at;  // the first of all receivers'
};

// What is cheap enough to be asked at each turn.
struct Progress {
  std::uint64_t in_flight = 0;
  std::uint64_t ready = 0;      // claimed, waiting for a slot
  std::uint64_t unsettled = 0;  // outcome known, commit under way
  std::uint64_t attempts = 0;   // since start
  std::uint64_t successes = 0;
  std::uint64_t accepted = 0;  // events since start
};

struct EngineFigures : Progress {
  std::uint64_t failures = 0;
  std::array<std::uint64_t, domain::outcome_kinds> outcomes{};  // attempts since start, by OutcomeKind
  std::uint64_t shortages = 0;                                  // attempts put off for want of our own means
  std::optional<Time> last_shortage_at;
  std::uint64_t messages_created = 0;                           // since start, like all that follows
  std::array<std::uint64_t, domain::settle_reasons> settled{};  // messages, by SettleReason
  Retention::Removed removed;
  base::LatencyHistogram delivery_time{base::latency_bounds_ms};  // of each attempt, in milliseconds
  // From when a message was due and its endpoint not down until its attempt started, in milliseconds: how late we are.
  base::LatencyHistogram queue_age{queue_age_bounds_ms};
  std::optional<Time> next_due;  // when the next message may be
};

class Engine {
 public:
  Engine(EngineOptions options, store::Store& store, Transport& transport, Executor& executor, base::Random random,
         base::LogSink& log);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Loads webhooks and types, and logs what was interrupted. Before its completion turns start nothing, and nothing
  // else may be called.
  void start(Completion<void> done);

  // Starts what is due and may start; answers when it wants to be called next (nothing: only after a call or a
  // completion). Call it after every batch of other calls.
  std::optional<Time> turn(Time now);
  // The transport's reports.
  void report(std::vector<AttemptReport> reports, Time now);
  // From now on no attempt starts; what is in flight goes on. For draining.
  void stop_starting();
  // Bounds of requests at once, over all webhooks and to one host; what is in flight above them ends by itself.
  void set_limits(std::uint32_t max_in_flight, std::uint32_t max_in_flight_per_host);
  void set_retention(Duration age, Duration audit_age, std::uint64_t max_bytes, Time now);
  // Nothing is in flight, no commit under way, and nothing due at `now` could start.
  bool is_settled(Time now) const;

  // Acceptance. Per draft: Accepted, or unknown_type, idempotency_conflict, store_full.
  void accept(std::vector<EventDraft> drafts, Time now, Completion<std::vector<Result<store::Accepted>>> done);
  // Histories from another store (store/store.hpp), in one transaction; what waits in them goes on waiting here.
  void import_histories(std::vector<domain::EventHistory> histories, Time now,
                        Completion<std::vector<Result<store::Imported>>> done);
  // One webhook.ping message to this webhook, whatever its events. Refused while it is inactive.
  void ping(WebhookId webhook, Time now, Completion<store::Accepted> done);

  // `webhook` has passed domain::check_webhook; here: unknown events, unique name. Given: id, version, times.
  void create_webhook(domain::Webhook webhook, Time now, Completion<domain::Webhook> done,
                      store::Audit audit = nullptr);
  // Replaces the definition of webhook.id if expected_version is the current one.
  void edit_webhook(domain::Webhook webhook, std::uint64_t expected_version, Time now, Completion<domain::Webhook> done,
                    store::Audit audit = nullptr);
  // Answers how many messages waited and are now cancelled; removal goes on in the background.
  void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, store::Audit audit = nullptr);

  // An exchange in flight is aborted; after the completion no attempt starts.
  void cancel(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
              store::Audit audit = nullptr);
  void retry(domain::MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
             store::Audit audit = nullptr);

  // Retries or cancels all messages that match, in the background (store/store.hpp). Refused: a retry while the webhook
  // is inactive, and more tasks at once than there may be.
  void begin_bulk(store::BulkTask task, Time now, Completion<store::BulkTask> done, store::Audit audit = nullptr);
  // Stops it where it is; what it has done stays done.
  void end_bulk(base::TaskId task, Time now, Completion<store::BulkTask> done, store::Audit audit = nullptr);
  // What begin_bulk refuses by the webhook's state, for dry runs.
  Result<void> check_bulk(const store::BulkTask& task) const;

  // Refused by check_removal. put_type replaces a type of the same name.
  void put_type(domain::EventType type, Completion<domain::EventType> done, store::Audit audit = nullptr);
  void remove_type(std::string name, Completion<std::string> done, store::Audit audit = nullptr);

  // Faults of subscriptions against the catalogue: what create and edit refuse with, for dry runs.
  Result<void> check_events(const domain::Webhook& webhook) const;
  Result<void> check_type(std::string_view type) const;
  // not_found, type_reserved (built in), type_in_use.
  Result<void> check_removal(std::string_view type) const;

  Progress progress() const;
  EngineFigures figures() const;
  LaneFigures lane_figures() const;
  // What happened since then, at most RecentMinutes::span ago, as far back as the engine has run.
  RecentFigures recent(Time since) const;
  std::optional<WebhookFigures> webhook_figures(WebhookId webhook) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace webhookd::engine
