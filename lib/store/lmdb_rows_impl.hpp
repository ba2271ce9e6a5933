// Rows as values: typed reads of one transaction, reading or writing, and the report of what was found damaged. What
// belongs to a webhook that is being deleted is hidden here, in one place.
//
// Never here: writes, queries over many rows.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "store/lmdb_env_impl.hpp"
#include "store/records.hpp"

namespace webhookd::store {

// Damaged records, and tables whose pages do not hang together, are logged once each and counted, whoever found them.
// Any thread.
class DamageReport {
 public:
  explicit DamageReport(base::LogSink& log) : log_(log) {}
  void add(const base::Error& damage);
  // Of a transaction that came to its end: when it failed because of the file's structure. Once for each table.
  void add_structural(const View& view);
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t remembered_max = 1000;  // more are counted again each time they are met

  // Counts and remembers it; false when it was met before.
  bool is_new(const std::string& what);

  base::LogSink& log_;
  std::mutex mutex_;
  std::set<std::string> remembered_;
  std::atomic<std::uint64_t> count_ = 0;
};

// A sound record, or none; an error when it is damaged (already reported) or could not be read.
template <class T>
using Lookup = Result<std::optional<T>>;

class Rows {
 public:
  Rows(View& view, const TagKeys& tag_keys, const Seals& seals, DamageReport& damage)
      : view_(view), tag_keys_(tag_keys), seals_(seals), damage_(damage) {}

  View& view() { return view_; }
  const TagKeys& tag_keys() const { return tag_keys_; }
  DamageReport& damage() { return damage_; }
  const Seals& seals() const { return seals_; }
  // The id of what secrets are sealed with here; empty: they are not.
  std::string sealed_with() { return std::string(view_.get_main(sealed_key).value_or(std::string_view())); }
  template <class Id>
  Id id_of(std::uint64_t sequence) const {
    return store::id_of<Id>(sequence, tag_keys_);
  }
  // Set, and of this store.
  template <class Id>
  bool is_ours(Id id) const {
    return id.is_set() && id_of<Id>(id.sequence()) == id;
  }

  Lookup<Meta> meta();
  // Messages of a deleting webhook are not found.
  Lookup<MessageRecord> message(MessageId id);
  Lookup<MessageRecord> message_at(std::uint64_t sequence);
  // Also of a deleting webhook: for its removal.
  Lookup<MessageRecord> any_message_at(std::uint64_t sequence);
  Lookup<EventHeader> event_header(std::uint64_t sequence);
  Lookup<domain::EventRef> event(std::uint64_t sequence);
  // Deleting ones among them.
  Lookup<domain::Webhook> webhook(std::uint64_t sequence);
  Lookup<BulkTask> task(TaskId id);
  Lookup<WebhookCounters> counters(std::uint64_t webhook);
  Lookup<std::uint64_t> number(Table table, std::string_view key);

  bool is_deleting(std::uint64_t webhook);
  // After the set of deleting webhooks changed in this transaction.
  void forget_deleting() { deleting_.reset(); }

  // Those of an event's messages that still are: the first `limit`, and how many in all.
  struct EventMessages {
    std::vector<domain::Message> first;
    std::uint64_t count = 0;
  };
  EventMessages messages_of(const EventHeader& event, std::size_t limit);

  // Reports the damage and passes it on.
  base::Error damaged(base::Error damage) {
    damage_.add(damage);
    return damage;
  }

 private:
  template <class T, class Decode>
  Lookup<T> look_up(std::optional<std::string_view> record, Decode decode) {
    if (!record) {
      return view_.has_failed() ? Lookup<T>(view_.failure("reading the store failed")) : Lookup<T>(std::optional<T>());
    }
    auto decoded = decode(*record);
    if (!decoded) {
      return damaged(decoded.error());
    }
    return std::optional<T>(std::move(*decoded));
  }

  View& view_;
  TagKeys tag_keys_;
  const Seals& seals_;
  DamageReport& damage_;
  std::optional<std::vector<std::uint64_t>> deleting_;  // sorted; read on first need
};

// The type of a message's event; neighbours often share one.
class TypeReader {
 public:
  explicit TypeReader(Rows& rows) : rows_(rows) {}

  // Null when the event is missing or damaged.
  const std::string* type_of(const domain::Message& message);

 private:
  Rows& rows_;
  std::uint64_t sequence_ = 0;
  bool found_ = false;
  std::string type_;
};

// ---- skipping through the bucketed indexes (keys.hpp) -----------------------------------------------------------

// To the first row of `webhook` at or behind `from` in a bucket below `until_bucket`.
bool seek_webhook(Cursor& cursor, std::string_view from, std::uint64_t webhook, std::uint64_t until_bucket);
// To the last row of `webhook` at or before `from`.
bool seek_webhook_back(Cursor& cursor, std::string_view from, std::uint64_t webhook);

}  // namespace webhookd::store
