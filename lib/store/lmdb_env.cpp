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
  return {base::ErrorCode::internal, std::string(doing) + ": " + status_text(status), {}};
}

// ---- environment ----------------------------------------------------------------------------------------------

Result<std::unique_ptr<Env>> Env::open(const Options& options) {
  const std::string doing = "cannot open the store in " + options.directory;
  MDB_env* handle = nullptr;
  if (const int status = mdb_env_create(&handle); status != MDB_SUCCESS) {
    return lmdb_error(doing, status);
  }
  std::unique_ptr<Env> env(new Env(handle));
  guard_against_damage(handle);
  env->map_bytes_ = map_size_for(options);
  mdb_env_set_maxdbs(handle, static_cast<MDB_dbi>(table_names.size()));
  mdb_env_set_maxreaders(handle, max_readers);
  mdb_env_set_mapsize(handle, env->map_bytes_);
  const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options.is_file ? MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK : 0);
  const auto begin = [&] { return mdb_env_open(handle, options.directory.c_str(), flags, file_mode); };
  if (const int status = guarded(begin); status != MDB_SUCCESS) {
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
    status = guarded([&] { return mdb_dbi_open(txn, nullptr, 0, &main_); });
    if (status == MDB_SUCCESS && page_check_ == nullptr) {
      find_map(txn);
    }
    mdb_txn_abort(txn);
  }
  return status == MDB_SUCCESS ? Result<void>() : lmdb_error("cannot read the store", status);
}

Result<void> Env::open_tables(bool create) { return open_tables(create ? Missing::created : Missing::refused); }

Result<void> Env::open_tables_there_are() { return open_tables(Missing::left_out); }

Result<void> Env::open_tables(Missing missing) {
  const bool create = missing == Missing::created;
  constexpr std::string_view doing = "cannot open the tables of the store";
  MDB_txn* txn = nullptr;
  int status = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  if (status != MDB_SUCCESS) {
    return lmdb_error("cannot begin a transaction", status);
  }
  status = guarded([&] { return mdb_dbi_open(txn, nullptr, 0, &main_); });
  for (std::size_t i = 0; i < tables_.size() && status == MDB_SUCCESS; ++i) {
    status = guarded([&] { return mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0, &tables_[i]); });
    if (status == MDB_NOTFOUND && missing == Missing::left_out) {
      tables_[i] = free_table;
      status = MDB_SUCCESS;
    }
  }
  if (status == page_is_damaged && create) {
    return lmdb_error(doing, status);  // the transaction is abandoned, and this environment with it
  }
  if (status != MDB_SUCCESS) {
    mdb_txn_abort(txn);
    return lmdb_error(doing, status);
  }
  status = guarded([txn] { return mdb_txn_commit(txn); });
  return status == MDB_SUCCESS ? Result<void>() : lmdb_error(doing, status);
}

// LMDB does not say where it has mapped the file; a value that it read does.
void Env::find_map(MDB_txn* txn) {
  const unsigned char* map = nullptr;
  const int status = guarded([&] {
    MDB_val key = value_of(schema_key);
    MDB_val value{};
    const int found = mdb_get(txn, main_, &key, &value);
    map = found == MDB_SUCCESS ? PageCheck::find_map(value.mv_data, page_bytes_) : nullptr;
    return found;
  });
  if (status == MDB_SUCCESS && map != nullptr) {
    page_check_ = std::make_unique<PageCheck>(map, page_bytes_);
  }
}

const char* Env::bare_name_of(MDB_dbi table) const {
  for (std::size_t i = 0; i < tables_.size() && table != free_table && table != main_; ++i) {
    if (tables_[i] == table) {
      return table_names[i];
    }
  }
  return nullptr;
}

std::string Env::name_of(MDB_dbi table) const {
  if (const char* name = bare_name_of(table)) {
    return std::string("table ") + name;
  }
  return table == free_table ? "the list of free pages" : "the table of tables";
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

Cursor::Cursor(MDB_txn* txn, MDB_dbi table, std::size_t key_bytes, Reach reach, Status& status)
    : table_(table), key_bytes_(key_bytes), reach_(reach), status_(status) {
  if (status_.is_good()) {
    status_.fail(guarded([&] { return mdb_cursor_open(txn, table, &cursor_); }), table);
  }
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) {
    mdb_cursor_close(cursor_);
  }
}

bool Cursor::move(MDB_cursor_op operation) {
  if (!status_.is_good()) {
    return false;
  }
  const int status = guarded([this, operation] {
    const int moved = mdb_cursor_get(cursor_, &key_, &value_, operation);
    if (moved == MDB_SUCCESS) {
      touch(key_, Reach::whole);
      touch(value_, reach_);
    }
    return moved;
  });
  if (status != MDB_SUCCESS) {
    key_ = value_ = MDB_val{};
    status_.fail(status == MDB_NOTFOUND ? MDB_SUCCESS : status, table_);
    return false;
  }
  if (key_bytes_ != 0 && key_.mv_size != key_bytes_) {
    status_.fail(key_is_foreign, table_);
  }
  return status_.is_good();
}

