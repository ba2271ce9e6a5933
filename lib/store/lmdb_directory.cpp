#include "store/lmdb_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr mode_t directory_mode = 0700;
constexpr mode_t private_file_mode = 0600;

struct NetworkFileSystem {
  std::uint32_t magic;
  std::string_view name;
};
// Their locks and their memory maps do not keep what LMDB needs.
constexpr std::array<NetworkFileSystem, 4> network_file_systems = {
    {{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"}}};

Error refusal(std::string detail) { return {ErrorCode::unavailable, std::move(detail), {}}; }

Result<void> sync_path(const std::string& path, int flags) {
  const FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.get()) != 0) {
    return system_error("cannot make durable", path, errno);
  }
  return {};
}

Result<void> make_private_directory(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) {
    return system_error("cannot create the directory", path, failure.value());
  }
  if (::chmod(path.c_str(), directory_mode) != 0) {
    return system_error("cannot close to others the directory", path, errno);
  }
  return {};
}

Result<void> refuse_network_file_system(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) {
    return system_error("cannot examine", path, errno);
  }
  const auto magic = static_cast<std::uint32_t>(status.f_type);
  for (const NetworkFileSystem& network : network_file_systems) {
    if (network.magic == magic) {
      return refusal(path + " is on " + std::string(network.name) +
                     ": the store needs a local file system; choose another directory");
    }
  }
  return {};
}

Result<FileDescriptor> take_lock(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, private_file_mode));
  if (!file.is_open()) {
    return system_error("cannot open", path, errno);
  }
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK
               ? refusal("another process holds " + path + ": stop that webhookd first, or use another directory")
               : system_error("cannot lock", path, errno);
  }
  return file;
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

bool has_content(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

Result<void> write_durably(const std::string& path, std::string_view content) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, private_file_mode));
  const auto size = static_cast<ssize_t>(content.size());
  if (!file.is_open() || ::write(file.get(), content.data(), content.size()) != size || ::fsync(file.get()) != 0) {
    return system_error("cannot write", path, errno);
  }
  return {};
}

Result<void> rename_durably(const std::string& from, const std::string& to, const std::string& parent) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return system_error("cannot rename to", to, errno);
  }
  return sync_path(parent, O_RDONLY | O_DIRECTORY);
}

}  // namespace

Error system_error(std::string_view doing, const std::string& path, int number) {
  return {ErrorCode::internal, std::string(doing) + " " + path + ": " + std::generic_category().message(number), {}};
}

Result<FileDescriptor> claim_directory(const StorePaths& paths) {
  if (auto made = make_private_directory(paths.root); !made) {
    return made.error();
  }
  if (auto local = refuse_network_file_system(paths.root); !local) {
    return local.error();
  }
  return take_lock(paths.lock);
}

Result<std::optional<std::string>> read_marker(const StorePaths& paths) {
  const FileDescriptor file(::open(paths.marker.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    return errno == ENOENT ? Result<std::optional<std::string>>(std::nullopt)
                           : system_error("cannot read", paths.marker, errno);
  }
  std::array<char, 64> bytes{};
  const ssize_t size = ::read(file.get(), bytes.data(), bytes.size());
  if (size < 0) {
    return system_error("cannot read", paths.marker, errno);
  }
  std::string id(bytes.data(), static_cast<std::size_t>(size));
  id.erase(std::find(id.begin(), id.end(), '\n'), id.end());
  return std::optional(std::move(id));
}

Result<void> write_marker(const StorePaths& paths, const std::string& store_id) {
  const std::string unfinished = paths.marker + ".new";
  if (auto written = write_durably(unfinished, store_id + "\n"); !written) {
    return written;
  }
  return rename_durably(unfinished, paths.marker, paths.root);
}

Result<Presence> find_store(const StorePaths& paths, const std::optional<std::string>& marker) {
  const bool has_directory = exists(paths.store);
  if (has_directory && has_content(paths.data_file)) {
    return Presence::present;
  }
  if (marker) {
    return refusal("the store " + *marker + " that belongs in " + paths.store + " is " +
                   (has_directory ? "empty" : "gone") + ": mount or restore it; to begin anew and lose it, remove " +
                   paths.marker + (has_directory ? " and " + paths.store : ""));
  }
  if (has_directory) {
    return refusal(paths.store + " holds no store (data.mdb is missing or empty): restore it, or remove the directory" +
                   " to begin anew");
  }
  return Presence::absent;
}

Result<void> check_identity(const StorePaths& paths, const std::optional<std::string>& marker,
                            const std::string& store_id) {
  if (!marker || *marker == store_id) {
    return {};
  }
  return refusal(paths.store + " holds the store " + store_id + ", but " + paths.marker + " says that " + *marker +
                 " belongs there: put the right one in place, or remove " + paths.marker + " to go on with " +
                 store_id);
}

Result<void> begin_creation(const StorePaths& paths) {
  std::error_code failure;
  std::filesystem::remove_all(paths.unfinished, failure);  // of a creation that was cut off
  if (failure) {
    return system_error("cannot remove", paths.unfinished, failure.value());
  }
  return make_private_directory(paths.unfinished);
}

Result<void> finish_creation(const StorePaths& paths) {
  if (auto file = sync_path(paths.unfinished + "/data.mdb", O_RDONLY); !file) {
    return file;
  }
  if (auto directory = sync_path(paths.unfinished, O_RDONLY | O_DIRECTORY); !directory) {
    return directory;
  }
  if (auto renamed = rename_durably(paths.unfinished, paths.store, paths.root); !renamed) {
    return renamed;
  }
  // The data directory may be as new as the store in it.
  return sync_path(paths.root + "/..", O_RDONLY | O_DIRECTORY);
}

Result<void> reserve_room(int file, std::uint64_t bytes) {
  if (bytes > 0 && ::fallocate(file, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
    return system_error("cannot reserve " + std::to_string(bytes) + " bytes for", "the store's file", errno);
  }
  return {};
}

}  // namespace webhookd::store
