#include "domain/message.hpp"

#include <algorithm>
#include <array>

#include "domain/backoff.hpp"
#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

constexpr std::uint16_t gone = 410;

constexpr std::array<std::string_view, message_status_count> status_names = {"created", "retrying", "success", "failed",
                                                                             "cancelled"};
constexpr std::array<std::string_view, message_status_count> status_display_names = {"Created", "Retrying", "Success",
                                                                                     "Failed", "Cancelled"};
constexpr std::array<std::string_view, 5> reason_names = {"", "delivered", "expired", "gone", "cancelled"};

using Row = std::array<Transition, input_count>;
using S = MessageStatus;

constexpr Transition to(S next) { return {Verdict::moves, next}; }
constexpr Transition stays(S status) { return {Verdict::stays, status}; }
constexpr Transition ignored(S status) { return {Verdict::ignored, status}; }
constexpr Transition refused(S status) { return {Verdict::refused, status}; }

// A settled message: outcomes that arrive late change nothing, a cancel is a conflict, a retry opens a new window.
constexpr Row settled(S status) {
  return {ignored(status), ignored(status), ignored(status), ignored(status),
          ignored(status), refused(status), to(S::retrying)};
}

constexpr Row waiting(S status) {
  return {to(S::success), to(S::retrying),  to(S::failed), to(S::failed),
          to(S::failed),  to(S::cancelled), stays(status)};
}

// behaviour.md section 6. Rows: status; columns: attempt_succeeded, attempt_failed, attempt_failed_at_deadline,
// attempt_gone, waited_out, cancel, retry.
constexpr std::array<Row, message_status_count> transitions = {
    waiting(S::created), waiting(S::retrying), settled(S::success), settled(S::failed), settled(S::cancelled)};

void settle(Message& message, MessageStatus status, SettleReason reason, Time now) {
  message.status = status;
  message.reason = reason;
  message.settled_at = now;
  message.next_attempt_at.reset();
}

void plan(Message& message, Time due) {
  message.planned_at = due;
  message.next_attempt_at = due;
}

// A failed manual attempt goes back to the automatic plan; an automatic one makes the next step of it.
void plan_after_failure(Message& message, const Attempt& attempt, const RetryPolicy& policy, double jitter, Time now) {
  if (attempt.trigger == Trigger::manual && message.planned_at > now) {
    message.next_attempt_at = message.planned_at;
    return;
  }
  ++message.window_failures;
  plan(message,
       next_attempt_at(policy, message.window_failures, jitter, attempt.outcome.retry_after, now, message.deadline));
}

std::string cut(std::string text) {
  if (text.size() > limits::failure_text_bytes) {
    std::size_t end = limits::failure_text_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;  // never inside a UTF-8 sequence
    }
    text.resize(end);
  }
  return text;
}

}  // namespace

Message new_message(MessageId id, WebhookId webhook, EventId event, Time now, Duration window) {
  Message message;
  message.id = id;
  message.webhook = webhook;
  message.event = event;
  message.created_at = now;
  message.deadline = now + window;
  plan(message, now);
  return message;
}

Time deadline_of(const Message& message, Duration window) {
  return message.is_waiting() && !message.retried_by ? message.created_at + window : message.deadline;
}

Transition transition_of(MessageStatus status, Input input) {
  return transitions[static_cast<std::size_t>(status)][static_cast<std::size_t>(input)];
}

Input input_of(const Outcome& outcome, Time made_at, Time deadline) {
  if (outcome.kind == OutcomeKind::success) {
    return Input::attempt_succeeded;
  }
  if (outcome.kind == OutcomeKind::status && outcome.code == gone) {
    return Input::attempt_gone;
  }
  return made_at < deadline ? Input::attempt_failed : Input::attempt_failed_at_deadline;
}

bool apply_attempt(Message& message, const Attempt& attempt, const RetryPolicy& policy, double jitter, Time ended_at) {
  message.attempts = std::max(message.attempts, attempt.number);
  message.last_attempt_at = attempt.at;
  const Outcome& outcome = attempt.outcome;
  if (outcome.kind == OutcomeKind::aborted || outcome.kind == OutcomeKind::interrupted) {
    return false;
  }
  message.deadline = deadline_of(message, policy.window);
  const Transition transition = transition_of(message.status, input_of(outcome, attempt.at, message.deadline));
  if (transition.verdict != Verdict::moves) {
    return false;
  }
  message.last_code = outcome.code;
  message.last_outcome = outcome.kind;
  message.failure = cut(describe(outcome));
  if (transition.next == MessageStatus::retrying) {
    message.status = MessageStatus::retrying;
    plan_after_failure(message, attempt, policy, jitter, ended_at);
  } else {
    const bool was_gone = outcome.kind == OutcomeKind::status && outcome.code == gone;
    const bool delivered = transition.next == MessageStatus::success;
    settle(message, transition.next,
           delivered  ? SettleReason::delivered
           : was_gone ? SettleReason::gone
                      : SettleReason::expired,
           ended_at);
  }
  return true;
}

bool apply_waited_out(Message& message, std::string_view why, Time now) {
  const Transition transition = transition_of(message.status, Input::waited_out);
  if (transition.verdict != Verdict::moves) {
    return false;
  }
  message.failure = cut(std::string(why));
  settle(message, transition.next, SettleReason::expired, now);
  return true;
}

base::Result<void> apply_cancel(Message& message, const Actor& actor, Time now) {
  const Transition transition = transition_of(message.status, Input::cancel);
  if (transition.verdict == Verdict::refused) {
    return base::Error{base::ErrorCode::already_settled,
                       "message " + to_string(message.id) + " is " + std::string(to_string(message.status)) +
                           " already: only a waiting message can be cancelled",
                       {}};
  }
  message.cancelled_by = actor;
  settle(message, transition.next, SettleReason::cancelled, now);
  return {};
}

base::Result<void> apply_retry(Message& message, const Actor& actor, Time now, Duration window, bool webhook_active) {
  if (!webhook_active) {
    return base::Error{base::ErrorCode::webhook_inactive,
                       "webhook " + to_string(message.webhook) + " is inactive: activate it, then retry",
                       {}};
  }
  message.retried_by = actor;
  if (transition_of(message.status, Input::retry).verdict == Verdict::stays) {
    // The automatic plan stands; only the due time moves ahead of it.
    message.next_attempt_at = std::min(*message.next_attempt_at, now);
    return {};
  }
  message.status = MessageStatus::retrying;
  message.reason = SettleReason::none;
  message.settled_at.reset();
  message.cancelled_by.reset();
  message.window_failures = 0;
  message.deadline = now + window;
  plan(message, now);
  return {};
}

std::string_view to_string(MessageStatus status) { return status_names[static_cast<std::size_t>(status)]; }
std::string_view display_name(MessageStatus status) { return status_display_names[static_cast<std::size_t>(status)]; }
std::string_view to_string(SettleReason reason) { return reason_names[static_cast<std::size_t>(reason)]; }

std::optional<MessageStatus> parse_message_status(std::string_view text) {
  const auto found = std::find(status_names.begin(), status_names.end(), text);
  if (found == status_names.end()) {
    return std::nullopt;
  }
  return static_cast<MessageStatus>(found - status_names.begin());
}

}  // namespace webhookd::domain
