#include "domain/endpoint.hpp"

#include <algorithm>
#include <array>

namespace webhookd::domain {

namespace {

constexpr std::array<std::string_view, 3> health_names = {"up", "down", "throttled"};

constexpr std::uint16_t request_timeout = 408;
constexpr std::uint16_t too_many_requests = 429;

bool is_endpoint_status(std::uint16_t code) {
  return code == request_timeout || code == too_many_requests || code >= 500;
}

}  // namespace

EndpointSignal endpoint_signal(const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::success:
      return EndpointSignal::alive;
    case OutcomeKind::status:
      return is_endpoint_status(outcome.code) ? EndpointSignal::failing : EndpointSignal::alive;
    case OutcomeKind::timeout:
    case OutcomeKind::connect:
    case OutcomeKind::dns:
    case OutcomeKind::tls:
    case OutcomeKind::reset:
    case OutcomeKind::protocol:
      return EndpointSignal::failing;
    case OutcomeKind::denied:
    case OutcomeKind::aborted:
    case OutcomeKind::interrupted:
      return EndpointSignal::nothing;
  }
  return EndpointSignal::nothing;
}

std::string_view to_string(Health health) { return health_names[static_cast<std::size_t>(health)]; }

void Window::on_signal(EndpointSignal signal, std::uint32_t bound) {
  if (signal == EndpointSignal::alive) {
    size_ = std::min(size_ + 1, bound);
  } else if (signal == EndpointSignal::failing) {
    size_ = std::max(size_ / 2, std::uint32_t{1});
  }
}

}  // namespace webhookd::domain
