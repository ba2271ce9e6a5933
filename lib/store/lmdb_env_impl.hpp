// LMDB with names and without raw handles: the environment with its tables, one write transaction, pooled read
// transactions, cursors. A transaction keeps one sticky status: after the first failure every further call does
// nothing, and whoever runs the transaction looks at the status once, at the end.
//
// Private to this folder: it is the only header that sees lmdb.h. Never here: what the rows mean.
#pragma once

#include <lmdb.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/keys.hpp"

namespace webhookd::store {

// "MDB_CORRUPTED: …", as an error about `doing`.
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

  // The table of tables alone, where the schema is: before it is known which tables there should be.
  base::Result<void> open_main_table();
  // Opens the tables; false status when one is missing and not to be created.
  base::Result<void> open_tables(bool create);

 private:
  explicit Env(MDB_env* env) : env_(env) {}

  MDB_env* env_;
  MDB_dbi main_ = 0;
  std::array<MDB_dbi, table_names.size()> tables_{};
  std::uint64_t map_bytes_ = 0;
  std::size_t page_bytes_ = 0;
};

// One position in one table. Valid as long as its transaction; keys and values until the next write of it.
class Cursor {
 public:
  Cursor(MDB_txn* txn, MDB_dbi table, int& status);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  bool first() { return move(MDB_FIRST); }
  bool last() { return move(MDB_LAST); }
  bool next() { return move(MDB_NEXT); }
  bool previous() { return move(MDB_PREV); }
  // To the first row whose key is not below `key`.
  bool seek(std::string_view key);
  // To the last row whose key is not above `key`.
  bool seek_back(std::string_view key);

  std::string_view key() const { return {static_cast<const char*>(key_.mv_data), key_.mv_size}; }
  std::string_view value() const { return {static_cast<const char*>(value_.mv_data), value_.mv_size}; }

 private:
  bool move(MDB_cursor_op operation);

  MDB_cursor* cursor_ = nullptr;
  int& status_;
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
  std::optional<std::string_view> get(Table table, std::string_view key) { return find(env_.table(table), key); }
  std::optional<std::string_view> get_main(std::string_view key) { return find(env_.main_table(), key); }
  std::unique_ptr<Cursor> cursor(Table table) { return std::make_unique<Cursor>(txn_, env_.table(table), status_); }
  std::uint64_t rows(Table table);
  // Of a table by LMDB's number: 0 is its list of free pages, main_table() the table of tables.
  std::uint64_t pages(MDB_dbi table);
  bool has_failed() const { return status_ != MDB_SUCCESS; }
  base::Error failure(std::string_view doing) const { return lmdb_error(doing, status_); }

 protected:
  std::optional<std::string_view> find(MDB_dbi table, std::string_view key);

  const Env& env_;
  MDB_txn* txn_;
  int status_ = MDB_SUCCESS;
};

// Aborts at its end unless it was committed. One at a time, on one thread.
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
  MDB_txn* take(int& status);
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

 private:
  ReadPool& pool_;
};

}  // namespace webhookd::store
