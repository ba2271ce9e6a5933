#include "whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

client::Failure failed(const std::string& path, int number) {
  return failure(client::codes::io, path, std::strerror(number));
}

}  // namespace

WholeFile::~WholeFile() {
  if (file_.is_open()) ::unlink(unfinished_.c_str());
}

Result<void> WholeFile::open() {
  struct stat status {};
  if (::stat(name_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return failure(client::codes::usage, name_, "is there and no file: name another place");
  }
  ::unlink(unfinished_.c_str());  // of one that was cut off; with another mode perhaps
  file_ = base::FileDescriptor(::open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file_.is_open()) return failed(unfinished_, errno);
  channel_.emplace(file_.get());
  return {};
}

Result<void> WholeFile::finish() {
  channel_->flush();
  if (channel_->fault() != 0) return failed(unfinished_, channel_->fault());
  if (::fsync(file_.get()) != 0) return failed(unfinished_, errno);
  if (::rename(unfinished_.c_str(), name_.c_str()) != 0) return failed(name_, errno);
  file_.close();
  const auto slash = name_.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : name_.substr(0, slash + 1);
  const base::FileDescriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.is_open() || ::fsync(parent.get()) != 0) return failed(directory, errno);
  return {};
}

}  // namespace webhookd::whctl
