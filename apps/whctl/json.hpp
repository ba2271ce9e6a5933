// JSON as the tool needs it: read by name, shown as it came. Payloads keep their key order and number spelling because
// nothing is turned into a tree (control/protocol/json_text.hpp); printing a value again means cutting its text out
// or laying its tokens out on lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/protocol/json_text.hpp"

namespace webhookd::whctl {

// An answer nests at most a payload's depth and the few levels around it.
inline constexpr std::size_t answer_depth = 160;

// A value inside a text that was checked and that outlives it. An absent member reads as null.
class Json {
 public:
  Json() = default;
  explicit Json(std::string_view checked) : raw_(checked) {}

  std::string_view raw() const { return raw_; }
  bool is_null() const { return kind() == protocol::JsonKind::null; }
  bool is_object() const { return kind() == protocol::JsonKind::object; }
  bool is_array() const { return kind() == protocol::JsonKind::array; }
  protocol::JsonKind kind() const { return protocol::kind_of(raw_); }

  // Only of objects; null when it is something else or has no such member.
  Json operator[](std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<protocol::JsonMember> members() const;
  std::vector<Json> elements() const;

  // "" unless it is a string.
  std::string text() const;
  std::optional<double> number() const;
  bool truth() const { return raw_ == "true"; }
  // A string decoded, null as "", everything else as it is spelled.
  std::string plain() const;

 private:
  std::string_view raw_ = "null";
};

// A whole answer: owns the text.
class Document {
 public:
  // Nothing when it is not one JSON value.
  static std::optional<Document> parse(std::string text);

  Json root() const { return Json(text_); }
  const std::string& text() const { return text_; }

 private:
  explicit Document(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// The same tokens in the same order, laid out with two spaces a level.
std::string pretty_json(std::string_view checked);
// The same without white space between tokens.
std::string compact_json(std::string_view checked);
// The object with the value at `path` ("a.b.c") replaced or added; intermediate objects are made.
std::string with_value_at(std::string_view checked, std::string_view path, std::string_view value);

}  // namespace webhookd::whctl
