#include "domain/message.hpp"

#include <doctest/doctest.h>

using namespace webhookd::domain;
using webhookd::base::ErrorCode;
using webhookd::base::time_from_ms;

namespace {

using S = MessageStatus;

const Time message_start = time_from_ms(1'800'000'000'000);
const RetryPolicy no_jitter = {5s, 2, 6h, 0, 240h};

Message fresh() { return new_message(MessageId{77}, WebhookId{5}, EventId{66}, message_start, no_jitter.window); }

Message in_status(S status) {
  Message message = fresh();
  message.status = status;
  if (!message.is_waiting()) {
    message.settled_at = message_start;
    message.next_attempt_at.reset();
  }
  return message;
}

Attempt attempt_of(std::uint32_t number, Time at, OutcomeKind kind, std::uint16_t code = 0,
                   Trigger trigger = Trigger::automatic) {
  Attempt attempt;
  attempt.number = number;
  attempt.at = at;
  attempt.trigger = trigger;
  attempt.outcome.kind = kind;
  attempt.outcome.code = code;
  return attempt;
}

struct Expected {
  S status;
  Input input;
  Verdict verdict;
  S next;
};

// behaviour.md section 6, written out: 5 statuses x 7 inputs.
const Expected table[] = {
    {S::created, Input::attempt_succeeded, Verdict::moves, S::success},
    {S::created, Input::attempt_failed, Verdict::moves, S::retrying},
    {S::created, Input::attempt_failed_at_deadline, Verdict::moves, S::failed},
    {S::created, Input::attempt_gone, Verdict::moves, S::failed},
    {S::created, Input::waited_out, Verdict::moves, S::failed},
    {S::created, Input::cancel, Verdict::moves, S::cancelled},
    {S::created, Input::retry, Verdict::stays, S::created},
    {S::retrying, Input::attempt_succeeded, Verdict::moves, S::success},
    {S::retrying, Input::attempt_failed, Verdict::moves, S::retrying},
    {S::retrying, Input::attempt_failed_at_deadline, Verdict::moves, S::failed},
    {S::retrying, Input::attempt_gone, Verdict::moves, S::failed},
    {S::retrying, Input::waited_out, Verdict::moves, S::failed},
    {S::retrying, Input::cancel, Verdict::moves, S::cancelled},
    {S::retrying, Input::retry, Verdict::stays, S::retrying},
    {S::success, Input::attempt_succeeded, Verdict::ignored, S::success},
    {S::success, Input::attempt_failed, Verdict::ignored, S::success},
    {S::success, Input::attempt_failed_at_deadline, Verdict::ignored, S::success},
    {S::success, Input::attempt_gone, Verdict::ignored, S::success},
    {S::success, Input::waited_out, Verdict::ignored, S::success},
    {S::success, Input::cancel, Verdict::refused, S::success},
    {S::success, Input::retry, Verdict::moves, S::retrying},
    {S::failed, Input::attempt_succeeded, Verdict::ignored, S::failed},
    {S::failed, Input::attempt_failed, Verdict::ignored, S::failed},
    {S::failed, Input::attempt_failed_at_deadline, Verdict::ignored, S::failed},
    {S::failed, Input::attempt_gone, Verdict::ignored, S::failed},
    {S::failed, Input::waited_out, Verdict::ignored, S::failed},
    {S::failed, Input::cancel, Verdict::refused, S::failed},
    {S::failed, Input::retry, Verdict::moves, S::retrying},
    {S::cancelled, Input::attempt_succeeded, Verdict::ignored, S::cancelled},
    {S::cancelled, Input::attempt_failed, Verdict::ignored, S::cancelled},
    {S::cancelled, Input::attempt_failed_at_deadline, Verdict::ignored, S::cancelled},
    {S::cancelled, Input::attempt_gone, Verdict::ignored, S::cancelled},
    {S::cancelled, Input::waited_out, Verdict::ignored, S::cancelled},
    {S::cancelled, Input::cancel, Verdict::refused, S::cancelled},
    {S::cancelled, Input::retry, Verdict::moves, S::retrying},
};

}  // namespace

