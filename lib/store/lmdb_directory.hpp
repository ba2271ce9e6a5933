// The store's place in the file system: a private directory held by one process, the marker that remembers which store
// belongs here, and the checks that turn a vanished, emptied or foreign store into a refusal instead of an empty start.
// The marker lies outside LMDB because LMDB opens a file of no length as a new store.
//
// Never here: what LMDB's files contain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace webhookd::store {

using base::FileDescriptor;

// The paths below one data directory.
struct StorePaths {
  explicit StorePaths(const std::string& directory)
      : root(directory),
        store(directory + "/store"),
        unfinished(directory + "/store.new"),
        data_file(store + "/data.mdb"),
        lock(directory + "/lock"),
        marker(directory + "/store-id"),
        flights(directory + "/flights") {}

  std::string root;
  std::string store;
  std::string unfinished;
  std::string data_file;
  std::string lock;
  std::string marker;
  std::string flights;
};

// Makes the directory when there is none, closes it to others (0700), refuses network file systems, and takes the lock,
// which is held while the answer lives.
base::Result<FileDescriptor> claim_directory(const StorePaths& paths);

// The store that belongs here, if one was ever opened here.
base::Result<std::optional<std::string>> read_marker(const StorePaths& paths);
base::Result<void> write_marker(const StorePaths& paths, const std::string& store_id);

// Whether a store is to be opened or made. Refuses what looks like one that was lost.
enum class Presence { absent, present };
base::Result<Presence> find_store(const StorePaths& paths, const std::optional<std::string>& marker);
// The store that was found is the one that belongs here.
base::Result<void> check_identity(const StorePaths& paths, const std::optional<std::string>& marker,
                                  const std::string& store_id);

// Creation: an empty directory to build in, which takes its name only when it is finished and durable.
base::Result<void> begin_creation(const StorePaths& paths);
base::Result<void> finish_creation(const StorePaths& paths);

// Reserves room for the file of this descriptor without changing its length.
base::Result<void> reserve_room(int file, std::uint64_t bytes);

base::Error system_error(std::string_view doing, const std::string& path, int number);

}  // namespace webhookd::store
