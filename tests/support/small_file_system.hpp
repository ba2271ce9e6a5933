// A file system of a chosen size, which a full disk can be shown on: a tmpfs in a mount namespace of this process, so
// that nothing else on the machine sees it. Where the test may not make one, there is none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace webhookd::support {

// Mounted on `directory` until this ends.
class SmallFileSystem {
 public:
  // Nothing when this process may not mount.
  static std::optional<SmallFileSystem> mount(const std::string& directory, std::size_t bytes);
  SmallFileSystem(SmallFileSystem&& other) noexcept : directory_(std::move(other.directory_)) {
    other.directory_.clear();
  }
  SmallFileSystem& operator=(SmallFileSystem&&) = delete;
  ~SmallFileSystem();

 private:
  explicit SmallFileSystem(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

}  // namespace webhookd::support