TEST_CASE("every status answers every input as the table of behaviour.md says") {
  CHECK(std::size(table) == message_status_count * input_count);
  for (const Expected& row : table) {
    CAPTURE(static_cast<int>(row.status));
    CAPTURE(static_cast<int>(row.input));
    const Transition transition = transition_of(row.status, row.input);
    CHECK(transition.verdict == row.verdict);
    CHECK(transition.next == row.next);
  }
}

TEST_CASE("a new message is due at once and ends with its window") {
  const Message message = fresh();
  CHECK(message.status == S::created);
  CHECK(message.next_attempt_at == message_start);
  CHECK(message.deadline == message_start + 240h);
  CHECK(message.attempts == 0);
  CHECK_FALSE(message.settled_at);
  CHECK_FALSE(message.is_manually_due());
}

TEST_CASE("a 2xx answer makes Success from both waiting statuses") {
  for (const S status : {S::created, S::retrying}) {
    Message message = in_status(status);
    CHECK(apply_attempt(message, attempt_of(1, message_start, OutcomeKind::success, 204), no_jitter, 0,
                        message_start + 30ms));
    CHECK(message.status == S::success);
    CHECK(message.reason == SettleReason::delivered);
    CHECK(message.settled_at == message_start + 30ms);
    CHECK(message.last_code == 204);
    CHECK(message.failure.empty());
    CHECK_FALSE(message.next_attempt_at);
  }
}

TEST_CASE("a failure before the deadline plans the next attempt") {
  Message message = fresh();
  CHECK(
      apply_attempt(message, attempt_of(1, message_start, OutcomeKind::status, 500), no_jitter, 0, message_start + 1s));
  CHECK(message.status == S::retrying);
  CHECK(message.next_attempt_at == message_start + 6s);
  CHECK(message.attempts == 1);
  CHECK(message.last_attempt_at == message_start);
  CHECK(message.last_code == 500);
  CHECK(message.failure == "HTTP 500");
  CHECK(apply_attempt(message, attempt_of(2, message_start + 6s, OutcomeKind::timeout), no_jitter, 0,
                      message_start + 21s));
  CHECK(message.next_attempt_at == message_start + 31s);
  CHECK(message.last_code == 0);
}

TEST_CASE("a success clears the failure of the attempt before") {
  Message message = fresh();
  apply_attempt(message, attempt_of(1, message_start, OutcomeKind::status, 500), no_jitter, 0, message_start);
  apply_attempt(message, attempt_of(2, message_start + 5s, OutcomeKind::success, 200), no_jitter, 0,
                message_start + 5s);
  CHECK(message.failure.empty());
}

TEST_CASE("the attempt made at the deadline is the last") {
  Message message = in_status(S::retrying);
  const Time deadline = message.deadline;
  CHECK(apply_attempt(message, attempt_of(50, deadline, OutcomeKind::status, 500), no_jitter, 0, deadline + 1s));
  CHECK(message.status == S::failed);
  CHECK(message.reason == SettleReason::expired);
  CHECK(message.settled_at == deadline + 1s);
}

TEST_CASE("an attempt made before the deadline that fails after it leaves one more, at once") {
  Message message = in_status(S::retrying);
  const Time deadline = message.deadline;
  CHECK(apply_attempt(message, attempt_of(49, deadline - 1s, OutcomeKind::timeout), no_jitter, 0, deadline + 14s));
  CHECK(message.status == S::retrying);
  CHECK(message.next_attempt_at == deadline);
}

TEST_CASE("a 410 makes Failed for good, whenever it comes") {
  for (const Time at : {message_start, message_start + 240h, message_start + 300h}) {
    Message message = fresh();
    CHECK(apply_attempt(message, attempt_of(1, at, OutcomeKind::status, 410), no_jitter, 0, at));
    CHECK(message.status == S::failed);
    CHECK(message.reason == SettleReason::gone);
    CHECK(message.failure == "HTTP 410");
  }
}

