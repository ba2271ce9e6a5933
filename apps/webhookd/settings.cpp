#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <thread>

#include "base/text.hpp"
#include "base/toml.hpp"
#include "domain/limits.hpp"

namespace webhookd::daemon {

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it from the aggregate

struct Unit {
  std::string_view suffix;
  std::uint64_t bytes;
};
constexpr std::array<Unit, 4> byte_units = {
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};

const std::vector<Key> all_keys = {
    {"store.path",
     Text{&Settings::store_path, "a path"},
     "",
     "",
     "",
     {},
     "data directory; empty: /var/lib/webhookd for root, $XDG_STATE_HOME/webhookd else"},
    {"store.quota",
     Bytes{&Settings::store_quota},
     "64GiB",
     "4MiB",
     "16TiB",
     {},
     "room for the store; new events are refused above 95 % of it"},
    {"store.disk_reserve",
     Bytes{&Settings::store_disk_reserve},
     "256MiB",
     "0",
     "1TiB",
     {},
     "free disk space below which new events are refused"},
    {"store.preallocate",
     Bytes{&Settings::store_preallocate},
     "0",
     "0",
     "1TiB",
     {},
     "disk space taken for the store at start, so that a full disk does not stop commits"},
    {"secrets.master_key_file",
     Text{&Settings::secrets_master_key_file, "a path"},
     "",
     "",
     "",
     {},
     "file of the key that signing secrets are sealed with in the store, 64 hexadecimal digits; empty: the credential "
     "master_key of the service manager, or else they are not sealed"},
    {"delivery.threads", Count{&Settings::delivery_threads}, "0", "0", "64", {}, "network loops; 0: one for each core"},
    {"delivery.max_in_flight",
     Count{&Settings::delivery_max_in_flight},
     "4096",
     "1",
     "65536",
     {},
     "requests at once, over all webhooks",
     Effect::live},
    {"delivery.max_in_flight_per_host",
     Count{&Settings::delivery_max_in_flight_per_host},
     "1024",
     "1",
     "65536",
     {},
     "requests at once to one scheme, host and port",
     Effect::live},
    {"delivery.timeout",
     &Settings::delivery_timeout,
     "15s",
     "1s",
     "1m",
     {},
     "whole exchange, of webhooks that do not say",
     Effect::live},
    {"delivery.retry.initial",
     &Settings::retry_initial,
     "5s",
     "1s",
     "1d",
     {},
     "first wait, of webhooks that do not say",
     Effect::live},
    {"delivery.retry.factor", &Settings::retry_factor, "2", "1", "10", {}, "growth of the waits", Effect::live},
    {"delivery.retry.max", &Settings::retry_max, "6h", "1s", "1d", {}, "longest wait", Effect::live},
    {"delivery.retry.jitter",
     &Settings::retry_jitter,
     "0.1",
     "0",
     "0.5",
     {},
     "random share of a wait, either way",
     Effect::live},
    {"delivery.retry.window",
     &Settings::retry_window,
     "10d",
     "1s",
     "30d",
     {},
     "how long a message is retried",
     Effect::live},
    {"egress.allow",
     List{&Settings::egress_allow, "address ranges like \"10.0.0.0/8\" or \"fc00::/7\""},
     "",
     "",
     "",
     {},
     "address ranges (CIDR) that deliveries may reach besides public ones",
     Effect::live},
    {"egress.deny",
     List{&Settings::egress_deny, "address ranges like \"10.0.0.0/8\" or \"fc00::/7\""},
     "",
     "",
     "",
     {},
     "address ranges (CIDR) that they may not reach",
     Effect::live},
    {"egress.require_https", &Settings::egress_require_https, "false", "", "", {}, "refuse http URLs", Effect::live},
    {"egress.ports",
     List{&Settings::egress_ports, "ports"},
     "",
     "",
     "",
     {},
     "ports that may be used; empty: any",
     Effect::live},
    {"egress.ca_file",
     Text{&Settings::egress_ca_file, "a path"},
     "",
     "",
     "",
     {},
     "PEM file of trusted roots instead of the system's"},
    {"egress.proxy",
     Text{&Settings::egress_proxy, "an http URL"},
     "",
     "",
     "",
     {},
     "http://host:port of a proxy that every delivery goes through by CONNECT, and that then resolves the names"},
    {"egress.resolver.threads", Count{&Settings::resolver_threads}, "16", "1", "256", {}, "name look-ups at once"},
    {"egress.resolver.ttl", &Settings::resolver_ttl, "1m", "1s", "1h", {}, "how long an answer is reused"},
    {"events.max_size",
     Bytes{&Settings::events_max_size},
     "1MiB",
     "1KiB",
     "16MiB",
     {},
     "largest data of an event",
     Effect::live},
    {"events.schema",
     Text{&Settings::events_schema, ""},
     "warn",
     "",
     "",
     {"off", "warn", "enforce"},
     "what becomes of an event whose data does not match the JSON Schema of its type; warn: accepted, and the answer "
     "says "
     "what is wrong; enforce: refused. Members that the schema does not know are always allowed",
     Effect::live},
    {"events.idempotency_window",
     &Settings::events_idempotency_window,
     "1d",
     "1s",
     "7d",
     {},
     "how long an idempotency key is remembered"},
    {"retention.age",
     &Settings::retention_age,
     "30d",
     "1m",
     "3650d",
     {},
     "how long settled messages stay, with their attempts and events",
     Effect::live},
    {"retention.audit_age",
     &Settings::retention_audit_age,
     "365d",
     "1d",
     "3650d",
     {},
     "how long the lines of the audit are kept",
     Effect::live},
    {"retention.max_bytes",
     Bytes{&Settings::retention_max_bytes},
     "0",
     "0",
     "16TiB",
     {},
     "bytes of the store above which settled messages go earlier, the oldest first; 0: nine tenths of store.quota",
     Effect::live},
    {"access.read",
     List{&Settings::access_read, "users (names or numbers) and @groups"},
     "",
     "",
     "",
     {},
     "users and @groups that may read",
     Effect::live},
    {"access.emit",
     List{&Settings::access_emit, "users (names or numbers) and @groups"},
     "",
     "",
     "",
     {},
     "users and @groups that may also emit events",
     Effect::live},
    {"access.operate",
     List{&Settings::access_operate, "users (names or numbers) and @groups"},
     "",
     "",
     "",
     {},
     "users and @groups that may also retry, cancel and ping",
     Effect::live},
    {"access.admin",
     List{&Settings::access_admin, "users (names or numbers) and @groups"},
     "",
     "",
     "",
     {},
     "users and @groups that may do everything",
     Effect::live},
    {"metrics.listen",
     Text{&Settings::metrics_listen, "an address and a port"},
     "",
     "",
     "",
     {},
     "loopback address and port, like \"127.0.0.1:9464\", where GET /metrics is answered besides the socket; empty: "
     "nowhere"},
    {"log.level",
     Text{&Settings::log_level, ""},
     "info",
     "",
     "",
     {"debug", "info", "warning", "error"},
     "least important record that is written",
     Effect::live},
    {"log.format",
     Text{&Settings::log_format, ""},
     "auto",
     "",
     "",
     {"auto", "text", "json", "journal"},
     "how records are written; auto: journal where standard error leads into it, text elsewhere"},
};

template <class T>
std::optional<T> read_text(std::string_view text);

template <>
std::optional<Duration> read_text(std::string_view text) {
  return base::parse_duration(text);
}
template <>
std::optional<std::uint64_t> read_text(std::string_view text) {
  return parse_bytes(text);
}
template <>
std::optional<double> read_text(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

template <class T>
bool in_range(const Key& key, T value) {
  return *read_text<T>(key.lowest) <= value && value <= *read_text<T>(key.highest);  // no NaN is
}

template <class T>
bool store_if_in_range(const Key& key, std::optional<T> value, T& place) {
  if (!value || !in_range(key, *value)) {
    return false;
  }
  place = *value;
  return true;
}

bool store_list(const toml::node& node, Strings& place) {
  const toml::array* list = node.as_array();
  if (!list) {
    return false;
  }
  Strings values;
  for (const toml::node& item : *list) {
    if (const auto text = item.value_exact<std::string>()) {
      values.push_back(*text);
    } else if (const auto number = item.value_exact<std::int64_t>()) {
      values.push_back(std::to_string(*number));
    } else {
      return false;
    }
  }
  place = std::move(values);
  return true;
}

std::optional<std::uint64_t> whole_number(const toml::node& node) {
  const auto value = node.value_exact<std::int64_t>();
  return value && *value >= 0 ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

// Checks a node against its key's row and stores it; false when it is not what the row allows.
bool store_value(const Key& key, const toml::node& node, Settings& settings) {
  const auto text = node.value_exact<std::string>();
  return std::visit(
      Overloaded{[&](Bytes target) {
                   return store_if_in_range(key, text ? parse_bytes(*text) : whole_number(node),
                                            settings.*target.member);
                 },
                 [&](Count target) { return store_if_in_range(key, whole_number(node), settings.*target.member); },
                 [&](Duration Settings::*target) {
                   return text && store_if_in_range(key, base::parse_duration(*text), settings.*target);
                 },
                 [&](double Settings::*target) {
                   return node.is_number() && store_if_in_range(key, node.value<double>(), settings.*target);
                 },
                 [&](bool Settings::*target) {
                   const auto value = node.value_exact<bool>();
                   settings.*target = value.value_or(settings.*target);
                   return value.has_value();
                 },
                 [&](Text target) {
                   const bool fits = text && (key.choices.empty() || std::find(key.choices.begin(), key.choices.end(),
                                                                               *text) != key.choices.end());
                   settings.*target.member = fits ? *text : settings.*target.member;
                   return fits;
                 },
                 [&](List target) { return store_list(node, settings.*target.member); }},
      key.target);
}

void store_default(const Key& key, Settings& settings) {
  std::visit(Overloaded{[&](Bytes target) { settings.*target.member = *parse_bytes(key.fallback); },
                        [&](Count target) { settings.*target.member = *parse_bytes(key.fallback); },
                        [&](Duration Settings::*target) { settings.*target = *base::parse_duration(key.fallback); },
                        [&](double Settings::*target) { settings.*target = *read_text<double>(key.fallback); },
                        [&](bool Settings::*target) { settings.*target = key.fallback == "true"; },
                        [&](Text target) { settings.*target.member = key.fallback; },
                        [&](List target) { (settings.*target.member).clear(); }},
             key.target);
}

std::string format_value(const Key& key, const Settings& settings) {
  return std::visit(
      Overloaded{
          [&](Bytes target) { return base::toml_basic_string(format_bytes(settings.*target.member)); },
          [&](Count target) { return std::to_string(settings.*target.member); },
          [&](Duration Settings::*target) { return base::toml_basic_string(base::format_duration(settings.*target)); },
          [&](double Settings::*target) {
            std::array<char, 32> buffer{};
            const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), settings.*target).ptr;
            return std::string(buffer.data(), end);
          },
          [&](bool Settings::*target) { return std::string(settings.*target ? "true" : "false"); },
          [&](Text target) { return base::toml_basic_string(settings.*target.member); },
          [&](List target) {
            std::vector<std::string> items;
            for (const std::string& item : settings.*target.member) {
              items.push_back(base::toml_basic_string(item));
            }
            return "[" + base::join(items, ", ") + "]";
          }},
      key.target);
}

// What the package sets: its group exists for those who emit.
struct PackagedValue {
  std::string_view key;
  std::string_view value;
};
constexpr std::array packaged_values = {PackagedValue{"access.emit", "[\"@webhookd\"]"}};

class Reader {
 public:
  Reader(const std::string& path, Settings& settings) : path_(path), settings_(settings) {}

