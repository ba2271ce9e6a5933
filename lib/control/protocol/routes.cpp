#include "control/protocol/routes.hpp"

#include <array>

#include "base/text.hpp"

namespace webhookd::protocol {

namespace {

constexpr std::string_view text_schema = R"({"type":"string"})";
constexpr std::string_view flag_schema = R"({"type":"boolean"})";
constexpr std::string_view time_schema = R"({"type":"string","format":"date-time"})";

constexpr QueryParameter limit{"limit", R"({"type":"integer","minimum":1,"maximum":1000,"default":50})",
                               "items in one page"};
constexpr QueryParameter cursor{"cursor", text_schema, "next_cursor of the page before, with the same filter"};
constexpr QueryParameter dry_run{"dry_run", flag_schema, "runs the whole validation and changes nothing"};

constexpr std::array change_query = {dry_run};
constexpr std::array wait_query = {QueryParameter{
    "timeout", R"({"type":"number","minimum":0,"maximum":3600,"default":30})", "seconds, then 408 wait_timeout"}};
constexpr std::array webhooks_query = {
    QueryParameter{"status", R"({"type":"string","enum":["active","inactive"]})", "only these"},
    QueryParameter{"event", text_schema, "those that an event of this type goes to"},
    QueryParameter{"search", text_schema, "occurs in the id, the name, the URL or the description, ignoring case"},
    QueryParameter{"sort", R"({"type":"string","enum":["created","name","status"],"default":"created"})", "the order"},
    limit,
    cursor,
};
constexpr QueryParameter of_webhook{"webhook", text_schema, "id, unique prefix or name of a webhook"};
constexpr QueryParameter of_type{"type", text_schema, "event type"};
constexpr QueryParameter of_status{"status", text_schema, "one or more statuses, separated by commas"};
constexpr QueryParameter since{"since", time_schema, "created at or after"};
constexpr QueryParameter until{"until", time_schema, "created before"};
constexpr QueryParameter of_code{"code", R"({"type":"string","pattern":"^[1-9]([0-9][0-9]|xx)$"})",
                                 "last HTTP status, or its class"};
constexpr QueryParameter with_text{"q", text_schema, "occurs in id, type or failure, ignoring case"};
constexpr std::array messages_query = {
    of_webhook,
    QueryParameter{"event", text_schema, "id or unique prefix of an event"},
    of_type,
    of_status,
    since,
    until,
    of_code,
    with_text,
    QueryParameter{"order", R"({"type":"string","enum":["asc","desc"],"default":"desc"})", "desc is newest first"},
    limit,
    cursor,
};
constexpr std::array stream_query = {
    of_webhook,
    of_type,
    of_status,
    since,
    until,
    of_code,
    with_text,
    QueryParameter{"after", text_schema,
                   "a cursor of the stream: goes on behind it; start: from the beginning of the log; without: from now "
                   "on"},
    QueryParameter{"follow", R"({"type":"boolean","default":true})",
                   "false: ends behind what there is when it begins, each message once"},
    QueryParameter{"limit", R"({"type":"integer","minimum":1})", "messages, then it ends"},
};
constexpr std::array stats_query = {
    QueryParameter{"since", time_schema, "default: an hour ago; at most a day ago, and not before the daemon started"}};
constexpr std::array history_query = {
    of_webhook,
    of_type,
    QueryParameter{"since", time_schema, "accepted at or after"},
    QueryParameter{"until", time_schema, "accepted before"},
};
constexpr std::array audit_query = {
    QueryParameter{"user", text_schema, "name or id of the user who did it"},
    QueryParameter{"operation", text_schema, "of this API, by its operationId"},
    QueryParameter{"object", text_schema, "id or name of what it was done to"},
    QueryParameter{"since", time_schema, "done at or after"},
    QueryParameter{"until", time_schema, "done before"},
    limit,
    cursor,
};
constexpr std::array task_query = {limit};
constexpr std::array page_query = {limit, cursor};
constexpr std::span<const QueryParameter> no_query;

constexpr std::span<const Body> no_body;
constexpr std::array event_bodies = {Body{media::json, "EventRequest"}, Body{media::ndjson, "EventBatch"},
                                     Body{media::cloudevents, "CloudEvent"}};
constexpr std::array create_bodies = {Body{media::json, "WebhookCreate"}};
constexpr std::array patch_bodies = {Body{media::merge_patch, "WebhookPatch"}, Body{media::json, "WebhookPatch"}};
constexpr std::array rotate_bodies = {Body{media::json, "Rotation"}};
constexpr std::array type_bodies = {Body{media::json, "EventTypeRequest"}};
constexpr std::array reason_bodies = {Body{media::json, "Reason"}};
constexpr std::array bulk_bodies = {Body{media::json, "BulkRequest"}};
constexpr std::array history_bodies = {Body{media::ndjson, "HistoryBatch"}};
constexpr std::array clock_bodies = {Body{media::json, "ClockAdvance"}};

using O = Operation;

constexpr std::array table = {
    Route{O::accept_events, "acceptEvents", "POST", "/v1/events", Role::emit, "Accepts an event, or a batch of lines",
          change_query, event_bodies, true, 201, "EventAccepted"},
    Route{O::list_webhooks, "listWebhooks", "GET", "/v1/webhooks", Role::read, "Lists webhooks", webhooks_query,
          no_body, false, 200, "WebhookList"},
    Route{O::create_webhook, "createWebhook", "POST", "/v1/webhooks", Role::admin,
          "Makes a webhook; the answer alone has its secrets", change_query, create_bodies, true, 201,
          "WebhookCreated"},
    Route{O::show_webhook, "showWebhook", "GET", "/v1/webhooks/{id}", Role::read, "One webhook", no_query, no_body,
          false, 200, "Webhook"},
    Route{O::patch_webhook, "patchWebhook", "PATCH", "/v1/webhooks/{id}", Role::admin,
          "Changes a webhook (merge patch); takes If-Match", change_query, patch_bodies, true, 200, "Webhook"},
    Route{O::delete_webhook, "deleteWebhook", "DELETE", "/v1/webhooks/{id}", Role::admin,
          "Deletes a webhook and cancels what waits; takes If-Match", change_query, no_body, false, 200, "Deleted"},
    Route{O::activate_webhook, "activateWebhook", "POST", "/v1/webhooks/{id}/activate", Role::admin,
          "Delivers again, what waits first", change_query, no_body, false, 200, "Webhook"},
    Route{O::deactivate_webhook, "deactivateWebhook", "POST", "/v1/webhooks/{id}/deactivate", Role::admin,
          "Holds what waits and takes no new messages", change_query, no_body, false, 200, "Webhook"},
    Route{O::ping_webhook, "pingWebhook", "POST", "/v1/webhooks/{id}/ping", Role::operate,
          "Sends a webhook.ping message", change_query, no_body, false, 201, "EventAccepted"},
    Route{O::show_secrets, "showSecrets", "GET", "/v1/webhooks/{id}/secret", Role::admin, "The secrets that sign",
          no_query, no_body, false, 200, "Secrets"},
    Route{O::rotate_secret, "rotateSecret", "POST", "/v1/webhooks/{id}/secret/rotate", Role::admin,
          "Makes a new secret; the old ones sign for a grace", change_query, rotate_bodies, false, 200, "Secrets"},
    Route{O::list_types, "listTypes", "GET", "/v1/types", Role::read, "The event catalogue", page_query, no_body, false,
          200, "EventTypeList"},
    Route{O::create_type, "createType", "POST", "/v1/types", Role::admin, "Adds an event type", change_query,
          type_bodies, true, 201, "EventType"},
    Route{O::show_type, "showType", "GET", "/v1/types/{name}", Role::read, "One event type", no_query, no_body, false,
          200, "EventType"},
    Route{O::put_type, "putType", "PUT", "/v1/types/{name}", Role::admin, "Adds or replaces an event type",
          change_query, type_bodies, true, 200, "EventType"},
    Route{O::delete_type, "deleteType", "DELETE", "/v1/types/{name}", Role::admin,
          "Removes an event type that no webhook names", change_query, no_body, false, 200, "TypeDeleted"},
    Route{O::show_event, "showEvent", "GET", "/v1/events/{id}", Role::read, "One event with its messages", no_query,
          no_body, false, 200, "Event"},
    Route{O::wait_event, "waitEvent", "GET", "/v1/events/{id}/wait", Role::read,
          "Answers when all messages of the event have settled", wait_query, no_body, false, 200, "Event"},
    Route{O::list_messages, "listMessages", "GET", "/v1/messages", Role::read, "Lists messages", messages_query,
          no_body, false, 200, "MessageList"},
    Route{O::stream_changes, "streamChanges", "GET", "/v1/stream", Role::read,
          "Messages as they change, one a line; a line with `cursor` alone is a position, an empty one a sign of life",
          stream_query, no_body, false, 200, "MessageChange", media::ndjson},
    Route{O::show_message, "showMessage", "GET", "/v1/messages/{id}", Role::read,
          "One message with its payload and attempts", no_query, no_body, false, 200, "MessageDetail"},
    Route{O::retry_message, "retryMessage", "POST", "/v1/messages/{id}/retry", Role::operate,
          "Makes a message due now; a settled one gets a new window", change_query, reason_bodies, false, 200,
          "Message"},
    Route{O::cancel_message, "cancelMessage", "POST", "/v1/messages/{id}/cancel", Role::operate,
          "Ends a message that waits", change_query, reason_bodies, false, 200, "Message"},
    Route{O::wait_message, "waitMessage", "GET", "/v1/messages/{id}/wait", Role::read,
          "Answers when the message has settled", wait_query, no_body, false, 200, "MessageDetail"},
    Route{O::retry_messages, "retryMessages", "POST", "/v1/messages/retry", Role::operate,
          "Retries all messages that match, as a task", change_query, bulk_bodies, true, 202, "Task"},
    Route{O::cancel_messages, "cancelMessages", "POST", "/v1/messages/cancel", Role::operate,
          "Cancels all messages that match, as a task", change_query, bulk_bodies, true, 202, "Task"},
    Route{O::list_tasks, "listTasks", "GET", "/v1/tasks", Role::read, "Lists tasks, the newest first", task_query,
          no_body, false, 200, "TaskList"},
    Route{O::show_task, "showTask", "GET", "/v1/tasks/{id}", Role::read, "How far a task is", no_query, no_body, false,
          200, "Task"},
    Route{O::cancel_task, "cancelTask", "POST", "/v1/tasks/{id}/cancel", Role::operate,
          "Stops a task; what it has done stays done", change_query, no_body, false, 200, "Task"},
    Route{O::show_status, "showStatus", "GET", "/v1/status", Role::read, "The daemon about itself", no_query, no_body,
          false, 200, "Status"},
    Route{O::show_stats, "showStats", "GET", "/v1/stats", Role::read, "What happened lately, and what was ever counted",
          stats_query, no_body, false, 200, "Stats"},
    Route{O::healthz, "healthz", "GET", "/healthz", Role::read, "The process answers", no_query, no_body, false, 200,
          "Health"},
    Route{O::readyz, "readyz", "GET", "/readyz", Role::read, "Requests are taken", no_query, no_body, false, 200,
          "Health"},
    Route{O::openapi, "openapi", "GET", "/v1/openapi.json", Role::read, "This document", no_query, no_body, false, 200,
          "OpenApi"},
    Route{O::show_clock, "showClock", "GET", "/v1/clock", Role::read, "What time it is for the daemon", no_query,
          no_body, false, 200, "Clock"},
    Route{O::advance_clock, "advanceClock", "POST", "/v1/clock", Role::admin,
          "Moves a test clock; every due attempt on the way is made", change_query, clock_bodies, true, 200, "Clock"},
    Route{O::reload, "reload", "POST", "/v1/admin/reload", Role::admin,
          "Reads the configuration anew; the answer says what changed and what needs a restart", change_query, no_body,
          false, 200, "Reload"},
    Route{O::show_metrics, "metrics", "GET", "/metrics", Role::read, "Figures in Prometheus' text format 0.0.4",
          no_query, no_body, false, 200, "Metrics", media::text},
    Route{O::back_up, "backUp", "POST", "/v1/admin/backup", Role::admin,
          "A consistent copy of the store, with a head and a seal", no_query, no_body, false, 200, "Backup",
          media::octets},
    Route{O::export_history, "exportHistory", "GET", "/v1/admin/history", Role::admin,
          "Events with their messages and attempts, one a line between a head and a last line with the counts",
          history_query, no_body, false, 200, "HistoryLine", media::ndjson},
    Route{O::import_history, "importHistory", "POST", "/v1/admin/history", Role::admin,
          "Takes events from such an export, each wholly or not at all; one that is there already is left alone",
          change_query, history_bodies, true, 200, "HistoryTaken", media::ndjson},
    Route{O::list_audit, "listAudit", "GET", "/v1/audit", Role::admin, "Who did what, the newest first", audit_query,
          no_body, false, 200, "AuditList"},
    Route{O::rotate_master_key, "rotateMasterKey", "POST", "/v1/admin/master-key/rotate", Role::admin,
          "Seals all signing secrets with the next master key, in one step", change_query, no_body, false, 200,
          "MasterKeyRotation"},
    Route{O::check_store, "checkStore", "POST", "/v1/admin/check", Role::admin,
          "Reads the whole of a copy of the store, in a process of its own", no_query, no_body, false, 200,
          "CheckReport"},
};

// Whether `path` fits `pattern`; `argument` is what stands for {…}, still encoded.
bool fits(std::string_view pattern, std::string_view path, std::string_view& argument) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) {
    return pattern == path;
  }
  const std::string_view rest = pattern.substr(pattern.find('}') + 1);
  if (!path.starts_with(pattern.substr(0, open)) || path.size() <= open) {
    return false;
  }
  argument = path.substr(open, path.find('/', open) - open);
  return !argument.empty() && path.substr(open + argument.size()) == rest;
}

}  // namespace

std::string_view to_string(Role role) {
  static constexpr std::array<std::string_view, 5> names = {"none", "read", "emit", "operate", "admin"};
  return names[static_cast<std::size_t>(role)];
}

std::span<const Route> routes() { return table; }

Match match_route(std::string_view method, std::string_view path) {
  Match match;
  for (const Route& route : table) {
    std::string_view argument;
    if (!fits(route.pattern, path, argument)) {
      continue;
    }
    auto decoded = percent_decode(argument, false);
    if (!decoded) {
      return {};
    }
    if (route.method == method) {
      match.route = &route;
      match.argument = std::move(*decoded);
      return match;
    }
    match.allowed += (match.allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  return match;
}

const Body* match_body(const Route& route, std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) {
    type.remove_suffix(1);
  }
  if (type.empty()) {
    type = media::json;
  }
  for (const Body& body : route.requests) {
    if (base::equals_ignoring_case(body.media_type, type)) {
      return &body;
    }
  }
  return nullptr;
}

}  // namespace webhookd::protocol
