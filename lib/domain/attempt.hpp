// One HTTP request made for a message, and its outcome. An outcome is a value, never an error: a failing receiver is
// normal load. What it means for the message is decided in message.hpp, what it says of the endpoint in
// endpoint.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace webhookd::domain {

enum class OutcomeKind : std::uint8_t {
  success,  // complete head, 2xx
  status,   // complete head, any other status
  timeout,
  connect,  // refused, unreachable
  dns,
  tls,
  reset,        // closed or reset before a complete head
  protocol,     // an answer that is not HTTP, or past its bounds
  denied,       // egress policy
  aborted,      // cancelled or deleted while in flight
  interrupted,  // the daemon ended while it was in flight
};

inline constexpr std::size_t outcome_kinds = 11;

enum class Trigger : std::uint8_t { automatic, manual, probe };

struct Outcome {
  OutcomeKind kind = OutcomeKind::success;
  std::uint16_t code = 0;  // HTTP status, 0 without a head
  std::string error;       // what failed, in words; empty on success
  std::optional<base::Duration> retry_after;
  std::string response_headers;  // the head as received, cut to limits::response_head_kept_bytes
  std::string response_body;     // cut to limits::response_body_kept_bytes
  bool response_truncated = false;
  base::Duration duration{};  // of the whole exchange, on a steady clock
  bool operator==(const Outcome&) const = default;
};

struct Attempt {
  std::uint32_t number = 0;  // from 1, over all windows of the message
  base::Time at{};
  Trigger trigger = Trigger::automatic;
  std::string url;
  Outcome outcome;
  bool operator==(const Attempt&) const = default;
};

std::string_view to_string(OutcomeKind kind);
std::string_view to_string(Trigger trigger);

// "HTTP 503", "timeout: no answer within 15s", …: the `failure` of a message; empty on success.
std::string describe(const Outcome& outcome);

}  // namespace webhookd::domain