  void read(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string full = prefix + std::string(name.str());
      const Key* key = find(full);
      if (key) {
        take(*key, node);
      } else if (node.is_table() && is_section(full)) {
        read(*node.as_table(), full + ".");
      } else {
        unknown(full, node);
      }
    }
  }

  const std::vector<std::string>& faults() const { return faults_; }

 private:
  static const Key* find(std::string_view name) {
    const auto found =
        std::find_if(all_keys.begin(), all_keys.end(), [name](const Key& key) { return key.name == name; });
    return found == all_keys.end() ? nullptr : &*found;
  }
  static bool is_section(const std::string& name) {
    return std::any_of(all_keys.begin(), all_keys.end(),
                       [prefix = name + "."](const Key& key) { return key.name.starts_with(prefix); });
  }
  std::string place(const toml::node& node) const {
    return path_ + ":" + std::to_string(node.source().begin.line) + ": ";
  }
  void take(const Key& key, const toml::node& node) {
    if (store_value(key, node, settings_)) {
      settings_.sources[std::string(key.name)] = path_ + ":" + std::to_string(node.source().begin.line);
    } else {
      faults_.push_back(place(node) + std::string(key.name) + ": must be " + allowed_values(key));
    }
  }
  void unknown(const std::string& name, const toml::node& node) {
    std::vector<std::string> names;
    for (const Key& key : all_keys) {
      names.emplace_back(key.name);
    }
    const auto meant = base::closest(name, names);
    faults_.push_back(place(node) + name + ": unknown key" + (meant ? "; did you mean `" + *meant + "`?" : ""));
  }

