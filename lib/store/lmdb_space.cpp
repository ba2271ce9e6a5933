#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "store/lmdb_space_impl.hpp"

namespace webhookd::store {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

}  // namespace

std::uint64_t Space::map_bytes_for(std::uint64_t quota_bytes) {
  // Twice the quota is address space, not disk; it lets logs of attempts grow for long after events are refused.
  return std::max(quota_bytes * 2, quota_bytes + 1024 * mebibyte);
}

std::uint64_t Space::exhausted_margin() const { return std::max(128 * mebibyte, env_.map_bytes() / 50); }

bool Space::disk_is_short() const {
  struct statvfs disk {};
  struct stat file {};
  if (limits_.disk_reserve_bytes == 0 || ::statvfs(limits_.directory.c_str(), &disk) != 0 ||
      ::fstat(env_.file(), &file) != 0) {
    return false;  // a disk that cannot be asked will fail the commit itself
  }
  const auto allocated = static_cast<std::uint64_t>(file.st_blocks) * 512;
  const std::uint64_t reserved = allocated - std::min(allocated, env_.high_water_bytes());
  return disk.f_bavail * disk.f_frsize + reserved < limits_.disk_reserve_bytes;
}

void Space::refresh() {
  disk_is_short_ = disk_is_short();
  const std::uint64_t high_water = env_.high_water_bytes();
  if (high_water <= full_at()) {
    used_ = high_water;
    growth_ = 0;
    return;
  }
  // The list of free pages is long after large deletes: it is read when it decides, and now and then.
  if (is_full() || --refreshes_until_measured_ <= 0) {
    ReadTransaction view(reads_);
    used_ = high_water - std::min(high_water, view.free_bytes());
    growth_ = 0;
    refreshes_until_measured_ = refreshes_between_measures;
  }
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
  return (env_.high_water_bytes() > full_at() && used_bytes(view) > full_at()) || disk_is_short();
}

}  // namespace webhookd::store
