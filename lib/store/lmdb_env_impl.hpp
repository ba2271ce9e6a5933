// LMDB with names and without raw handles: the environment with its tables, one write transaction, pooled read
// transactions, cursors. A transaction keeps one sticky status: after the first failure every further call does
// nothing, and whoever runs the transaction looks at the status once, at the end.
//
// The file may be damaged: every call that reads pages is guarded (lmdb_guard_impl.hpp), and every walk ends, because a
// cursor fails when it is taken to a key that it has passed, or that its table cannot have.
//
// Private to this folder: it is the only header that sees lmdb.h. Never here: what the rows mean.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/keys.hpp"
#include "store/lmdb_guard_impl.hpp"
#include "store/lmdb_pages_impl.hpp"

namespace webhookd::store {

// "doing: MDB_MAP_FULL: …".
base::Error lmdb_error(std::string_view doing, int status);

class Env {
 public:
  struct Options {
    std::string directory;
    std::uint64_t map_bytes = 0;  // at least; an existing larger file gets a larger map
    bool create = false;          // the schema's tables are made
    bool is_file = false;         // `directory` names the data file itself, which nobody writes: it is only read
  };

  static Result<std::unique_ptr<Env>> open(const Options& options);
  ~Env();
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  MDB_env* handle() const { return env_; }
  MDB_dbi table(Table table) const { return tables_[static_cast<std::size_t>(table)]; }
  MDB_dbi main_table() const { return main_; }
  std::uint64_t map_bytes() const { return map_bytes_; }
  std::size_t page_bytes() const { return page_bytes_; }
  // LMDB's own list of free pages.
  static constexpr MDB_dbi free_table = 0;
  // The end of the last page ever used, as of the last commit.
  std::uint64_t high_water_bytes() const;
  int file() const;  // the data file's descriptor, owned by LMDB
  // "table messages".
  std::string name_of(MDB_dbi table) const;
  // As LMDB knows it; null of its own tables.
  const char* bare_name_of(MDB_dbi table) const;
  // What looks at pages before they are written to; null while there is nothing yet to look at. Of whoever has the
  // write transaction.
  PageCheck* page_check() const { return page_check_.get(); }
  // A write transaction was left in its midst, or LMDB has given up: there will be no other as long as this
  // environment lives. `why` is a status.
  void lose_writer(int why) const { writer_status_ = why; }
  bool writer_is_lost() const { return writer_status_ != MDB_SUCCESS; }
  int writer_status() const { return writer_status_; }  // why it is lost

  // The table of tables alone, where the schema is: before it is known which tables there should be.
  base::Result<void> open_main_table();
  // Opens the tables; fails when one is missing that is not to be created.
  base::Result<void> open_tables(bool create);
  // Of a store that is only read: of an older schema, which need not have every table.
  base::Result<void> open_tables_there_are();
  bool has(Table table) const { return this->table(table) != free_table; }

 private:
  enum class Missing : std::uint8_t { refused, created, left_out };
  explicit Env(MDB_env* env) : env_(env) {}
  base::Result<void> open_tables(Missing missing);
  void find_map(MDB_txn* txn);

  MDB_env* env_;
  MDB_dbi main_ = 0;
  std::array<MDB_dbi, table_names.size()> tables_{};
  std::uint64_t map_bytes_ = 0;
  std::size_t page_bytes_ = 0;
  std::unique_ptr<PageCheck> page_check_;
  mutable std::atomic<int> writer_status_ = MDB_SUCCESS;
};

// The first failure of a transaction, and in which table.
class Status {
 public:
  bool is_good() const { return code_ == MDB_SUCCESS; }
  int code() const { return code_; }
  MDB_dbi table() const { return table_; }
  // Does nothing behind the first failure.
  void fail(int code, MDB_dbi table) {
    if (is_good() && code != MDB_SUCCESS) {
      code_ = code;
      table_ = table;
    }
  }

 private:
  int code_ = MDB_SUCCESS;
  MDB_dbi table_ = 0;
};

// One position in one table. Valid as long as its transaction; keys and values until the next write of it.
class Cursor {
 public:
  // `key_bytes`: of every key of this table; 0 when they differ.
  Cursor(MDB_txn* txn, MDB_dbi table, std::size_t key_bytes, Reach reach, Status& status);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  bool first() { return move(MDB_FIRST); }
  bool last();
  // No write of the transaction since the last move.
  bool next();
  bool previous();
  // To the first row whose key is not below `key`.
  bool seek(std::string_view key);
  // To the last row whose key is not above `key`.
  bool seek_back(std::string_view key);

  std::string_view key() const { return {static_cast<const char*>(key_.mv_data), key_.mv_size}; }
  std::string_view value() const { return {static_cast<const char*>(value_.mv_data), value_.mv_size}; }

