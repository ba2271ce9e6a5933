#include "store/lmdb_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/random.hpp"
#include "store/flight_journal.hpp"
#include "store/lmdb_copy_impl.hpp"
#include "store/lmdb_directory.hpp"
#include "store/lmdb_migration_impl.hpp"
#include "store/lmdb_reads_impl.hpp"
#include "store/lmdb_writer_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;

// ---- creation -------------------------------------------------------------------------------------------------

void fill_new_store(WriteTransaction& transaction, const LmdbOptions& options) {
  std::string buffer;
  Key schema;
  transaction.put_main(schema_key, schema.append(schema_version, 4).view());
  Meta meta;
  meta.store_id = base::mix64(options.seed + 1);
  meta.tag_keys = base::mix64(options.seed + 2);
  encode_meta(meta, buffer);
  transaction.put_main(meta_key, buffer);
  for (domain::EventType type : domain::shipped_catalogue()) {
    type.created_at = options.now;
    encode_type(type, buffer);
    transaction.put(Table::types, type.name, buffer);
  }
}

Result<void> create_store(const StorePaths& paths, const LmdbOptions& options) {
  if (auto begun = begin_creation(paths); !begun) {
    return begun;
  }
  {
    auto env = Env::open({paths.unfinished, Space::map_bytes_for(options.quota_bytes)});
    if (!env) {
      return env.error();
    }
    if (auto tables = (*env)->open_tables(true); !tables) {
      return tables;
    }
    WriteTransaction transaction(**env);
    fill_new_store(transaction, options);
    if (!transaction.commit()) {
      return transaction.failure("cannot create the store in " + paths.unfinished);
    }
  }
  return finish_creation(paths);
}

// ---- opening --------------------------------------------------------------------------------------------------

// A file that lost its end must not be read: what is missing would kill the process. A few pages may be missing from
// a sound one, because LMDB does not write pages that a transaction took and freed again; they are filled in.
Result<void> check_length(const Env& env, const StorePaths& paths) {
  constexpr std::uint64_t tolerated = std::uint64_t{16} << 20;
  struct stat status {};
  if (::fstat(env.file(), &status) != 0) {
    return system_error("cannot examine", paths.data_file, errno);
  }
  const auto length = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t needed = env.high_water_bytes();
  if (length + tolerated < needed) {
    return Error{ErrorCode::unavailable,
                 paths.data_file + " is cut short (" + std::to_string(length) + " of " + std::to_string(needed) +
                     " bytes): restore the store from a backup",
                 {}};
  }
  if (length < needed && ::ftruncate(env.file(), static_cast<off_t>(needed)) != 0) {
    return system_error("cannot fill up", paths.data_file, errno);
  }
  return {};
}

// Reads the schema before anything that depends on it.
Result<std::uint32_t> check_schema(Env& env, const StorePaths& paths) {
  if (auto main_table = env.open_main_table(); !main_table) {
    return main_table.error();
  }
  ReadPool pool(env);
  ReadTransaction view(pool);
  const auto record = view.get_main(schema_key);
  const std::uint32_t found = record ? decode_schema(*record) : 0;
  if (view.has_failed()) {
    return view.failure("cannot read " + paths.data_file);
  }
  if (found == 0) {
    return Error{ErrorCode::unavailable, paths.data_file + " is no store of webhookd: restore the right one", {}};
  }
  if (found > schema_version) {
    return Error{ErrorCode::unavailable,
                 paths.store + " has schema version " + std::to_string(found) + ", this webhookd knows up to " +
                     std::to_string(schema_version) + ": run the newer webhookd that wrote it, or restore a backup",
                 {}};
  }
  return found;
}

// A damaged list of free pages lets pages in use be written over: nothing may be written then.
Result<void> check_free_list(const Env& env, const StorePaths& paths) {
  ReadPool pool(env);
  ReadTransaction view(pool);
  view.check_free_list();
  return view.has_failed() ? view.failure("cannot write to " + paths.data_file) : Result<void>();
}

