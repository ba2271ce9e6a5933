#include "domain/history.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

using base::FieldError;
using Fields = std::vector<FieldError>;

// What a status demands of the rest of the message.
struct StatusRule {
  MessageStatus status;
  bool waits;
  std::array<SettleReason, 2> reasons;
  std::uint32_t attempts_min;
};
constexpr std::array status_rules = {
    StatusRule{MessageStatus::created, true, {SettleReason::none, SettleReason::none}, 0},
    StatusRule{MessageStatus::retrying, true, {SettleReason::none, SettleReason::none}, 0},
    StatusRule{MessageStatus::success, false, {SettleReason::delivered, SettleReason::delivered}, 1},
    StatusRule{MessageStatus::failed, false, {SettleReason::expired, SettleReason::gone}, 0},
    StatusRule{MessageStatus::cancelled, false, {SettleReason::cancelled, SettleReason::cancelled}, 0},
};
static_assert(status_rules.size() == message_status_count);

void add(Fields& fields, std::string pointer, std::string_view rule) {
  std::string name = pointer.substr(1);
  std::replace(name.begin(), name.end(), '/', '.');
  fields.push_back({std::move(pointer), name + ": " + std::string(rule)});
}

base::Result<void> verdict(Fields fields) {
  if (fields.empty()) {
    return {};
  }
  std::string detail;
  for (const FieldError& field : fields) {
    detail += (detail.empty() ? "" : "; ") + field.detail;
  }
  return base::Error{base::ErrorCode::invalid_field, std::move(detail), std::move(fields)};
}

// Any time that a clock may have shown; what is planned may lie a window further ahead.
void check_time(Fields& fields, std::string_view pointer, const std::optional<Time>& time, Time latest) {
  if (time && (*time < Time{} || *time > latest)) {
    add(fields, std::string(pointer), "must lie between 1970 and " + base::format_time(latest));
  }
}

void check_times(Fields& fields, const Message& message, Time now) {
  const Time latest = now + limits::history_ahead_max;
  const Time latest_plan = latest + limits::retry_window_max + limits::retry_after_max;
  check_time(fields, "/created_at", message.created_at, latest);
  check_time(fields, "/settled_at", message.settled_at, latest);
  check_time(fields, "/last_attempt_at", message.last_attempt_at, latest);
  check_time(fields, "/deadline", message.deadline, latest_plan);
  check_time(fields, "/next_attempt_at", message.next_attempt_at, latest_plan);
  check_time(fields, "/planned_at", message.planned_at, latest_plan);
  if (message.deadline < message.created_at) {
    add(fields, "/deadline", "must not lie before created_at");
  }
}

void check_status(Fields& fields, const Message& message) {
  const StatusRule& rule = status_rules[static_cast<std::size_t>(message.status)];
  const std::string status(to_string(message.status));
  if (rule.waits != message.next_attempt_at.has_value()) {
    add(fields, "/next_attempt_at", rule.waits ? status + " needs it" : status + " has none");
  }
  if (rule.waits == message.settled_at.has_value()) {
    add(fields, "/settled_at", rule.waits ? status + " has none" : status + " needs it");
  }
  if (std::find(rule.reasons.begin(), rule.reasons.end(), message.reason) == rule.reasons.end()) {
    add(fields, "/reason", "does not fit the status " + status);
  }
  if (message.attempts < rule.attempts_min) {
    add(fields, "/attempts", status + " needs an attempt");
  }
  if (message.status == MessageStatus::retrying && message.attempts == 0 && !message.retried_by) {
    add(fields, "/attempts", "retrying needs an attempt, or somebody in retried_by");
  }
  if (message.window_failures > message.attempts) {
    add(fields, "/window_failures", "must not be more than attempts");
  }
}

void check_texts(Fields& fields, const Message& message) {
  if (message.failure.size() > limits::failure_text_bytes) {
    add(fields, "/failure", "must have at most " + std::to_string(limits::failure_text_bytes) + " bytes");
  }
  for (const auto& [actor, pointer] : {std::pair{&message.cancelled_by, "/cancelled_by/reason"},
                                       std::pair{&message.retried_by, "/retried_by/reason"}}) {
    if (*actor && (*actor)->reason.size() > limits::actor_reason_bytes) {
      add(fields, pointer, "must have at most " + std::to_string(limits::actor_reason_bytes) + " bytes");
    }
  }
}

// A response head was read, as far as the outcome says.
bool code_fits(const Outcome& outcome) {
  const bool is_success_code = outcome.code >= 200 && outcome.code <= 299;
  const bool is_code = outcome.code >= 100 && outcome.code <= 999;
  switch (outcome.kind) {
    case OutcomeKind::success:
      return is_success_code;
    case OutcomeKind::status:
      return is_code && !is_success_code;
    default:
      return outcome.code == 0 || is_code;
  }
}

void check_attempt(Fields& fields, const std::string& place, const Attempt& attempt, Time now) {
  struct Bound {
    std::string_view name;
    std::size_t size;
    std::size_t max;
  };
  const Outcome& outcome = attempt.outcome;
  check_time(fields, place + "/at", attempt.at, now + limits::history_ahead_max);
  for (const Bound& bound :
       {Bound{"/url", attempt.url.size(), limits::url_bytes},
        Bound{"/error", outcome.error.size(), limits::attempt_error_bytes},
        Bound{"/response_headers", outcome.response_headers.size(), limits::response_head_kept_bytes},
        Bound{"/response_body", outcome.response_body.size(), limits::response_body_kept_bytes}}) {
    if (bound.size > bound.max) {
      add(fields, place + std::string(bound.name), "must have at most " + std::to_string(bound.max) + " bytes");
    }
  }
  if (!code_fits(outcome)) {
    add(fields, place + "/code", "does not fit the outcome " + std::string(to_string(outcome.kind)));
  }
}

// The log may have gaps, because a full store keeps messages before attempts; what it has must fit.
void check_log(Fields& fields, const MessageHistory& history, Time now) {
  const Message& message = history.message;
  if (history.attempts.size() > limits::attempts_in_history) {
    add(fields, "/attempt_log", "must have at most " + std::to_string(limits::attempts_in_history) + " attempts");
    return;
  }
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < history.attempts.size(); ++i) {
    const Attempt& attempt = history.attempts[i];
    const std::string place = "/attempt_log/" + std::to_string(i);
    if (attempt.number <= last || attempt.number > message.attempts) {
      add(fields, place + "/number", "must rise from 1 to at most attempts");
    }
    last = attempt.number;
    check_attempt(fields, place, attempt, now);
    const OutcomeKind kind = attempt.outcome.kind;
    const bool is_failure =
        kind != OutcomeKind::success && kind != OutcomeKind::aborted && kind != OutcomeKind::interrupted;
    if (message.status == MessageStatus::created && (is_failure || kind == OutcomeKind::success)) {
      add(fields, place + "/outcome", "does not fit the status created");
    }
  }
}

}  // namespace

base::Result<void> check_history(const MessageHistory& history, Time now) {
  Fields fields;
  check_times(fields, history.message, now);
  check_status(fields, history.message);
  check_texts(fields, history.message);
  check_log(fields, history, now);
  return verdict(std::move(fields));
}

base::Result<void> check_history(const Event& event, Time now) {
  Fields fields;
  check_time(fields, "/accepted_at", event.accepted_at, now + limits::history_ahead_max);
  return verdict(std::move(fields));
}

bool is_untouched(const Message& message) {
  return message.status == MessageStatus::created && message.attempts == 0 && !message.retried_by;
}

}  // namespace webhookd::domain
