// The questions that the LMDB store answers, each from one snapshot that the caller holds. Rows that turn out damaged
// are reported and left out of lists; a question about one damaged record is answered with its error.
//
// Never here: transactions, threads, writes.
#pragma once

#include <vector>

#include "store/lmdb_rows_impl.hpp"

namespace webhookd::store {

// lmdb_reads.cpp: one record, or all of a small table.
OpenState read_open_state(Rows& rows);
Result<MessageDetail> read_message(Rows& rows, MessageId id);
Result<EventDetail> read_event(Rows& rows, EventId id, std::size_t message_limit);
// Oldest first, the latest limits::attempts_in_history.
std::vector<domain::Attempt> latest_attempts(Rows& rows, std::uint64_t message);
// The event of this store that had the id in another one; 0: there is none.
std::uint64_t event_known_elsewhere(Rows& rows, EventId elsewhere);
std::vector<WebhookState> read_webhooks(Rows& rows);
Result<WebhookState> read_webhook(Rows& rows, WebhookId id);
std::vector<domain::EventType> read_types(Rows& rows);

Result<BulkTask> read_task(Rows& rows, TaskId id);
std::vector<BulkTask> read_tasks(Rows& rows, std::size_t limit);

// lmdb_histories.cpp: events with all that became of them.
HistoryPage read_histories(Rows& rows, const HistoryQuery& query);
// lmdb_audit.cpp: who changed what.
AuditPage read_audit(Rows& rows, const AuditQuery& query);

// lmdb_due.cpp: the due index.
DueHeads read_due_heads(Rows& rows, const DueHeadQuery& query);
Claim read_claim(Rows& rows, const ClaimQuery& query);

// lmdb_feed.cpp: messages in the order of their changes.
Result<ChangePage> read_changes(Rows& rows, const ChangeQuery& query);

// lmdb_lists.cpp: messages and events in order.
MessagePage read_messages(Rows& rows, const MessageQuery& query);
MessageCount count_messages(Rows& rows, const CountQuery& query);
std::vector<MessageId> find_messages(Rows& rows, std::uint64_t low, std::uint64_t high, std::size_t limit);
std::vector<EventId> find_events(Rows& rows, std::uint64_t low, std::uint64_t high, std::size_t limit);

}  // namespace webhookd::store