  const std::string& path_;
  Settings& settings_;
  std::vector<std::string> faults_;
};

}  // namespace

std::span<const Key> configuration_keys() { return all_keys; }

std::string units_of_sizes() {
  std::vector<std::string> names;
  for (auto unit = byte_units.rbegin(); unit != byte_units.rend(); ++unit) {
    names.emplace_back(unit->suffix);
  }
  return base::join(names, ", ");
}

std::string allowed_values(const Key& key) {
  const std::string range = " from " + std::string(key.lowest) + " to " + std::string(key.highest);
  return std::visit(Overloaded{[&](Bytes) { return "a size like \"64MiB\"" + range + " (" + units_of_sizes() + ")"; },
                               [&](Count) { return "a whole number" + range; },
                               [&](Duration Settings::*) {
                                 return "a duration like \"15s\" or \"10d\"" + range + " (" + base::duration_units() +
                                        ")";
                               },
                               [&](double Settings::*) { return "a number" + range; },
                               [](bool Settings::*) { return std::string("true or false"); },
                               [&](Text target) {
                                 std::vector<std::string> words;
                                 for (const std::string_view choice : key.choices) {
                                   words.push_back("\"" + std::string(choice) + "\"");
                                 }
                                 return words.empty() ? std::string(target.of) : "one of " + base::join(words, ", ");
                               },
                               [](List target) { return "a list of " + std::string(target.of); }},
                    key.target);
}

