// Real processes for black-box tests: a command run to its end with its output captured, and a daemon that is started,
// watched until it is ready, killed or stopped. Only processes started here are ever signalled. Every wait has a limit.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "support/sanitizer.hpp"
#include "support/temporary_directory.hpp"

namespace webhookd::support {

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs `arguments` (arguments[0] is the program) with `input` on standard input; kills it after `limit`.
Ran run(const std::vector<std::string>& arguments, const std::string& input = {},
        std::chrono::seconds limit = std::chrono::seconds(120), const std::vector<std::string>& environment = {});

// Waits until `holds`, looking every few milliseconds; false when `limit` passed first.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = std::chrono::seconds(30));

// What the kernel says of a process. Its descriptors are only for its own user and root to see, and not even for that
// user when it is not dumpable, as webhookd is not: nothing then.
std::size_t resident_bytes(pid_t process);
std::optional<std::size_t> open_descriptors(pid_t process);

// webhookd on a directory of its own, with loopback receivers allowed unless `egress_allow` (a TOML list) says other.
// `extra_config` goes on in the section [egress].
class Daemon {
 public:
  // What a service manager gives a daemon besides its command line.
  struct Surroundings {
    std::vector<std::string> environment = {};  // "NAME=value"
    int listening = -1;                         // a socket opened for it
    std::string socket = {};                    // where that one is
  };

  explicit Daemon(std::vector<std::string> flags = {}, const std::string& extra_config = {},
                  const std::string& egress_allow = R"(["127.0.0.0/8", "::1/128"])",
                  Surroundings surroundings = {{}, -1, {}});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void start();         // and waits until it answers
  void kill();          // SIGKILL
  int stop();           // SIGTERM; its exit code
  int wait_for_exit();  // its exit code
  bool is_running() const;
  pid_t pid() const { return pid_; }
  std::string socket() const {
    return surroundings_.socket.empty() ? directory_.path() + "/w.sock" : surroundings_.socket;
  }
  std::string log() const;
  const TemporaryDirectory& directory() const { return directory_; }

  // Runs whctl against it.
  Ran whctl(std::vector<std::string> arguments, const std::string& input = {}) const;
  // The same, expecting exit code 0; the output without its last line feed.
  std::string tell(std::vector<std::string> arguments, const std::string& input = {}) const;

 private:
  TemporaryDirectory directory_;
  std::vector<std::string> flags_;
  Surroundings surroundings_;
  pid_t pid_ = -1;
};

}  // namespace webhookd::support
