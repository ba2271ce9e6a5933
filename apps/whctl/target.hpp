// The targets of the API's requests: paths with encoded segments, and queries.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "parse.hpp"

namespace webhookd::whctl {

// "/v1/webhooks/orders", the name encoded.
std::string path_to(std::string_view collection, std::string_view id, std::string_view action = "");

// A flag or argument that goes to the daemon as a query parameter.
struct Filter {
  std::string_view word;
  std::string_view parameter;
};

// Builds "/v1/messages?a=b&c=d".
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}

  void add(std::string_view name, std::string_view value);
  // Those that were given.
  void add_given(const Invocation& invocation, std::span<const Filter> filters);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace webhookd::whctl
