// The small files that a webhook's credentials lie in: read when an attempt needs them, and again as soon as they have
// changed, so that replacing a file is all it takes to rotate a secret. What changed is seen by one stat for each
// attempt. Only regular files of bounded size are read, so that a pipe or a device cannot hold a loop up.
//
// One object for each loop; nothing is locked. Errors name the webhook's field, the reason and the path, never the
// content; those of code `unavailable` are a shortage of ours (descriptors, memory), everything else is the file's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"

namespace webhookd::net {

// Changes whenever a file is written, replaced or touched.
class FileStamp {
 public:
  static base::Result<FileStamp> of(const std::string& path, std::string_view field);
  bool operator==(const FileStamp&) const = default;

 private:
  friend struct FileContent;
  std::array<std::int64_t, 7> values_{};
};

struct FileContent {
  FileStamp stamp;
  std::string bytes;
  static base::Result<FileContent> read(const std::string& path, std::string_view field, std::size_t bytes_max);
};

// "FIELD cannot be used (WHY): PATH"
base::Error file_error(std::string_view field, std::string_view why, const std::string& path);

// Secrets that are the one line of a file.
class SecretLines {
 public:
  static constexpr std::size_t kept_max = 4096;

  // Without the line's end; a value that a header may have, and not empty.
  base::Result<std::string> get(const std::string& path, std::string_view field);

 private:
  struct Kept {
    FileStamp stamp;
    std::string line;
  };
  std::unordered_map<std::string, Kept> kept_;
};

}  // namespace webhookd::net