// The environment of an existing store, checked as far as can be done without reading it all.
Result<std::unique_ptr<Env>> open_environment(const StorePaths& paths, const LmdbOptions& options, base::LogSink& log) {
  auto env = Env::open({paths.store, Space::map_bytes_for(options.quota_bytes)});
  if (!env) {
    return env;
  }
  if (auto length = check_length(**env, paths); !length) {
    return length.error();
  }
  const auto schema = check_schema(**env, paths);
  if (!schema) {
    return schema.error();
  }
  if (auto free_list = check_free_list(**env, paths); !free_list) {
    return free_list.error();
  }
  if (auto tables = *schema < schema_version ? migrate(**env, paths, *schema, log) : (*env)->open_tables(false);
      !tables) {
    return tables.error();
  }
  return env;
}

// Of what the store is sealed with, if it is, there must be the sealer.
Result<void> check_sealer(const std::string& key_id, const std::vector<SealerRef>& sealers) {
  const bool is_there = std::any_of(sealers.begin(), sealers.end(),
                                    [&key_id](const SealerRef& sealer) { return sealer->key_id() == key_id; });
  if (key_id.empty() || is_there) {
    return {};
  }
  std::string given = sealers.empty() ? "none is given" : "given is";
  for (const SealerRef& sealer : sealers) {
    given += (&sealer == sealers.data() ? " " : " and ") + sealer->key_id();
  }
  return Error{ErrorCode::invalid_field,
               "the store is sealed with the master key " + key_id + ", and " + given +
                   ": give that key (secrets.master_key_file); another one takes its place by `whctl secret "
                   "rotate-master`",
               {}};
}

Result<Meta> read_identity(const Env& env, const std::vector<SealerRef>& sealers, DamageReport& damage) {
  ReadPool pool(env);
  ReadTransaction transaction(pool);
  const Seals none;
  Rows rows(transaction, 0, none, damage);
  auto meta = rows.meta();
  if (!meta) {
    return meta.error();
  }
  if (!*meta) {
    return Error{ErrorCode::internal, "the record of the store itself is missing: restore the store from a backup", {}};
  }
  if (auto sealer = check_sealer(rows.sealed_with(), sealers); !sealer) {
    return sealer.error();
  }
  return **meta;
}

// ---- the store ------------------------------------------------------------------------------------------------

// What an accept weighs in a commit.
std::pair<std::size_t, std::size_t> weight_of(const std::vector<AcceptItem>& items) {
  std::size_t records = 0;
  std::size_t bytes = 0;
  for (const AcceptItem& item : items) {
    records += 2 + 3 * item.subscribers.size();
    bytes += item.event->data.size();
  }
  return {records, bytes};
}

std::pair<std::size_t, std::size_t> weight_of(const std::vector<domain::EventHistory>& histories) {
  std::size_t records = 0;
  std::size_t bytes = 0;
  for (const domain::EventHistory& history : histories) {
    records += 3;
    bytes += size_of(history);
    for (const domain::MessageHistory& message : history.messages) {
      records += 4 + message.attempts.size();
    }
  }
  return {records, bytes};
}

class LmdbStore final : public Store {
 public:
  LmdbStore(FileDescriptor lock, std::unique_ptr<Env> env, FlightJournal flights, const Meta& meta,
            const LmdbOptions& options, base::LogSink& log)
      : lock_(std::move(lock)),
        flights_(std::move(flights)),
        env_(std::move(env)),
        tag_keys_(meta.tag_keys),
        quota_bytes_(options.quota_bytes),
        damage_(log),
        seals_(options.sealers),
        reads_(*env_),
        space_(reads_, {options.directory, options.quota_bytes, options.disk_reserve_bytes}),
        waiters_(meta.next_number - 1),
        writer_(*env_, tag_keys_, seals_, space_, damage_, waiters_,
                {options.commit_records_max, options.commit_bytes_max, options.stopwatch, options.on_writer_lost}, log),
        copier_(*env_, {options.directory, options.disk_reserve_bytes}) {}

  // A store that was never sealed is, before anybody else writes to it.
  Result<void> seal_if_open(const Sealer& sealer, base::LogSink& log) {
    WriteTransaction transaction(*env_);
    Changes changes(transaction, tag_keys_, seals_, space_, damage_);
    if (auto begun = changes.begin(); !begun || !changes.sealed_with().empty()) {
      return begun;
    }
    const auto sealed = changes.reseal(sealer);
    if (!sealed) {
      return sealed.error();
    }
    changes.finish();
    if (!transaction.commit()) {
      damage_.add_structural(transaction);
      return transaction.failure("cannot seal the store");
    }
    log.write(base::LogLevel::warning, "store_sealed",
              {{"master_key", sealed->to}, {"webhooks", std::to_string(sealed->webhooks)}});
    return {};
  }