bool Cursor::in_order(bool is_in_order) {
  if (!is_in_order) {
    status_.fail(keys_are_out_of_order, table_);
  }
  return is_in_order;
}

// In a tree that is damaged above, the last page need not be the last: then another cursor finds a key behind it.
bool Cursor::last() {
  if (!move(MDB_LAST)) {
    return false;
  }
  Cursor other(mdb_cursor_txn(cursor_), table_, key_bytes_, reach_, status_);
  return in_order(!other.seek(std::string(key()) + '\0')) && status_.is_good();
}

bool Cursor::next() {
  const MDB_val before = key_;  // LMDB's own bytes, which stay until a write
  return move(MDB_NEXT) && in_order(before.mv_size == 0 || compare(before) > 0);
}

bool Cursor::previous() {
  const MDB_val before = key_;
  return move(MDB_PREV) && in_order(before.mv_size == 0 || compare(before) < 0);
}

bool Cursor::seek(std::string_view key) {
  key_ = value_of(key);
  return move(MDB_SET_RANGE) && in_order(compare(value_of(key)) >= 0);
}

bool Cursor::seek_back(std::string_view key) {
  if (seek(key)) {
    return this->key() == key || previous();
  }
  return last() && in_order(compare(value_of(key)) < 0);
}

// ---- transactions ---------------------------------------------------------------------------------------------

base::Error View::failure(std::string_view doing) const {
  const auto damage = structural_damage();
  return damage ? base::Error{damage->code, std::string(doing) + ": " + damage->detail, {}}
                : lmdb_error(doing, status_.code());
}

std::optional<base::Error> View::structural_damage() const {
  if (!is_structural_damage(status_.code())) {
    return std::nullopt;
  }
  base::Error damage = lmdb_error(failed_table(), status_.code());
  damage.detail += "; `whctl check` says what is lost, `webhookd --restore` puts a backup in its place";
  return damage;
}

std::optional<std::string_view> View::find(MDB_dbi table, std::string_view key, Reach reach) {
  if (!status_.is_good()) {
    return std::nullopt;
  }
  MDB_val wanted = value_of(key);
  MDB_val found{};
  const int status = guarded([&] {
    const int got = mdb_get(txn_, table, &wanted, &found);
    if (got == MDB_SUCCESS) {
      touch(found, reach);
    }
    return got;
  });
  if (status == MDB_SUCCESS) {
    return std::string_view(static_cast<const char*>(found.mv_data), found.mv_size);
  }
  status_.fail(status == MDB_NOTFOUND ? MDB_SUCCESS : status, table);
  return std::nullopt;
}

std::uint64_t View::rows(Table table) {
  MDB_stat numbers{};
  if (status_.is_good()) {
    status_.fail(guarded([&] { return mdb_stat(txn_, env_.table(table), &numbers); }), env_.table(table));
  }
  return numbers.ms_entries;
}

std::uint64_t View::pages(MDB_dbi table) {
  MDB_stat numbers{};
  if (status_.is_good()) {
    status_.fail(guarded([&] { return mdb_stat(txn_, table, &numbers); }), table);
  }
  return numbers.ms_branch_pages + numbers.ms_leaf_pages + numbers.ms_overflow_pages;
}

void ReadTransaction::begin_again() {
  mdb_txn_reset(txn_);
  status_ = Status();
  status_.fail(mdb_txn_renew(txn_), env_.main_table());
}

template <class Visit>
void ReadTransaction::each_free_list(Reach reach, Visit visit) {
  constexpr std::size_t number_bytes = sizeof(std::size_t);
  Cursor cursor(txn_, Env::free_table, number_bytes, reach, status_);
  for (bool more = cursor.first(); more && status_.is_good(); more = cursor.next()) {
    const std::string_view list = cursor.value();
    std::size_t count = 0;
    std::memcpy(&count, list.data(), std::min(list.size(), number_bytes));
    const bool is_sound = list.size() >= number_bytes && count < list.size() / number_bytes;
    if (!is_sound || !visit(list.substr(number_bytes, count * number_bytes), count)) {
      status_.fail(MDB_CORRUPTED, Env::free_table);
    }
  }
}

std::uint64_t ReadTransaction::free_bytes() {
  std::uint64_t pages = 0;
  each_free_list(Reach::ends, [&pages](std::string_view, std::size_t count) {
    pages += count;
    return true;
  });
  return pages * env_.page_bytes();
}

