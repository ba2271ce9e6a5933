#include "supervisor.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/text.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START

// The value of a variable that was for us alone; empty when there is none.
std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value ? value : "";
  ::unsetenv(name);
  return taken;
}

std::optional<std::uint64_t> number_in(const std::string& text) {
  return base::parse_whole_number(text, std::numeric_limits<std::int64_t>::max());
}

// Variables with a process id are for that process: a child of somebody else's service may see them, too.
bool is_for_us(const std::string& process) { return process == std::to_string(::getpid()); }

// A datagram socket connected to `path`; "@name" is in the abstract name space. -1 when there is nobody.
int connect_to(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return -1;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (socket >= 0 && ::connect(socket, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    ::close(socket);
    return -1;
  }
  return socket;
}

template <class T>
bool has_option(int socket, int option, T expected) {
  T value{};
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

Error refuse_socket(const std::string& why) {
  return {ErrorCode::invalid_request, "the socket handed over by the service manager " + why, {}};
}

Result<InheritedSocket> check_inherited(int descriptor) {
  if (!has_option(descriptor, SO_DOMAIN, AF_UNIX) || !has_option(descriptor, SO_TYPE, SOCK_STREAM) ||
      !has_option(descriptor, SO_ACCEPTCONN, 1)) {
    return refuse_socket("is no listening Unix stream socket: the unit needs ListenStream= with a path");
  }
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      length <= offsetof(sockaddr_un, sun_path) || address.sun_path[0] == '\0') {
    return refuse_socket("has no path in the file system");
  }
  if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) {
    return refuse_socket("cannot be set up");
  }
  const std::size_t size = length - offsetof(sockaddr_un, sun_path);
  return InheritedSocket{descriptor, std::string(address.sun_path, ::strnlen(address.sun_path, size))};
}

Result<std::optional<InheritedSocket>> take_inherited() {
  const std::string process = take_variable("LISTEN_PID");
  const std::string count = take_variable("LISTEN_FDS");
  const std::string names = take_variable("LISTEN_FDNAMES");
  if (count.empty() || !is_for_us(process)) {
    return std::optional<InheritedSocket>();
  }
  if (number_in(count) != 1) {
    return Error{ErrorCode::invalid_request,
                 "the service manager handed over " + count + " sockets (" + names + "), but one is taken",
                 {}};
  }
  auto checked = check_inherited(first_inherited);
  if (!checked) {
    return checked.error();
  }
  return std::optional<InheritedSocket>(std::move(*checked));
}

std::optional<std::chrono::microseconds> take_watchdog() {
  const std::string process = take_variable("WATCHDOG_PID");
  const auto period = number_in(take_variable("WATCHDOG_USEC"));
  if (!period || *period == 0 || (!process.empty() && !is_for_us(process))) {
    return std::nullopt;
  }
  return std::chrono::microseconds(*period);
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::from_environment() {
  auto inherited = take_inherited();
  if (!inherited) {
    return inherited.error();
  }
  std::unique_ptr<Supervisor> supervisor(new Supervisor());
  supervisor->inherited_ = std::move(*inherited);
  supervisor->watchdog_ = take_watchdog();
  supervisor->socket_ = connect_to(take_variable("NOTIFY_SOCKET"));
  return supervisor;
}

Supervisor::~Supervisor() {
  if (socket_ >= 0) {
    ::close(socket_);
  }
}

void Supervisor::notify(std::string_view state) {
  if (socket_ >= 0) {
    [[maybe_unused]] const auto sent = ::send(socket_, state.data(), state.size(), MSG_NOSIGNAL);
  }
}

void Supervisor::ready() { notify("READY=1"); }

void Supervisor::reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void Supervisor::stopping() { notify("STOPPING=1"); }

void Supervisor::alive() { notify("WATCHDOG=1"); }

void Supervisor::status(const std::string& line) { notify("STATUS=" + line); }

void Supervisor::extend_timeout(std::chrono::microseconds by) {
  notify("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()));
}

}  // namespace webhookd::daemon