TEST_CASE("an aborted or interrupted attempt is no failure of the receiver") {
  for (const OutcomeKind kind : {OutcomeKind::aborted, OutcomeKind::interrupted}) {
    Message message = fresh();
    const Time due = *message.next_attempt_at;
    apply_attempt(message, attempt_of(1, message_start, kind), no_jitter, 0, message_start + 1s);
    CHECK(message.status == S::created);
    CHECK(message.next_attempt_at == due);
    CHECK(message.window_failures == 0);
  }
}

TEST_CASE("a late outcome changes no settled message") {
  for (const S status : {S::success, S::failed, S::cancelled}) {
    Message message = in_status(status);
    const Message before = message;
    CHECK_FALSE(apply_attempt(message, attempt_of(1, message_start, OutcomeKind::success, 200), no_jitter, 0,
                              message_start + 1s));
    CHECK(message.status == before.status);
    CHECK(message.reason == before.reason);
    CHECK(message.settled_at == before.settled_at);
    CHECK_FALSE(message.next_attempt_at);
  }
}

TEST_CASE("waiting out the window ends Failed with the reason in words, and only while it waits") {
  Message message = in_status(S::retrying);
  CHECK(apply_waited_out(message, "the webhook was inactive", message.deadline));
  CHECK(message.status == S::failed);
  CHECK(message.reason == SettleReason::expired);
  CHECK(message.failure == "the webhook was inactive");
  CHECK_FALSE(apply_waited_out(message, "again", message.deadline + 1s));
  CHECK(message.failure == "the webhook was inactive");
}

TEST_CASE("a cancel settles a waiting message and says who did it") {
  for (const S status : {S::created, S::retrying}) {
    Message message = in_status(status);
    CHECK(apply_cancel(message, {1000, "wrong tenant"}, message_start + 1s).has_value());
    CHECK(message.status == S::cancelled);
    CHECK(message.reason == SettleReason::cancelled);
    CHECK(message.cancelled_by->uid == 1000);
    CHECK(message.cancelled_by->reason == "wrong tenant");
    CHECK_FALSE(message.next_attempt_at);
  }
}

TEST_CASE("a cancel of a settled message is a conflict") {
  for (const S status : {S::success, S::failed, S::cancelled}) {
    Message message = in_status(status);
    const Message before = message;
    const auto cancelled = apply_cancel(message, {0, ""}, message_start + 1s);
    REQUIRE(cancelled.has_error());
    CHECK(cancelled.error().code == ErrorCode::already_settled);
    CHECK(message == before);
  }
}

TEST_CASE("a retry of a waiting message makes it due now and keeps the plan") {
  Message message = fresh();
  apply_attempt(message, attempt_of(1, message_start, OutcomeKind::status, 500), no_jitter, 0, message_start);
  CHECK(apply_retry(message, {0, ""}, message_start + 2s, no_jitter.window, true).has_value());
  CHECK(message.status == S::retrying);
  CHECK(message.next_attempt_at == message_start + 2s);
  CHECK(message.planned_at == message_start + 5s);
  CHECK(message.is_manually_due());
  CHECK(message.deadline == message_start + 240h);
  // Its failure neither ends nor delays the automatic attempts.
  apply_attempt(message, attempt_of(2, message_start + 2s, OutcomeKind::status, 500, Trigger::manual), no_jitter, 0,
                message_start + 3s);
  CHECK(message.next_attempt_at == message_start + 5s);
  CHECK(message.window_failures == 1);
  apply_attempt(message, attempt_of(3, message_start + 5s, OutcomeKind::status, 500), no_jitter, 0, message_start + 5s);
  CHECK(message.next_attempt_at == message_start + 15s);
}

