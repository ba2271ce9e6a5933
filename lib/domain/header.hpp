// Custom request headers of a webhook: RFC 9110 tokens as names, visible ASCII, space and tab as values, and never a
// header that framing or signing owns. Checked when a webhook is set and once more when a request is built, because
// Beast sends CR and LF in names and values as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace webhookd::domain {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

// What is wrong with a name that somebody wants to set; nothing when it may be.
std::optional<std::string> header_name_fault(const std::string& name);
bool is_header_value(std::string_view value);
// What is wrong with it, in words; nothing when it may be sent.
std::optional<std::string> header_fault(const Header& header);
// Whole list: each header, no name twice (ignoring case), count and total bytes. Pointers are "/headers/NAME".
base::Result<void> check_headers(const std::vector<Header>& headers);
// "Name: value" as written on a command line.
base::Result<Header> parse_header_line(std::string_view line);

}  // namespace webhookd::domain
