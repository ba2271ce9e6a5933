#include "support/small_file_system.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace webhookd::support {

std::optional<SmallFileSystem> SmallFileSystem::mount(const std::string& directory, std::size_t bytes) {
  static const bool may_mount =
      ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  const std::string options = "size=" + std::to_string(bytes) + ",mode=0700";
  ::mkdir(directory.c_str(), 0700);
  if (!may_mount || ::mount("tmpfs", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return std::nullopt;
  }
  return SmallFileSystem(directory);
}

SmallFileSystem::~SmallFileSystem() {
  if (!directory_.empty()) {
    ::umount2(directory_.c_str(), MNT_DETACH);
  }
}

}  // namespace webhookd::support
