#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "store/lmdb_migration_impl.hpp"
#include "store/records.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::array table = {
    Migration{1, "changes"},
    Migration{2, "tasks"},
    Migration{3, "audit"},
};
static_assert(table.back().from + 1 == schema_version, "every schema but the newest has a step to the next");

Result<void> sync_all(const std::string& path, int flags) {
  const FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.get()) != 0) {
    return system_error("cannot make durable", path, errno);
  }
  return {};
}

Result<void> check_room(const Env& env, const StorePaths& paths, std::uint32_t from) {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  struct statvfs disk {};
  if (::statvfs(paths.root.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < env.high_water_bytes()) {
    return Error{ErrorCode::unavailable,
                 "before the store goes from schema version " + std::to_string(from) + " to " +
                     std::to_string(schema_version) + " it is copied, and " + paths.root + " has no " +
                     std::to_string(env.high_water_bytes() / mebibyte + 1) + " MiB free: make room first",
                 {}};
  }
  return {};
}

// The store as it is, beside it.
Result<std::string> keep_copy(const Env& env, const StorePaths& paths, std::uint32_t from) {
  if (auto room = check_room(env, paths, from); !room) {
    return room.error();
  }
  std::string kept = paths.store + ".schema-" + std::to_string(from);
  const std::string unfinished = kept + ".new";
  std::error_code failure;
  std::filesystem::remove_all(unfinished, failure);
  std::filesystem::remove_all(kept, failure);  // of a migration that did not end: the store is still as it was
  if (::mkdir(unfinished.c_str(), 0700) != 0) {
    return system_error("cannot make", unfinished, errno);
  }
  if (const int status = mdb_env_copy2(env.handle(), unfinished.c_str(), 0); status != MDB_SUCCESS) {
    return lmdb_error("cannot copy the store to " + unfinished, status);
  }
  if (auto file = sync_all(unfinished + "/data.mdb", O_RDONLY); !file) {
    return file.error();
  }
  if (::rename(unfinished.c_str(), kept.c_str()) != 0) {
    return system_error("cannot rename to", kept, errno);
  }
  if (auto parent = sync_all(paths.root, O_RDONLY | O_DIRECTORY); !parent) {
    return parent.error();
  }
  return kept;
}

}  // namespace

std::span<const Migration> migrations() { return table; }

Result<void> migrate_copy(Env& env, std::uint32_t from) {
  if (auto tables = env.open_tables(true); !tables) {
    return tables;
  }
  WriteTransaction transaction(env);
  for (const Migration& step : migrations()) {
    if (step.from >= from && step.change != nullptr) {
      step.change(transaction);
    }
  }
  Key schema;
  transaction.put_main(schema_key, schema.append(schema_version, 4).view());
  return transaction.commit() ? Result<void>() : transaction.failure("cannot bring the store to its new schema");
}

Result<void> migrate(Env& env, const StorePaths& paths, std::uint32_t from, base::LogSink& log) {
  const auto kept = keep_copy(env, paths, from);
  if (!kept) {
    return kept.error();
  }
  if (auto migrated = migrate_copy(env, from); !migrated) {
    return migrated;
  }
  log.write(base::LogLevel::warning, "store_migrated",
            {{"from", std::to_string(from)}, {"to", std::to_string(schema_version)}, {"kept", *kept}});
  return {};
}

}  // namespace webhookd::store
