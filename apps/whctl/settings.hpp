// What the command line, the environment and the configuration file settle before a command runs, in this order:
// flag, WHCTL_… variable, $XDG_CONFIG_HOME/whctl/config.toml, default.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "control/client/failure.hpp"
#include "output.hpp"
#include "parse.hpp"

namespace webhookd::whctl {

// The value of an environment variable; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct EnvironmentVariable {
  std::string_view name;
  std::string_view help;
};
// Those that the tool reads, for the manual page.
std::span<const EnvironmentVariable> environment_variables();

struct Settings {
  std::string socket_path;
  Format format = Format::table;
  bool is_quiet = false;
  bool has_headers = true;
  bool truncates = true;
  std::string color = "auto";
  std::vector<std::string> fields;
  base::Duration connect_timeout{5000};
  base::Duration wait_for_daemon{0};
  std::string reason;  // of changes, for the audit
  bool assumes_yes = false;
  bool never_asks = false;
  std::string pager;   // a shell command; empty: none
  std::string editor;  // a shell command
};

client::Result<Settings> resolve_settings(const Invocation& invocation, const Environment& environment);

// Whether LC_ALL, LC_CTYPE or LANG, the first that is set, names UTF-8.
bool speaks_utf8(const Environment& environment);

// By flag, then NO_COLOR, CLICOLOR_FORCE, then whether it is a terminal that knows colours.
bool wants_color(const Settings& settings, const Environment& environment, bool is_terminal);

}  // namespace webhookd::whctl
