#include "options.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

namespace webhookd::daemon {

namespace {

constexpr int exit_usage = 2;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

base::Error no_place(const std::string& what, const std::string& flag) {
  return {base::ErrorCode::invalid_request, what + " is not set: name the place with " + flag, {}};
}

void bind_options(CLI::App& app, Options& options) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--config", options.config, "configuration file (TOML)")->type_name("FILE");
  app.add_option("--data-dir", options.data_dir, "data directory, over store.path")->type_name("DIR");
  app.add_option("--socket", options.socket, "Unix socket of the API")->type_name("PATH");
  app.add_flag("--check-config", options.check_config, "check the configuration and exit");
  app.add_flag("--print-config", options.print_config, "print each value and where it came from, and exit");
  app.add_flag("--test-clock", options.test_clock, "run on a clock that moves only when told (whctl clock advance)");
  app.add_option("--log-level", options.log_level, "over log.level")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_option("--log-format", options.log_format, "over log.format")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"auto", "text", "json", "journal"}));
  app.set_version_flag("--version", "webhookd " WEBHOOKD_VERSION);
}

}  // namespace

std::vector<OptionWords> describe_options() {
  Options options;
  CLI::App app;
  bind_options(app, options);
  std::vector<OptionWords> words;
  for (const CLI::Option* option : app.get_options()) {
    const bool takes_value = option->get_items_expected_max() > 0;
    words.push_back(
        {option->get_lnames().front(), takes_value ? option->get_type_name() : "", option->get_description()});
  }
  return words;
}

Parsed parse_options(int argc, char** argv) {
  Parsed parsed;
  CLI::App app("Accepts events durably and delivers them to webhooks, retrying for ten days.", "webhookd");
  bind_options(app, parsed.options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    parsed.exit_code = app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::cerr << "webhookd: " << error.what() << "\nhint: webhookd --help\n";
    parsed.exit_code = exit_usage;
  }
  return parsed;
}

bool uses_system_places() { return ::geteuid() == 0 || !environment("INVOCATION_ID").empty(); }

base::Result<std::string> default_data_dir() {
  if (uses_system_places()) {
    return std::string(system_data_dir);
  }
  if (const std::string state = environment("XDG_STATE_HOME"); !state.empty()) {
    return state + "/webhookd";
  }
  if (const std::string home = environment("HOME"); !home.empty()) {
    return home + "/.local/state/webhookd";
  }
  return no_place("HOME", "--data-dir");
}

base::Result<std::string> default_socket() {
  if (uses_system_places()) {
    return std::string(system_socket);
  }
  if (const std::string runtime = environment("XDG_RUNTIME_DIR"); !runtime.empty()) {
    return runtime + "/webhookd.sock";
  }
  return no_place("XDG_RUNTIME_DIR", "--socket");
}

}  // namespace webhookd::daemon
