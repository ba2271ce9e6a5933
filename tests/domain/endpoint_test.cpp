#include "domain/endpoint.hpp"

#include <doctest/doctest.h>

using namespace webhookd::domain;

namespace {

EndpointSignal signal_of(OutcomeKind kind, std::uint16_t code = 0) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.code = code;
  return endpoint_signal(outcome);
}

}  // namespace

TEST_CASE("failures of the endpoint are told from failures of the message") {
  for (const OutcomeKind kind :
       {OutcomeKind::timeout, OutcomeKind::connect, OutcomeKind::dns, OutcomeKind::tls, OutcomeKind::reset}) {
    CHECK(signal_of(kind) == EndpointSignal::failing);
  }
  for (const std::uint16_t code : std::initializer_list<std::uint16_t>{408, 429, 500, 502, 503, 599}) {
    CHECK(signal_of(OutcomeKind::status, code) == EndpointSignal::failing);
  }
  for (const std::uint16_t code : std::initializer_list<std::uint16_t>{400, 401, 404, 410, 422}) {
    CHECK(signal_of(OutcomeKind::status, code) == EndpointSignal::alive);
  }
  CHECK(signal_of(OutcomeKind::success, 200) == EndpointSignal::alive);
  CHECK(signal_of(OutcomeKind::denied) == EndpointSignal::nothing);
  CHECK(signal_of(OutcomeKind::aborted) == EndpointSignal::nothing);
  CHECK(signal_of(OutcomeKind::interrupted) == EndpointSignal::nothing);
}

TEST_CASE("the window starts at 4, grows by success, shrinks by failure, never to nothing") {
  Window window;
  CHECK(window.size(16) == 4);
  CHECK(window.size(2) == 2);
  for (int i = 0; i < 100; ++i) {
    window.on_signal(EndpointSignal::alive, 16);
  }
  CHECK(window.size(16) == 16);
  window.on_signal(EndpointSignal::failing, 16);
  CHECK(window.size(16) == 8);
  for (int i = 0; i < 100; ++i) {
    window.on_signal(EndpointSignal::failing, 16);
  }
  CHECK(window.size(16) == 1);
  window.on_signal(EndpointSignal::nothing, 16);
  CHECK(window.size(16) == 1);
}

TEST_CASE("health and outcomes have the words of the API") {
  CHECK(to_string(Health::up) == "up");
  CHECK(to_string(Health::down) == "down");
  CHECK(to_string(Health::throttled) == "throttled");
  const std::pair<OutcomeKind, std::string_view> words[] = {{OutcomeKind::success, "success"},
                                                            {OutcomeKind::status, "status"},
                                                            {OutcomeKind::timeout, "timeout"},
                                                            {OutcomeKind::connect, "connect"},
                                                            {OutcomeKind::dns, "dns"},
                                                            {OutcomeKind::tls, "tls"},
                                                            {OutcomeKind::reset, "reset"},
                                                            {OutcomeKind::protocol, "protocol"},
                                                            {OutcomeKind::denied, "denied"},
                                                            {OutcomeKind::aborted, "aborted"},
                                                            {OutcomeKind::interrupted, "interrupted"}};
  for (const auto& [kind, word] : words) {
    CHECK(to_string(kind) == word);
  }
  CHECK(to_string(Trigger::automatic) == "automatic");
  CHECK(to_string(Trigger::manual) == "manual");
  CHECK(to_string(Trigger::probe) == "probe");
}

TEST_CASE("an outcome is described in a few words") {
  Outcome outcome;
  CHECK(describe(outcome).empty());
  outcome.kind = OutcomeKind::status;
  outcome.code = 503;
  CHECK(describe(outcome) == "HTTP 503");
  outcome.kind = OutcomeKind::timeout;
  outcome.error = "no answer within 15s";
  CHECK(describe(outcome) == "timeout: no answer within 15s");
  outcome.error.clear();
  CHECK(describe(outcome) == "timeout");
}
