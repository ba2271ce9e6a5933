// Bulk tasks in JSON.
//
// A request (POST /v1/messages/retry, /cancel): {"filter":{"webhook","status"?,"type"?,"since"?,"until"?,"code"?,"q"?},
//   "rate":2.5?,"reason":"…"?,"dry_run":false?}. The filter's members are written as the query parameters of
//   GET /v1/messages are; status may also be a list. Its webhook is required. Without a status a retry takes what has
//   failed and a cancel what waits.
// A task: {"id":"task_…"|null,"action":"retry|cancel","state":"planned|running|done|cancelled","webhook_id","webhook",
//   "filter":{…},"rate":2.5|null,"uid":0,"reason":"…"|null,"started_at","ended_at":…|null,"total":7|null,"done":0,
//   "failed":0}. `total` is null until the messages are counted; `planned` is the answer to a dry run, without an id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.hpp"
#include "base/result.hpp"
#include "control/protocol/json_write.hpp"
#include "control/protocol/query.hpp"

namespace webhookd::protocol {

inline constexpr std::uint32_t every_status = 0xffffffff;

struct BulkRequest {
  MessageFilter filter;
  std::optional<double> rate;  // messages per second
  std::string reason;
  bool dry_run = false;
};
base::Result<BulkRequest> read_bulk(std::string_view body);

struct TaskText {
  std::optional<base::TaskId> id;
  std::string_view action;
  std::string_view state;
  base::WebhookId webhook;
  std::string webhook_name;  // empty: it is deleted
  MessageFilter filter;      // but for its webhook
  std::optional<double> rate;
  std::uint32_t uid = 0;
  std::string reason;
  base::Time started_at{};
  std::optional<base::Time> ended_at;
  std::optional<std::uint64_t> total;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
};
void write_task(JsonWriter& json, const TaskText& task);

}  // namespace webhookd::protocol
