// What every store must decide alike: what a settlement does to a record and to the kept counts, when an idempotency
// key is still remembered, which messages a list shows, and in which words a refusal is said. Pure functions on values;
// how records are found and kept is each store's own business.
//
// Never here: storage.
#pragma once

#include <string>
#include <string_view>

#include "store/store.hpp"

namespace webhookd::store {

// ---- counts ---------------------------------------------------------------------------------------------------

// A message that did not exist before now stands as `after`.
void count_new(WebhookCounters& counters, const domain::Message& after);
// The same of a message that lived in another store until now.
void count_imported(WebhookCounters& counters, const domain::Message& message);
// A message that stood at `before` now stands as `after`. A success counts when it happens, at its settled_at.
void count_change(WebhookCounters& counters, domain::MessageStatus before, const domain::Message& after);
// A deleted webhook's waiting messages are cancelled, all at once.
void count_deleted(WebhookCounters& counters);

// ---- message inputs -------------------------------------------------------------------------------------------

enum class SettleEffect {
  repeated,  // this attempt is recorded already: nothing is to be written
  logged,    // recorded and counted, but it changes no status: late, aborted, interrupted
  changed,   // the message moved or has a new plan
};
SettleEffect apply_settlement(domain::Message& message, const Settlement& settlement);
// False also while the deadline lies ahead: a retry may have opened a new window since the engine decided.
bool apply_waiting_out(domain::Message& message, const WaitedOut& input);
// An answer of 410 makes the webhook inactive. False when it is inactive already: who turned it off keeps the say.
bool make_gone(domain::Webhook& webhook, const domain::Message& message, Time now);

// ---- histories ------------------------------------------------------------------------------------------------

// The event is of the time that is asked for, and of the type.
bool matches_event(const HistoryQuery& query, const domain::Event& event);
// The message as it enters: under ids of this store.
domain::Message as_imported(const domain::MessageHistory& history, MessageId id, EventId event);
// About how many bytes it takes to tell.
std::size_t size_of(const domain::EventHistory& history);
// Leaves out what answers said once that is more than limits::history_excerpt_bytes.
void cut_excerpts(domain::EventHistory& history);

// ---- idempotency ----------------------------------------------------------------------------------------------

// The key of an event accepted at `accepted_at` still stands for that event.
bool is_remembered(Time accepted_at, Duration window, Time now);
// The same key stands for the same type and the same bytes; anything else is idempotency_conflict.
Result<void> check_same_event(const domain::Event& first, const domain::Event& again);

// ---- retention ------------------------------------------------------------------------------------------------

enum class Disposal {
  remove,
  pass,  // it waits, or its time is not to be trusted: what settled later may still go
  stop,  // too young, and so is what settled later
};
// `is_pressed`: more is used than should be, so age does not matter.
Disposal disposal_of(const ExpireStep& step, const domain::Message& message, bool is_pressed);
// Of an event; one that has messages stays even so.
Disposal disposal_of(const ExpireStep& step, const domain::Event& event, bool is_pressed);
// An event without messages stays while its idempotency key is remembered.
bool is_kept_for_its_key(const ExpireStep& step, const domain::Event& event);

// ---- lists ----------------------------------------------------------------------------------------------------

// What the message alone decides of a filter: webhook, status, time and code.
bool matches_message(const MessageFilter& filter, const domain::Message& message);
// What needs the event's type as well: type and text.
bool matches_type(const MessageFilter& filter, const domain::Message& message, std::string_view type);

// ---- the feed of changes --------------------------------------------------------------------------------------

// ChangePage::store, of a store that gives ids with this tag key.
std::uint64_t feed_identity(std::uint64_t store_id, std::uint64_t tag_key);

// ---- bulk tasks -----------------------------------------------------------------------------------------------

inline constexpr std::size_t ended_tasks_kept = 1000;

// Whether the step is to be made: the task runs and stands where the step begins.
bool is_next_step(const BulkTask& task, const BulkStep& step);
// How far the task is behind the step; at the end of its stretch it is done.
void advance(BulkTask& task, const BulkStep& step);

// ---- audit ----------------------------------------------------------------------------------------------------

bool matches_audit(const AuditQuery& query, const AuditLine& line);
// Of a line; what is ahead of the clock waits for its time.
Disposal disposal_of(const ExpireStep& step, const AuditLine& line);
// The line of a webhook that a 410 turned off.
AuditLine line_of_gone(const domain::Webhook& webhook, MessageId message, Time now);

// The line as it is stored: what the change made is named where the request could not name it yet.
inline void name_object(AuditLine& line, const domain::Webhook& webhook) {
  line.object = line.object.empty() ? to_string(webhook.id) : line.object;
  line.name = webhook.display_name;
}
inline void name_object(AuditLine& line, const BulkTask& task) {
  line.object = line.object.empty() ? to_string(task.id) : line.object;
}
template <class Made>
void name_object(AuditLine&, const Made&) {}
// The answer of a change; when it was made, its line goes to `note`.
template <class Made, class Note>
base::Result<Made> noted(base::Result<Made> result, const Audit& audit, const Note& note) {
  if (result && audit) {
    AuditLine line = *audit;
    name_object(line, *result);
    note(std::move(line));
  }
  return result;
}

// ---- refusals -------------------------------------------------------------------------------------------------

base::Error no_such_message(MessageId id);
base::Error no_such_event(EventId id);
base::Error no_such_webhook(WebhookId id);
base::Error no_such_task(TaskId id);
base::Error task_has_ended(TaskId id);
base::Error no_such_type(std::string_view name);
base::Error name_is_taken(std::string_view name);
base::Error version_has_moved(const domain::Webhook& stored, std::uint64_t expected);
base::Error not_being_deleted(WebhookId id);
base::Error position_is_ahead(std::uint64_t position, std::uint64_t newest);
base::Error store_is_full(std::string_view why);

}  // namespace webhookd::store
