#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "store/lmdb_env_impl.hpp"

namespace webhookd::store {

namespace {

constexpr unsigned max_readers = 256;
constexpr mdb_mode_t file_mode = 0600;

MDB_val value_of(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB does not write through keys and values it is given
}

// A map for the file as it is and what may come.
std::uint64_t map_size_for(const Env::Options& options) {
  constexpr std::uint64_t step = std::uint64_t{1} << 20;
  struct stat status {};
  const std::string file = options.directory + (options.is_file ? "" : "/data.mdb");
  const auto existing = ::stat(file.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  const std::uint64_t wanted = std::max(options.map_bytes, existing + existing / 8);
  return (wanted + step - 1) / step * step;
}

}  // namespace

base::Error lmdb_error(std::string_view doing, int status) {
  return {base::ErrorCode::internal, std::string(doing) + ": " + mdb_strerror(status), {}};
}

// ---- environment ----------------------------------------------------------------------------------------------

Result<std::unique_ptr<Env>> Env::open(const Options& options) {
  const std::string doing = "cannot open the store in " + options.directory;
  MDB_env* handle = nullptr;
  if (const int status = mdb_env_create(&handle); status != MDB_SUCCESS) {
    return lmdb_error(doing, status);
  }
  std::unique_ptr<Env> env(new Env(handle));
  env->map_bytes_ = map_size_for(options);
  mdb_env_set_maxdbs(handle, static_cast<MDB_dbi>(table_names.size()));
  mdb_env_set_maxreaders(handle, max_readers);
  mdb_env_set_mapsize(handle, env->map_bytes_);
  const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options.is_file ? MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK : 0);
  if (const int status = mdb_env_open(handle, options.directory.c_str(), flags, file_mode); status != MDB_SUCCESS) {
    return lmdb_error(doing, status);
  }
  int dead_readers = 0;
  if (const int status = options.is_file ? MDB_SUCCESS : mdb_reader_check(handle, &dead_readers);
      status != MDB_SUCCESS) {
    return lmdb_error(doing, status);
  }
  MDB_stat numbers{};
  mdb_env_stat(handle, &numbers);
  env->page_bytes_ = numbers.ms_psize;
  return env;
}

Env::~Env() { mdb_env_close(env_); }

Result<void> Env::open_main_table() {
  MDB_txn* txn = nullptr;
  int status = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (status == MDB_SUCCESS) {
    status = mdb_dbi_open(txn, nullptr, 0, &main_);
    mdb_txn_abort(txn);
  }
  return status == MDB_SUCCESS ? Result<void>() : lmdb_error("cannot read the store", status);
}

Result<void> Env::open_tables(bool create) {
  MDB_txn* txn = nullptr;
  int status = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  if (status != MDB_SUCCESS) {
    return lmdb_error("cannot begin a transaction", status);
  }
  status = mdb_dbi_open(txn, nullptr, 0, &main_);
  for (std::size_t i = 0; i < tables_.size() && status == MDB_SUCCESS; ++i) {
    status = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0, &tables_[i]);
  }
  if (status != MDB_SUCCESS) {
    mdb_txn_abort(txn);
    return lmdb_error("cannot open the tables of the store", status);
  }
  status = mdb_txn_commit(txn);
  if (status != MDB_SUCCESS) {
    return lmdb_error("cannot open the tables of the store", status);
  }
  return {};
}

std::uint64_t Env::high_water_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return (static_cast<std::uint64_t>(info.me_last_pgno) + 1) * page_bytes_;
}

int Env::file() const {
  mdb_filehandle_t file = -1;
  mdb_env_get_fd(env_, &file);
  return file;
}

// ---- cursor ---------------------------------------------------------------------------------------------------

Cursor::Cursor(MDB_txn* txn, MDB_dbi table, int& status) : status_(status) {
  if (status_ == MDB_SUCCESS) {
    status_ = mdb_cursor_open(txn, table, &cursor_);
  }
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) {
    mdb_cursor_close(cursor_);
  }
}

bool Cursor::move(MDB_cursor_op operation) {
  if (status_ != MDB_SUCCESS) {
    return false;
  }
  const int status = mdb_cursor_get(cursor_, &key_, &value_, operation);
  if (status != MDB_SUCCESS && status != MDB_NOTFOUND) {
    status_ = status;
  }
  return status == MDB_SUCCESS;
}

bool Cursor::seek(std::string_view key) {
  key_ = value_of(key);
  return move(MDB_SET_RANGE);
}

