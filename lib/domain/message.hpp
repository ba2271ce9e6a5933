// A message and its state machine (behaviour.md section 6).
//
// The rule: a message becomes Success only by an attempt answered 2xx; Failed only by an attempt of its own at or
// after its deadline, by 410, or by waiting out its window at an inactive webhook or a freshly probed dead endpoint;
// Cancelled only by somebody. A manual retry never ends or delays the automatic attempts: it makes the message due
// now and keeps the automatic plan. Settled messages change only by a retry, which opens a new window.
//
// One table (transition_of) holds status x input; everything below is that table plus bookkeeping. The store applies
// these functions to the record inside its transaction, so that no two writers decide differently.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.hpp"
#include "base/result.hpp"
#include "domain/attempt.hpp"
#include "domain/webhook.hpp"

namespace webhookd::domain {

enum class MessageStatus : std::uint8_t { created, retrying, success, failed, cancelled };
inline constexpr int message_status_count = 5;

// Why a message is settled; none while it waits.
enum class SettleReason : std::uint8_t { none, delivered, expired, gone, cancelled };
inline constexpr int settle_reasons = 5;

// Who acted, and why they said they did.
struct Actor {
  std::uint32_t uid = 0;
  std::string reason;
  bool operator==(const Actor&) const = default;
};

struct Message {
  MessageId id;
  WebhookId webhook;
  EventId event;
  MessageStatus status = MessageStatus::created;
  SettleReason reason = SettleReason::none;
  Time created_at{};
  Time deadline{};
  std::optional<Time> settled_at;
  std::uint32_t attempts = 0;         // made, over all windows
  std::uint32_t window_failures = 0;  // failed automatic attempts in this window: the n of backoff
  std::optional<Time> last_attempt_at;
  std::optional<Time> next_attempt_at;  // the due time; set exactly while the message waits
  Time planned_at{};                    // the automatic plan; differs from the due time only after a manual retry
  std::uint16_t last_code = 0;
  std::optional<OutcomeKind> last_outcome;
  std::string failure;  // of the latest failed attempt, at most limits::failure_text_bytes; empty when none
  std::optional<Actor> cancelled_by;
  std::optional<Actor> retried_by;

  bool is_waiting() const { return status == MessageStatus::created || status == MessageStatus::retrying; }
  // The attempt that is due now was asked for by a person: ahead of the plan, or as the first after a settled message
  // was reopened (what is retrying by itself has failed in this window).
  bool is_manually_due() const {
    return next_attempt_at &&
           (*next_attempt_at < planned_at || (status == MessageStatus::retrying && window_failures == 0));
  }
  bool operator==(const Message&) const = default;
};

// A new message, due at once.
Message new_message(MessageId id, WebhookId webhook, EventId event, Time now, Duration window);

// When its window ends by the webhook's present policy, because edits count for what waits (behaviour.md section 2). A
// message that a person retried keeps the deadline it has: whether that opened a new window, the record does not say.
Time deadline_of(const Message& message, Duration window);

enum class Input : std::uint8_t {
  attempt_succeeded,
  attempt_failed,              // before the deadline
  attempt_failed_at_deadline,  // at or after it
  attempt_gone,                // answered 410
  waited_out,                  // deadline passed at an inactive webhook or a freshly probed dead endpoint
  cancel,
  retry,
};
inline constexpr int input_count = 7;

enum class Verdict : std::uint8_t {
  moves,    // the status becomes `next`
  stays,    // accepted, the status does not change (retry of a waiting message)
  ignored,  // a late outcome: logged, changes nothing
  refused,  // a conflict
};

struct Transition {
  Verdict verdict;
  MessageStatus next;
};

// The table.
Transition transition_of(MessageStatus status, Input input);

// What an attempt is for the state machine. `made_at` is when it began: an attempt that began before the deadline and
// failed after it is followed by the last one, which falls on the deadline.
Input input_of(const Outcome& outcome, Time made_at, Time deadline);

// Counts the attempt and moves the message. True when it changed the message, false for a late outcome. An attempt
// that was aborted or interrupted is no failure of the receiver: the message stays as it is, due at once.
bool apply_attempt(Message& message, const Attempt& attempt, const RetryPolicy& policy, double jitter, Time ended_at);
// `why` is the probe's failure, or says that the webhook was inactive. False when the message no longer waits.
bool apply_waited_out(Message& message, std::string_view why, Time now);
base::Result<void> apply_cancel(Message& message, const Actor& actor, Time now);
// `webhook_active` false refuses with webhook_inactive.
base::Result<void> apply_retry(Message& message, const Actor& actor, Time now, Duration window, bool webhook_active);

std::string_view to_string(MessageStatus status);     // "created", as in JSON
std::string_view display_name(MessageStatus status);  // "Created", for people
std::string_view to_string(SettleReason reason);      // "" for none
std::optional<MessageStatus> parse_message_status(std::string_view text);

}  // namespace webhookd::domain
