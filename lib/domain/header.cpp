#include "domain/header.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

// Headers that framing or signing owns (reliability.md, "Headers"). A trailing '*' covers a family.
constexpr std::string_view owned[] = {
    "host",   "content-length", "transfer-encoding", "connection",   "te",         "trailer",   "upgrade",
    "expect", "keep-alive",     "proxy-*",           "content-type", "user-agent", "webhook-*",
};

constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2, besides letters and digits

bool is_token_character(char c) {
  return base::is_letter(c) || base::is_digit(c) || token_marks.find(c) != std::string_view::npos;
}

bool is_value_character(char c) { return (c >= 0x20 && c <= 0x7e) || c == '\t'; }

bool is_owned(std::string_view name) {
  const std::string lowered = base::to_lower(name);
  return std::any_of(std::begin(owned), std::end(owned), [&](std::string_view entry) {
    return entry.ends_with('*') ? lowered.starts_with(entry.substr(0, entry.size() - 1)) : lowered == entry;
  });
}

// RFC 6901: '~' and '/' are escaped in a pointer.
std::string pointer_to(std::string_view name) {
  std::string pointer = "/headers/";
  for (const char c : name) {
    if (c == '~' || c == '/') {
      pointer += c == '~' ? "~0" : "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<std::string> header_name_fault(const std::string& name) {
  if (name.empty()) {
    return "a header name must not be empty";
  }
  if (!std::all_of(name.begin(), name.end(), is_token_character)) {
    return "a header name consists of letters, digits and " + std::string(token_marks);
  }
  if (is_owned(name)) {
    return name + " belongs to framing or signing and cannot be set";
  }
  return std::nullopt;
}

bool is_header_value(std::string_view value) { return std::all_of(value.begin(), value.end(), is_value_character); }

std::optional<std::string> header_fault(const Header& header) {
  if (auto fault = header_name_fault(header.name)) {
    return "headers: " + *fault;
  }
  if (!is_header_value(header.value)) {
    return "headers: the value of " + header.name + " must be visible ASCII, space or tab (no line breaks)";
  }
  return std::nullopt;
}

base::Result<void> check_headers(const std::vector<Header>& headers) {
  if (headers.size() > limits::headers) {
    return base::field_error("/headers", "headers: at most " + std::to_string(limits::headers) + " headers, not " +
                                             std::to_string(headers.size()));
  }
  base::Error error{base::ErrorCode::invalid_field, {}, {}};
  std::size_t bytes = 0;
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    bytes += header->name.size() + header->value.size();
    const bool repeated = std::any_of(headers.begin(), header, [&](const Header& earlier) {
      return base::equals_ignoring_case(earlier.name, header->name);
    });
    if (auto fault = header_fault(*header)) {
      error.fields.push_back({pointer_to(header->name), std::move(*fault)});
    } else if (repeated) {
      error.fields.push_back({pointer_to(header->name), "headers: " + header->name + " is given twice"});
    }
  }
  if (bytes > limits::header_bytes) {
    error.fields.push_back({"/headers", "headers: names and values take " + std::to_string(bytes) +
                                            " bytes, more than " + std::to_string(limits::header_bytes)});
  }
  if (error.fields.empty()) {
    return {};
  }
  error.detail = error.fields.front().detail;
  return error;
}

base::Result<Header> parse_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) {
    return base::field_error("/headers", "headers: write a header as 'Name: value'");
  }
  Header header{std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))};
  if (auto fault = header_fault(header)) {
    return base::field_error(pointer_to(header.name), std::move(*fault));
  }
  return header;
}

}  // namespace webhookd::domain
