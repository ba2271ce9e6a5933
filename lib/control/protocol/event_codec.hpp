// Events and the catalogue in JSON.
//
// Request:  {"type":"subscription.create","data":<any JSON, kept verbatim>,"timestamp":"…"?,"idempotency_key":"…"?}
// Answer:   {"id":"evt_…","type":"…","timestamp":"…","duplicate":false,"message_count":2,
//            "messages":[{"id":"msg_…","webhook_id":"wh_…"} … the first 100]}           201; 200 for a duplicate
//           with "warnings":[{"pointer":"/data/subscription/id","detail":"…"} …] when the data does not match the
//           schema of the type and events.schema is "warn": the first few mismatches, each said as in a problem
//           document (in a dry run `id` is null, `messages` is empty and `message_count` says how many there would be;
//           200)
// Batch:    one request a line in; for each line, in order, the answer or a problem document with `line` out
//           (application/x-ndjson, 200). Empty lines are skipped and not answered, but counted by `line`.
// CloudEvents come in as well (cloudevent_codec.hpp).
// Event:    {"id","type","timestamp","accepted_at","idempotency_key":"…"|null,"data":<verbatim>,"message_count",
//            "messages":[message JSON … the first 100]}
// Type:     {"name","description","origin":"builtin|extension|user","schema":<JSON>|null,"example":<JSON>|null,
//            "created_at"}; a POST sends name and any of description, schema, example, a PUT any of them.
// Types:    {"items":[type …],"next_cursor":"…"|null}
//
// Never here: whether a type is in the catalogue; what a payload says; whether a schema is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/event.hpp"
#include "domain/event_type.hpp"

namespace webhookd::protocol {

struct EventRequest {
  std::string type;
  std::string_view data;  // a piece of the body
  std::optional<base::Time> timestamp;
  std::string idempotency_key;
};

base::Error data_too_large(std::size_t bytes, std::size_t most);

// On the accept path. `data_bytes_max` bounds `data` (too_large); its nesting is at most limits::json_depth.
base::Result<EventRequest> read_event(std::string_view body, std::size_t data_bytes_max);

struct AcceptAnswer {
  base::EventId id;  // unset: a dry run
  std::string_view type;
  base::Time timestamp{};
  bool duplicate = false;
  std::uint64_t message_count = 0;
  std::vector<std::pair<base::MessageId, base::WebhookId>> messages;  // the first limits::messages_in_answer
  std::vector<base::FieldError> warnings;
};
void append_accept_answer(std::string& out, const AcceptAnswer& answer);

// Without the messages, which the caller adds: leaves the object open behind "message_count".
void begin_event(JsonWriter& json, const domain::Event& event, std::uint64_t message_count);

void write_event_type(JsonWriter& json, const domain::EventType& type);
// `name` is the path's of a PUT (the body may repeat it), or empty for a POST. origin is `user`, created_at unset.
base::Result<domain::EventType> read_event_type(std::string_view body, std::string_view name);

}  // namespace webhookd::protocol
