#include "domain/attempt.hpp"

#include <array>

namespace webhookd::domain {

namespace {
constexpr std::array<std::string_view, outcome_kinds> outcome_names = {
    "success", "status", "timeout", "connect", "dns", "tls", "reset", "protocol", "denied", "aborted", "interrupted"};
constexpr std::array<std::string_view, 3> trigger_names = {"automatic", "manual", "probe"};
}  // namespace

std::string_view to_string(OutcomeKind kind) { return outcome_names[static_cast<std::size_t>(kind)]; }
std::string_view to_string(Trigger trigger) { return trigger_names[static_cast<std::size_t>(trigger)]; }

std::string describe(const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::success) {
    return {};
  }
  if (outcome.kind == OutcomeKind::status) {
    return "HTTP " + std::to_string(outcome.code);
  }
  std::string text(to_string(outcome.kind));
  if (!outcome.error.empty()) {
    text += ": " + outcome.error;
  }
  return text;
}

}  // namespace webhookd::domain