  // Writes.
  void accept(std::vector<AcceptItem> items, Time now, Completion<std::vector<Result<Accepted>>> done) override {
    const auto [records, bytes] = weight_of(items);
    write(records, bytes, std::move(done),
          [items = std::move(items), now](Changes& changes) { return changes.accept(items, now); });
  }
  void import_histories(std::vector<domain::EventHistory> histories, Duration idempotency_window, Time now,
                        Completion<std::vector<Result<Imported>>> done) override {
    const auto [records, bytes] = weight_of(histories);
    write(records, bytes, std::move(done),
          [histories = std::move(histories), idempotency_window, now](Changes& changes) {
            return changes.import_histories(histories, idempotency_window, now);
          });
  }
  void settle(Settlements settlements, Completion<std::vector<Settled>> done) override {
    write(settlements->size() * 5, settlements->size() * attempt_bytes, std::move(done),
          [settlements](Changes& changes) { return changes.settle(*settlements); });
  }
  void wait_out(std::vector<WaitedOut> messages, Completion<std::vector<Settled>> done) override {
    const std::size_t records = messages.size() * 4;  // taken before the move: arguments have no order
    write(records, 0, std::move(done),
          [messages = std::move(messages)](Changes& changes) { return changes.wait_out(messages); });
  }
  void cancel(MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done,
              Audit audit) override {
    write(5, 0, std::move(done), [message, actor = std::move(actor), now, audit](Changes& changes) {
      return changes.noted(changes.cancel(message, actor, now), audit);
    });
  }
  void retry(MessageId message, domain::Actor actor, Time now, Completion<domain::Message> done, Audit audit) override {
    write(6, 0, std::move(done), [message, actor = std::move(actor), now, audit](Changes& changes) {
      return changes.noted(changes.retry(message, actor, now), audit);
    });
  }
  void begin_bulk(BulkTask task, Completion<BulkTask> done, Audit audit) override {
    write(3, 0, std::move(done),
          [task = std::move(task), audit](Changes& changes) { return changes.noted(changes.begin_bulk(task), audit); });
  }
  void step_bulk(BulkStep step, Completion<BulkProgress> done) override {
    const std::size_t records = step.messages.size() * 5 + 1;
    write(records, 0, std::move(done), [step = std::move(step)](Changes& changes) { return changes.step_bulk(step); });
  }
  void end_bulk(TaskId task, Time now, Completion<BulkTask> done, Audit audit) override {
    write(2, 0, std::move(done),
          [task, now, audit](Changes& changes) { return changes.noted(changes.end_bulk(task, now), audit); });
  }
  void put_webhook(WebhookWrite request, Completion<domain::Webhook> done) override {
    write(4, 0, std::move(done), [request = std::move(request)](Changes& changes) {
      return changes.noted(changes.put_webhook(request), request.audit);
    });
  }
  void delete_webhook(WebhookId webhook, Completion<std::uint64_t> done, Audit audit) override {
    write(4, 0, std::move(done),
          [webhook, audit](Changes& changes) { return changes.noted(changes.delete_webhook(webhook), audit); });
  }
  void purge_webhook(WebhookId webhook, std::size_t limit, Completion<PurgeStep> done) override {
    write(limit * 5, 0, std::move(done),
          [webhook, limit](Changes& changes) { return changes.purge_webhook(webhook, limit); });
  }
  void reseal(SealerRef sealer, Completion<Resealed> done, Audit audit) override {
    if (seals_.find(sealer->key_id()) == nullptr) {
      seals_.add(sealer);
    }
    write(1, 0, std::move(done), [sealer = std::move(sealer), audit](Changes& changes) {
      return changes.noted(changes.reseal(*sealer), audit);
    });
  }
  void expire(ExpireStep step, Completion<Expired> done) override {
    write(step.limit * 6, 0, std::move(done), [step](Changes& changes) { return changes.expire(step); });
  }
  void put_type(domain::EventType type, Completion<domain::EventType> done, Audit audit) override {
    const std::size_t bytes = type.schema.size() + type.example.size();
    write(2, bytes, std::move(done),
          [type = std::move(type), audit](Changes& changes) { return changes.noted(changes.put_type(type), audit); });
  }
  void remove_type(std::string name, Completion<std::string> done, Audit audit) override {
    write(2, 0, std::move(done), [name = std::move(name), audit](Changes& changes) {
      return changes.noted(changes.remove_type(name), audit);
    });
  }
  void note_audit(Audit audit, Completion<std::uint64_t> done) override {
    write(1, 0, std::move(done),
          [audit](Changes& changes) { return Result<std::uint64_t>(changes.note_audit(*audit)); });
  }

