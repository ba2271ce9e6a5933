#include "yaml.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "json.hpp"
#include "safe_text.hpp"

namespace webhookd::whctl {

namespace {

// What YAML 1.1 or 1.2 readers take for something else than a text.
constexpr std::array<std::string_view, 9> reserved{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};

bool is_plain(std::string_view text) {
  constexpr std::string_view more = "0123456789_./-";
  const bool is_word =
      !text.empty() && base::is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
        return base::is_letter(c) || more.find(c) != std::string_view::npos;
      });
  const std::string lower = base::to_lower(text);
  return is_word && std::find(reserved.begin(), reserved.end(), lower) == reserved.end();
}

// YAML has \x, \u and \U escapes, as safe_line writes them; a backslash of the text itself is doubled first.
std::string double_quoted(std::string_view text) {
  std::string doubled;
  for (const char c : text) {
    if (c == '\\' || c == '"') doubled += '\\';
    doubled += c;
  }
  return "\"" + safe_line(doubled) + "\"";
}

std::string text_of(std::string_view text) { return is_plain(text) ? std::string(text) : double_quoted(text); }

void append_value(std::string& out, Json value, std::size_t level);

void append_scalar(std::string& out, Json value) {
  out += value.kind() == protocol::JsonKind::string ? text_of(value.text()) : std::string(value.raw());
  out += '\n';
}

// Behind "name:" or "-": a scalar on the same line, what has parts below.
void append_child(std::string& out, Json value, std::size_t level) {
  const bool is_empty =
      (value.is_object() && value.members().empty()) || (value.is_array() && value.elements().empty());
  if (is_empty) {
    out += value.is_object() ? " {}\n" : " []\n";
  } else if (value.is_object() || value.is_array()) {
    out += '\n';
    append_value(out, value, level);
  } else {
    out += ' ';
    append_scalar(out, value);
  }
}

void append_value(std::string& out, Json value, std::size_t level) {
  const std::string indent(2 * level, ' ');
  if (value.is_object()) {
    for (const auto& member : value.members()) {
      out += indent + text_of(member.name) + ":";
      append_child(out, Json(member.value), level + 1);
    }
    return;
  }
  for (const auto& element : value.elements()) {
    out += indent + "-";
    append_child(out, element, level + 1);
  }
}

}  // namespace

std::string yaml_of(std::string_view checked) {
  const Json value(checked);
  std::string out;
  if (value.is_object() && !value.members().empty()) {
    append_value(out, value, 0);
  } else if (value.is_array() && !value.elements().empty()) {
    append_value(out, value, 0);
  } else {
    out = value.is_object() ? "{}\n" : value.is_array() ? "[]\n" : "";
    if (out.empty()) append_scalar(out, value);
  }
  return out;
}

}  // namespace webhookd::whctl