void ReadTransaction::check_free_list() {
  constexpr std::size_t first_page = 2;  // behind those of LMDB itself
  const std::size_t end = env_.high_water_bytes() / env_.page_bytes();
  if (PageCheck* pages = env_.page_check()) {
    pages->set_end(end);
    status_.fail(
        guarded([pages] { return pages->is_sound_tree(pages->root_of_free_list()) ? MDB_SUCCESS : page_is_damaged; }),
        Env::free_table);
  }
  each_free_list(Reach::whole, [end](std::string_view numbers, std::size_t count) {
    std::size_t above = end;
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t page = 0;
      std::memcpy(&page, numbers.data() + i * sizeof page, sizeof page);
      if (page < first_page || page >= above) {
        return false;
      }
      above = page;
    }
    return true;
  });
}

WriteTransaction::WriteTransaction(const Env& env) : View(env, nullptr) {
  if (env.writer_is_lost()) {
    status_.fail(env.writer_status(), env.main_table());
    return;
  }
  const int status = guarded([&] { return mdb_txn_begin(env.handle(), nullptr, 0, &txn_); });
  if (status == MDB_PANIC) {
    env.lose_writer(status);
  }
  status_.fail(status, env.main_table());
  if (PageCheck* pages = env.page_check(); pages != nullptr && status_.is_good()) {
    pages->set_end(env.high_water_bytes() / env.page_bytes());
  }
}

WriteTransaction::~WriteTransaction() {
  if (is_abandoned_ || (txn_ != nullptr && guarded([this] {
                                             mdb_txn_abort(txn_);
                                             return MDB_SUCCESS;
                                           }) != MDB_SUCCESS)) {
    env_.lose_writer(writer_is_lost);
  }
}

std::optional<std::uint64_t> WriteTransaction::root_of(MDB_dbi table) {
  std::optional<std::uint64_t>& root = roots_[table];
  if (!root && table == env_.main_table()) {
    root = env_.page_check()->root_of_main_table();
  } else if (const char* name = root ? nullptr : env_.bare_name_of(table)) {
    look_at_way(env_.main_table(), name);  // its record changes with it
    const auto record = find(env_.main_table(), name, Reach::whole);
    root = record ? PageCheck::root_of(*record) : std::nullopt;
  }
  return root;
}

void WriteTransaction::look_at_way(MDB_dbi table, std::string_view key) {
  PageCheck* pages = env_.page_check();
  if (pages == nullptr || !status_.is_good()) {
    return;
  }
  const auto root = root_of(table);
  const int status = guarded([&] { return root && pages->is_sound_way(*root, key) ? MDB_SUCCESS : page_is_damaged; });
  status_.fail(status, table);
}

template <class Call>
void WriteTransaction::change(MDB_dbi table, std::string_view key, Call call) {
  look_at_way(table, key);
  if (!status_.is_good()) {
    return;
  }
  const int status = guarded(call);
  is_abandoned_ = status == page_is_damaged;
  status_.fail(status, table);
}

void WriteTransaction::store(MDB_dbi table, std::string_view key, std::string_view value, unsigned flags) {
  change(table, key, [&] {
    MDB_val wanted = value_of(key);
    MDB_val bytes = value_of(value);
    return mdb_put(txn_, table, &wanted, &bytes, flags);
  });
}

void WriteTransaction::append(Table table, std::string_view key, std::string_view head, std::string_view tail) {
  MDB_val room{head.size() + tail.size(), nullptr};
  change(env_.table(table), key, [&] {
    MDB_val wanted = value_of(key);
    return mdb_put(txn_, env_.table(table), &wanted, &room, MDB_APPEND | MDB_RESERVE);
  });
  if (status_.is_good()) {
    auto* bytes = static_cast<char*>(room.mv_data);
    bytes = std::copy(head.begin(), head.end(), bytes);
    std::copy(tail.begin(), tail.end(), bytes);
  }
}

void WriteTransaction::remove(Table table, std::string_view key) {
  change(env_.table(table), key, [&] {
    MDB_val wanted = value_of(key);
    const int status = mdb_del(txn_, env_.table(table), &wanted, nullptr);
    return status == MDB_NOTFOUND ? MDB_SUCCESS : status;  // gone is what was asked for
  });
}

bool WriteTransaction::commit() {
  if (!status_.is_good()) {
    return false;
  }
  const int status = guarded([this] { return mdb_txn_commit(txn_); });
  is_abandoned_ = status == page_is_damaged;  // else it is freed, whatever LMDB answers
  txn_ = nullptr;
  status_.fail(status, env_.main_table());
  return status_.is_good();
}

ReadPool::~ReadPool() {
  for (MDB_txn* txn : idle_) {
    mdb_txn_abort(txn);
  }
}

MDB_txn* ReadPool::take(Status& status) {
  MDB_txn* txn = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      txn = idle_.back();
      idle_.pop_back();
    }
  }
  if (txn == nullptr) {
    status.fail(mdb_txn_begin(env_.handle(), nullptr, MDB_RDONLY, &txn), env_.main_table());
    return status.is_good() ? txn : nullptr;
  }
  status.fail(mdb_txn_renew(txn), env_.main_table());
  if (!status.is_good()) {
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
