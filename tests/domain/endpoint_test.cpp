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

// ---- health -----------------------------------------------------------------------------------------------------

namespace {

using Change = EndpointHealth::Change;
constexpr Time health_start = webhookd::base::time_from_ms(1'800'000'000'000);

Outcome status(std::uint16_t code, std::optional<Duration> retry_after = {}) {
  Outcome outcome;
  outcome.kind = code < 300 ? OutcomeKind::success : OutcomeKind::status;
  outcome.code = code;
  outcome.retry_after = retry_after;
  return outcome;
}

EndpointHealth down_at(Time now) {
  EndpointHealth health;
  for (int i = 0; i < 5; ++i) {
    health.on_outcome(status(500), false, now);
  }
  return health;
}

}  // namespace

TEST_CASE("an endpoint is down after five failures in a row, not before") {
  EndpointHealth health;
  for (int i = 0; i < 4; ++i) {
    CHECK(health.on_outcome(status(503), false, health_start) == Change::none);
  }
  CHECK(health.on_outcome(status(200), false, health_start) == Change::none);
  for (int i = 0; i < 4; ++i) {
    health.on_outcome(status(503), false, health_start);
  }
  CHECK(health.state(health_start) == Health::up);
  CHECK(health.on_outcome(status(503), false, health_start) == Change::went_down);
  CHECK(health.state(health_start) == Health::down);
  CHECK(health.failure() == "HTTP 503");
}

TEST_CASE("probes of a dead endpoint move apart from 5 s to 5 min") {
  EndpointHealth health = down_at(health_start);
  CHECK(health.not_before() == health_start + 5s);
  Time now = health_start;
  for (const Duration wait : {10s, 20s, 40s, 80s, 160s, 300s, 300s}) {
    now = health.not_before();
    health.on_outcome(status(500), true, now);
    CHECK(health.not_before() == now + wait);
  }
}

TEST_CASE("failures of requests that were under way when the endpoint went down do not delay its probes") {
  EndpointHealth health = down_at(health_start);
  health.on_outcome(status(500), false, health_start + 1s);
  CHECK(health.not_before() == health_start + 5s);
}

TEST_CASE("the first success after an endpoint was down releases its backlog, once") {
  EndpointHealth health = down_at(health_start);
  CHECK(health.on_outcome(status(200), true, health_start + 5s) == Change::recovered);
  CHECK(health.state(health_start + 5s) == Health::up);
  CHECK(health.on_outcome(status(200), false, health_start + 6s) == Change::none);
}

TEST_CASE("a failure of the message brings an endpoint up; the release waits for a success") {
  EndpointHealth health = down_at(health_start);
  CHECK(health.on_outcome(status(404), true, health_start + 5s) == Change::came_up);
  CHECK(health.on_outcome(status(200), false, health_start + 6s) == Change::recovered);
}

TEST_CASE("an endpoint is freshly probed from a failed probe until the next is due") {
  EndpointHealth health = down_at(health_start);
  CHECK_FALSE(health.is_freshly_probed(health_start));
  health.on_outcome(status(500), true, health_start + 5s);
  CHECK(health.is_freshly_probed(health_start + 5s));
  CHECK(health.is_freshly_probed(health_start + 15s));
  CHECK_FALSE(health.is_freshly_probed(health_start + 16s));
}

TEST_CASE("429 throttles the endpoint until its Retry-After, a second without one, a day at most") {
  EndpointHealth health;
  health.on_outcome(status(429), false, health_start);
  CHECK(health.state(health_start) == Health::throttled);
  CHECK(health.not_before() == health_start + 1s);
  health.on_outcome(status(429, 90s), false, health_start);
  CHECK(health.not_before() == health_start + 90s);
  CHECK(health.state(health_start + 90s) == Health::up);
  health.on_outcome(status(429, 100h), false, health_start);
  CHECK(health.not_before() == health_start + 24h);
}

TEST_CASE("a person's wish hastens the next probe, but never closer than 5 s to the latest failure") {
  EndpointHealth health = down_at(health_start);
  for (int i = 0; i < 6; ++i) {
    health.on_outcome(status(500), true, health_start + 1min);
  }
  health.hasten(health_start + 61s);
  CHECK(health.not_before() == health_start + 65s);
  EndpointHealth later = down_at(health_start);
  later.on_outcome(status(500), true, health_start + 1min);
  later.hasten(health_start + 68s);
  CHECK(later.not_before() == health_start + 68s);
}

TEST_CASE("a renewed endpoint is up and unproven, and still owes the release") {
  EndpointHealth health = down_at(health_start);
  health.renew(health_start);
  CHECK(health.state(health_start) == Health::up);
  CHECK(health.is_unproven());
  CHECK(health.on_outcome(status(200), false, health_start) == Change::recovered);
}

// ---- pace -------------------------------------------------------------------------------------------------------

TEST_CASE("a pace of 10 a second spreads starts evenly, whatever came before") {
  Pace pace;
  Time now = health_start;
  int starts = 0;
  for (; now < health_start + 10s; now += 1ms) {
    if (pace.not_before() <= now) {
      pace.on_start(now, 10);
      ++starts;
    }
  }
  CHECK(starts >= 100);
  CHECK(starts <= 102);
  now += 1h;
  CHECK(pace.not_before() <= now);
  pace.on_start(now, 10);
  CHECK(pace.not_before() == now + 90ms);
}

TEST_CASE("a pace above a thousand a second is kept although the clock counts milliseconds") {
  Pace pace;
  int starts = 0;
  for (Time now = health_start; now < health_start + 10s; now += 1ms) {
    while (pace.not_before() <= now) {
      pace.on_start(now, 5000);
      ++starts;
    }
  }
  CHECK(starts >= 49'900);
  CHECK(starts <= 50'100);
}
