#include "journal.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace webhookd::daemon {

bool is_journal_on_stderr() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  return stream && ::fstat(STDERR_FILENO, &file) == 0 &&
         stream == std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
}

void append_journal_field(std::string& datagram, std::string_view name, std::string_view value) {
  datagram += name;
  if (value.find('\n') == std::string_view::npos) {
    datagram += '=';
  } else {
    datagram += '\n';
    for (std::uint64_t size = value.size(), i = 0; i < 8; ++i) {
      datagram += static_cast<char>(size >> (8 * i));  // little-endian
    }
  }
  datagram += value;
  datagram += '\n';
}

Journal::Journal(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) {
    return;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ >= 0 && ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

Journal::~Journal() {
  if (socket_ >= 0) {
    ::close(socket_);
  }
}

bool Journal::send(std::string_view datagram) const {
  const ssize_t size = static_cast<ssize_t>(datagram.size());
  return socket_ >= 0 && ::send(socket_, datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == size;
}

}  // namespace webhookd::daemon
