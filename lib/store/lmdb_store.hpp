// The embedded store: LMDB with group commit. One writer thread takes everything queued during the last commit into the
// next one; reads run on the calling thread against their own snapshot and never wait for the writer. Keys are
// documented in keys.hpp, records in records.hpp.
//
// Layout of the data directory: `store/` (LMDB's two files), `lock` (flock: one process), `store-id` (a marker outside
// LMDB: when it names a store and LMDB holds another one or an empty file, opening is refused).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace webhookd::store {

struct LmdbOptions {
  std::string directory;
  std::uint64_t quota_bytes = std::uint64_t{64} << 30;
  std::uint64_t disk_reserve_bytes = std::uint64_t{256} << 20;
  std::uint64_t preallocate_bytes = 0;
  // Kernel randomness, used once: store id and tag key of a new store.
  std::uint64_t seed = 0;
  Time now{};  // created_at of the shipped types in a new store
  // The first seals the secrets of a store that is not sealed yet; the others open what they have sealed. None: the
  // store is not sealed.
  std::vector<SealerRef> sealers;
  std::function<std::uint64_t()> stopwatch;  // microseconds of a steady clock; empty: commits are not timed
  // Called once, from the store's thread, when nothing can be written any more until the store is opened again: the
  // disk refused what LMDB cannot undo, or a write met damage in its midst. May be empty.
  std::function<void()> on_writer_lost;
  std::size_t commit_records_max = 5000;
  std::size_t commit_bytes_max = std::size_t{32} << 20;
};

// Creates the directory and the store when there is none; refuses a store of a newer schema, a vanished or emptied one,
// a network file system, and a directory that another process holds. The error says how to go on.
base::Result<std::unique_ptr<Store>> open_lmdb_store(const LmdbOptions& options, base::LogSink& log);

}  // namespace webhookd::store
