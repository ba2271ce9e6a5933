#include "control/protocol/json_text.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/check.hpp"
#include "base/text.hpp"

namespace webhookd::protocol {

namespace {

constexpr std::size_t depth_max = 256;  // of the stack; callers ask for less
constexpr std::size_t members_max =
    256;  // top-level; no request of ours has as many, and repetition is looked for in all

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
constexpr bool is_hex(char c) { return base::is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// True when none of the eight bytes is a quote, a backslash, a control or past ASCII (the classic word-at-a-time
// tests: a byte is zero, a byte is below 0x20, a byte has its top bit).
bool is_plain(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  constexpr std::uint64_t tops = 0x8080808080808080ULL;
  const auto has_zero = [](std::uint64_t w) { return (w - ones) & ~w & tops; };
  return (has_zero(word ^ (ones * '"')) | has_zero(word ^ (ones * '\\')) | ((word - ones * 0x20) & ~word & tops) |
          (word & tops)) == 0;
}

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t depth, std::vector<JsonMember>* members)
      : text_(text), depth_limit_(depth), members_(members) {
    base::check(depth < depth_max, "the scanner's stack holds the depth asked for");
  }

  bool run();
  base::Error error() const;

 private:
  enum class Expect { value, first_value_or_end, first_name_or_end, name, comma_or_end, nothing };

  bool step();
  bool value();
  bool open(bool is_object);
  bool close(char bracket);
  bool begin_name();
  bool begin_member(std::string_view name);
  bool comma_or_end();
  void value_done();
  bool string();
  bool escape();
  bool number();
  bool digits();
  bool word(std::string_view expected);
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }
  bool at_end() const { return at_ >= text_.size(); }
  char here() const { return text_[at_]; }
  bool fail(std::string_view why) {
    why_ = why;
    return false;
  }

  std::string_view text_;
  std::size_t depth_limit_;
  std::vector<JsonMember>* members_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::bitset<depth_max> in_object_;
  Expect expect_ = Expect::value;
  std::size_t value_start_ = 0;  // of the current top-level member's value
  bool in_member_ = false;
  std::string_view why_;
};

bool Scanner::run() {
  skip_space();
  while (expect_ != Expect::nothing) {
    if (!step()) {
      return false;
    }
    skip_space();
  }
  return at_end() || fail("something follows the value");
}

bool Scanner::step() {
  if (at_end()) {
    return fail(text_.empty() ? "the body is empty" : "the text ends early");
  }
  switch (expect_) {
    case Expect::value:
      return value();
    case Expect::first_value_or_end:
      return here() == ']' ? close(']') : value();
    case Expect::first_name_or_end:
      return here() == '}' ? close('}') : begin_name();
    case Expect::name:
      return begin_name();
    case Expect::comma_or_end:
      return comma_or_end();
    case Expect::nothing:
      break;
  }
  return true;
}

bool Scanner::value() {
  if (depth_ == 1 && in_object_[1]) {
    value_start_ = at_;
  }
  bool good = false;
  switch (here()) {
    case '{':
      return open(true);
    case '[':
      return open(false);
    case '"':
      good = string();
      break;
    case 't':
      good = word("true");
      break;
    case 'f':
      good = word("false");
      break;
    case 'n':
      good = word("null");
      break;
    default:
      good = number();
  }
  if (good) {
    value_done();
  }
  return good;
}

bool Scanner::open(bool is_object) {
  if (depth_ == depth_limit_) {
    return fail("the nesting is too deep");
  }
  ++at_;
  ++depth_;
  in_object_[depth_] = is_object;
  expect_ = is_object ? Expect::first_name_or_end : Expect::first_value_or_end;
  return true;
}

bool Scanner::close(char bracket) {
  if ((bracket == '}') != in_object_[depth_]) {
    return fail("the brackets do not match");
  }
  ++at_;
  --depth_;
  value_done();
  return true;
}

void Scanner::value_done() {
  expect_ = depth_ == 0 ? Expect::nothing : Expect::comma_or_end;
  if (depth_ == 1 && in_member_) {
    in_member_ = false;
    members_->back().value = text_.substr(value_start_, at_ - value_start_);
  }
}

bool Scanner::begin_name() {
  if (here() != '"') {
    return fail("a member name in quotes is expected");
  }
  const std::size_t start = at_;
  if (!string()) {
    return false;
  }
  const std::string_view name = text_.substr(start, at_ - start);
  if (depth_ == 1 && members_ != nullptr && !begin_member(name)) {
    return false;
  }
  skip_space();
  if (at_end() || here() != ':') {
    return fail("a colon is expected after the member name");
  }
  ++at_;
  expect_ = Expect::value;
  return true;
}

