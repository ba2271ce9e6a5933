// The store in memory: the double for tests of everything above, and the model that the LMDB store is compared with.
// It keeps no files and is never part of a daemon. Completions are queued and run by `step`, so that a test or a
// simulation decides when a commit becomes durable, and can forget what has not (a crash).
#pragma once

#include <memory>

#include "store/store.hpp"

namespace webhookd::store {

class MemoryStore : public Store {
 public:
  // A store with the shipped catalogue. `tag_key` as in base/id.hpp.
  static std::unique_ptr<MemoryStore> create(std::uint64_t tag_key);

  // Applies the oldest queued write and runs its completion; false when none is queued.
  virtual bool step() = 0;
  virtual std::size_t queued_writes() const = 0;
  // Forgets queued writes and their completions without calling them: the process died before the commit.
  virtual void crash() = 0;
  // The process died after the commit of the oldest queued write and before its answer: applied, never completed.
  virtual void crash_after_commit() = 0;
  // Refuse new events with store_full while set.
  virtual void set_full(bool full) = 0;
  // From now on a call that settles this message fails whole, as one does that needs a damaged page.
  virtual void damage(MessageId message) = 0;
};

}  // namespace webhookd::store
