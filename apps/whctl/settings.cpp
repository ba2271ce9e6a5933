#include "settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "base/toml.hpp"
#include "domain/limits.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view system_socket = "/run/webhookd/webhookd.sock";

constexpr std::array variables{
    EnvironmentVariable{"WHCTL_SOCKET", "The daemon's socket, as `--socket`."},
    EnvironmentVariable{"WHCTL_OUTPUT", "How data is printed, as `--output`."},
    EnvironmentVariable{"WHCTL_REASON", "Why changes are made, as `--reason`; for pipelines."},
    EnvironmentVariable{
        "WHCTL_PAGER", "The pager; empty or `cat` for none. Else the configuration file's, else `PAGER`, else `less`."},
    EnvironmentVariable{"EDITOR", "What `whctl edit` opens; `VISUAL` is asked first."},
    EnvironmentVariable{"NO_COLOR", "When set and not empty: no colours, unless `--color` says otherwise."},
    EnvironmentVariable{"CLICOLOR_FORCE", "When set and not 0: colours even without a terminal."},
    EnvironmentVariable{"LC_ALL", "With `LC_CTYPE` and `LANG`: whether the terminal shows UTF-8."},
    EnvironmentVariable{
        "XDG_RUNTIME_DIR",
        "Where a user's daemon has its socket, `webhookd.sock`; used when it exists. Else the system's: "
        "`/run/webhookd/webhookd.sock`."},
    EnvironmentVariable{"XDG_CONFIG_HOME", "Where `whctl/config.toml` is; `~/.config` by default."}};

// A key of the configuration file, and its place there.
struct FileValue {
  std::string text;
  std::string place;
};
using FileSettings = std::map<std::string, FileValue, std::less<>>;
const std::vector<std::string> file_keys{"socket", "output", "pager"};

std::string set_value(const Environment& environment, std::string_view name) { return environment(name).value_or(""); }

std::string config_path(const Environment& environment) {
  std::string folder = set_value(environment, "XDG_CONFIG_HOME");
  if (folder.empty() || folder.front() != '/') {
    const std::string home = set_value(environment, "HOME");
    if (home.empty()) return {};
    folder = home + "/.config";
  }
  return folder + "/whctl/config.toml";
}

