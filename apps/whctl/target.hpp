// The targets of the API's requests: paths with encoded segments, and queries.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "control/client/failure.hpp"
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
  // `since` and `until`, as far as they were given.
  client::Result<void> add_times(const Invocation& invocation, const std::function<base::Time()>& now);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace webhookd::whctl
