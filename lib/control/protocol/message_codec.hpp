// Messages in JSON.
//
//   {"id":"msg_…","webhook_id":"wh_…","webhook":"<its name>"|null,"event_id":"evt_…","type":"…",
//    "status":"created|retrying|success|failed|cancelled","reason":"delivered|expired|gone|cancelled"|null,"created_at",
//    "settled_at":…|null,"deadline","attempts":0,"last_attempt_at":…|null,"next_attempt_at":…|null,"last_code":503|null,
//    "failure":"…"|null,"url":"<the webhook's current one>"|null,
//    "cancelled_by":{"uid":0,"reason":"…"|null}|null,"retried_by":{"uid":0,"reason":"…"|null}|null}
// `webhook` and `url` are null once the webhook is deleted. In detail also `payload` (the event's data, verbatim) and
//    "attempt_log":[{"number":1,"at","duration_ms":12,"trigger":"automatic|manual|probe","url","outcome":"status",
//      "code":503|null,"error":"…"|null,"response_headers":"…","response_body":"…","response_truncated":false}]
// oldest first, the latest 200.
//
// Lists are {"items":[…],"next_cursor":"…"|null}. The bodies of retry and cancel are {"reason":"…"?} or empty; they
// answer the message as it then stands.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/protocol/json_write.hpp"
#include "control/protocol/problems.hpp"
#include "domain/attempt.hpp"
#include "domain/message.hpp"

namespace webhookd::protocol {

// What a message says of its webhook.
struct WebhookLabel {
  std::string name;  // both empty: the webhook is deleted
  std::string url;
  std::optional<base::Duration> window = std::nullopt;  // of its policy, which decides on the deadline of what waits
};

void write_message(JsonWriter& json, const domain::Message& message, std::string_view type,
                   const WebhookLabel& webhook);
// A line of the stream: the message and the position behind it.
void write_change(JsonWriter& json, const domain::Message& message, std::string_view type, const WebhookLabel& webhook,
                  std::string_view cursor);
void write_message_detail(JsonWriter& json, const domain::Message& message, std::string_view type,
                          const WebhookLabel& webhook, std::string_view payload,
                          const std::vector<domain::Attempt>& attempts);

// The reason that an operator gives for a retry or a cancel; empty when none.
base::Result<std::string> read_reason(std::string_view body);
// The same as the member `reason` of a larger request.
void read_reason_member(std::string_view value, std::string& reason, Faults& faults);

}  // namespace webhookd::protocol
