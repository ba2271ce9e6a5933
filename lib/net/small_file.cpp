#include "net/small_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "domain/header.hpp"
#include "domain/limits.hpp"

namespace webhookd::net {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

std::array<std::int64_t, 7> values_of(const struct stat& status) {
  return {static_cast<std::int64_t>(status.st_dev),
          static_cast<std::int64_t>(status.st_ino),
          status.st_size,
          status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

Error system_fault(std::string_view field, int code, const std::string& path) {
  Error error = file_error(field, std::generic_category().message(code), path);
  constexpr std::array shortages{EMFILE, ENFILE, ENOMEM};
  if (std::find(shortages.begin(), shortages.end(), code) != shortages.end()) {
    error.code = ErrorCode::unavailable;
  }
  return error;
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// At most `size` bytes from the start; fewer at the end of the file, nothing after an error.
bool read_whole(int descriptor, std::string& bytes, std::size_t size) {
  bytes.resize(size);
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(descriptor, bytes.data() + filled, size - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return false;
    }
    if (got == 0) {
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return true;
}

Result<std::string> one_line(std::string bytes, const std::string& path, std::string_view field) {
  if (bytes.ends_with('\n')) {
    bytes.pop_back();
  }
  if (bytes.ends_with('\r')) {
    bytes.pop_back();
  }
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (bytes.empty()) {
    return file_error(field, "it is empty", path);
  }
  if (bytes.find('\n') != std::string::npos) {
    return file_error(field, "it has more than one line", path);
  }
  if (!domain::is_header_value(bytes) || is_blank(bytes.front()) || is_blank(bytes.back())) {
    return file_error(field, "its line must be visible ASCII, without blanks around it", path);
  }
  return bytes;
}

}  // namespace

Error file_error(std::string_view field, std::string_view why, const std::string& path) {
  return {ErrorCode::invalid_field, std::string(field) + " cannot be used (" + std::string(why) + "): " + path, {}};
}

Result<FileStamp> FileStamp::of(const std::string& path, std::string_view field) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return system_fault(field, errno, path);
  }
  FileStamp stamp;
  stamp.values_ = values_of(status);
  return stamp;
}

Result<FileContent> FileContent::read(const std::string& path, std::string_view field, std::size_t bytes_max) {
  const Descriptor file(path);
  struct stat status {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    return system_fault(field, errno, path);
  }
  if (!S_ISREG(status.st_mode)) {
    return file_error(field, "it is not a regular file", path);
  }
  FileContent content;
  content.stamp.values_ = values_of(status);
  if (!read_whole(file.number(), content.bytes, bytes_max + 1)) {
    return system_fault(field, errno, path);
  }
  if (content.bytes.size() > bytes_max) {
    return file_error(field, "it is over " + std::to_string(bytes_max / 1024) + " KiB", path);
  }
  return content;
}

Result<std::string> SecretLines::get(const std::string& path, std::string_view field) {
  const auto stamp = FileStamp::of(path, field);
  if (!stamp) {
    return stamp.error();
  }
  const auto found = kept_.find(path);
  if (found != kept_.end() && found->second.stamp == *stamp) {
    return found->second.line;
  }
  auto content = FileContent::read(path, field, domain::limits::secret_line_bytes);
  if (!content) {
    return content.error();
  }
  auto line = one_line(std::move(content->bytes), path, field);
  if (!line) {
    return line.error();
  }
  if (kept_.size() >= kept_max) {
    kept_.clear();
  }
  kept_[path] = {content->stamp, *line};
  return line;
}

}  // namespace webhookd::net
