#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "store/lmdb_space_impl.hpp"

namespace webhookd::store {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t room_share =
    10;  // of what is used, made free in a full store: it must not be full again at once

}  // namespace

std::uint64_t Space::map_bytes_for(std::uint64_t quota_bytes) {
  // Twice the quota is address space, not disk; it lets logs of attempts grow for long after events are refused.
  return std::max(quota_bytes * 2, quota_bytes + 1024 * mebibyte);
}

std::uint64_t Space::exhausted_margin() const { return std::max(128 * mebibyte, env_.map_bytes() / 50); }

std::optional<std::uint64_t> Space::disk_free_bytes() const {
  struct statvfs disk {};
  struct stat file {};
  if (::statvfs(limits_.directory.c_str(), &disk) != 0 || ::fstat(env_.file(), &file) != 0) {
    return std::nullopt;
  }
  const auto allocated = static_cast<std::uint64_t>(file.st_blocks) * 512;
  const std::uint64_t preallocated = allocated - std::min(allocated, env_.high_water_bytes());
  return disk.f_bavail * disk.f_frsize + preallocated;
}

std::optional<std::uint64_t> Space::short_disk_room() const {
  const auto room = limits_.disk_reserve_bytes == 0 ? std::nullopt : disk_free_bytes();
  return room && *room < limits_.disk_reserve_bytes ? room : std::nullopt;
}

void Space::measure(std::uint64_t high_water) {
  ReadTransaction view(reads_);
  used_ = high_water - std::min(high_water, view.free_bytes());
  growth_ = 0;
  refreshes_until_measured_ = refreshes_between_measures;
}

void Space::refresh() {
  const std::uint64_t high_water = env_.high_water_bytes();
  const auto room = short_disk_room();
  if (high_water <= full_at() && !room) {
    used_ = high_water;
    growth_ = 0;
    refreshes_until_measured_ = 0;
    disk_shortage_ = 0;
    return;
  }
  // The list of free pages is long after large deletes: it is read when it decides, and now and then.
  if (is_full() || --refreshes_until_measured_ <= 0) {
    measure(high_water);
  }
  const std::uint64_t free_pages = high_water - std::min(high_water, used_ + growth_);
  const std::uint64_t left = room.value_or(limits_.disk_reserve_bytes) + free_pages;
  disk_shortage_ = limits_.disk_reserve_bytes - std::min(limits_.disk_reserve_bytes, left);
}

std::uint64_t Space::excess_above(std::uint64_t max_bytes) {
  const std::uint64_t high_water = env_.high_water_bytes();
  if (!is_full() && !room_from_ && high_water <= max_bytes) {
    return 0;
  }
  measure(high_water);
  if (is_full()) {
    const std::uint64_t beyond = std::max(used_ - std::min(used_, full_at()), disk_shortage_);
    room_from_ = used_ - std::min(used_, beyond + used_ / room_share);
  }
  const std::uint64_t bound = std::min(max_bytes, room_from_.value_or(max_bytes));
  const std::uint64_t excess = used_ - std::min(used_, bound);
  if (excess == 0) {
    room_from_.reset();
  }
  return excess;
}

std::string Space::why_full() const {
  if (is_over_quota()) {
    return std::to_string((used_ + growth_) / mebibyte) + " MiB of the store's quota of " +
           std::to_string(limits_.quota_bytes / mebibyte) + " MiB are in use (store.quota)";
  }
  return "the file system has less than " + std::to_string(limits_.disk_reserve_bytes / mebibyte) +
         " MiB free (store.disk_reserve)";
}

bool Space::is_full(ReadTransaction& view) const {
  const auto room = short_disk_room();
  const std::uint64_t high_water = env_.high_water_bytes();
  if (high_water <= full_at() && !room) {
    return false;
  }
  const std::uint64_t used = used_bytes(view);
  return used > full_at() || (room && *room + high_water - used < limits_.disk_reserve_bytes);
}

}  // namespace webhookd::store
