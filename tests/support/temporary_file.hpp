// A file of a test's own, gone with it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace webhookd::test {

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content = {}) {
    char path[] = "/tmp/webhookd-test-XXXXXX";
    const int descriptor = mkstemp(path);
    if (descriptor < 0) {
      throw std::runtime_error("cannot make a test file");
    }
    close(descriptor);
    path_ = path;
    write(content);
  }
  ~TemporaryFile() { remove(); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  // Replaces the file, as an operator would: written beside it and moved over it.
  void write(std::string_view content) const {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh, std::ios::binary) << content;
    if (rename(fresh.c_str(), path_.c_str()) != 0) {
      throw std::runtime_error("cannot replace a test file");
    }
  }
  void remove() const { unlink(path_.c_str()); }

 private:
  std::string path_;
};

}  // namespace webhookd::test