bool Scanner::begin_member(std::string_view name) {
  auto decoded = decode_string(name);
  if (!decoded) {
    return fail("a member name has a lone surrogate");
  }
  if (members_->size() == members_max) {
    return fail("there are too many members");
  }
  const bool repeated = std::any_of(members_->begin(), members_->end(),
                                    [&](const JsonMember& member) { return member.name == *decoded; });
  members_->push_back({std::move(*decoded), {}});
  in_member_ = true;
  return !repeated || fail("the member occurs twice");
}

bool Scanner::comma_or_end() {
  if (here() == ',') {
    ++at_;
    expect_ = in_object_[depth_] ? Expect::name : Expect::value;
    return true;
  }
  if (here() == '}' || here() == ']') {
    return close(here());
  }
  return fail("a comma or a closing bracket is expected");
}

bool Scanner::string() {
  ++at_;
  for (;;) {
    std::uint64_t eight = 0;
    while (at_ + sizeof eight <= text_.size()) {
      std::memcpy(&eight, text_.data() + at_, sizeof eight);
      if (!is_plain(eight)) {
        break;
      }
      at_ += sizeof eight;
    }
    if (at_end()) {
      return fail("a string is not closed");
    }
    const auto byte = static_cast<unsigned char>(here());
    if (byte == '"') {
      ++at_;
      return true;
    }
    if (byte < 0x20) {
      return fail("a control character stands unescaped in a string");
    }
    if (byte == '\\') {
      if (!escape()) {
        return false;
      }
    } else if (byte < 0x80) {
      ++at_;
    } else {
      std::size_t length = 0;
      if (!base::decode_utf8(text_.substr(at_), length)) {
        return fail("the text is not valid UTF-8");
      }
      at_ += length;
    }
  }
}

bool Scanner::escape() {
  ++at_;
  if (at_end()) {
    return fail("a string is not closed");
  }
  if (here() == 'u') {
    if (at_ + 5 > text_.size() || !std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(at_ + 1),
                                               text_.begin() + static_cast<std::ptrdiff_t>(at_ + 5), is_hex)) {
      return fail("\\u needs four hexadecimal digits");
    }
    at_ += 5;
    return true;
  }
  if (std::string_view("\"\\/bfnrt").find(here()) == std::string_view::npos) {
    return fail("an unknown escape");
  }
  ++at_;
  return true;
}

bool Scanner::digits() {
  if (at_end() || !base::is_digit(here())) {
    return fail("a digit is expected");
  }
  while (!at_end() && base::is_digit(here())) {
    ++at_;
  }
  return true;
}

bool Scanner::number() {
  const bool negative = here() == '-';
  if (!negative && !base::is_digit(here())) {
    return fail(static_cast<unsigned char>(here()) >= 0x80 ? "bytes past ASCII may stand in strings only"
                                                           : "a value is expected");
  }
  at_ += negative ? 1U : 0U;
  if (!at_end() && here() == '0') {
    ++at_;
    if (!at_end() && base::is_digit(here())) {
      return fail("a number begins with 0");
    }
  } else if (!digits()) {
    return false;
  }
  if (!at_end() && here() == '.') {
    ++at_;
    if (!digits()) {
      return false;
    }
  }
  if (!at_end() && (here() == 'e' || here() == 'E')) {
    ++at_;
    if (!at_end() && (here() == '+' || here() == '-')) {
      ++at_;
    }
    return digits();
  }
  return true;
}

bool Scanner::word(std::string_view expected) {
  if (!text_.substr(at_).starts_with(expected)) {
    return fail("a value is expected");
  }
  at_ += expected.size();
  return true;
}

base::Error Scanner::error() const {
  std::string why(why_);
  if (why_ == "the nesting is too deep") {
    why += " (at most " + std::to_string(depth_limit_ - (in_member_ ? 1 : 0)) + " levels)";
  }
  why += ", at byte " + std::to_string(at_ + 1);
  base::Error error{base::ErrorCode::invalid_request, {}, {}};
  if (in_member_) {
    const std::string name = members_->back().name.substr(0, name_shown_max);
    error.detail = name + ": " + why;
    error.fields.push_back({pointer_to(name), error.detail});
  } else {
    error.detail = "not valid JSON: " + why;
    error.fields.push_back({"", error.detail});
  }
  return error;
}

std::optional<unsigned> hex4(std::string_view text) {
  unsigned value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + 4, value, 16);
  return fault == std::errc{} && end == text.data() + 4 ? std::optional(value) : std::nullopt;
}

