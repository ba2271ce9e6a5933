// The API once: every route with its method, least role, parameters, bodies and words. Routing, 404 and 405, access
// checks and GET /v1/openapi.json all come from this table; whatever is not in it does not exist.
//
// {id} of a webhook is its id, its exact display name, or a unique prefix of its id; of a message or an event its id or
// a unique prefix. A prefix that fits several answers `ambiguous_id` and lists candidates in `errors`.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/protocol/query.hpp"

namespace webhookd::protocol {

// Each includes the ones before it.
enum class Role { none, read, emit, operate, admin };
std::string_view to_string(Role role);

enum class Operation {
  accept_events,
  list_webhooks,
  create_webhook,
  show_webhook,
  patch_webhook,
  delete_webhook,
  activate_webhook,
  deactivate_webhook,
  ping_webhook,
  show_secrets,
  rotate_secret,
  list_types,
  create_type,
  show_type,
  put_type,
  delete_type,
  show_event,
  wait_event,
  list_messages,
  stream_changes,
  show_message,
  retry_message,
  cancel_message,
  wait_message,
  retry_messages,
  cancel_messages,
  list_tasks,
  show_task,
  cancel_task,
  show_status,
  show_stats,
  healthz,
  readyz,
  openapi,
  show_clock,
  advance_clock,
  reload,
  show_metrics,
  back_up,
  export_history,
  import_history,
  list_audit,
  rotate_master_key,
  check_store,
};

namespace media {
inline constexpr std::string_view json = "application/json";
inline constexpr std::string_view text = "text/plain";
inline constexpr std::string_view ndjson = "application/x-ndjson";
inline constexpr std::string_view cloudevents = "application/cloudevents+json";
inline constexpr std::string_view merge_patch = "application/merge-patch+json";
inline constexpr std::string_view octets = "application/octet-stream";
}  // namespace media

struct Body {
  std::string_view media_type;
  std::string_view schema;  // a component of the OpenAPI document
};

struct Route {
  Operation operation;
  std::string_view name;  // operationId
  std::string_view method;
  std::string_view pattern;  // at most one {…}, which is one segment
  Role role;
  std::string_view summary;
  std::span<const QueryParameter> query;
  std::span<const Body> requests;  // media types taken; none: a body is not looked at
  bool body_required;
  unsigned status;            // of success
  std::string_view response;  // schema of the answer, or of each of its lines
  std::string_view response_media = media::json;
};

std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;  // none: 404, or 405 when `allowed` is not empty
  std::string argument;          // what stands for {…}, decoded
  std::string allowed;           // the methods of the path, "GET, POST"
};
// `path` is the target without its query.
Match match_route(std::string_view method, std::string_view path);

// The body of a request with this content type (parameters after ";" ignored; none given counts as JSON); nothing: 415.
const Body* match_body(const Route& route, std::string_view content_type);

}  // namespace webhookd::protocol
