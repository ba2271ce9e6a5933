// What the house asks of a store. Two stand behind it, and one conformance suite holds them equal: LMDB
// (lmdb_store.hpp), and memory (memory_store.hpp), which is the test double and the model. A third on a server, shared
// by several daemons, must fit without touching engine or control; hence:
//
// * Every call is asynchronous: it takes a completion, called exactly once, on any thread, possibly before the call
//   returns (reads of an embedded store do). Nothing here waits.
// * The completion of a write runs after its commit is durable. A failed commit is *unknown*, not absent: the
//   completion gets ErrorCode::internal, and nobody may claim success.
// * Writes are applied in the order of the calls. A read sees every write that completed before the read was called.
// * The rules of messages are domain/message.hpp, applied by the store to the record inside its transaction, so a
//   settlement, a cancel and a retry of one message never decide on different states.
//
// Never here: clocks, waits, policies. `now` and random draws come with the call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/histogram.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "domain/event.hpp"
#include "domain/event_type.hpp"
#include "domain/history.hpp"
#include "domain/message.hpp"
#include "domain/webhook.hpp"
#include "store/seals.hpp"

namespace webhookd::store {

using base::Completion;
using base::Duration;
using base::EventId;
using base::MessageId;
using base::Result;
using base::TaskId;
using base::Time;
using base::WebhookId;

// ---- accepting ------------------------------------------------------------------------------------------------

struct Subscriber {
  WebhookId webhook;
  Duration window{};  // the retry window, for the message's deadline
};

struct AcceptItem {
  std::shared_ptr<domain::Event> event;  // `id` is filled in by the store before the completion; the rest is final
  std::vector<Subscriber> subscribers;   // one message each
  Duration idempotency_window{};         // how long event->idempotency_key is remembered
};

struct MessageRef {
  MessageId message;
  WebhookId webhook;
};

struct Accepted {
  EventId event;
  std::string type;
  Time timestamp{};
  bool duplicate = false;            // the key was known with the same type and data; nothing was written
  std::vector<MessageRef> messages;  // all of a new event; of a duplicate the first event's, at most 100
  std::uint64_t message_count = 0;
};

// ---- attempts -------------------------------------------------------------------------------------------------

// An attempt under way, kept over the death of the process without the cost of a commit.
using FlightSlot = std::uint32_t;
inline constexpr FlightSlot no_flight_slot = 0;
struct FlightNote {
  MessageId message;
  WebhookId webhook;
  std::uint32_t number = 0;  // of the attempt
  Time at{};
  domain::Trigger trigger = domain::Trigger::automatic;
  FlightSlot slot = no_flight_slot;  // given by the store
};

// ---- settling -------------------------------------------------------------------------------------------------

// The end of one attempt. Idempotent: a settlement whose attempt number is already recorded changes nothing.
struct Settlement {
  MessageId message;
  WebhookId webhook;
  domain::Attempt attempt;
  domain::RetryPolicy policy;
  double jitter = 0;  // drawn by the engine, -1 … 1
  Time ended_at{};
  FlightSlot flight = no_flight_slot;  // given back by the engine when this is durable
};

// Shared, because the engine keeps them until they are durable and the store reads them in another thread.
using Settlements = std::shared_ptr<const std::vector<Settlement>>;

struct Settled {
  domain::Message message;  // as it now stands; `id` unset when the message is gone (its webhook was deleted)
  bool changed = false;     // false for a late or repeated outcome
};

// A message whose deadline passed while no attempt could be made.
struct WaitedOut {
  MessageId message;
  std::string why;
  Time now{};
  Duration window{};  // of the webhook's policy
};

// ---- due messages ---------------------------------------------------------------------------------------------

// The due index is the timer queue. It is kept in coarse buckets of time, inside a bucket by webhook, and inside a
// webhook by time, so that a commit touches few pages and one webhook's backlog is read without wading through
// another's.
inline constexpr int due_bucket_bits = 20;  // of milliseconds: about 17.5 minutes
constexpr std::uint64_t due_bucket(Time due) { return static_cast<std::uint64_t>(base::to_ms(due)) >> due_bucket_bits; }
constexpr Time due_bucket_start(std::uint64_t bucket) {
  return base::time_from_ms(static_cast<std::int64_t>(bucket << due_bucket_bits));
}

struct DuePosition {
  Time due{};
  std::uint64_t message_sequence = 0;
  auto operator<=>(const DuePosition&) const = default;
};

struct DueHead {
  WebhookId webhook;
  DuePosition position;
};

// Which webhooks have work: the first due message of every webhook in each bucket of [from, until), bucket by bucket.
struct DueHeadQuery {
  std::uint64_t from_bucket = 0;
  WebhookId after;                 // resume inside from_bucket behind this webhook; unset for its beginning
  std::uint64_t until_bucket = 0;  // exclusive
  std::size_t limit = 0;           // heads at most
};
struct DueHeads {
  std::vector<DueHead> heads;       // a webhook may occur once in each bucket
  bool complete = false;            // everything below until_bucket was seen
  std::uint64_t resume_bucket = 0;  // where to go on when not complete
  WebhookId resume_after;
  std::optional<std::uint64_t> next_bucket;  // the first bucket with work at or after until_bucket, when complete
};

// The messages of one webhook in due order, from `from` (inclusive) up to the end of the buckets below until_bucket.
struct ClaimQuery {
  WebhookId webhook;
  DuePosition from;
  Time due_until{};                // inclusive: nothing due later is returned
  std::uint64_t until_bucket = 0;  // exclusive: `next` is looked for up to here
  std::size_t rows = 0;            // at most
  std::size_t bytes = 0;           // of event data, at most, but always at least one row
  bool with_events = true;         // false: messages alone (`event` is null, `bytes` does not count)
};
struct ClaimedMessage {
  domain::Message message;
  domain::EventRef event;
};
struct Claim {
  std::vector<ClaimedMessage> messages;
  std::optional<DuePosition> next;  // the first position not returned, below until_bucket; nothing: no more there
};

// ---- audit ----------------------------------------------------------------------------------------------------

// Who changed what. A line travels with the write that it tells of and is stored in the same transaction: an answered
// change is never without its line, and a refused one never has one. Never in it: secrets, values of headers.
struct AuditLine {
  std::uint64_t number = 0;  // given by the store, in the order of the changes
  Time at{};
  std::optional<std::uint32_t> uid;  // none: webhookd itself
  std::string user;                  // the name that the user id had then; empty when it had none
  std::string role;
  std::string operation;  // of the API (control/protocol/routes.hpp): `createWebhook`, …
  std::string object;     // id, or name of a type; when empty, the store takes what the change made
  std::string name;       // display name of the webhook, of the message's webhook …; may be empty
  std::string detail;     // what of it: names of members, a filter
  std::string reason;     // as given by who acted
  bool operator==(const AuditLine&) const = default;
};
// Of a write that nobody asked for: null.
using Audit = std::shared_ptr<const AuditLine>;

// The newest first.
struct AuditQuery {
  std::optional<Time> since;  // inclusive
  std::optional<Time> until;  // exclusive
  std::string user;           // name or user id; empty: any, here and below
  std::string operation;
  std::string object;        // id or name
  std::uint64_t before = 0;  // the cursor: go on below this number; 0: from the newest
  std::size_t limit = 50;
  std::size_t scan_limit = 20'000;  // rows looked at, at most
};
struct AuditPage {
  std::vector<AuditLine> lines;
  std::optional<std::uint64_t> next;  // `before` of the next page; may come with fewer lines than the limit
};

// ---- webhooks and types ---------------------------------------------------------------------------------------

// Kept in the same transactions as the messages, never scanned.
struct WebhookCounters {
  std::uint64_t waiting = 0;
  std::uint64_t success = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::optional<Time> last_success_at;
};

struct WebhookState {
  domain::Webhook webhook;
  WebhookCounters counters;
  bool deleting = false;  // answered as deleted; its messages are being removed
};

struct WebhookWrite {
  domain::Webhook webhook;  // id unset: create, and the store gives the id
  // Edit: refused with version_mismatch unless this is the stored version. The store never changes `version` itself.
  std::uint64_t expected_version = 0;
  Audit audit = nullptr;
};

// The store went from one sealer (empty: none) to another.
struct Resealed {
  std::string from;
  std::string to;
  std::uint64_t webhooks = 0;  // whose secrets were sealed anew
};

struct PurgeStep {
  std::uint64_t removed = 0;  // messages
  bool done = false;          // nothing of the webhook is left
};

// ---- retention ------------------------------------------------------------------------------------------------

// One bounded step of removing what settled long ago: messages in the order in which they settled, with their attempts,
// and an event with its last message. Messages that wait are never removed, and what counts them keeps counting.
struct ExpireStep {
  Time before{};                  // messages that settled earlier go, and events without messages accepted earlier
  Time now{};                     // what settled later than this waits for its time: the clock was set back
  Time remembered_since{};        // an event with an idempotency key that was accepted later stays, for its key
  std::uint64_t max_bytes = 0;    // above this many used bytes, or when full: whatever settled first goes as well
  std::uint64_t after = 0;        // position in the feed of changes, and
  std::uint64_t after_event = 0;  // event, up to which everything was looked at
  std::size_t limit = 0;          // messages, events and lines of the audit removed, at most
  Time audit_before{};            // lines of the audit from before go
};
struct Expired {
  std::uint64_t messages = 0;  // removed
  std::uint64_t events = 0;
  std::uint64_t audit_lines = 0;
  std::uint64_t after = 0;  // where the next step goes on
  std::uint64_t after_event = 0;
  bool done = false;               // nothing more is to be removed now
  std::optional<Time> next;        // settled_at or accepted_at of the oldest that was left for its age
  std::optional<Time> next_audit;  // of the oldest line of the audit that was left
};

// ---- histories ------------------------------------------------------------------------------------------------

// Events with all that became of them, in the order of their acceptance: what leaves one store for another.
struct HistoryQuery {
  std::uint64_t after = 0;             // events up to here were looked at
  std::optional<std::uint64_t> up_to;  // the last event to look at; none: whatever there is
  std::optional<WebhookId> webhook;    // only events with messages of it, and of these messages only its own
  std::optional<std::string> type;
  std::optional<Time> since;                 // of accepted_at, inclusive
  std::optional<Time> until;                 // exclusive
  std::size_t limit = 100;                   // events at most
  std::size_t bytes = std::size_t{4} << 20;  // of data and answers, about, but always at least one event
  std::size_t scan_limit = 5'000;            // events looked at, at most
};
struct HistoryPage {
  std::vector<domain::EventHistory> events;  // excerpts of answers beyond limits::history_excerpt_bytes are left out
  std::uint64_t damaged = 0;                 // events and messages that could not be read, and are left out
  std::uint64_t position = 0;                // `after` of the next page
  bool at_end = false;
  std::uint64_t newest = 0;  // the last event that there is
};

// What came of a history that entered.
struct Imported {
  EventId event;
  bool known = false;                    // the store has this event already; nothing was written
  std::uint64_t messages = 0;            // of the event, now
  std::vector<domain::Message> waiting;  // of those that were written
};

// ---- lists ----------------------------------------------------------------------------------------------------

// Which messages a list or the feed of changes shows.
struct MessageFilter {
  std::optional<WebhookId> webhook;
  std::optional<std::string> type;
  std::uint32_t statuses = 0xffffffff;  // bit i: domain::MessageStatus i
  std::optional<Time> since;            // of created_at, inclusive
  std::optional<Time> until;            // exclusive
  std::uint16_t code_min = 0;           // of last_code; 0 … 0: any
  std::uint16_t code_max = 0;
  std::string text;  // occurs in id, type or failure, ignoring ASCII case; empty: any
};

struct MessageQuery : MessageFilter {
  bool oldest_first = false;
  std::uint64_t after_sequence = 0;  // the cursor: go on behind this message; 0: from the end that the order names
  std::size_t limit = 50;
  std::size_t scan_limit = 20'000;  // rows looked at, at most
};
struct MessageRow {
  domain::Message message;
  std::string type;
};
struct MessagePage {
  std::vector<MessageRow> rows;
  std::optional<std::uint64_t> next;  // after_sequence of the next page; may come with fewer rows than the limit
};

// ---- the feed of changes --------------------------------------------------------------------------------------

// Messages and their changes are numbered in one sequence: a message's creation has the number that its id has, and
// every later recorded change of a message (an attempt, a retry, a cancel …) takes the next. A message stands at the
// number of its latest change, and nowhere else. What changed behind a position is then read oldest first, each message
// once, as it now stands.
struct ChangeQuery : MessageFilter {
  std::uint64_t after = 0;             // a position of before; 0: from the beginning of the log
  std::optional<std::uint64_t> up_to;  // nothing of a later number is shown; none: whatever there is
  std::size_t limit = 50;              // rows at most; 0 asks for `newest` and `store` alone
  std::size_t scan_limit = 20'000;     // rows looked at, at most
};
struct ChangeRow {
  std::uint64_t number = 0;  // of the latest change: the position behind this row
  domain::Message message;
  std::string type;
};
struct ChangePage {
  std::vector<ChangeRow> rows;
  std::uint64_t position = 0;  // everything up to here was looked at: `after` of the next page
  bool at_end = false;         // and there is no more, as of now or of `up_to`
  std::uint64_t newest = 0;    // the last number that the store gave
  std::uint64_t store = 0;     // whose positions these are; another store has another number here
};

// How many messages of a stretch of the log match; counted a part at a time.
struct CountQuery : MessageFilter {
  std::uint64_t after = 0;         // message sequences, exclusive
  std::uint64_t up_to = 0;         // inclusive
  std::size_t scan_limit = 5'000;  // rows looked at, at most
};
struct MessageCount {
  std::uint64_t count = 0;
  std::optional<std::uint64_t> next;  // `after` of the next part
};

// ---- bulk tasks -----------------------------------------------------------------------------------------------

// A retry or cancel of all messages that match, by steps. The messages are those that existed when it began, in the
// order of their creation, each looked at once: a step commits what it did to its messages together with how far it
// came, so that a task goes on exactly where it was after any end of the process.
enum class BulkAction : std::uint8_t { retry, cancel };
enum class BulkState : std::uint8_t { running, done, cancelled };
struct BulkTask {
  TaskId id;
  BulkAction action = BulkAction::retry;
  MessageFilter filter;  // its webhook is set
  domain::Actor actor;
  std::optional<double> rate;  // messages per second
  Time started_at{};
  std::optional<Time> ended_at;
  BulkState state = BulkState::running;
  std::uint64_t up_to = 0;             // messages behind this did not exist
  std::uint64_t position = 0;          // messages up to here were looked at
  std::optional<std::uint64_t> total;  // that matched when they were counted, before the first step
  std::uint64_t done = 0;
  std::uint64_t failed = 0;  // refused by the rules of messages
};
// The stretch behind `from`, where the task must stand (else nothing is done: the step was made already), up to `to`.
struct BulkStep {
  TaskId task;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<MessageId> messages;     // of the stretch, that matched when it was read; looked at again
  std::optional<std::uint64_t> total;  // counted by now
  Time now{};
};
struct BulkProgress {
  BulkTask task;
  std::vector<domain::Message> changed;
};

struct MessageDetail {
  domain::Message message;
  domain::EventRef event;
  std::vector<domain::Attempt> attempts;  // oldest first, at most the latest 200
};

struct EventDetail {
  domain::EventRef event;
  std::vector<domain::Message> messages;  // the first `message_limit`
  std::uint64_t message_count = 0;
};

struct StoreFigures {
  std::string store_id;
  std::uint32_t schema = 0;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;  // ever created less removed
  std::uint64_t waiting = 0;
  std::uint64_t webhooks = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t quota_bytes = 0;
  std::string master_key;                // the id of what secrets are sealed with; empty: they are not
  std::string directory;                 // empty: not on a disk
  std::uint64_t disk_free_bytes = 0;     // that the store may still take, its own unused pages left out
  std::uint64_t disk_reserve_bytes = 0;  // of them stay free; below, new events are refused
  std::uint64_t commits = 0;             // since open
  std::uint64_t damaged_records = 0;     // found since open; a table whose pages do not hang together counts as one
  bool full = false;                     // new events are refused
  std::string full_because;              // "quota" or "disk_reserve"; empty: it is not
  base::DiskHistogram commit_time{base::disk_bounds_us};  // until durable; empty where nobody measures
};

// All that was durable at one moment, in a file without a name that goes away with its last owner.
struct StoreCopy {
  std::shared_ptr<const base::FileDescriptor> file;
  std::uint64_t bytes = 0;
  std::string store_id;
  std::uint32_t schema = 0;
  std::uint64_t damaged_records = 0;  // found in the store since it was opened; the copy has them as well
};

struct OpenState {
  std::vector<WebhookState> webhooks;  // deleting ones among them
  std::vector<domain::EventType> types;
  std::vector<BulkTask> tasks;          // running
  std::vector<FlightNote> interrupted;  // under way when the process before this one ended; their slots are taken
};

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // Writes.
  // All items in one transaction. Per item: Accepted, or idempotency_conflict, or store_full.
  virtual void accept(std::vector<AcceptItem> items, Time now, Completion<std::vector<Result<Accepted>>> done) = 0;
  // Each history wholly or not at all: event, messages and attempts as they are, under ids of this store. The event's
  // `origin` is set and each message's webhook is of this store; the other ids are not looked at. An event is known by
  // its origin, or by its own id when that origin is this store. Errors: store_full, not_found for a webhook.
  virtual void import_histories(std::vector<domain::EventHistory> histories, Duration idempotency_window, Time now,
                                Completion<std::vector<Result<Imported>>> done) = 0;
  virtual void settle(Settlements settlements, Completion<std::vector<Settled>> done) = 0;
  // Messages that no longer wait are left alone (`changed` false).
  virtual void wait_out(std::vector<WaitedOut> messages, Completion<std::vector<Settled>> done) = 0;
  virtual void cancel(MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                      Audit audit = nullptr) = 0;
  // The store looks up the webhook's status and retry window itself.
  virtual void retry(MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
                     Audit audit = nullptr) = 0;
  // Gives the id and `up_to`. Of tasks that have ended the latest thousand are kept.
  virtual void begin_bulk(BulkTask task, Completion<BulkTask> done, Audit audit = nullptr) = 0;
  virtual void step_bulk(BulkStep step, Completion<BulkProgress> done) = 0;
  // Stops a task that runs; already_settled when it has ended.
  virtual void end_bulk(TaskId task, Time now, Completion<BulkTask> done, Audit audit = nullptr) = 0;
  // Errors: name_taken, version_mismatch, not_found.
  virtual void put_webhook(WebhookWrite write, Completion<domain::Webhook> done) = 0;
  // Marks it deleting and frees its name; the answer is how many messages waited.
  virtual void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, Audit audit = nullptr) = 0;
  // Removes up to `limit` messages of a deleting webhook, with attempts and due entries; at the end the webhook itself.
  virtual void purge_webhook(WebhookId webhook, std::size_t limit, Completion<PurgeStep> done) = 0;
  // Seals every secret with another sealer, all or none of them; with the present one nothing is done.
  virtual void reseal(SealerRef sealer, Completion<Resealed> done, Audit audit = nullptr) = 0;
  virtual void expire(ExpireStep step, Completion<Expired> done) = 0;
  virtual void put_type(domain::EventType type, Completion<domain::EventType> done, Audit audit = nullptr) = 0;
  virtual void remove_type(std::string name, Completion<std::string> done, Audit audit = nullptr) = 0;
  // A line for what changes nothing in the store; the answer is its number.
  virtual void note_audit(Audit audit, Completion<std::uint64_t> done) = 0;

  // Attempts under way. From one thread at a time, at once, and durable over a kill but not over a power cut; a slot is
  // given back when the attempt's end is durable.
  virtual FlightSlot note_flight(const FlightNote& note) = 0;
  virtual void forget_flight(FlightSlot slot) = 0;

  // Reads.
  virtual void load(Completion<OpenState> done) = 0;
  virtual void due_heads(DueHeadQuery query, Completion<DueHeads> done) = 0;
  virtual void claim_due(ClaimQuery query, Completion<Claim> done) = 0;
  virtual void list_messages(MessageQuery query, Completion<MessagePage> done) = 0;
  virtual void count_messages(CountQuery query, Completion<MessageCount> done) = 0;
  virtual void bulk_task(TaskId id, Completion<BulkTask> done) = 0;
  // The newest first.
  virtual void list_bulk_tasks(std::size_t limit, Completion<std::vector<BulkTask>> done) = 0;
  // Errors: invalid_request for a position that this store has not reached.
  virtual void changes(ChangeQuery query, Completion<ChangePage> done) = 0;
  // Completes with the newest number as soon as that is above `after`: at once, or behind the commit that makes it so.
  // With `unavailable` when the store closes first.
  virtual void next_change(std::uint64_t after, Completion<std::uint64_t> done) = 0;
  virtual void message(MessageId id, Completion<MessageDetail> done) = 0;
  // `id` may also be the one that an imported event had in another store.
  virtual void event(EventId id, std::size_t message_limit, Completion<EventDetail> done) = 0;
  virtual void histories(HistoryQuery query, Completion<HistoryPage> done) = 0;
  // Full ids whose value lies in [low, high], in order, at most `limit`: what a typed prefix may mean.
  virtual void find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit,
                             Completion<std::vector<MessageId>> done) = 0;
  virtual void find_events(std::uint64_t low, std::uint64_t high, std::size_t limit,
                           Completion<std::vector<EventId>> done) = 0;
  // Without deleting ones; by id.
  virtual void list_webhooks(Completion<std::vector<WebhookState>> done) = 0;
  virtual void webhook(WebhookId id, Completion<WebhookState> done) = 0;
  virtual void list_types(Completion<std::vector<domain::EventType>> done) = 0;
  virtual void figures(Completion<StoreFigures> done) = 0;
  virtual void list_audit(AuditQuery query, Completion<AuditPage> done) = 0;
  // A copy of everything that completed before the call, made beside the store while it goes on. Errors: unavailable
  // while another copy is being made or held, store_full when there is no room for it.
  virtual void copy(Completion<StoreCopy> done) = 0;
};

}  // namespace webhookd::store
