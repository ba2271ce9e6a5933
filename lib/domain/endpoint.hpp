// What outcomes say about an endpoint, apart from the message (behaviour.md section 8): timeouts, refused or reset
// connections, name and TLS failures, 408, 429 and 5xx are failures of the endpoint; other statuses are failures of the
// message and say that the endpoint is alive. From these the window of requests in flight grows and shrinks.
#pragma once

#include <cstdint>
#include <string_view>

#include "domain/attempt.hpp"

namespace webhookd::domain {

enum class Health : std::uint8_t { up, down, throttled };

enum class EndpointSignal : std::uint8_t { alive, failing, nothing };

EndpointSignal endpoint_signal(const Outcome& outcome);

std::string_view to_string(Health health);

// How many requests one webhook may have in flight: starts at 4, grows by one with each success up to the webhook's
// own bound (slow start: doubling each round trip), halves with each endpoint failure, never below 1.
class Window {
 public:
  static constexpr std::uint32_t initial = 4;

  std::uint32_t size(std::uint32_t bound) const { return size_ < bound ? size_ : bound; }
  void on_signal(EndpointSignal signal, std::uint32_t bound);

 private:
  std::uint32_t size_ = initial;
};

}  // namespace webhookd::domain