  FlightSlot note_flight(const FlightNote& note) override { return flights_.note(note); }
  void forget_flight(FlightSlot slot) override { flights_.forget(slot); }

  // Reads.
  void load(Completion<OpenState> done) override {
    read(std::move(done), [this](ReadTransaction&, Rows& rows) {
      OpenState state = read_open_state(rows);
      state.interrupted = flights_.found();
      return state;
    });
  }
  void due_heads(DueHeadQuery query, Completion<DueHeads> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_due_heads(rows, query); });
  }
  void claim_due(ClaimQuery query, Completion<Claim> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_claim(rows, query); });
  }
  void list_messages(MessageQuery query, Completion<MessagePage> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_messages(rows, query); });
  }
  void count_messages(CountQuery query, Completion<MessageCount> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return store::count_messages(rows, query); });
  }
  void bulk_task(TaskId id, Completion<BulkTask> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_task(rows, id); });
  }
  void list_bulk_tasks(std::size_t limit, Completion<std::vector<BulkTask>> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_tasks(rows, limit); });
  }
  void changes(ChangeQuery query, Completion<ChangePage> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_changes(rows, query); });
  }
  void next_change(std::uint64_t after, Completion<std::uint64_t> done) override {
    waiters_.wait(after, std::move(done));
  }
  void message(MessageId id, Completion<MessageDetail> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_message(rows, id); });
  }
  void event(EventId id, std::size_t message_limit, Completion<EventDetail> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_event(rows, id, message_limit); });
  }
  void histories(HistoryQuery query, Completion<HistoryPage> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_histories(rows, query); });
  }
  void find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit,
                     Completion<std::vector<MessageId>> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return store::find_messages(rows, low, high, limit); });
  }
  void find_events(std::uint64_t low, std::uint64_t high, std::size_t limit,
                   Completion<std::vector<EventId>> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return store::find_events(rows, low, high, limit); });
  }
  void list_webhooks(Completion<std::vector<WebhookState>> done) override {
    read(std::move(done), [](ReadTransaction&, Rows& rows) { return read_webhooks(rows); });
  }
  void webhook(WebhookId id, Completion<WebhookState> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_webhook(rows, id); });
  }
  void list_types(Completion<std::vector<domain::EventType>> done) override {
    read(std::move(done), [](ReadTransaction&, Rows& rows) { return read_types(rows); });
  }
  void list_audit(AuditQuery query, Completion<AuditPage> done) override {
    read(std::move(done), [&](ReadTransaction&, Rows& rows) { return read_audit(rows, query); });
  }
  void figures(Completion<StoreFigures> done) override {
    read(std::move(done), [this](ReadTransaction&, Rows& rows) { return read_figures(rows); });
  }
  void copy(Completion<StoreCopy> done) override {
    auto meta = answer_from_snapshot<Meta>([](ReadTransaction&, Rows& rows) { return kept_meta(rows); });
    if (!meta) {
      done(meta.error());
      return;
    }
    copier_.copy({nullptr, 0, store_id_text(meta->store_id), schema_version, damage_.count()}, std::move(done));
  }

 private:
  static constexpr std::size_t attempt_bytes = 1024;  // of one logged attempt, about

  template <class T, class Apply>
  void write(std::size_t records, std::size_t bytes, Completion<T> done, Apply apply) {
    writer_.queue(std::make_unique<WriteOf<T, Apply>>(records, bytes, std::move(apply), std::move(done)));
  }

  // Answers from a snapshot that is given back before the completion runs.
  template <class T, class Question>
  void read(Completion<T> done, Question question) {
    done(answer_from_snapshot<T>(std::move(question)));
  }

  template <class T, class Question>
  Result<T> answer_from_snapshot(Question question) {
    ReadTransaction transaction(reads_);
    Rows rows(transaction, tag_keys_, seals_, damage_);
    Result<T> answer = transaction.has_failed() ? Result<T>(Error{}) : question(transaction, rows);
    if (transaction.has_failed()) {
      damage_.add_structural(transaction);
      return transaction.failure("reading the store failed");
    }
    return answer;
  }

  static Result<Meta> kept_meta(Rows& rows) {
    auto meta = rows.meta();
    if (!meta || !*meta) {
      return meta ? Error{ErrorCode::internal, "the record of the store itself is missing", {}} : meta.error();
    }
    return std::move(**meta);
  }

  Result<StoreFigures> read_figures(Rows& rows) {
    const auto meta = kept_meta(rows);
    if (!meta) {
      return meta.error();
    }
    StoreFigures figures;
    figures.store_id = store_id_text(meta->store_id);
    figures.schema = schema_version;
    figures.events = meta->events;
    figures.messages = meta->messages;
    figures.waiting = meta->waiting;
    figures.webhooks = meta->webhooks;
    figures.quota_bytes = quota_bytes_;
    figures.master_key = rows.sealed_with();
    figures.directory = space_.limits().directory;
    figures.disk_free_bytes = space_.disk_free_bytes().value_or(0);
    figures.disk_reserve_bytes = space_.limits().disk_reserve_bytes;
    figures.commits = writer_.commits();
    figures.commit_time = writer_.commit_time();
    ReadTransaction measured(reads_);  // of its own: what is free may be unknown, the rest is told all the same
    figures.used_bytes = space_.used_bytes(measured);
    figures.full_because = space_.full_because(measured);
    figures.full = !figures.full_because.empty();
    damage_.add_structural(measured);
    figures.damaged_records = damage_.count();
    return figures;
  }

  FileDescriptor lock_;
  FlightJournal flights_;
  std::unique_ptr<Env> env_;
  TagKeys tag_keys_;
  std::uint64_t quota_bytes_;
  DamageReport damage_;
  Seals seals_;
  ReadPool reads_;
  Space space_;
  ChangeWaiters waiters_;
  Writer writer_;
  Copier copier_;
};