 private:
  bool move(MDB_cursor_op operation);
  // The present key against another, in the order of the table.
  int compare(const MDB_val& other) const { return mdb_cmp(mdb_cursor_txn(cursor_), table_, &key_, &other); }
  bool in_order(bool is_in_order);

  MDB_cursor* cursor_ = nullptr;
  MDB_dbi table_;
  std::size_t key_bytes_;
  Reach reach_;
  Status& status_;
  MDB_val key_{};
  MDB_val value_{};
};

// What reading and writing transactions share.
class View {
 public:
  View(const Env& env, MDB_txn* txn) : env_(env), txn_(txn) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Nothing when there is no such row, or after a failure.
  std::optional<std::string_view> get(Table table, std::string_view key, Reach reach = Reach::whole) {
    return find(env_.table(table), key, reach);
  }
  std::optional<std::string_view> get_main(std::string_view key) { return find(env_.main_table(), key, Reach::whole); }
  std::unique_ptr<Cursor> cursor(Table table, Reach reach = Reach::whole) {
    return std::make_unique<Cursor>(txn_, env_.table(table), key_bytes(table), reach, status_);
  }
  std::uint64_t rows(Table table);
  // Of a table by LMDB's number: 0 is its list of free pages, main_table() the table of tables.
  std::uint64_t pages(MDB_dbi table);
  bool has_failed() const { return !status_.is_good(); }
  base::Error failure(std::string_view doing) const;
  // What the failure says of the file: which table is damaged and how; nothing when it is of another kind.
  std::optional<base::Error> structural_damage() const;
  std::string failed_table() const { return env_.name_of(status_.table()); }

 protected:
  std::optional<std::string_view> find(MDB_dbi table, std::string_view key, Reach reach);

  const Env& env_;
  MDB_txn* txn_;
  Status status_;
};

// Aborts at its end unless it was committed. One at a time, on one thread.
//
// A call of LMDB that writes, left in its midst, has told the transaction of cursors on its stack, which an abort would
// free: the transaction is abandoned then, with its memory and LMDB's lock, and the environment writes no more. So that
// it does not come to that, the pages that a write takes are looked at first (lmdb_pages_impl.hpp).
class WriteTransaction final : public View {
 public:
  explicit WriteTransaction(const Env& env);
  ~WriteTransaction();

  void put(Table table, std::string_view key, std::string_view value) { store(env_.table(table), key, value, 0); }
  void put_main(std::string_view key, std::string_view value) { store(env_.main_table(), key, value, 0); }
  // For keys above every key of the table.
  void append(Table table, std::string_view key, std::string_view value) {
    store(env_.table(table), key, value, MDB_APPEND);
  }
  // Appends `head` and `tail` as one value, without joining them first.
  void append(Table table, std::string_view key, std::string_view head, std::string_view tail);
  void remove(Table table, std::string_view key);

  // Durable when it answers true; after false it is not known whether it is.
  bool commit();

 private:
  void store(MDB_dbi table, std::string_view key, std::string_view value, unsigned flags);
  // Nothing is done when the pages on the way to the key are damaged.
  template <class Call>
  void change(MDB_dbi table, std::string_view key, Call call);
  void look_at_way(MDB_dbi table, std::string_view key);
  std::optional<std::uint64_t> root_of(MDB_dbi table);

  std::array<std::optional<std::uint64_t>, table_names.size() + 2> roots_;  // of the last commit, by LMDB's number
  bool is_abandoned_ = false;
};

// Read transactions that wait to be used again: renewing one costs a tenth of beginning one. Any thread.
class ReadPool {
 public:
  explicit ReadPool(const Env& env) : env_(env) {}
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  const Env& env() const { return env_; }
  // A transaction that sees every commit up to now; null with the status when LMDB has none.
  MDB_txn* take(Status& status);
  void give_back(MDB_txn* txn);

 private:
  const Env& env_;
  std::mutex mutex_;
  std::vector<MDB_txn*> idle_;
};

// One snapshot, for one call: never kept over a wait.
class ReadTransaction final : public View {
 public:
  explicit ReadTransaction(ReadPool& pool) : View(pool.env(), nullptr), pool_(pool) { txn_ = pool.take(status_); }
  ~ReadTransaction() {
    if (txn_ != nullptr) {
      pool_.give_back(txn_);
    }
  }

  // Bytes of pages that were used once and are free now.
  std::uint64_t free_bytes();
  // Another snapshot, without the failure: for who reads what can be read of a damaged file that nobody writes.
  void begin_again();
  // Fails when the list of free pages is damaged: it would have pages that are in use written over.
  void check_free_list();

 private:
  // Each row of LMDB's list: numbers of pages, downwards, behind how many they are.
  template <class Visit>
  void each_free_list(Reach reach, Visit visit);

  ReadPool& pool_;
};

}  // namespace webhookd::store