bool Cursor::seek_back(std::string_view key) {
  if (!seek(key)) {
    return last();
  }
  return this->key() == key || previous();
}

// ---- transactions ---------------------------------------------------------------------------------------------

std::optional<std::string_view> View::find(MDB_dbi table, std::string_view key) {
  if (status_ != MDB_SUCCESS) {
    return std::nullopt;
  }
  MDB_val wanted = value_of(key);
  MDB_val found{};
  const int status = mdb_get(txn_, table, &wanted, &found);
  if (status == MDB_SUCCESS) {
    return std::string_view(static_cast<const char*>(found.mv_data), found.mv_size);
  }
  if (status != MDB_NOTFOUND) {
    status_ = status;
  }
  return std::nullopt;
}

std::uint64_t View::rows(Table table) {
  MDB_stat numbers{};
  if (status_ == MDB_SUCCESS) {
    status_ = mdb_stat(txn_, env_.table(table), &numbers);
  }
  return numbers.ms_entries;
}

std::uint64_t View::pages(MDB_dbi table) {
  MDB_stat numbers{};
  if (status_ == MDB_SUCCESS) {
    status_ = mdb_stat(txn_, table, &numbers);
  }
  return numbers.ms_branch_pages + numbers.ms_leaf_pages + numbers.ms_overflow_pages;
}

std::uint64_t ReadTransaction::free_bytes() {
  std::uint64_t pages = 0;
  Cursor cursor(txn_, Env::free_table, status_);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    std::size_t listed = 0;  // each row is a list of pages that begins with its length
    if (cursor.value().size() >= sizeof listed) {
      std::memcpy(&listed, cursor.value().data(), sizeof listed);
    }
    pages += listed;
  }
  return pages * env_.page_bytes();
}

WriteTransaction::WriteTransaction(const Env& env) : View(env, nullptr) {
  status_ = mdb_txn_begin(env.handle(), nullptr, 0, &txn_);
}

WriteTransaction::~WriteTransaction() {
  if (txn_ != nullptr) {
    mdb_txn_abort(txn_);
  }
}

void WriteTransaction::store(MDB_dbi table, std::string_view key, std::string_view value, unsigned flags) {
  if (status_ == MDB_SUCCESS) {
    MDB_val wanted = value_of(key);
    MDB_val bytes = value_of(value);
    status_ = mdb_put(txn_, table, &wanted, &bytes, flags);
  }
}

void WriteTransaction::append(Table table, std::string_view key, std::string_view head, std::string_view tail) {
  if (status_ != MDB_SUCCESS) {
    return;
  }
  MDB_val wanted = value_of(key);
  MDB_val room{head.size() + tail.size(), nullptr};
  status_ = mdb_put(txn_, env_.table(table), &wanted, &room, MDB_APPEND | MDB_RESERVE);
  if (status_ == MDB_SUCCESS) {
    auto* bytes = static_cast<char*>(room.mv_data);
    bytes = std::copy(head.begin(), head.end(), bytes);
    std::copy(tail.begin(), tail.end(), bytes);
  }
}

void WriteTransaction::remove(Table table, std::string_view key) {
  if (status_ == MDB_SUCCESS) {
    MDB_val wanted = value_of(key);
    const int status = mdb_del(txn_, env_.table(table), &wanted, nullptr);
    status_ = status == MDB_NOTFOUND ? MDB_SUCCESS : status;  // gone is what was asked for
  }
}

bool WriteTransaction::commit() {
  if (status_ != MDB_SUCCESS) {
    return false;
  }
  status_ = mdb_txn_commit(txn_);  // frees the transaction whatever it answers
  txn_ = nullptr;
  return status_ == MDB_SUCCESS;
}

ReadPool::~ReadPool() {
  for (MDB_txn* txn : idle_) {
    mdb_txn_abort(txn);
  }
}

MDB_txn* ReadPool::take(int& status) {
  MDB_txn* txn = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      txn = idle_.back();
      idle_.pop_back();
    }
  }
  if (txn == nullptr) {
    status = mdb_txn_begin(env_.handle(), nullptr, MDB_RDONLY, &txn);
    return status == MDB_SUCCESS ? txn : nullptr;
  }
  status = mdb_txn_renew(txn);
  if (status != MDB_SUCCESS) {
    mdb_txn_abort(txn);
    return nullptr;
  }
  return txn;
}

void ReadPool::give_back(MDB_txn* txn) {
  mdb_txn_reset(txn);
  const std::lock_guard lock(mutex_);
  idle_.push_back(txn);
}

}  // namespace webhookd::store