Result<void> settle_identity(const StorePaths& paths, const std::optional<std::string>& marker,
                             const std::string& store_id) {
  if (auto identity = check_identity(paths, marker, store_id); !identity) {
    return identity;
  }
  return marker ? Result<void>() : write_marker(paths, store_id);
}

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_store(const LmdbOptions& options, base::LogSink& log) {
  const StorePaths paths(options.directory);
  auto lock = claim_directory(paths);
  if (!lock) {
    return lock.error();
  }
  const auto marker = read_marker(paths);
  if (!marker) {
    return marker.error();
  }
  const auto presence = find_store(paths, *marker);
  if (!presence) {
    return presence.error();
  }
  if (*presence == Presence::absent) {
    if (auto created = create_store(paths, options); !created) {
      return created.error();
    }
  }
  auto env = open_environment(paths, options, log);
  if (!env) {
    return env.error();
  }
  DamageReport damage(log);
  const auto meta = read_identity(**env, options.sealers, damage);
  if (!meta) {
    return meta.error();
  }
  if (auto settled = settle_identity(paths, *marker, store_id_text(meta->store_id)); !settled) {
    return settled.error();
  }
  if (auto reserved = reserve_room((*env)->file(), options.preallocate_bytes); !reserved) {
    log.write(base::LogLevel::warning, "store_preallocate_failed", {{"detail", reserved.error().detail}});
  }
  auto flights = FlightJournal::open(paths.flights);
  if (!flights) {
    log.write(base::LogLevel::warning, "flight_journal_failed", {{"detail", flights.error().detail}});
    flights = FlightJournal();
  }
  auto store = std::make_unique<LmdbStore>(std::move(*lock), std::move(*env), std::move(*flights), *meta, options, log);
  if (!options.sealers.empty()) {
    if (auto sealed = store->seal_if_open(*options.sealers.front(), log); !sealed) {
      return sealed.error();
    }
  }
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace webhookd::store
