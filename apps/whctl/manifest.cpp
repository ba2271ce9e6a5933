#include "manifest.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/time.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/limits.hpp"
#include "input.hpp"
#include "parse.hpp"
#include "toml_text.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;
using protocol::JsonKind;
using protocol::JsonWriter;

namespace {

constexpr std::string_view webhook_key = "webhook";
constexpr std::string_view type_key = "type";
constexpr std::string_view secret_file = "secret_file";

constexpr std::array<std::string_view, 12> kept{"id",
                                                "version",
                                                "created_at",
                                                "updated_at",
                                                "health",
                                                "waiting",
                                                "failed_last_day",
                                                "last_success_at",
                                                "status_reason",
                                                "secrets",
                                                "origin",
                                                "certificate_expires_at"};
// Members that are durations, by their place in the webhook.
constexpr std::array<std::string_view, 4> durations{"timeout", "retry.initial", "retry.max", "retry.window"};

bool is_duration(const std::string& path) {
  return std::find(durations.begin(), durations.end(), path) != durations.end();
}

bool is_empty(Json value) {
  return value.is_null() || value.raw() == "\"\"" || (value.is_object() && value.members().empty());
}

std::string without_empty(Json object) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : object.members()) {
    if (!is_kept_by_daemon(member.name) && !is_empty(Json(member.value))) {
      json.name(member.name).raw(compact_json(member.value));
    }
  }
  json.end_object();
  return text;
}

// ---- reading
// ---------------------------------------------------------------------------------------------------------

// The value as the API takes it, where people may write it otherwise.
Result<std::string> normal_value(const std::string& path, Json value, const std::string& place) {
  if (value.kind() != JsonKind::string) return std::string(value.raw());
  const std::string text = value.text();
  std::string out;
  JsonWriter json(out);
  if (is_duration(path)) {
    const auto duration = base::parse_duration(text);
    if (!duration) {
      return failure(client::codes::usage, place, path + ": cannot read \"" + text + "\"",
                     "a duration is written 500ms, 15s, 1h30m or 10d");
    }
    json.seconds(*duration);
  } else if (path == "rate") {
    if (text == "none") return std::string("null");
    const auto rate = parse_rate(path, text);
    if (!rate) return failure(client::codes::usage, place, path + ": " + rate.error().why, rate.error().hint);
    json.number(*rate);
  } else {
    return std::string(value.raw());
  }
  return out;
}

Result<std::string> normal_object(Json object, const std::string& prefix, const std::string& place) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : object.members()) {
    if (prefix.empty() && member.name == secret_file) continue;
    const std::string path = prefix + member.name;
    const Json value(member.value);
    auto normal =
        path == "retry" && value.is_object() ? normal_object(value, "retry.", place) : normal_value(path, value, place);
    if (!normal) return normal.error();
    json.name(member.name).raw(*normal);
  }
  json.end_object();
  return text;
}

Result<Declared> read_webhook(Json object, const std::string& place, const std::string& folder) {
  if (!object.is_object()) return failure(client::codes::usage, place, "a webhook is a table of members");
  Declared declared;
  declared.name = object["display_name"].text();
  if (declared.name.empty()) {
    return failure(client::codes::usage, place, "display_name: every webhook needs one, because it is found by it");
  }
  const std::string where = place + ": " + declared.name;
  if (object.has("secrets")) {
    return failure(client::codes::usage, where, "secrets: name a file with `secret_file` instead");
  }
  auto members = normal_object(object, "", where);
  if (!members) return members.error();
  declared.members = std::move(*members);
  if (!object.has(secret_file)) return declared;
  const std::string file = object[secret_file].text();
  if (file.empty() || file == "-") return failure(client::codes::usage, where, "secret_file: names a file");
  const auto secrets = read_secrets(file.front() == '/' ? file : folder + file, -1);
  if (!secrets) return secrets.error();
  for (const auto& secret : *secrets) declared.secrets.push_back(domain::format_secret(secret));
  return declared;
}

Result<Declared> read_type(Json object, const std::string& place, bool holds_texts) {
  Declared declared;
  declared.name = object["name"].text();
  if (declared.name.empty()) return failure(client::codes::usage, place, "name: every type needs one");
  JsonWriter json(declared.members);
  json.begin_object();
  for (const auto& member : object.members()) {
    std::string value(member.value);
    if (holds_texts && (member.name == "schema" || member.name == "example")) {
      value = Json(member.value).text();
      if (!protocol::check_json(value, domain::limits::json_depth)) {
        return failure(client::codes::usage, place + ": " + declared.name, member.name + ": is a text that holds JSON");
      }
    }
    json.name(member.name).raw(value);
  }
  json.end_object();
  return declared;
}

