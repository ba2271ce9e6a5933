// Copies of a store that goes on: LMDB's own copy of one snapshot, made by threads of its own, so that neither the
// writer nor a reader waits for a disk or for whoever wants the copy. It lies beside the store, in a file without a
// name, and only one at a time, so that copies never take more room than one store. They leave the disk reserve alone.
//
// While a copy is made, pages freed by the writer are not used again: the store grows by what is written meanwhile.
//
// Private to this folder. Never here: what becomes of the copy.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "store/lmdb_directory.hpp"
#include "store/lmdb_env_impl.hpp"
#include "store/store.hpp"

namespace webhookd::store {

class Copier {
 public:
  struct Limits {
    std::string directory;
    std::uint64_t disk_reserve_bytes = 0;
  };

  Copier(const Env& env, Limits limits) : env_(env), limits_(std::move(limits)) {}
  // Gives up the copy that is being made; its completion runs.
  ~Copier();
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  // `empty` says which store it is; file and size are filled in.
  void copy(StoreCopy empty, Completion<StoreCopy> done);

 private:
  Result<StoreCopy> make(StoreCopy copy);
  Result<FileDescriptor> make_room() const;
  Result<std::uint64_t> take_snapshot(int file);

  const Env& env_;
  Limits limits_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  bool is_copying_ = false;
  std::weak_ptr<const base::FileDescriptor> last_;  // the copy that may still be held
  std::thread thread_;
};

}  // namespace webhookd::store
