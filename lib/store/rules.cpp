#include "store/rules.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;
using domain::MessageStatus;

std::uint64_t& counter_of(WebhookCounters& counters, MessageStatus status) {
  switch (status) {
    case MessageStatus::success:
      return counters.success;
    case MessageStatus::failed:
      return counters.failed;
    case MessageStatus::cancelled:
      return counters.cancelled;
    case MessageStatus::created:
    case MessageStatus::retrying:
      break;
  }
  return counters.waiting;
}

bool occurs_ignoring_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return base::to_lower(a) == base::to_lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool text_matches(const std::string& text, const domain::Message& message, std::string_view type) {
  return text.empty() || occurs_ignoring_case(type, text) || occurs_ignoring_case(message.failure, text) ||
         occurs_ignoring_case(to_string(message.id), text);
}

bool code_matches(const MessageFilter& filter, std::uint16_t code) {
  const bool any = filter.code_min == 0 && filter.code_max == 0;
  return any || (code >= filter.code_min && code <= filter.code_max);
}

}  // namespace

void count_new(WebhookCounters& counters, const domain::Message& after) { ++counter_of(counters, after.status); }

void count_imported(WebhookCounters& counters, const domain::Message& message) {
  count_new(counters, message);
  if (message.status == MessageStatus::success) {
    counters.last_success_at = std::max(counters.last_success_at.value_or(*message.settled_at), *message.settled_at);
  }
}

void count_change(WebhookCounters& counters, MessageStatus before, const domain::Message& after) {
  std::uint64_t& left = counter_of(counters, before);
  left -= left > 0 ? 1 : 0;  // counters that were found damaged began again at nothing
  ++counter_of(counters, after.status);
  if (before != MessageStatus::success && after.status == MessageStatus::success) {
    counters.last_success_at = after.settled_at;
  }
}

void count_deleted(WebhookCounters& counters) {
  counters.cancelled += counters.waiting;
  counters.waiting = 0;
}

SettleEffect apply_settlement(domain::Message& message, const Settlement& settlement) {
  if (settlement.attempt.number <= message.attempts) {
    return SettleEffect::repeated;
  }
  return domain::apply_attempt(message, settlement.attempt, settlement.policy, settlement.jitter, settlement.ended_at)
             ? SettleEffect::changed
             : SettleEffect::logged;
}

bool apply_waiting_out(domain::Message& message, const WaitedOut& input) {
  const Time deadline = domain::deadline_of(message, input.window);
  if (input.now < deadline) {
    return false;  // and the message is as it was
  }
  message.deadline = deadline;
  return domain::apply_waited_out(message, input.why, input.now);
}

bool make_gone(domain::Webhook& webhook, const domain::Message& message, Time now) {
  if (message.reason != domain::SettleReason::gone || !webhook.is_active()) {
    return false;
  }
  webhook.status = domain::WebhookStatus::inactive;
  webhook.status_reason = domain::InactiveReason::gone;
  ++webhook.version;
  webhook.updated_at = now;
  return true;
}

bool matches_event(const HistoryQuery& query, const domain::Event& event) {
  return (!query.type || *query.type == event.type) && (!query.since || event.accepted_at >= *query.since) &&
         (!query.until || event.accepted_at < *query.until);
}

domain::Message as_imported(const domain::MessageHistory& history, MessageId id, EventId event) {
  domain::Message message = history.message;
  message.id = id;
  message.event = event;
  return message;
}

std::size_t size_of(const domain::EventHistory& history) {
  constexpr std::size_t row_bytes = 256;
  std::size_t bytes = history.event->data.size();
  for (const domain::MessageHistory& message : history.messages) {
    bytes += row_bytes;
    for (const domain::Attempt& attempt : message.attempts) {
      bytes += row_bytes + attempt.outcome.response_headers.size() + attempt.outcome.response_body.size();
    }
  }
  return bytes;
}

void cut_excerpts(domain::EventHistory& history) {
  std::size_t left = domain::limits::history_excerpt_bytes;
  for (domain::MessageHistory& message : history.messages) {
    for (domain::Attempt& attempt : message.attempts) {
      domain::Outcome& outcome = attempt.outcome;
      const std::size_t size = outcome.response_headers.size() + outcome.response_body.size();
      if (size > left) {
        outcome.response_headers.clear();
        outcome.response_body.clear();
        outcome.response_truncated = true;
      }
      left -= std::min(left, size);
    }
  }
}

bool is_remembered(Time accepted_at, Duration window, Time now) { return now - accepted_at < window; }

Result<void> check_same_event(const domain::Event& first, const domain::Event& again) {
  if (first.type == again.type && first.data == again.data) {
    return {};
  }
  const std::string_view differs = first.type == again.type ? "other data" : "another type";
  return Error{ErrorCode::idempotency_conflict,
               "idempotency key \"" + again.idempotency_key + "\" stands for event " + to_string(first.id) + " with " +
                   std::string(differs),
               {}};
}

