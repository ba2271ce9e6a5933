#include "domain/backoff.hpp"

#include <doctest/doctest.h>

#include "domain/message.hpp"

using namespace webhookd::domain;
using webhookd::base::time_from_ms;

namespace {

const Time start = time_from_ms(1'800'000'000'000);
const RetryPolicy defaults;

// Within the quantum of behaviour.md section 7: 1 s up to a minute, 1 % above.
bool is_about(Duration wait, Duration expected) {
  const Duration grain = expected <= 60s ? Duration(0) : expected / 100;
  return wait >= expected - grain && wait <= expected + grain;
}

}  // namespace

TEST_CASE("waits double from 5 s to 6 h") {
  const Duration expected[] = {5s,    10s,   20s,   40s,    80s,    160s, 320s, 640s,
                               1280s, 2560s, 5120s, 10240s, 20480s, 6h,   6h,   6h};
  for (std::uint32_t n = 1; n <= std::size(expected); ++n) {
    CAPTURE(n);
    CHECK(is_about(backoff_wait(defaults, n, 0), expected[n - 1]));
  }
  CHECK(backoff_wait(defaults, 1, 0) == 5s);
  CHECK(is_about(backoff_wait(defaults, 13, 0), 5h + 41min));
  CHECK(backoff_wait(defaults, 14, 0) == 6h);
  CHECK(backoff_wait(defaults, 4'000'000'000U, 0) == 6h);
}

TEST_CASE("jitter moves a wait by at most its share") {
  CHECK(backoff_wait(defaults, 14, 1) >= 6h);
  CHECK(backoff_wait(defaults, 14, 1) <= 6h + 36min + 4min);
  CHECK(backoff_wait(defaults, 14, -1) <= 6h);
  CHECK(backoff_wait(defaults, 14, -1) >= 6h - 36min - 4min);
  CHECK(backoff_wait(defaults, 4, 1) == 44s);
  CHECK(backoff_wait(defaults, 4, -1) == 36s);
}

TEST_CASE("waits are whole seconds up to a minute and never nothing") {
  const RetryPolicy quick = {1s, 1, 1s, 0.5, 1h};
  CHECK(backoff_wait(quick, 1, -1) == 1s);
  for (std::uint32_t n = 1; n < 20; ++n) {
    CHECK(backoff_wait(defaults, n, 0.3).count() % 1000 == 0);
  }
}

TEST_CASE("Retry-After only lengthens, by at most a day") {
  const Time deadline = start + 240h;
  CHECK(next_attempt_at(defaults, 1, 0, std::nullopt, start, deadline) == start + 5s);
  CHECK(next_attempt_at(defaults, 1, 0, 2s, start, deadline) == start + 5s);
  CHECK(next_attempt_at(defaults, 1, 0, 120s, start, deadline) == start + 120s);
  CHECK(next_attempt_at(defaults, 1, 0, 1000h, start, deadline) == start + 24h);
}

TEST_CASE("no wait goes past the deadline") {
  CHECK(next_attempt_at(defaults, 14, 0, std::nullopt, start, start + 1h) == start + 1h);
  CHECK(next_attempt_at(defaults, 1, 0, 24h, start, start + 1h) == start + 1h);
}

TEST_CASE("ten days of failures are about fifty attempts, the last on the deadline") {
  Message message = new_message(MessageId{1}, WebhookId{1}, EventId{1}, start, defaults.window);
  std::uint32_t attempts = 0;
  Time last = start;
  while (message.is_waiting()) {
    REQUIRE(attempts < 1000);
    last = *message.next_attempt_at;
    Attempt attempt;
    attempt.number = ++attempts;
    attempt.at = last;
    attempt.outcome.kind = OutcomeKind::status;
    attempt.outcome.code = 500;
    apply_attempt(message, attempt, defaults, 0, last);
  }
  CHECK(attempts == 53);
  CHECK(last == start + 240h);
  CHECK(message.status == MessageStatus::failed);
  CHECK(message.reason == SettleReason::expired);
}
