#include "control/client/connection.hpp"
#include "control/protocol/problems.hpp"

namespace webhookd::client {

namespace {

// An answer without a problem document came from something that is not quite our daemon: its status says the most.
std::string_view code_of_status(int status) {
  for (const auto& kind : protocol::problem_kinds()) {
    if (static_cast<int>(kind.status) == status) return kind.name;
  }
  return protocol::problem_kind(status < 500 ? base::ErrorCode::invalid_request : base::ErrorCode::internal).name;
}

}  // namespace

Failure failure_of(int status, std::string_view body) {
  Failure failure;
  if (auto error = protocol::parse_problem(body)) {
    failure.code = protocol::problem_kind(error->code).name;
    failure.why = std::move(error->detail);
    failure.fields = std::move(error->fields);
    return failure;
  }
  failure.code = code_of_status(status);
  failure.why = "the daemon answered " + std::to_string(status);
  return failure;
}

}  // namespace webhookd::client
