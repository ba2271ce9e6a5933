// The writes of the store, applied inside one write transaction that many calls share. A call looks before it writes:
// one that is refused has written nothing, so it does not spoil the others. Kept counts are gathered here and written
// once, by `finish`.
//
// Written in lmdb_changes.cpp (accepting, settling, webhooks), lmdb_import.cpp (what comes from another store) and
// lmdb_expire.cpp (retention).
//
// Never here: threads, commits, completions (lmdb_writer_impl.hpp); rules (rules.hpp, domain/message.hpp).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/lmdb_rows_impl.hpp"
#include "store/lmdb_space_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

class Changes {
 public:
  Changes(WriteTransaction& transaction, const TagKeys& tag_keys, const Seals& seals, Space& space,
          DamageReport& damage)
      : transaction_(transaction), rows_(transaction, tag_keys, seals, damage), space_(space) {}

  // Before the first change: reads what is kept of the whole store. Refused when that cannot be read.
  Result<void> begin();
  // After the last: writes what was gathered.
  void finish();
  bool changed_anything() const { return changed_; }
  // The last number given to a message or a change.
  std::uint64_t newest_number() const { return meta_.next_number - 1; }

  std::vector<Result<Accepted>> accept(const std::vector<AcceptItem>& items, Time now);
  std::vector<Result<Imported>> import_histories(const std::vector<domain::EventHistory>& histories,
                                                 Duration idempotency_window, Time now);
  std::vector<Settled> settle(const std::vector<Settlement>& settlements);
  std::vector<Settled> wait_out(const std::vector<WaitedOut>& inputs);
  Result<domain::Message> cancel(MessageId id, const domain::Actor& actor, Time now);
  Result<domain::Message> retry(MessageId id, const domain::Actor& actor, Time now);
  Result<BulkTask> begin_bulk(const BulkTask& draft);
  Result<BulkProgress> step_bulk(const BulkStep& step);
  Result<BulkTask> end_bulk(TaskId id, Time now);
  Result<domain::Webhook> put_webhook(const WebhookWrite& write);
  Result<std::uint64_t> delete_webhook(WebhookId id);
  Result<PurgeStep> purge_webhook(WebhookId id, std::size_t limit);
  std::string sealed_with() { return rows_.sealed_with(); }
  Result<Resealed> reseal(const Sealer& sealer);
  Result<Expired> expire(const ExpireStep& step);
  Result<domain::EventType> put_type(const domain::EventType& type);
  Result<std::string> remove_type(const std::string& name);
  // The answer of a change, with its line in the audit when it was made.
  template <class T>
  Result<T> noted(Result<T> result, const Audit& audit) {
    return store::noted(std::move(result), audit, [this](AuditLine line) { note_audit(std::move(line)); });
  }
  std::uint64_t note_audit(AuditLine line);

 private:
  // The counters of a webhook that messages of this transaction belong to.
  struct Tally {
    WebhookCounters counters;
    bool takes_messages = false;  // it is there and is not being deleted
    bool changed = false;
  };

  Tally& tally_of(std::uint64_t webhook);
  Tally* subscriber_tally(WebhookId webhook);

  Result<Accepted> accept_one(const AcceptItem& item, Time now);
  Lookup<EventHeader> remembered_event(const std::string& key, Duration window, Time now);
  Result<Accepted> duplicate_of(const EventHeader& first, const domain::Event& again);
  Accepted add_event(const AcceptItem& item, Time now);
  domain::Message add_message(const Subscriber& subscriber, Tally& tally, EventId event, Time now);
  void note_time(std::uint64_t message, Time created_at);

  Settled settle_one(const Settlement& settlement);
  void log_attempt(MessageId message, const domain::Attempt& attempt);
  Settled wait_out_one(const WaitedOut& input);
  void turn_off_if_gone(const domain::Message& message, Time now);
  Result<MessageRecord> existing_message(MessageId id);  // not_found when there is none
  // Replaces a record and all that follows from it: due entry, place in the feed and counts.
  void replace(const MessageRecord& stored, const domain::Message& after);
  std::uint64_t move_to_end_of_feed(const MessageRecord& stored);  // the number there

  Result<BulkTask> existing_task(TaskId id);
  void store_task(const BulkTask& task);
  void forget_old_tasks();

  // A webhook that is not being deleted.
  Lookup<domain::Webhook> find_webhook(WebhookId id);
  Result<void> check_name_is_free(const domain::Webhook& webhook);
  void store_webhook(const domain::Webhook& webhook);
  void store_webhook(const domain::Webhook& webhook, const Sealer* sealer);

  std::size_t remove_messages(std::uint64_t webhook, std::size_t limit, std::uint64_t& bucket);
  std::size_t remove_message(const WebhookMessage& entry);
  bool remove_due_entries(std::uint64_t webhook, std::size_t limit);
  void forget_webhook(std::uint64_t webhook);

  // lmdb_import.cpp
  Result<Imported> import_one(const domain::EventHistory& history, Duration idempotency_window, Time now);
  Lookup<EventHeader> imported_before(const domain::Origin& origin);
  Result<void> check_webhooks(const domain::EventHistory& history);
  Imported write_history(const domain::EventHistory& history, bool takes_key);
  void write_imported(const domain::Message& message, std::uint64_t change,
                      const std::vector<domain::Attempt>& attempts);
  void write_imported_event(const domain::Event& event, std::uint64_t first_message, std::uint64_t message_count,
                            bool takes_key);

  // lmdb_expire.cpp
  // `excess`: bytes to be freed whatever the age.
  void expire_messages(const ExpireStep& step, std::uint64_t excess, Expired& answer);
  void expire_events(const ExpireStep& step, std::uint64_t excess, Expired& answer);
  std::uint64_t bytes_with(const domain::Message& message);
  void expire_audit(const ExpireStep& step, Expired& answer);
  void expire_message(const ExpireStep& step, const MessageRecord& record, Expired& answer);
  void expire_event_if_bare(const ExpireStep& step, std::uint64_t event, Expired& answer);
  bool has_messages(const EventHeader& event);
  void remove_event(const domain::Event& event);
  void remove_span_if_empty(std::uint64_t bucket);

  WriteTransaction& transaction_;
  Rows rows_;
  Space& space_;
  Meta meta_;
  std::unordered_map<std::uint64_t, Tally> tallies_;
  std::string buffer_;  // of the record being written
  bool changed_ = false;
};

}  // namespace webhookd::store