Result<FileSettings> read_config(const std::string& path) try {
  FileSettings settings;
  if (path.empty() || ::access(path.c_str(), F_OK) != 0) return settings;
  if (::access(path.c_str(), R_OK) != 0) return failure(client::codes::usage, path, "cannot be read");
  const auto parsed = toml::parse_file(path);
  if (!parsed) {
    const auto line = std::to_string(parsed.error().source().begin.line);
    return failure(client::codes::usage, path + ":" + line, std::string(parsed.error().description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    const std::string place = path + ":" + std::to_string(node.source().begin.line);
    if (std::find(file_keys.begin(), file_keys.end(), name) == file_keys.end()) {
      return unknown_word(place, "unknown key \"" + name + "\"", name, file_keys);
    }
    if (!node.is_string()) return failure(client::codes::usage, place, "\"" + name + "\" must be a string");
    settings[name] = {node.as_string()->get(), place};
  }
  return settings;
} catch (const base::TomlStumble& stumble) {
  return failure(client::codes::usage, path, stumble.what());
}

std::string socket_path(const Invocation& invocation, const Environment& environment, const FileSettings& file) {
  if (invocation.has("socket")) return invocation.value("socket");
  if (const auto path = set_value(environment, "WHCTL_SOCKET"); !path.empty()) return path;
  if (const auto given = file.find("socket"); given != file.end()) return given->second.text;
  if (const auto folder = set_value(environment, "XDG_RUNTIME_DIR"); !folder.empty()) {
    const std::string path = folder + "/webhookd.sock";
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return std::string(system_socket);
}

Result<Format> chosen_format(const Invocation& invocation, const Environment& environment, const FileSettings& file) {
  std::string what = "--output";
  std::string word = invocation.value("output");
  if (word.empty()) {
    what = "WHCTL_OUTPUT";
    word = set_value(environment, "WHCTL_OUTPUT");
  }
  if (const auto given = file.find("output"); word.empty() && given != file.end()) {
    what = given->second.place + ": output";
    word = given->second.text;
  }
  if (word.empty()) return Format::table;
  if (const auto format = parse_format(word)) return *format;
  const auto names = format_names();
  std::vector<std::string> choices(names.begin(), names.end());
  return unknown_word(what, "\"" + word + "\" is none of " + base::join(choices, ", "), word, choices);
}

// WHCTL_PAGER, then the file, then what other programs use as well.
std::string chosen_pager(const Invocation& invocation, const Environment& environment, const FileSettings& file) {
  if (invocation.has("no-pager")) return {};
  const auto own = environment("WHCTL_PAGER");
  const auto given = file.find("pager");
  const std::string pager = own                   ? *own
                            : given != file.end() ? given->second.text
                                                  : environment("PAGER").value_or("less");
  return pager == "cat" ? std::string() : pager;
}

std::string chosen_editor(const Environment& environment) {
  for (const std::string_view name : {"VISUAL", "EDITOR"}) {
    if (auto value = set_value(environment, name); !value.empty()) return value;
  }
  return "vi";
}

}  // namespace

std::span<const EnvironmentVariable> environment_variables() { return variables; }

Result<Settings> resolve_settings(const Invocation& invocation, const Environment& environment) {
  auto file = read_config(config_path(environment));
  // What says how the tool is used says so with a broken file as well.
  const bool is_about_tool = invocation.command != nullptr && invocation.command->manner == Manner::itself;
  if (!file && is_about_tool) file = FileSettings();
  if (!file) return file.error();
  const auto format = chosen_format(invocation, environment, *file);
  if (!format) return format.error();
  Settings settings;
  settings.socket_path = socket_path(invocation, environment, *file);
  settings.format = *format;
  settings.is_quiet = invocation.has("quiet");
  settings.has_headers = !invocation.has("no-headers");
  settings.truncates = !invocation.has("no-trunc");
  settings.assumes_yes = invocation.has("yes");
  settings.reason = invocation.has("reason") ? invocation.value("reason") : set_value(environment, "WHCTL_REASON");
  if (settings.reason.size() > domain::limits::actor_reason_bytes || base::has_control_characters(settings.reason)) {
    return failure(
        client::codes::usage, "--reason",
        "at most " + std::to_string(domain::limits::actor_reason_bytes) + " bytes, and no control characters");
  }
  settings.never_asks = invocation.has("no-input");
  settings.pager = chosen_pager(invocation, environment, *file);
  settings.editor = chosen_editor(environment);
  if (invocation.has("color")) settings.color = invocation.value("color");
  if (invocation.has("fields")) settings.fields = split_list(invocation.value("fields"));
  if (invocation.has("connect-timeout")) {
    const auto duration = duration_value(invocation, "connect-timeout");
    if (!duration) return duration.error();
    settings.connect_timeout = *duration;
  }
  if (invocation.has("wait-daemon")) {
    const auto duration = duration_value(invocation, "wait-daemon");
    if (!duration) return duration.error();
    settings.wait_for_daemon = *duration;
  }
  return settings;
}

bool speaks_utf8(const Environment& environment) {
  for (const std::string_view name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = base::to_lower(set_value(environment, name));
    if (value.empty()) continue;
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

bool wants_color(const Settings& settings, const Environment& environment, bool is_terminal) {
  if (settings.color != "auto") return settings.color == "always";
  if (!set_value(environment, "NO_COLOR").empty()) return false;
  const auto forced = set_value(environment, "CLICOLOR_FORCE");
  if (!forced.empty() && forced != "0") return true;
  return is_terminal && set_value(environment, "TERM") != "dumb";
}

}  // namespace webhookd::whctl
