// What is done with a whole store, beside the daemon or in its place: the check of a data directory that prints a
// report, the same as a child of a daemon that looks at a copy of its own store, and the restore of a backup.
//
// Never here: how a store is read or replaced (store/check.hpp, store/restore.hpp).
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "base/task.hpp"

namespace webhookd::daemon {

// `webhookd --check-store PATH`, PATH being a data directory or LMDB's file. Exit code 0 when it is sound, else 1.
int print_store_check(const std::string& path);

// `webhookd --restore FILE`. Exit code.
int restore_backup(const std::string& file, const std::string& data_dir);

// Runs this program again, as print_store_check, on copies of the store; one at a time, as there is one copy at a time.
class StoreChecks {
 public:
  StoreChecks() = default;
  ~StoreChecks() { stop(); }
  StoreChecks(const StoreChecks&) = delete;
  StoreChecks& operator=(const StoreChecks&) = delete;

  // The report as JSON. One after another: `copy` is held until the answer, and a store has one copy at a time.
  void start(std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done);
  // Ends a check that runs; it answers `unavailable`.
  void stop();

 private:
  base::Result<std::string> check(const base::FileDescriptor& copy);

  std::mutex mutex_;  // of all that follows: checks start on the server's thread, and are stopped from the main one
  bool stopped_ = false;
  pid_t child_ = -1;
  std::thread thread_;
};

}  // namespace webhookd::daemon
