// Puts a backup in the place of a store. The backup is verified three times before anything changes: its seal
// (domain/backup.hpp), its schema, and every record in it (check.hpp). A store that is there already is kept beside it
// under another name; the new one takes the place in one rename, so that a restore that was cut off is begun again.
//
// What was answered after the backup was taken is not in it, but receivers may have seen its ids. So the restored store
// goes on with numbers far beyond those it knows: an id given after the restore is never one that was given before.
// Messages that wait in the backup are tried again under their own ids, as receivers that keep them expect.
//
// Never here: a running daemon. The directory's lock is taken and held.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/backup.hpp"

namespace webhookd::store {

struct RestoreOptions {
  std::string file;       // the backup
  std::string directory;  // the data directory
  base::Time now{};       // names what is kept of the old store
  std::uint64_t random = 0;
};

struct RestoreReport {
  domain::BackupHead backup;
  std::string kept;  // where the old store is now; empty when there was none
};

// How far it is, in words and, where it is known, in bytes.
using RestoreProgress = std::function<void(std::string_view doing, std::uint64_t done, std::uint64_t total)>;

base::Result<RestoreReport> restore_store(const RestoreOptions& options, const RestoreProgress& progress);

}  // namespace webhookd::store