std::string default_value(const Key& key) { return format_value(key, default_settings()); }

Settings default_settings() {
  Settings settings;
  for (const Key& key : all_keys) {
    store_default(key, settings);
    settings.sources[std::string(key.name)] = "default";
  }
  return settings;
}

namespace {

base::Result<void> read_file(const std::string& path, Settings& settings) {
  const toml::parse_result parsed = toml::parse_file(path);
  if (!parsed) {
    const auto& error = parsed.error();
    const auto line = error.source().begin.line;
    return base::Error{base::ErrorCode::invalid_request,
                       path + (line ? ":" + std::to_string(line) : "") + ": " + std::string(error.description()),
                       {}};
  }
  Reader reader(path, settings);
  reader.read(parsed.table(), "");
  if (reader.faults().empty()) {
    return {};
  }
  return base::Error{base::ErrorCode::invalid_field, base::join(reader.faults(), "\n"), {}};
}

}  // namespace

base::Result<void> read_settings(const std::string& path, Settings& settings) {
  std::error_code ignored;  // the parser says what else is wrong with it
  if (std::filesystem::is_directory(path, ignored)) {
    return base::Error{base::ErrorCode::invalid_request, path + ": is a directory, not a file of settings", {}};
  }
  try {
    return read_file(path, settings);
  } catch (const base::TomlStumble& stumble) {
    return base::Error{base::ErrorCode::invalid_request, path + ": " + stumble.what(), {}};
  }
}

