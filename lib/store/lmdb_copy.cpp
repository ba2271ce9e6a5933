#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "store/lmdb_copy_impl.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

Result<FileDescriptor> nameless_file(const std::string& directory) {
  FileDescriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.is_open()) {
    return file;
  }
  std::string name = directory + "/copy-XXXXXX";  // a file system without O_TMPFILE
  file = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.is_open()) {
    return system_error("cannot make a copy in", directory, errno);
  }
  ::unlink(name.c_str());
  return file;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Copier::~Copier() {
  stopping_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Copier::copy(StoreCopy empty, Completion<StoreCopy> done) {
  {
    const std::lock_guard lock(mutex_);
    if (is_copying_ || !last_.expired()) {
      done(Error{ErrorCode::unavailable, "another copy of the store is in use (backup or check): try again later", {}});
      return;
    }
    is_copying_ = true;
  }
  if (thread_.joinable()) {
    thread_.join();  // it has ended, or is about to
  }
  thread_ = std::thread([this, empty = std::move(empty), done = std::move(done)]() mutable {
    auto made = make(std::move(empty));
    {
      const std::lock_guard lock(mutex_);
      is_copying_ = false;
      last_ = made ? std::weak_ptr(made->file) : std::weak_ptr<const base::FileDescriptor>();
    }
    done(std::move(made));
  });
}

Result<FileDescriptor> Copier::make_room() const {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  struct statvfs disk {};
  if (::statvfs(limits_.directory.c_str(), &disk) != 0) {
    return system_error("cannot examine", limits_.directory, errno);
  }
  const std::uint64_t needed = env_.high_water_bytes() + limits_.disk_reserve_bytes;
  const std::uint64_t free = disk.f_bavail * disk.f_frsize;
  if (free < needed) {
    return Error{ErrorCode::store_full,
                 "the copy needs " + std::to_string(env_.high_water_bytes() / mebibyte + 1) +
                     " MiB beside the store, and " + std::to_string(limits_.disk_reserve_bytes / mebibyte) +
                     " MiB stay in reserve (store.disk_reserve); " + std::to_string(free / mebibyte) +
                     " MiB are free in " + limits_.directory,
                 {}};
  }
  return nameless_file(limits_.directory);
}

Result<StoreCopy> Copier::make(StoreCopy copy) {
  if (env_.writer_is_lost()) {
    return lmdb_error("cannot copy the store", env_.writer_status());  // LMDB would wait for its lock for ever
  }
  auto file = make_room();
  if (!file) {
    return file.error();
  }
  const auto bytes = take_snapshot(file->get());
  if (!bytes) {
    return bytes.error();
  }
  copy.bytes = *bytes;
  copy.file = std::make_shared<const base::FileDescriptor>(std::move(*file));
  return copy;
}

// Through a pipe, because LMDB's copy of a large store takes minutes and cannot be told to stop otherwise.
Result<std::uint64_t> Copier::take_snapshot(int file) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_error("cannot copy the store in", limits_.directory, errno);
  }
  FileDescriptor from_store(ends[0]);
  FileDescriptor into_pipe(ends[1]);
  int status = MDB_SUCCESS;
  std::thread store([this, &status, &into_pipe] {
    status = mdb_env_copyfd2(env_.handle(), into_pipe.get(), 0);
    into_pipe.close();
  });
  std::string piece(piece_bytes, '\0');
  std::uint64_t bytes = 0;
  std::optional<Error> failure;
  while (!failure) {
    const ssize_t got = ::read(from_store.get(), piece.data(), piece.size());
    if (got == 0) {
      break;
    }
    if (stopping_) {
      failure = Error{ErrorCode::unavailable, "the copy was given up: the daemon is stopping", {}};
    } else if (got > 0 && write_all(file, {piece.data(), static_cast<std::size_t>(got)})) {
      bytes += static_cast<std::uint64_t>(got);
    } else if (errno != EINTR) {
      failure = system_error("cannot write a copy of the store in", limits_.directory, errno);
    }
  }
  from_store.close();
  store.join();
  if (!failure && status != MDB_SUCCESS) {
    failure = lmdb_error("cannot copy the store", status);
  }
  return failure ? Result<std::uint64_t>(*failure) : Result<std::uint64_t>(bytes);
}

}  // namespace webhookd::store
