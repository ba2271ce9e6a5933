#include "toml_text.hpp"

#include <cmath>
#include <sstream>

#include "base/text.hpp"
#include "base/toml.hpp"
#include "control/protocol/json_write.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;
using protocol::JsonKind;
using protocol::JsonWriter;

namespace {

void write_node(JsonWriter& json, const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json.begin_object();
    for (const auto& [key, value] : *table) {
      json.name(key.str());
      write_node(json, value);
    }
    json.end_object();
  } else if (const auto* array = node.as_array()) {
    json.begin_array();
    for (const auto& value : *array) write_node(json, value);
    json.end_array();
  } else if (const auto text = node.value_exact<std::string>()) {
    json.string(*text);
  } else if (const auto whole = node.value_exact<std::int64_t>()) {
    json.raw(std::to_string(*whole));
  } else if (const auto number = node.value_exact<double>(); number && std::isfinite(*number)) {
    json.number(*number);
  } else if (const auto flag = node.value_exact<bool>()) {
    json.boolean(*flag);
  } else {  // dates, times, inf and nan, which no member of ours is: as their text
    std::ostringstream spelt;
    node.visit([&](const auto& value) { spelt << value; });
    json.string(spelt.str());
  }
}

std::string toml_string(std::string_view text) {
  const bool is_plain_lines = text.find('\n') != text.npos && text.find("'''") == text.npos && !text.ends_with('\'') &&
                              text.find('\r') == text.npos && base::is_valid_utf8(text);
  return is_plain_lines ? "'''\n" + std::string(text) + "'''" : base::toml_basic_string(text);
}

std::string toml_key(std::string_view name) {
  const bool is_bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return base::is_letter(c) || base::is_digit(c) || c == '_' || c == '-';
  });
  return is_bare ? std::string(name) : base::toml_basic_string(name);
}

// TOML has no null: such members are left out by the callers.
std::string toml_value(Json value) {
  if (value.kind() == JsonKind::string) return toml_string(value.text());
  std::string out;
  if (value.is_array()) {
    for (const auto& element : value.elements()) out += (out.empty() ? "" : ", ") + toml_value(element);
    return "[" + out + "]";
  }
  if (!value.is_object()) return std::string(value.raw());
  for (const auto& member : value.members()) {
    const Json inner(member.value);
    if (!inner.is_null()) out += (out.empty() ? "" : ", ") + toml_key(member.name) + " = " + toml_value(inner);
  }
  return "{" + out + "}";
}

}  // namespace

Result<std::string> json_of_toml(std::string_view text, const std::string& name) try {
  const auto parsed = toml::parse(text);
  if (!parsed) {
    const auto line = std::to_string(parsed.error().source().begin.line);
    return failure(client::codes::usage, name + ":" + line, std::string(parsed.error().description()));
  }
  std::string json;
  JsonWriter writer(json);
  write_node(writer, parsed.table());
  return json;
} catch (const base::TomlStumble& stumble) {
  return failure(client::codes::usage, name, stumble.what());
}

std::string toml_members(Json object) {
  std::string out;
  for (const auto& member : object.members()) {
    const Json value(member.value);
    if (!value.is_null()) out += toml_key(member.name) + " = " + toml_value(value) + "\n";
  }
  return out;
}

}  // namespace webhookd::whctl
