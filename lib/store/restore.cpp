#include "store/restore.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/random.hpp"
#include "store/check.hpp"
#include "store/lmdb_directory.hpp"
#include "store/lmdb_env_impl.hpp"
#include "store/lmdb_migration_impl.hpp"
#include "store/lmdb_rows_impl.hpp"
#include "store/lmdb_space_impl.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

Error refusal(std::string detail) { return {ErrorCode::unavailable, std::move(detail), {}}; }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<std::uint64_t> size_of(const FileDescriptor& file, const std::string& path) {
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) {
    return system_error("cannot read", path, errno);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> check_room(const StorePaths& paths, std::uint64_t bytes) {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  struct statvfs disk {};
  if (::statvfs(paths.root.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < bytes) {
    return refusal("the restored store needs " + std::to_string(bytes / mebibyte + 1) + " MiB, and " +
                   std::to_string(disk.f_bavail * disk.f_frsize / mebibyte) + " MiB are free in " + paths.root);
  }
  return {};
}

// Writes the data of the backup to `to`, verifying its seal.
Result<domain::BackupHead> unpack(const RestoreOptions& options, const std::string& to, std::uint64_t total,
                                  const FileDescriptor& from, const RestoreProgress& progress) {
  const FileDescriptor out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out.is_open()) {
    return system_error("cannot write", to, errno);
  }
  domain::BackupReader reader;
  int write_fault = 0;
  const auto write = [&](std::string_view data) {
    while (!data.empty() && write_fault == 0) {
      const ssize_t written = ::write(out.get(), data.data(), data.size());
      write_fault = written > 0 || errno == EINTR ? 0 : errno;
      data.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
  };
  std::string piece(piece_bytes, '\0');
  std::uint64_t done = 0;
  for (;;) {
    const ssize_t got = ::read(from.get(), piece.data(), piece.size());
    if (got < 0) {
      return system_error("cannot read", options.file, errno);
    }
    if (got == 0) {
      break;
    }
    if (auto fed = reader.feed({piece.data(), static_cast<std::size_t>(got)}, write); !fed) {
      return refusal(options.file + ": " + fed.error().detail);
    }
    if (write_fault != 0) {
      return system_error("cannot write", to, write_fault);
    }
    done += static_cast<std::uint64_t>(got);
    progress("reading the backup", done, total);
  }
  if (auto ended = reader.end(); !ended) {
    return refusal(options.file + ": " + ended.error().detail);
  }
  return reader.head();
}

// A backup of an older schema is brought to ours before it is checked; of a newer one the check refuses it.
Result<void> bring_up_to_date(const std::string& directory) {
  auto env = Env::open({directory, Space::map_bytes_for(0)});
  if (!env) {
    return env.error();
  }
  if (auto main_table = (*env)->open_main_table(); !main_table) {
    return main_table;
  }
  std::uint32_t schema = 0;
  {
    ReadPool pool(**env);
    ReadTransaction view(pool);
    const auto record = view.get_main(schema_key);
    schema = record ? decode_schema(*record) : 0;
  }
  return schema != 0 && schema < schema_version ? migrate_copy(**env, schema) : Result<void>();
}

Result<void> check_content(const RestoreOptions& options, const std::string& data_file,
                           const RestoreProgress& progress) {
  const auto report = check_store_file(data_file, [&](std::string_view table, std::uint64_t rows) {
    progress("checking " + std::string(table), rows, 0);
  });
  if (!report) {
    return report.error();
  }
  if (!report->is_clean()) {
    const CheckFinding& first = report->findings.front();
    return refusal(options.file + " has a good seal, but the store in it is damaged in " +
                   std::to_string(report->damage) + " places; the first: " + first.table + ": " + first.detail);
  }
  return {};
}

// Ids that nobody was given: with numbers beyond all that the store knows and can have given since, and another tag
// key, so that two stores restored from one backup do not give the same ones either.
Result<void> leave_numbers_behind(const std::string& directory, std::uint64_t random) {
  constexpr std::uint64_t stride = std::uint64_t{1} << 30;
  auto env = Env::open({directory, Space::map_bytes_for(0)});
  if (!env) {
    return env.error();
  }
  if (auto tables = (*env)->open_tables(false); !tables) {
    return tables;
  }
  base::SilentLog silent;
  DamageReport damage(silent);
  WriteTransaction transaction(**env);
  const Seals none;
  Rows rows(transaction, 0, none, damage);
  auto meta = rows.meta();
  if (!meta || !*meta) {
    return refusal("the record of the restored store itself cannot be read");
  }
  const std::uint64_t from =
      std::max({(*meta)->next_event, (*meta)->next_number, (*meta)->next_webhook}) + stride + random % stride;
  if (from > base::max_sequence / 2) {
    return refusal("the store has no numbers left after so many restores; export its webhooks to a new one");
  }
  (*meta)->next_event = (*meta)->next_number = (*meta)->next_webhook = from;
  (*meta)->tag_keys.go_on_with({from, base::mix64(random + 1)});
  std::string record;
  encode_meta(**meta, record);
  transaction.put_main(meta_key, record);
  return transaction.commit() ? Result<void>() : transaction.failure("cannot write the restored store");
}

// The old store and what belongs to it, under a name that says when. Empty when there is none.
Result<std::string> move_aside(const StorePaths& paths, base::Time now) {
  if (!exists(paths.store)) {
    return std::string();
  }
  std::string kept = paths.store + ".before-restore-" + base::format_time(now);
  if (::rename(paths.store.c_str(), kept.c_str()) != 0) {
    return system_error("cannot move aside", paths.store, errno);
  }
  if (exists(paths.flights) && ::rename(paths.flights.c_str(), (kept + "/flights").c_str()) != 0) {
    return system_error("cannot move aside", paths.flights, errno);
  }
  return kept;
}

// Root restores for the user that the data directory belongs to.
Result<void> give_to_owner(const StorePaths& paths) {
  struct stat owner {};
  if (::stat(paths.root.c_str(), &owner) != 0) {
    return system_error("cannot examine", paths.root, errno);
  }
  if (::geteuid() != 0 || owner.st_uid == 0) {
    return {};
  }
  for (const std::string& path :
       {paths.unfinished, paths.unfinished + "/data.mdb", paths.unfinished + "/lock.mdb", paths.lock, paths.marker}) {
    if (exists(path) && ::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return system_error("cannot give to the owner of the data directory", path, errno);
    }
  }
  return {};
}

Result<RestoreReport> restore_into(const RestoreOptions& options, const StorePaths& paths, const FileDescriptor& backup,
                                   const RestoreProgress& progress) {
  const auto size = size_of(backup, options.file);
  if (!size) {
    return size.error();
  }
  if (auto room = check_room(paths, *size); !room) {
    return room.error();
  }
  if (auto begun = begin_creation(paths); !begun) {
    return begun.error();
  }
  const std::string data_file = paths.unfinished + "/data.mdb";
  auto head = unpack(options, data_file, *size, backup, progress);
  if (!head) {
    return head.error();
  }
  if (auto migrated = bring_up_to_date(paths.unfinished); !migrated) {
    return migrated.error();
  }
  if (auto checked = check_content(options, data_file, progress); !checked) {
    return checked.error();
  }
  if (auto moved_on = leave_numbers_behind(paths.unfinished, options.random); !moved_on) {
    return moved_on.error();
  }
  auto kept = move_aside(paths, options.now);
  if (!kept) {
    return kept.error();
  }
  // Named before it is there: cut off here, the daemon refuses to begin anew and says what is missing.
  if (auto marked = write_marker(paths, head->store_id); !marked) {
    return marked.error();
  }
  if (auto given = give_to_owner(paths); !given) {
    return given.error();
  }
  if (auto finished = finish_creation(paths); !finished) {
    return finished.error();
  }
  return RestoreReport{std::move(*head), std::move(*kept)};
}

}  // namespace

Result<RestoreReport> restore_store(const RestoreOptions& options, const RestoreProgress& progress) {
  const FileDescriptor backup(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!backup.is_open()) {
    return system_error("cannot read", options.file, errno);
  }
  const StorePaths paths(options.directory);
  const auto lock = claim_directory(paths);
  if (!lock) {
    return lock.error();
  }
  auto report = restore_into(options, paths, backup, progress);
  if (!report) {
    std::error_code ignored;  // what is left of it is removed before the next creation
    std::filesystem::remove_all(paths.unfinished, ignored);
  }
  return report;
}

}  // namespace webhookd::store
