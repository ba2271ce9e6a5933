// The service manager's side of the daemon: readiness, reloads, the end, signs of life (sd_notify(3)), and a socket
// that was opened for us before we started, so that clients queue there while we are away (sd_listen_fds(3)). A few
// lines on a datagram socket: no library is needed for them. Without a service manager everything here is silent.
//
// The environment is read once, before any thread starts, and what was for us is removed from it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace webhookd::daemon {

// A listening Unix stream socket that the service manager owns: closing it or removing its file is not ours.
struct InheritedSocket {
  int descriptor = -1;
  std::string path;  // where clients find it
};

class Supervisor {
 public:
  // Errors: more than one socket was handed over, or one that is no listening Unix stream socket.
  static base::Result<std::unique_ptr<Supervisor>> from_environment();
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Any thread. Nobody listening is nothing to act on.
  void ready();
  void reloading();  // followed by ready()
  void stopping();
  void alive();
  void status(const std::string& line);
  // The time that starting or stopping may take from now on.
  void extend_timeout(std::chrono::microseconds by);

  bool is_listening() const { return socket_ >= 0; }
  // How long it waits for a sign of life before it starts the daemon anew.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }
  const std::optional<InheritedSocket>& inherited_socket() const { return inherited_; }

 private:
  Supervisor() = default;
  void notify(std::string_view state);

  int socket_ = -1;  // connected to the service manager
  std::optional<std::chrono::microseconds> watchdog_;
  std::optional<InheritedSocket> inherited_;
};

}  // namespace webhookd::daemon
