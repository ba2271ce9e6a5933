// The daemon's command line (interface.md section 3) and where its files are when nobody says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace webhookd::daemon {

struct Options {
  std::string config;  // empty: the system's file when it exists
  std::string data_dir;
  std::string socket;
  std::string log_level;
  std::string log_format;
  std::string check_store;  // a data directory, or LMDB's file
  std::string restore;      // a backup
  bool check_config = false;
  bool print_config = false;
  bool test_clock = false;
};

// Either options, or the exit code of a process that is done (help, version: 0; usage: 2), having said what there is
// to say.
struct Parsed {
  Options options;
  std::optional<int> exit_code;
};
Parsed parse_options(int argc, char** argv);

// What the command line takes, for the manual page.
struct OptionWords {
  std::string name;   // without dashes
  std::string value;  // empty: a switch
  std::string help;
};
std::vector<OptionWords> describe_options();

inline constexpr const char* system_config = "/etc/webhookd/webhookd.toml";
inline constexpr const char* system_data_dir = "/var/lib/webhookd";
inline constexpr const char* system_socket = "/run/webhookd/webhookd.sock";

// As root or under systemd the system's places, else $XDG_STATE_HOME/webhookd (or ~/.local/state/webhookd) and
// $XDG_RUNTIME_DIR/webhookd.sock.
bool uses_system_places();
base::Result<std::string> default_data_dir();
base::Result<std::string> default_socket();

}  // namespace webhookd::daemon
