#include "target.hpp"

#include "control/client/connection.hpp"
#include "values.hpp"

namespace webhookd::whctl {

std::string path_to(std::string_view collection, std::string_view id, std::string_view action) {
  std::string path = "/v1/" + std::string(collection) + "/" + client::percent_encode(id);
  if (!action.empty()) path += "/" + std::string(action);
  return path;
}

void Target::add(std::string_view name, std::string_view value) {
  text_ += text_.find('?') == std::string::npos ? '?' : '&';
  text_.append(name).append("=").append(client::percent_encode(value));
}

void Target::add_given(const Invocation& invocation, std::span<const Filter> filters) {
  for (const auto& filter : filters) {
    if (invocation.has(filter.word)) add(filter.parameter, invocation.value(filter.word));
  }
}

client::Result<void> Target::add_times(const Invocation& invocation, const std::function<base::Time()>& now) {
  for (const std::string_view name : {"since", "until"}) {
    if (!invocation.has(name)) continue;
    const auto time = time_value(invocation, name, now);
    if (!time) return time.error();
    add(name, base::format_time(*time));
  }
  return {};
}

}  // namespace webhookd::whctl