Disposal disposal_of(const ExpireStep& step, const domain::Message& message, bool is_pressed) {
  if (message.is_waiting() || !message.settled_at || *message.settled_at > step.now) {
    return Disposal::pass;
  }
  return is_pressed || *message.settled_at < step.before ? Disposal::remove : Disposal::stop;
}

Disposal disposal_of(const ExpireStep& step, const domain::Event& event, bool is_pressed) {
  if (event.accepted_at > step.now) {
    return Disposal::pass;
  }
  if (!is_pressed && event.accepted_at >= step.before) {
    return Disposal::stop;
  }
  return is_kept_for_its_key(step, event) ? Disposal::pass : Disposal::remove;
}

bool is_kept_for_its_key(const ExpireStep& step, const domain::Event& event) {
  return !event.idempotency_key.empty() && event.accepted_at >= step.remembered_since;
}

bool matches_message(const MessageFilter& filter, const domain::Message& message) {
  const auto bit = std::uint32_t{1} << static_cast<unsigned>(message.status);
  return (filter.statuses & bit) != 0 && (!filter.webhook || *filter.webhook == message.webhook) &&
         (!filter.since || message.created_at >= *filter.since) &&
         (!filter.until || message.created_at < *filter.until) && code_matches(filter, message.last_code);
}

bool matches_type(const MessageFilter& filter, const domain::Message& message, std::string_view type) {
  return (!filter.type || *filter.type == type) && text_matches(filter.text, message, type);
}

std::uint64_t feed_identity(std::uint64_t store_id, std::uint64_t tag_key) {
  return base::mix64(store_id ^ base::mix64(tag_key));
}

bool is_next_step(const BulkTask& task, const BulkStep& step) {
  return task.state == BulkState::running && task.position == step.from;
}

void advance(BulkTask& task, const BulkStep& step) {
  task.position = step.to;
  task.total = step.total ? step.total : task.total;
  if (task.position >= task.up_to) {
    task.state = BulkState::done;
    task.ended_at = step.now;
  }
}

// ---- audit ----------------------------------------------------------------------------------------------------

bool matches_audit(const AuditQuery& query, const AuditLine& line) {
  const bool is_by_user =
      query.user.empty() || query.user == line.user || (line.uid && query.user == std::to_string(*line.uid));
  const bool is_operation = query.operation.empty() || query.operation == line.operation;
  const bool is_of_object = query.object.empty() || query.object == line.object || query.object == line.name;
  return is_by_user && is_operation && is_of_object && (!query.since || line.at >= *query.since) &&
         (!query.until || line.at < *query.until);
}

Disposal disposal_of(const ExpireStep& step, const AuditLine& line) {
  if (line.at > step.now) {
    return Disposal::pass;
  }
  return line.at < step.audit_before ? Disposal::remove : Disposal::stop;
}

AuditLine line_of_gone(const domain::Webhook& webhook, MessageId message, Time now) {
  AuditLine line;
  line.at = now;
  line.user = "webhookd";
  line.role = "daemon";
  line.operation = "deactivateWebhook";
  line.object = to_string(webhook.id);
  line.name = webhook.display_name;
  line.detail = "status, status_reason";
  line.reason = "the receiver answered 410 to " + to_string(message);
  return line;
}

Error no_such_message(MessageId id) { return {ErrorCode::not_found, "there is no message " + to_string(id), {}}; }
Error no_such_event(EventId id) { return {ErrorCode::not_found, "there is no event " + to_string(id), {}}; }
Error no_such_webhook(WebhookId id) { return {ErrorCode::not_found, "there is no webhook " + to_string(id), {}}; }

Error no_such_task(TaskId id) { return {ErrorCode::not_found, "there is no task " + to_string(id), {}}; }

Error task_has_ended(TaskId id) {
  return {ErrorCode::already_settled, "task " + to_string(id) + " has ended already", {}};
}

Error no_such_type(std::string_view name) {
  return {ErrorCode::not_found, "there is no event type " + std::string(name), {}};
}

Error name_is_taken(std::string_view name) {
  const std::string detail = "another webhook is named \"" + std::string(name) + "\": display names are unique";
  return {ErrorCode::name_taken, detail, {{"/display_name", detail}}};
}

Error version_has_moved(const domain::Webhook& stored, std::uint64_t expected) {
  return {ErrorCode::version_mismatch,
          "webhook " + to_string(stored.id) + " is at version " + std::to_string(stored.version) + ", not " +
              std::to_string(expected) + ": read it again and repeat the change",
          {}};
}

Error not_being_deleted(WebhookId id) {
  return {ErrorCode::not_found, "webhook " + to_string(id) + " is not being deleted", {}};
}

Error position_is_ahead(std::uint64_t position, std::uint64_t newest) {
  return {ErrorCode::invalid_request,
          "the position " + std::to_string(position) + " lies ahead of the store, whose last change has number " +
              std::to_string(newest) + ": the store was restored from an older copy",
          {}};
}

Error store_is_full(std::string_view why) {
  return {ErrorCode::store_full, "new events are refused: " + std::string(why), {}};
}

}  // namespace webhookd::store
