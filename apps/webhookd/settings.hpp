// The configuration, as one table: each row is a key with its section, type, unit, range, default, what it does, and
// where its value goes. Reading the file, --print-config, --check-config and the documentation all come from this
// table. A file with an unknown key, a value of the wrong type or out of range is refused as a whole, naming file,
// line, key and what is allowed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "control/protocol/status_codec.hpp"

namespace webhookd::daemon {

using base::Duration;
using Strings = std::vector<std::string>;

struct Settings {
  std::string store_path;
  std::uint64_t store_quota = 0;
  std::uint64_t store_disk_reserve = 0;
  Duration retention_age{};
  Duration retention_audit_age{};
  std::uint64_t retention_max_bytes = 0;
  std::uint64_t store_preallocate = 0;
  std::string secrets_master_key_file;
  std::uint64_t delivery_threads = 0;
  std::uint64_t delivery_max_in_flight = 0;
  std::uint64_t delivery_max_in_flight_per_host = 0;
  Duration delivery_timeout{};
  Duration retry_initial{};
  double retry_factor = 0;
  Duration retry_max{};
  double retry_jitter = 0;
  Duration retry_window{};
  Strings egress_allow;
  Strings egress_deny;
  bool egress_require_https = false;
  Strings egress_ports;
  std::string egress_ca_file;
  std::string egress_proxy;
  std::uint64_t resolver_threads = 0;
  Duration resolver_ttl{};
  std::uint64_t events_max_size = 0;
  std::string events_schema;
  Duration events_idempotency_window{};
  Strings access_read;
  Strings access_emit;
  Strings access_operate;
  Strings access_admin;
  std::string metrics_listen;
  std::string log_level;
  std::string log_format;

  std::map<std::string, std::string> sources;  // key -> where its value came from, for --print-config
};

struct Bytes {
  std::uint64_t Settings::*member;
};
struct Count {
  std::uint64_t Settings::*member;
};
// Where a value goes, and by that its type in the file.
using Target = std::variant<Bytes, Count, Duration Settings::*, double Settings::*, bool Settings::*,
                            std::string Settings::*, Strings Settings::*>;

// When a changed value counts.
enum class Effect { restart, live };

struct Key {
  std::string_view name;  // "section.key"
  Target target;
  std::string_view fallback;  // the default, spelled as in the file (lists: empty)
  std::string_view lowest;    // empty: no bound
  std::string_view highest;
  std::vector<std::string_view> choices;  // of a text; empty: any
  std::string_view help;
  Effect effect = Effect::restart;  // live: a reload takes it
};

std::span<const Key> configuration_keys();
// The type and range of a key in words: "a duration like "15s" or "10d" from 1s to 1m".
std::string allowed_values(const Key& key);

Settings default_settings();
// Reads a TOML file over `settings`. The error's detail is one line a fault: "FILE:LINE: KEY: what is allowed".
base::Result<void> read_settings(const std::string& path, Settings& settings);
// The same of a fault that was found later: the file and line of the key that its detail begins with come first.
base::Error placed(base::Error fault, const Settings& settings);
// In the order of the table, values as they are spelled in the file.
std::vector<protocol::SettingChange> differences(const Settings& before, const Settings& after);
// `before` with the values of `after` that a reload takes.
Settings with_live(const Settings& before, const Settings& after);
// As TOML, each value followed by where it came from.
std::string print_settings(const Settings& settings);

// The file that the package installs: every key with its meaning, range and default, as comments; only what a package
// decides beyond the defaults is set.
std::string packaged_configuration();

// "64MiB", "512KiB", "1GiB", or plain bytes.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);

}  // namespace webhookd::daemon
