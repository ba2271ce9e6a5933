// webhookd: parse, check, run. Exit: 0 clean, 1 failure, 2 usage, 78 bad configuration (EX_CONFIG of sysexits.h).
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "composition.hpp"
#include "keeping.hpp"
#include "log_writer.hpp"
#include "options.hpp"
#include "settings.hpp"
#include "supervisor.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::daemon;

constexpr int exit_failure = 1;
constexpr int exit_bad_configuration = 78;

int complain(const base::Error& error, int code) {
  std::cerr << "webhookd: " << error.detail << "\n";
  return code;
}

// Empty: there is none, and defaults are used.
std::string configuration_file(const Options& options) {
  const bool is_system = options.config.empty() && uses_system_places() && std::filesystem::exists(system_config);
  return is_system ? std::string(system_config) : options.config;
}

base::Result<Settings> load_settings(const Options& options) {
  Settings settings = default_settings();
  const std::string file = configuration_file(options);
  if (!file.empty()) {
    if (auto read = read_settings(file, settings); !read) {
      return read.error();
    }
  }
  const auto override_with = [&settings](const std::string& value, std::string Settings::*member, const char* key) {
    if (!value.empty()) {
      settings.*member = value;
      settings.sources[key] = "command line";
    }
  };
  override_with(options.data_dir, &Settings::store_path, "store.path");
  override_with(options.log_level, &Settings::log_level, "log.level");
  override_with(options.log_format, &Settings::log_format, "log.format");
  return settings;
}

base::Result<Places> find_places(const Options& options, const Settings& settings) {
  Places places{settings.store_path, options.socket, options.test_clock, {}};
  if (const std::string file = configuration_file(options); !file.empty()) {
    places.configuration = std::filesystem::absolute(file).lexically_normal().string();
  }
  if (places.data_dir.empty()) {
    auto place = default_data_dir();
    if (!place) {
      return place.error();
    }
    places.data_dir = *place;
  }
  const bool serves = options.restore.empty();
  if (places.socket.empty() && serves) {
    auto place = default_socket();
    if (!place) {
      return place.error();
    }
    places.socket = *place;
  }
  return places;
}

int run(const Options& options) {
  if (!options.check_store.empty()) {
    return print_store_check(options.check_store);
  }
  auto settings = load_settings(options);
  if (!settings) {
    return complain(settings.error(), exit_bad_configuration);
  }
  if (options.print_config) {
    std::cout << print_settings(*settings);
    return 0;
  }
  auto places = find_places(options, *settings);
  if (!places) {
    return complain(places.error(), exit_bad_configuration);
  }
  if (auto checked = check_settings(*settings, *places); !checked) {
    return complain(checked.error(), exit_bad_configuration);
  }
  if (options.check_config) {
    return 0;
  }
  if (!options.restore.empty()) {
    return restore_backup(options.restore, places->data_dir);
  }
  std::error_code ignored;  // the store and the server say what is wrong with their own places
  std::filesystem::create_directories(std::filesystem::path(places->data_dir).parent_path(), ignored);
  if (places->socket == system_socket) {
    std::filesystem::create_directories(std::filesystem::path(places->socket).parent_path(), ignored);
  }
  auto supervisor = Supervisor::from_environment();
  if (!supervisor) {
    return complain(supervisor.error(), exit_bad_configuration);
  }
  LogWriter log(parse_log_level(settings->log_level), parse_log_format(settings->log_format, is_journal_on_stderr()));
  if (auto ran = run_daemon(
          *settings, *places, [&options] { return load_settings(options); }, **supervisor, log);
      !ran) {
    const bool is_configuration = ran.error().code == base::ErrorCode::invalid_field;
    return complain(ran.error(), is_configuration ? exit_bad_configuration : exit_failure);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Parsed parsed = parse_options(argc, argv);
  const int code = parsed.exit_code ? *parsed.exit_code : run(parsed.options);
  std::cout.flush();
  std::fflush(nullptr);
  // Resolver threads may hang in getaddrinfo; nothing is left to be done but leave (traps.md).
  ::_exit(code);
}
