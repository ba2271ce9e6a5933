#include "json.hpp"

#include "control/protocol/json_write.hpp"

namespace webhookd::whctl {

using protocol::JsonKind;

std::vector<protocol::JsonMember> Json::members() const {
  return is_object() ? protocol::members_of(raw_) : std::vector<protocol::JsonMember>{};
}

std::vector<Json> Json::elements() const {
  std::vector<Json> values;
  if (!is_array()) return values;
  for (const auto element : protocol::elements_of(raw_)) values.emplace_back(element);
  return values;
}

Json Json::operator[](std::string_view name) const {
  for (const auto& member : members()) {
    if (member.name == name) return Json(member.value);
  }
  return {};
}

bool Json::has(std::string_view name) const {
  for (const auto& member : members()) {
    if (member.name == name) return true;
  }
  return false;
}

std::string Json::text() const {
  return kind() == JsonKind::string ? protocol::decode_string(raw_).value_or(std::string(raw_)) : std::string();
}

std::optional<double> Json::number() const {
  return kind() == JsonKind::number ? protocol::decode_number(raw_) : std::nullopt;
}

std::string Json::plain() const {
  switch (kind()) {
    case JsonKind::null:
      return {};
    case JsonKind::string:
      return text();
    default:
      return std::string(raw_);
  }
}

std::optional<Document> Document::parse(std::string text) {
  if (!protocol::check_json(text, answer_depth)) return std::nullopt;
  const auto first = text.find_first_not_of(" \t\r\n");
  const auto last = text.find_last_not_of(" \t\r\n");
  return Document(text.substr(first, last - first + 1));
}

namespace {

// The length of the string token at the start of `text`, with its quotes.
std::size_t string_length(std::string_view text) {
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return at + 1;
}

// Calls `token` for each string, bracket, comma, colon and run of other characters.
template <class Token>
void for_each_token(std::string_view json, Token token) {
  while (!json.empty()) {
    const char first = json.front();
    std::size_t length = 1;
    if (first == '"') {
      length = string_length(json);
    } else if (std::string_view("{}[],: \t\r\n").find(first) == std::string_view::npos) {
      length = std::min(json.find_first_of("{}[],: \t\r\n"), json.size());
    }
    if (std::string_view(" \t\r\n").find(first) == std::string_view::npos) token(json.substr(0, length));
    json.remove_prefix(std::min(length, json.size()));
  }
}

void new_line(std::string& out, std::size_t level) {
  out += '\n';
  out.append(2 * level, ' ');
}

bool closes(std::string_view token) { return token == "}" || token == "]"; }

}  // namespace

std::string pretty_json(std::string_view checked) {
  std::string out;
  std::size_t level = 0;
  bool is_just_open = false;
  for_each_token(checked, [&](std::string_view token) {
    if (closes(token)) {
      --level;
      if (!is_just_open) new_line(out, level);
    } else if (is_just_open) {
      new_line(out, level);
    }
    is_just_open = token == "{" || token == "[";
    out.append(token);
    if (is_just_open) ++level;
    if (token == ",") new_line(out, level);
    if (token == ":") out += ' ';
  });
  return out;
}

std::string compact_json(std::string_view checked) {
  std::string out;
  out.reserve(checked.size());
  for_each_token(checked, [&](std::string_view token) { out.append(token); });
  return out;
}

std::string with_value_at(std::string_view checked, std::string_view path, std::string_view value) {
  if (path.empty()) return std::string(value);
  const auto dot = path.find('.');
  const auto name = path.substr(0, dot);
  const auto rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  std::string out;
  protocol::JsonWriter writer(out);
  bool was_there = false;
  writer.begin_object();
  for (const auto& member : Json(checked).members()) {
    writer.name(member.name);
    const bool is_it = member.name == name;
    writer.raw(is_it ? with_value_at(member.value, rest, value) : std::string(member.value));
    was_there = was_there || is_it;
  }
  if (!was_there) writer.name(name).raw(with_value_at("{}", rest, value));
  writer.end_object();
  return out;
}

}  // namespace webhookd::whctl