void append_utf8(std::string& out, unsigned code) {
  const auto byte = [&](unsigned value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

// Appends the code point of the \u escape whose digits start at `at` and moves `at` behind it; false for a lone
// surrogate, which is appended as if it were one.
bool append_escaped_unit(std::string& out, std::string_view text, std::size_t& at) {
  const unsigned code = *hex4(text.substr(at));
  at += 4;
  const bool is_high = code >= 0xd800 && code < 0xdc00;
  const unsigned low = is_high && text.substr(at, 2) == "\\u" ? *hex4(text.substr(at + 2)) : 0;
  if (low >= 0xdc00 && low < 0xe000) {
    at += 6;
    append_utf8(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
    return true;
  }
  append_utf8(out, code);
  return code < 0xd800 || code >= 0xe000;
}

// False when there is a lone surrogate in it.
bool append_decoded(std::string& out, std::string_view inner) {
  static constexpr std::string_view letters = "\"\\/bfnrt";
  static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  bool is_text = true;
  out.reserve(inner.size());
  for (std::size_t at = 0; at < inner.size();) {
    if (inner[at] != '\\') {
      out += inner[at++];
      continue;
    }
    const char letter = inner[at + 1];
    at += 2;
    if (letter == 'u') {
      is_text = append_escaped_unit(out, inner, at) && is_text;
    } else {
      out += meanings[letters.find(letter)];
    }
  }
  return is_text;
}

}  // namespace

std::size_t next_token(std::string_view text, std::size_t at) {
  while (at < text.size() && (is_space(text[at]) || text[at] == ',' || text[at] == ':')) {
    ++at;
  }
  return at;
}

// The first quote with an even number of backslashes before it: a list of a thousand webhooks is mostly strings, and
// the C library looks for a byte much faster than a loop does.
std::size_t string_end(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  do {
    at = text.find('"', at + 1);
    backslashes = at - 1 - text.find_last_not_of('\\', at - 1);
  } while (backslashes % 2 != 0);
  return at + 1;
}

std::size_t value_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  do {
    switch (text[at]) {
      case '"':
        at = string_end(text, at);
        break;
      case '{':
      case '[':
        ++depth;
        ++at;
        break;
      case '}':
      case ']':
        --depth;
        ++at;
        break;
      default:
        if (depth > 0) {
          ++at;
        } else {
          at = std::min(text.find_first_of(",]} \t\r\n", at), text.size());
        }
    }
  } while (depth > 0);
  return at;
}

base::Result<std::vector<JsonMember>> scan_object(std::string_view text, std::size_t depth) {
  std::vector<JsonMember> members;
  members.reserve(4);
  Scanner scanner(text, depth, &members);
  if (!scanner.run()) {
    return scanner.error();
  }
  const std::size_t start = next_token(text, 0);
  if (text[start] != '{') {
    const std::string what = "a JSON object is expected, not " + std::string(to_string(kind_of(text.substr(start))));
    return base::Error{base::ErrorCode::invalid_request, what, {{"", what}}};
  }
  return members;
}

base::Result<void> check_json(std::string_view text, std::size_t depth) {
  Scanner scanner(text, depth, nullptr);
  if (!scanner.run()) {
    return scanner.error();
  }
  return {};
}

JsonKind kind_of(std::string_view value) {
  switch (value.empty() ? 'n' : value.front()) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    default:
      return JsonKind::number;
  }
}

std::string_view to_string(JsonKind kind) {
  static constexpr std::array<std::string_view, 6> names = {"an object", "an array",  "a string",
                                                            "a number",  "a boolean", "null"};
  return names[static_cast<std::size_t>(kind)];
}

std::optional<std::string> decode_string(std::string_view value) {
  const std::string_view inner = value.substr(1, value.size() - 2);
  if (inner.find('\\') == std::string_view::npos) {
    return std::string(inner);
  }
  std::string out;
  return append_decoded(out, inner) ? std::optional(std::move(out)) : std::nullopt;
}

std::string decode_any_string(std::string_view value) {
  std::string out;
  append_decoded(out, value.substr(1, value.size() - 2));
  return out;
}

std::optional<double> decode_number(std::string_view value) {
  double number = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
  return fault == std::errc{} && end == value.data() + value.size() ? std::optional(number) : std::nullopt;
}

std::vector<std::string_view> elements_of(std::string_view array) {
  std::vector<std::string_view> elements;
  for (std::size_t at = next_token(array, 1); array[at] != ']'; at = next_token(array, at)) {
    const std::size_t end = value_end(array, at);
    elements.push_back(array.substr(at, end - at));
    at = end;
  }
  return elements;
}

std::vector<JsonMember> members_of(std::string_view object) {
  std::vector<JsonMember> members;
  for (std::size_t at = next_token(object, 1); object[at] != '}'; at = next_token(object, at)) {
    const std::size_t name_end = string_end(object, at);
    auto name = decode_string(object.substr(at, name_end - at));
    const std::size_t start = next_token(object, name_end);
    const std::size_t end = value_end(object, start);
    // A name with a lone surrogate equals no name of ours; its raw spelling says so best.
    members.push_back(
        {name ? std::move(*name) : std::string(object.substr(at, name_end - at)), object.substr(start, end - start)});
    at = end;
  }
  return members;
}

std::string pointer_to(std::string_view member) {
  std::string pointer = "/";
  for (const char c : member) {
    if (c == '~' || c == '/') {
      pointer += c == '~' ? "~0" : "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

}  // namespace webhookd::protocol