bool starts_as_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{';
}

std::optional<client::Failure> find_repeated(const std::vector<Declared>& list, const std::string& place) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (list[i].name == list[j].name)
        return failure(client::codes::usage, place, list[i].name + ": stands there twice");
    }
  }
  return std::nullopt;
}

// ---- writing
// ---------------------------------------------------------------------------------------------------------

std::string written_duration(Json seconds) {
  const auto ms = std::llround(seconds.number().value_or(0) * 1000);
  std::string text;
  protocol::append_json_string(text, base::format_duration(base::Duration{ms}));
  return text;
}

std::string with_written_durations(Json object, const std::string& prefix) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : object.members()) {
    const Json value(member.value);
    const std::string path = prefix + member.name;
    json.name(member.name);
    if (path == "retry") {
      json.raw(with_written_durations(value, "retry."));
    } else {
      json.raw(is_duration(path) ? written_duration(value) : std::string(value.raw()));
    }
  }
  json.end_object();
  return text;
}

// Schema and example as texts, laid out for reading.
std::string with_written_json(Json type) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : type.members()) {
    json.name(member.name);
    if (member.name == "schema" || member.name == "example") {
      json.string(pretty_json(member.value) + "\n");
    } else {
      json.raw(member.value);
    }
  }
  json.end_object();
  return text;
}

std::string json_array(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const auto& value : values) text += (text.size() > 1 ? "," : "") + value;
  return text + "]";
}

}  // namespace

bool is_kept_by_daemon(std::string_view member) { return std::find(kept.begin(), kept.end(), member) != kept.end(); }

Result<Manifest> read_manifest(std::string_view text, const std::string& place, const std::string& folder) {
  const bool is_json = starts_as_json(text);
  auto converted = is_json ? Result<std::string>(std::string(text)) : json_of_toml(text, place);
  if (!converted) return converted.error();
  const auto checked = protocol::check_json(*converted, answer_depth);
  if (!checked) return failure(client::codes::usage, place, checked.error().detail);
  const auto document = Document::parse(std::move(*converted));
  const Json root = document->root();
  Manifest manifest;
  for (const auto& member : root.members()) {
    const bool is_list = Json(member.value).is_array();
    if (member.name != webhook_key && member.name != type_key) {
      return unknown_word(place, "unknown member \"" + member.name + "\"", member.name, {"webhook", "type"});
    }
    if (!is_list) return failure(client::codes::usage, place, member.name + ": is a list ([[" + member.name + "]])");
  }
  for (const auto& webhook : root[webhook_key].elements()) {
    auto declared = read_webhook(webhook, place, folder);
    if (!declared) return declared.error();
    manifest.webhooks.push_back(std::move(*declared));
  }
  for (const auto& type : root[type_key].elements()) {
    auto declared = read_type(type, place, !is_json);
    if (!declared) return declared.error();
    manifest.types.push_back(std::move(*declared));
  }
  if (auto fault = find_repeated(manifest.webhooks, place)) return *fault;
  if (auto fault = find_repeated(manifest.types, place)) return *fault;
  return manifest;
}

Result<Declared> read_webhook_toml(std::string_view text, const std::string& place, const std::string& folder) {
  auto json = json_of_toml(text, place);
  if (!json) return json.error();
  return read_webhook(Json(*json), place, folder);
}

std::string declared_webhook(Json webhook) { return without_empty(webhook); }

std::string declared_type(Json type) { return without_empty(type); }

std::string webhook_toml(Json declared) { return toml_members(Json(with_written_durations(declared, ""))); }

std::string manifest_toml(const std::vector<std::string>& webhooks, const std::vector<std::string>& types) {
  std::string text;
  for (const auto& type : types) {
    text += (text.empty() ? "" : "\n") + std::string("[[type]]\n") + toml_members(Json(with_written_json(Json(type))));
  }
  for (const auto& webhook : webhooks) {
    text += (text.empty() ? "" : "\n") + std::string("[[webhook]]\n") + webhook_toml(Json(webhook));
  }
  return text;
}

std::string manifest_json(const std::vector<std::string>& webhooks, const std::vector<std::string>& types) {
  return "{\"type\":" + json_array(types) + ",\"webhook\":" + json_array(webhooks) + "}";
}

}  // namespace webhookd::whctl