base::Error placed(base::Error fault, const Settings& settings) {
  const auto source = settings.sources.find(fault.detail.substr(0, fault.detail.find_first_of(": ")));
  const bool is_from_file = source != settings.sources.end() && source->second.find(':') != std::string::npos;
  if (is_from_file) {
    fault.detail = source->second + ": " + fault.detail;
  }
  return fault;
}

std::vector<protocol::SettingChange> differences(const Settings& before, const Settings& after) {
  std::vector<protocol::SettingChange> changes;
  for (const Key& key : all_keys) {
    std::string from = format_value(key, before);
    std::string to = format_value(key, after);
    if (from != to) {
      changes.push_back({std::string(key.name), std::move(from), std::move(to), key.effect == Effect::live});
    }
  }
  return changes;
}

Settings with_live(const Settings& before, const Settings& after) {
  Settings settings = before;
  for (const Key& key : all_keys) {
    if (key.effect == Effect::live) {
      const std::string name(key.name);
      settings.sources[name] = after.sources.at(name);
      std::visit(Overloaded{[&](Bytes target) { settings.*target.member = after.*target.member; },
                            [&](Count target) { settings.*target.member = after.*target.member; },
                            [&](Text target) { settings.*target.member = after.*target.member; },
                            [&](List target) { settings.*target.member = after.*target.member; },
                            [&](auto Settings::*target) { settings.*target = after.*target; }},
                 key.target);
    }
  }
  return settings;
}

std::string print_settings(const Settings& settings) {
  std::string text;
  std::string section;
  for (const Key& key : all_keys) {
    const std::string name(key.name);
    const std::size_t dot = name.find('.');
    if (name.substr(0, dot) != section) {
      section = name.substr(0, dot);
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    text += name.substr(dot + 1) + " = " + format_value(key, settings) + "  # " + settings.sources.at(name) + "\n";
  }
  return text;
}

std::string words_on_units() {
  return "Units of durations are " + base::duration_units() + ", of sizes " + units_of_sizes() +
         "; both are written as texts in quotes.";
}

std::string packaged_configuration() {
  std::string text =
      "# webhookd.conf(5) says all of this as well. After a change: webhookd --check-config, then\n"
      "# systemctl reload webhookd, which says what needs a restart.\n"
      "# " +
      words_on_units() + "\n";
  const Settings settings = default_settings();
  std::string section;
  for (const Key& key : all_keys) {
    const std::string name(key.name);
    const std::size_t dot = name.find('.');
    if (name.substr(0, dot) != section) {
      section = name.substr(0, dot);
      text += "\n\n[" + section + "]\n";
    }
    const std::string short_name = name.substr(dot + 1);
    text += "\n# " + std::string(key.help) + "\n# " + allowed_values(key) +
            (key.effect == Effect::live ? "; a reload takes it\n" : "; needs a restart\n");
    const auto packaged = std::find_if(packaged_values.begin(), packaged_values.end(),
                                       [&](const PackagedValue& value) { return value.key == key.name; });
    text += packaged == packaged_values.end() ? "#" + short_name + " = " + format_value(key, settings) + "\n"
                                              : short_name + " = " + std::string(packaged->value) + "\n";
  }
  return text;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t scale = 1;
  for (const Unit& unit : byte_units) {
    if (text.ends_with(unit.suffix)) {
      scale = unit.bytes;
      text.remove_suffix(unit.suffix.size());
      break;
    }
  }
  const auto number = base::parse_whole_number(text, (std::uint64_t{1} << 62) / scale);
  return number ? std::optional<std::uint64_t>(*number * scale) : std::nullopt;
}

std::string format_bytes(std::uint64_t bytes) {
  for (const Unit& unit : byte_units) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.suffix);
    }
  }
  return std::to_string(bytes);
}

}  // namespace webhookd::daemon
