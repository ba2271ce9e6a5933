#include "domain/event_type.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

bool is_part(std::string_view part) {
  return !part.empty() && base::is_letter(part.front()) && std::all_of(part.begin(), part.end(), [](char c) {
    return base::is_letter(c) || base::is_digit(c) || c == '_' || c == '-';
  });
}

// The number of parts between dots, or 0 when one of them is malformed.
std::size_t count_parts(std::string_view text) {
  for (std::size_t parts = 1;; ++parts) {
    const auto dot = text.find('.');
    if (!is_part(text.substr(0, dot))) {
      return 0;
    }
    if (dot == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool is_event_type_name(std::string_view text) {
  return text.size() <= limits::event_type_bytes && count_parts(text) >= 2;
}

bool is_event_pattern(std::string_view text) {
  if (text == "*" || is_event_type_name(text)) {
    return true;
  }
  return text.size() <= limits::event_type_bytes && text.ends_with(".*") &&
         count_parts(text.substr(0, text.size() - 2)) >= 1;
}

bool pattern_matches(std::string_view pattern, std::string_view type) {
  if (pattern == "*") {
    return true;
  }
  if (pattern.ends_with(".*")) {
    const std::string_view leading = pattern.substr(0, pattern.size() - 1);  // with its dot
    return type.size() > leading.size() && type.starts_with(leading);
  }
  return pattern == type;
}

}  // namespace webhookd::domain