TEST_CASE("a retry of a settled message opens a new window") {
  for (const S status : {S::success, S::failed, S::cancelled}) {
    Message message = in_status(status);
    message.attempts = 12;
    message.window_failures = 12;
    CHECK(apply_retry(message, {1000, "fixed"}, message_start + 500h, 24h, true).has_value());
    CHECK(message.status == S::retrying);
    CHECK(message.reason == SettleReason::none);
    CHECK(message.next_attempt_at == message_start + 500h);
    CHECK(message.deadline == message_start + 524h);
    CHECK(message.attempts == 12);  // the log goes on counting
    CHECK(message.window_failures == 0);
    CHECK(message.retried_by->reason == "fixed");
    CHECK_FALSE(message.settled_at);
  }
}

TEST_CASE("a retry is refused while the webhook is inactive, whatever the status") {
  for (const S status : {S::created, S::retrying, S::success, S::failed, S::cancelled}) {
    Message message = in_status(status);
    const Message before = message;
    const auto retried = apply_retry(message, {0, ""}, message_start, 24h, false);
    REQUIRE(retried.has_error());
    CHECK(retried.error().code == ErrorCode::webhook_inactive);
    CHECK(message == before);
  }
}

TEST_CASE("the failure text is bounded and never cut inside a character") {
  Message message = fresh();
  Attempt attempt = attempt_of(1, message_start, OutcomeKind::protocol);
  for (int i = 0; i < 200; ++i) {
    attempt.outcome.error += "\xe2\x82\xac";
  }
  apply_attempt(message, attempt, no_jitter, 0, message_start);
  CHECK(message.failure.size() <= limits::failure_text_bytes);
  CHECK(message.failure.ends_with("\xe2\x82\xac"));
}

TEST_CASE("statuses have one word in JSON and one for people") {
  CHECK(to_string(S::retrying) == "retrying");
  CHECK(display_name(S::retrying) == "Retrying");
  for (const S status : {S::created, S::retrying, S::success, S::failed, S::cancelled}) {
    CHECK(parse_message_status(to_string(status)) == status);
  }
  CHECK_FALSE(parse_message_status("Retrying"));
  CHECK(to_string(SettleReason::expired) == "expired");
  CHECK(to_string(SettleReason::none).empty());
}

TEST_CASE("the first attempt after a settled message was reopened is a person's, the next one is automatic") {
  const webhookd::base::Time now = webhookd::base::time_from_ms(1'800'000'000'000);
  Message message = new_message(MessageId{1}, WebhookId{2}, EventId{3}, now, 24h);
  CHECK_FALSE(message.is_manually_due());
  REQUIRE(apply_cancel(message, {}, now).has_value());
  REQUIRE(apply_retry(message, {}, now, 24h, true).has_value());
  CHECK(message.is_manually_due());
  Attempt attempt;
  attempt.number = 1;
  attempt.at = now;
  attempt.trigger = Trigger::manual;
  attempt.outcome.kind = OutcomeKind::connect;
  CHECK(apply_attempt(message, attempt, RetryPolicy{}, 0, now));
  CHECK_FALSE(message.is_manually_due());
}

TEST_CASE("an edited window counts for what waits, from its creation, but not for what a person retried") {
  Message message = fresh();
  CHECK(deadline_of(message, 480h) == message_start + 480h);
  RetryPolicy shorter = no_jitter;
  shorter.window = 1h;
  const Time late = message_start + 2h;
  CHECK(apply_attempt(message, attempt_of(1, late, OutcomeKind::status, 500), shorter, 0, late));
  CHECK(message.status == S::failed);
  CHECK(message.deadline == message_start + 1h);
  CHECK(deadline_of(message, 480h) == message_start + 1h);  // it is settled

  Message longer = fresh();
  RetryPolicy policy = no_jitter;
  policy.window = 480h;
  const Time last = longer.deadline;
  CHECK(apply_attempt(longer, attempt_of(1, last, OutcomeKind::status, 500), policy, 0, last));
  CHECK(longer.status == S::retrying);

  Message retried = fresh();
  REQUIRE(apply_retry(retried, Actor{}, message_start, 2h, true).has_value());
  CHECK(deadline_of(retried, 480h) == retried.deadline);
}
