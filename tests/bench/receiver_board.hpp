// What the receiver and the bench share: a page of memory, so that counting costs no request.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace bench {

struct ReceiverBoard {
  std::atomic<std::uint64_t> requests;      // answered so far
  std::atomic<std::uint32_t> release_held;  // set: requests to /hold are answered from now on
};

// Maps the board in the file `path`, which is made when it does not exist.
inline ReceiverBoard* map_board(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(ReceiverBoard)) != 0) {
    throw std::runtime_error("cannot make " + path);
  }
  void* memory = ::mmap(nullptr, sizeof(ReceiverBoard), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) {
    throw std::runtime_error("cannot map " + path);
  }
  return static_cast<ReceiverBoard*>(memory);
}

}  // namespace bench
