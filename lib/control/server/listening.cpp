#include "control/server/listening.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace webhookd::server {

namespace {

constexpr mode_t socket_mode = 0666;  // who has a role, is asked after connecting: [access] names users of any group

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

base::Error refuse(const std::string& path, const std::string& why) {
  return {base::ErrorCode::internal, "socket " + path + ": " + why, {}};
}

base::Error system_refusal(const std::string& path, std::string_view what) {
  return refuse(path, std::string(what) + ": " + std::generic_category().message(errno));
}

Descriptor new_socket() { return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

// True when nobody listens behind the socket file.
bool is_stale(const sockaddr_un& address) {
  const Descriptor probe = new_socket();
  return probe.get() >= 0 && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

base::Result<void> clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? base::Result<void>() : system_refusal(path, "cannot look at it");
  }
  if (!S_ISSOCK(found.st_mode)) {
    return refuse(path, "a file that is no socket stands there; it is left alone");
  }
  if (!is_stale(address)) {
    return refuse(path, "another process listens there");
  }
  return ::unlink(path.c_str()) == 0 ? base::Result<void>() : system_refusal(path, "cannot remove the stale socket");
}

}  // namespace

base::Result<Listening> listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return refuse(path, "the path must have 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (auto clear = clear_path(path, address); !clear) {
    return clear.error();
  }
  Descriptor socket = new_socket();
  // Before bind, so that the file never has a wider mode than this; after it, so that the umask does not narrow it.
  if (socket.get() < 0 || ::fchmod(socket.get(), socket_mode) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_refusal(path, "cannot make it");
  }
  struct stat made {};
  if (::chmod(path.c_str(), socket_mode) != 0 || ::lstat(path.c_str(), &made) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return system_refusal(path, "cannot listen");
  }
  return Listening{socket.release(), made.st_dev, made.st_ino};
}

void remove_socket(const std::string& path, const Listening& listening) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && found.st_dev == listening.device && found.st_ino == listening.inode) {
    ::unlink(path.c_str());
  }
}

}  // namespace webhookd::server
