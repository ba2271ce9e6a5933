#include "control/protocol/message_codec.hpp"

#include <array>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/problems.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

void write_code(JsonWriter& json, std::uint16_t code) {
  if (code == 0) {
    json.null();
  } else {
    json.number(std::uint64_t{code});
  }
}

void write_actor(JsonWriter& json, const std::optional<domain::Actor>& actor) {
  if (!actor) {
    json.null();
    return;
  }
  json.begin_object().name("uid").number(std::uint64_t{actor->uid});
  json.name("reason").text_or_null(actor->reason).end_object();
}

void write_fields(JsonWriter& json, const domain::Message& message, std::string_view type,
                  const WebhookLabel& webhook) {
  json.name("id").string(base::to_string(message.id));
  json.name("webhook_id").string(base::to_string(message.webhook));
  json.name("webhook").text_or_null(webhook.name);
  json.name("event_id").string(base::to_string(message.event));
  json.name("type").string(type);
  json.name("status").string(to_string(message.status));
  json.name("reason").text_or_null(to_string(message.reason));
  json.name("created_at").time(message.created_at);
  json.name("settled_at").time(message.settled_at);
  json.name("deadline").time(webhook.window ? domain::deadline_of(message, *webhook.window) : message.deadline);
  json.name("attempts").number(std::uint64_t{message.attempts});
  json.name("last_attempt_at").time(message.last_attempt_at);
  json.name("next_attempt_at").time(message.next_attempt_at);
  write_code(json.name("last_code"), message.last_code);
  json.name("failure").text_or_null(message.failure);
  json.name("url").text_or_null(webhook.url);
  write_actor(json.name("cancelled_by"), message.cancelled_by);
  write_actor(json.name("retried_by"), message.retried_by);
}

void write_attempt(JsonWriter& json, const domain::Attempt& attempt) {
  const domain::Outcome& outcome = attempt.outcome;
  json.begin_object();
  json.name("number").number(std::uint64_t{attempt.number});
  json.name("at").time(attempt.at);
  json.name("duration_ms").number(static_cast<std::uint64_t>(outcome.duration.count()));
  json.name("trigger").string(to_string(attempt.trigger));
  json.name("url").string(attempt.url);
  json.name("outcome").string(to_string(outcome.kind));
  write_code(json.name("code"), outcome.code);
  json.name("error").text_or_null(outcome.error);
  json.name("response_headers").string(outcome.response_headers);
  json.name("response_body").string(outcome.response_body);
  json.name("response_truncated").boolean(outcome.response_truncated);
  json.end_object();
}

}  // namespace

void write_message(JsonWriter& json, const domain::Message& message, std::string_view type,
                   const WebhookLabel& webhook) {
  json.begin_object();
  write_fields(json, message, type, webhook);
  json.end_object();
}

void write_change(JsonWriter& json, const domain::Message& message, std::string_view type, const WebhookLabel& webhook,
                  std::string_view cursor) {
  json.begin_object();
  write_fields(json, message, type, webhook);
  json.name("cursor").string(cursor).end_object();
}

void write_message_detail(JsonWriter& json, const domain::Message& message, std::string_view type,
                          const WebhookLabel& webhook, std::string_view payload,
                          const std::vector<domain::Attempt>& attempts) {
  json.begin_object();
  write_fields(json, message, type, webhook);
  json.name("payload").raw(payload);
  json.name("attempt_log").begin_array();
  for (const auto& attempt : attempts) {
    write_attempt(json, attempt);
  }
  json.end_array().end_object();
}

void read_reason_member(std::string_view value, std::string& reason, Faults& faults) {
  const Place place = Place::of("reason");
  auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  if (text->size() > domain::limits::actor_reason_bytes) {
    add_fault(faults, place, "must have at most " + std::to_string(domain::limits::actor_reason_bytes) + " bytes");
  }
  if (base::has_control_characters(*text)) {
    add_fault(faults, place, "control characters are not allowed");
  }
  reason = std::move(*text);
}

base::Result<std::string> read_reason(std::string_view body) {
  if (body.empty()) {
    return std::string();
  }
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  static constexpr std::array rules = {MemberRule<std::string>{"reason", read_reason_member}};
  std::string reason;
  Faults faults;
  read_members(*members, rules, reason, faults);
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return reason;
}

}  // namespace webhookd::protocol
