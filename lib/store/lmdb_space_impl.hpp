// How much room there is: the quota on pages in use, and the reserve that must stay between what the file system has
// free, with the free pages of the store's own file, which never shrinks, and nothing. Above either, new
// events are refused and attempts are logged without the receiver's answer, while outcomes, cancels and deletes go on:
// the map is much larger than the quota, because LMDB without a free page cannot even delete.
//
// Never here: what is refused for lack of room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/lmdb_env_impl.hpp"

namespace webhookd::store {

class Space {
 public:
  struct Limits {
    std::string directory;
    std::uint64_t quota_bytes = 0;
    std::uint64_t disk_reserve_bytes = 0;
  };

  // A map that holds the quota, what may still be written above it, and room to delete.
  static std::uint64_t map_bytes_for(std::uint64_t quota_bytes);

  Space(ReadPool& reads, Limits limits) : env_(reads.env()), reads_(reads), limits_(std::move(limits)) {}

  // At the start of a write transaction.
  void refresh();
  // About this many bytes are written in the same transaction.
  void add_growth(std::uint64_t bytes) { growth_ += bytes; }
  // New events are refused. One event may have gone past the line; the map has room for it.
  bool is_full() const { return is_over_quota() || disk_shortage_ > 0; }
  std::string why_full() const;
  // How much retention has to remove: what is used above this; of a full store a tenth, so that it is not full again
  // with the next event. 0: nothing.
  std::uint64_t excess_above(std::uint64_t max_bytes);
  // Nearly all of the map is in use: only what must be recorded is.
  bool is_exhausted() const { return used_ + exhausted_margin() > env_.map_bytes(); }

  // The same from any thread, measured afresh in a reading transaction (LMDB lists free pages to no other).
  std::uint64_t used_bytes(ReadTransaction& view) const { return env_.high_water_bytes() - view.free_bytes(); }
  bool is_full(ReadTransaction& view) const;
  // What the file system gives the store, without the free pages of its file; nothing when it cannot be asked. From any
  // thread.
  std::optional<std::uint64_t> disk_free_bytes() const;
  const Limits& limits() const { return limits_; }

 private:
  std::uint64_t full_at() const { return limits_.quota_bytes / 100 * 95; }
  std::uint64_t exhausted_margin() const;
  bool is_over_quota() const { return used_ + growth_ > full_at(); }
  // The file system may have less left than its reserve. One that cannot be asked has not: then the commit itself will
  // fail.
  std::optional<std::uint64_t> short_disk_room() const;
  void measure(std::uint64_t high_water);

  const Env& env_;
  ReadPool& reads_;
  Limits limits_;
  static constexpr int refreshes_between_measures = 64;

  std::uint64_t used_ = 0;    // at most this much, when it was last measured
  std::uint64_t growth_ = 0;  // written since, about
  int refreshes_until_measured_ = 0;
  std::uint64_t disk_shortage_ = 0;
  std::optional<std::uint64_t> room_from_;  // since it was full: what may stay in use
};

}  // namespace webhookd::store
