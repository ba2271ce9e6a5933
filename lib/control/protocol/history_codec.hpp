// Histories in JSON: what GET /v1/admin/history gives and POST takes, one event a line, so that data can leave a
// daemon and enter another.
//
//   {"format":"webhookd-history","version":1,"webhookd":"<its version>","store":"<id>","exported_at","cursor"}
//                                                                                                           first line
//   {"store","id":"evt_…","type","timestamp","accepted_at","idempotency_key":"…"|null,"messages":[message …],"data":…}
//   {"complete":true,"events":2,"messages":5,"damaged":0}                                                    last line
//
// `store` and `id` say where the event was accepted first, and go with it wherever it goes. `data` is verbatim; where
// its white space has line breaks, `data_text` has the same text as a string instead. A message is
//   {"id","webhook":"<its name>","status","reason":…|null,"created_at","deadline","settled_at":…|null,
//    "next_attempt_at":…|null,"planned_at","attempts","window_failures","last_attempt_at":…|null,"last_code":…|null,
//    "last_outcome":…|null,"failure":…|null,"cancelled_by":{"uid","reason"}|null,"retried_by":…|null,
//    "attempt_log":[{"number","at","duration_ms","trigger","url","outcome","code":…|null,"error":…|null,
//      "retry_after":seconds|null,"response_headers","response_body","response_truncated"}]}
// where response_headers_base64 and response_body_base64 stand for answers that are no UTF-8.
//
// Never here: whether a history can have come about (domain/history.hpp); which webhook a name means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/history.hpp"

namespace webhookd::protocol {

inline constexpr std::string_view history_format = "webhookd-history";
inline constexpr std::uint64_t history_version = 1;

// `cursor` is the position in the feed of changes at which the export began.
struct HistoryHead {
  std::string store;
  base::Time exported_at{};
  std::string cursor;
};
void append_history_head(std::string& out, const HistoryHead& head);
struct HistoryTotals {
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t damaged = 0;
};
void append_history_end(std::string& out, const HistoryTotals& totals);
// `webhooks`: the names of the messages' webhooks, in their order. `store` is where an event without an origin is from.
void append_history(std::string& out, const domain::EventHistory& history, const std::vector<std::string>& webhooks,
                    std::string_view store);

struct HistoryRequest {
  domain::EventHistory history;       // the event's origin is set; its own id, and those of messages, are not
  std::vector<std::string> webhooks;  // names, in the order of the messages
};
// What became of a line.
struct HistoryTaken {
  std::optional<base::EventId> id;  // none in a dry run
  bool known = false;
  std::uint64_t messages = 0;
  std::uint64_t waiting = 0;
};
void append_history_taken(std::string& out, const HistoryTaken& taken);

// `data_bytes_max` bounds the data. Errors name the field.
base::Result<HistoryRequest> read_history(std::string_view line, std::size_t data_bytes_max);

}  // namespace webhookd::protocol
