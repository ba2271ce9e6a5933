#include "control/protocol/openapi.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "control/protocol/json_write.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/routes.hpp"
#include "control/protocol/webhook_codec.hpp"

namespace webhookd::protocol {

namespace {

// The schemas of bodies and answers. Those of webhooks come from webhook_codec.cpp's table, and the codes of problems
// from problems.cpp's.
struct Schema {
  std::string_view name;
  std::string_view json;
};

constexpr std::array schemas = {
    Schema{"EventRequest", R"({"type":"object","required":["type","data"],"additionalProperties":false,"properties":{
"type":{"type":"string","description":"an event type of the catalogue"},
"data":{"description":"any JSON value; its bytes are kept verbatim"},
"timestamp":{"type":"string","format":"date-time","description":"default: now"},
"idempotency_key":{"type":"string","minLength":1,"maxLength":255}}})"},
    Schema{"CloudEvent",
           R"({"type":"object","required":["specversion","id","source","type"],
"description":"CloudEvents 1.0, structured; in binary mode the attributes are headers ce-*, and the body is the data",
"properties":{"specversion":{"const":"1.0"},"id":{"type":"string"},
"source":{"type":"string","description":"with id it is the idempotency key"},
"type":{"type":"string","description":"an event type of the catalogue"},
"time":{"type":"string","format":"date-time"},"datacontenttype":{"type":"string","description":"JSON"},
"data":{"description":"any JSON value; its bytes are kept verbatim"}}})"},
    Schema{"EventBatch",
           R"({"type":"string",
"description":"one EventRequest a line; each is answered by an EventAccepted or a Problem with `line`, in order"})"},
    Schema{"EventAccepted", R"({"type":"object","properties":{"id":{"type":["string","null"]},"type":{"type":"string"},
"timestamp":{"type":"string","format":"date-time"},"duplicate":{"type":"boolean"},"message_count":{"type":"integer"},
"messages":{"type":"array","description":"the first 100","items":{"type":"object","properties":{
"id":{"type":"string"},"webhook_id":{"type":"string"}}}},
"warnings":{"type":"array","description":"only while events.schema is warn: how the data does not match the schema of its type",
"items":{"type":"object","properties":{"pointer":{"type":"string"},"detail":{"type":"string"}}}}}})"},
    Schema{"Event", R"({"type":"object","properties":{"id":{"type":"string"},"type":{"type":"string"},
"timestamp":{"type":"string","format":"date-time"},"accepted_at":{"type":"string","format":"date-time"},
"idempotency_key":{"type":["string","null"]},"data":{},"message_count":{"type":"integer"},
"messages":{"type":"array","description":"the first 100","items":{"$ref":"#/components/schemas/Message"}}}})"},
    Schema{"HistoryLine",
           R"({"type":"object","description":"the head has `format`, the last line `complete` and the counts",
"properties":{"format":{"const":"webhookd-history"},"version":{"const":1},"webhookd":{"type":"string"},
"exported_at":{"type":"string","format":"date-time"},
"cursor":{"type":"string","description":"of GET /v1/stream: what changed since the export began"},
"store":{"type":"string","description":"where the event was accepted first"},"id":{"type":"string"},
"type":{"type":"string"},"timestamp":{"type":"string","format":"date-time"},
"accepted_at":{"type":"string","format":"date-time"},"idempotency_key":{"type":["string","null"]},
"messages":{"description":"an array; in the last line their number"},"data":{},
"data_text":{"type":"string","description":"instead of data, when that has line breaks"},
"complete":{"const":true},"events":{"type":"integer"},"damaged":{"type":"integer"}}})"},
    Schema{"HistoryBatch",
           R"({"type":"string",
"description":"the lines of events alone; each is answered by a HistoryTaken or a Problem with `line`, in order"})"},
    Schema{"HistoryTaken", R"({"type":"object","properties":{
"id":{"type":["string","null"],"description":"the event's id here; null in a dry run"},
"known":{"type":"boolean","description":"it was there already, and nothing was written"},
"messages":{"type":"integer"},"waiting":{"type":"integer","description":"of them, to be delivered here"}}})"},
    Schema{"Message", R"({"type":"object","properties":{"id":{"type":"string"},"webhook_id":{"type":"string"},
"webhook":{"type":["string","null"],"description":"its name; null once it is deleted"},"event_id":{"type":"string"},
"type":{"type":"string"},"status":{"type":"string","enum":["created","retrying","success","failed","cancelled"]},
"reason":{"type":["string","null"],"enum":["delivered","expired","gone","cancelled",null]},
"created_at":{"type":"string","format":"date-time"},"settled_at":{"type":["string","null"],"format":"date-time"},
"deadline":{"type":"string","format":"date-time"},"attempts":{"type":"integer"},
"last_attempt_at":{"type":["string","null"],"format":"date-time"},
"next_attempt_at":{"type":["string","null"],"format":"date-time"},
"last_code":{"type":["integer","null"],"description":"HTTP status of the latest attempt"},
"failure":{"type":["string","null"]},"url":{"type":["string","null"]},
"cancelled_by":{"$ref":"#/components/schemas/Actor"},"retried_by":{"$ref":"#/components/schemas/Actor"}}})"},
    Schema{"Actor",
           R"({"type":["object","null"],"properties":{"uid":{"type":"integer"},"reason":{"type":["string","null"]}}})"},
    Schema{"MessageDetail", R"({"allOf":[{"$ref":"#/components/schemas/Message"},{"type":"object","properties":{
"payload":{"description":"the event's data, verbatim"},
"attempt_log":{"type":"array","items":{"$ref":"#/components/schemas/Attempt"}}}}]})"},
    Schema{"Attempt",
           R"({"type":"object","properties":{"number":{"type":"integer"},"at":{"type":"string","format":"date-time"},
"duration_ms":{"type":"integer"},"trigger":{"type":"string","enum":["automatic","manual","probe"]},"url":{"type":"string"},
"outcome":{"type":"string","enum":["success","status","timeout","connect","dns","tls","reset","protocol","denied","aborted",
"interrupted"]},"code":{"type":["integer","null"]},"error":{"type":["string","null"]},"response_headers":{"type":"string"},
"response_body":{"type":"string"},"response_truncated":{"type":"boolean"}}})"},
    Schema{"MessageList", R"({"type":"object","properties":{"items":{"type":"array","items":{"$ref":
"#/components/schemas/Message"}},"next_cursor":{"type":["string","null"]}}})"},
    Schema{"MessageChange", R"({"description":"the message as it now stands, and the position behind it; or that alone",
"anyOf":[{"allOf":[{"$ref":"#/components/schemas/Message"},{"type":"object","required":["cursor"],"properties":{
"cursor":{"type":"string"}}}]},{"type":"object","required":["cursor"],"properties":{"cursor":{"type":"string"}}}]})"},
    Schema{"BulkRequest", R"({"type":"object","required":["filter"],"additionalProperties":false,"properties":{
"filter":{"type":"object","required":["webhook"],"additionalProperties":false,"properties":{"webhook":{"type":"string"},
"status":{"type":["array","string"],"items":{"type":"string"},"description":"default: failed to retry; created and retrying to cancel"},
"type":{"type":"string"},"since":{"type":"string","format":"date-time"},"until":{"type":"string","format":"date-time"},
"code":{"type":"string"},"q":{"type":"string"}}},"rate":{"type":["number","null"],"description":"messages per second"},
"reason":{"type":"string"},"dry_run":{"type":"boolean","description":"counts what would be touched"}}})"},
    Schema{"Task", R"({"type":"object","properties":{"id":{"type":["string","null"]},
"action":{"type":"string","enum":["retry","cancel"]},"state":{"type":"string","enum":["planned","running","done","cancelled"]},
"webhook_id":{"type":"string"},"webhook":{"type":["string","null"]},"filter":{"type":"object"},
"rate":{"type":["number","null"]},"uid":{"type":"integer"},"reason":{"type":["string","null"]},
"started_at":{"type":"string","format":"date-time"},"ended_at":{"type":["string","null"],"format":"date-time"},
"total":{"type":["integer","null"],"description":"null until they are counted"},"done":{"type":"integer"},
"failed":{"type":"integer"}}})"},
    Schema{"TaskList", R"({"type":"object","properties":{"items":{"type":"array","items":{"$ref":
"#/components/schemas/Task"}},"next_cursor":{"type":"null"}}})"},
    Schema{"WebhookList", R"({"type":"object","properties":{"items":{"type":"array","items":{"$ref":
"#/components/schemas/Webhook"}},"next_cursor":{"type":["string","null"]}}})"},
    Schema{"WebhookCreated", R"({"allOf":[{"$ref":"#/components/schemas/Webhook"},{"type":"object","properties":{
"secrets":{"type":"array","items":{"type":"string"}}}}]})"},
    Schema{"Deleted",
           R"({"type":"object","properties":{"id":{"type":"string"},"waiting_cancelled":{"type":"integer"}}})"},
    Schema{"Rotation",
           R"({"type":"object","properties":{"grace":{"type":"number","description":"seconds","default":86400}}})"},
    Schema{"Secrets",
           R"({"type":"object","properties":{"secrets":{"type":"array","description":"the newest first","items":{
"type":"object","properties":{"secret":{"type":"string"},"expires_at":{"type":["string","null"],"format":"date-time"}}}},
"public_keys":{"type":"array","items":{"type":"string"}}}})"},
    Schema{"EventType", R"({"type":"object","properties":{"name":{"type":"string"},"description":{"type":"string"},
"origin":{"type":"string","enum":["builtin","extension","user"]},"schema":{"type":["object","boolean","null"]},"example":{},
"created_at":{"type":"string","format":"date-time"}}})"},
    Schema{"EventTypeRequest", R"({"type":"object","additionalProperties":false,"properties":{
"name":{"type":"string","description":"required in a POST"},"description":{"type":"string"},
"schema":{"type":["object","boolean","null"],"description":"a JSON Schema, advisory (events.schema); what is unknown to it is always allowed"},"example":{}}})"},
    Schema{"EventTypeList", R"({"type":"object","properties":{"items":{"type":"array","items":{"$ref":
"#/components/schemas/EventType"}},"next_cursor":{"type":["string","null"]}}})"},
    Schema{"TypeDeleted", R"({"type":"object","properties":{"name":{"type":"string"}}})"},
    Schema{"Reason", R"({"type":"object","additionalProperties":false,"properties":{"reason":{"type":"string"}}})"},
    Schema{"Status", R"({"type":"object","properties":{"version":{"type":"string"},
"started_at":{"type":"string","format":"date-time"},"now":{"type":"string","format":"date-time"},
"uptime_seconds":{"type":"number"},"test_clock":{"type":"boolean"},"socket":{"type":"string"},
"configuration":{"type":["string","null"],"description":"the file that was read"},"master_key_file":{"type":["string","null"]},
"store":{"type":"object","properties":{"id":{"type":"string"},"schema":{"type":"integer"},"events":{"type":"integer"},
"messages":{"type":"integer"},"waiting":{"type":"integer"},"webhooks":{"type":"integer"},"used_bytes":{"type":"integer"},
"quota_bytes":{"type":"integer"},
"master_key":{"type":["string","null"],"description":"the id of the key that signing secrets are sealed with"},"directory":{"type":"string"},
"disk_free_bytes":{"type":"integer","description":"that the store may still take, its own unused pages left out"},
"disk_reserve_bytes":{"type":"integer"},"full":{"type":"boolean"},
"full_because":{"enum":["quota","disk_reserve",null]},"commits":{"type":"integer"},
"damaged_records":{"type":"integer"}}},
"engine":{"type":"object","properties":{"in_flight":{"type":"integer"},"ready":{"type":"integer"},
"unsettled":{"type":"integer"},"attempts":{"type":"integer"},"successes":{"type":"integer"},"failures":{"type":"integer"},
"accepted":{"type":"integer"},"next_due":{"type":["string","null"],"format":"date-time"}}},
"health":{"type":"object","description":"webhooks by their health","properties":{"up":{"type":"integer"},
"throttled":{"type":"integer"},"down":{"type":"integer"}}}}})"},
    Schema{"Stats", R"({"type":"object","properties":{"since":{"type":"string","format":"date-time"},
"until":{"type":"string","format":"date-time"},"seconds":{"type":"number"},"accepted":{"type":"integer"},
"attempts":{"type":"integer"},"successes":{"type":"integer"},"failures":{"type":"integer"},
"outcomes":{"type":"object","additionalProperties":{"type":"integer"}},
"per_second":{"type":"object","additionalProperties":{"type":"number"}},
"delivery_ms":{"type":"object","description":"p50, p90 and p99 of all attempts","additionalProperties":{"type":"number"}},
"kept":{"type":"object","description":"counted since the store was made; events and messages: stored now",
"additionalProperties":{"type":"integer"}}}})"},
    Schema{"Health", R"({"type":"object","properties":{"status":{"type":"string"}}})"},
    Schema{
        "Clock",
        R"({"type":"object","properties":{"now":{"type":"string","format":"date-time"},"test":{"type":"boolean"}}})"},
    Schema{"ClockAdvance", R"({"type":"object","required":["advance"],"additionalProperties":false,"properties":{
"advance":{"type":"number","description":"seconds"}}})"},
    Schema{"AuditList",
           R"({"type":"object","properties":{"items":{"type":"array","items":{"type":"object","properties":{
"number":{"type":"integer"},"at":{"type":"string","format":"date-time"},
"uid":{"type":["integer","null"],"description":"null: webhookd by itself"},"user":{"type":["string","null"]},
"role":{"type":"string"},"operation":{"type":"string","description":"its operationId here"},
"object":{"type":["string","null"],"description":"an id, or the name of a type"},"name":{"type":["string","null"]},
"detail":{"type":["string","null"],"description":"what of it: names of members, a filter; never a secret"},
"reason":{"type":["string","null"],"description":"as given, by the header Webhookd-Reason or in the body"}}}},
"next_cursor":{"type":["string","null"]}}})"},
    Schema{"MasterKeyRotation", R"({"type":"object","properties":{
"from":{"type":"string","description":"the id of the key before; the same as `to`: nothing had to be done"},
"to":{"type":"string"},"webhooks":{"type":"integer","description":"whose secrets were sealed anew"}}})"},
    Schema{"Reload", R"({"type":"object","properties":{"changes":{"type":"array","items":{"type":"object","properties":{
"key":{"type":"string"},"from":{"type":"string","description":"as spelled in the file"},"to":{"type":"string"},
"effect":{"type":"string","enum":["now","restart"],"description":"restart: the daemon keeps the old value"}}}}}})"},
    Schema{"Metrics", R"({"type":"string"})"},
    Schema{"Backup", R"({"type":"string","format":"binary",
"description":"a line that begins with webhookd-backup and says `bytes`, that many bytes, a line with their checksum"})"},
    Schema{"CheckReport", R"({"type":"object","properties":{"clean":{"type":"boolean"},"store_id":{"type":"string"},
"schema":{"type":"integer"},"tables":{"type":"array","items":{"type":"object","properties":{"table":{"type":"string"},
"rows":{"type":"integer"}}}},"damage":{"type":"integer","description":"findings in all"},
"findings":{"type":"array","description":"the first 1000","items":{"type":"object","properties":{
"table":{"type":"string"},"detail":{"type":"string"}}}}}})"},
    Schema{"OpenApi", R"({"type":"object"})"},
    Schema{"Delivery", R"({"type":"object","description":"the body in the format `standard`; members in this order",
"properties":{"type":{"type":"string"},"data":{},"timestamp":{"type":"string","format":"date-time"}}})"},
};

constexpr std::string_view delivery_headers = R"([
{"name":"webhook-id","in":"header","schema":{"type":"string"},"description":"the message id, the same on every attempt"},
{"name":"webhook-timestamp","in":"header","schema":{"type":"integer"},"description":"unix seconds of the attempt"},
{"name":"webhook-signature","in":"header","schema":{"type":"string"},
"description":"Standard Webhooks 1.0.0: v1, or v1a, and base64, one for each valid secret, separated by spaces"}])";

void write_reference(JsonWriter& json, std::string_view schema) {
  json.begin_object().name("$ref").string("#/components/schemas/" + std::string(schema)).end_object();
}

void write_content(JsonWriter& json, std::string_view media_type, std::string_view schema) {
  json.name("content").begin_object().name(media_type).begin_object().name("schema");
  write_reference(json, schema);
  json.end_object().end_object();
}

void write_parameter(JsonWriter& json, std::string_view name, std::string_view in, std::string_view schema,
                     std::string_view description) {
  json.begin_object().name("name").string(name).name("in").string(in);
  json.name("required").boolean(in == "path");
  json.name("schema").raw(schema).name("description").string(description).end_object();
}

void write_parameters(JsonWriter& json, const Route& route) {
  json.name("parameters").begin_array();
  if (const auto open = route.pattern.find('{'); open != std::string_view::npos) {
    const std::string_view name = route.pattern.substr(open + 1, route.pattern.find('}') - open - 1);
    write_parameter(json, name, "path", R"({"type":"string"})",
                    name == "id" ? "id or unique prefix; of a webhook also its name" : "the name of the type");
  }
  for (const QueryParameter& parameter : route.query) {
    write_parameter(json, parameter.name, "query", parameter.schema, parameter.description);
  }
  json.end_array();
}

void write_request_body(JsonWriter& json, const Route& route) {
  if (route.requests.empty()) {
    return;
  }
  json.name("requestBody").begin_object().name("required").boolean(route.body_required);
  json.name("content").begin_object();
  for (const Body& body : route.requests) {
    json.name(body.media_type).begin_object().name("schema");
    write_reference(json, body.schema);
    json.end_object();
  }
  json.end_object().end_object();
}

// Of a change: what a dry run answers, too, and an event that was known already; a batch has its answers line by line.
void write_response(JsonWriter& json, const Route& route, unsigned status, std::string_view description) {
  json.name(std::to_string(status)).begin_object().name("description").string(description);
  json.name("headers").begin_object().name("Webhookd-Version");
  json.raw(R"({"$ref":"#/components/headers/Webhookd-Version"})").end_object();
  json.name("content").begin_object().name(route.response_media).begin_object().name("schema");
  write_reference(json, route.response);
  json.end_object();
  const bool takes_batches = std::any_of(route.requests.begin(), route.requests.end(),
                                         [](const Body& body) { return body.media_type == media::ndjson; });
  if (takes_batches && status == 200 && route.response_media != media::ndjson) {
    json.name(media::ndjson).begin_object().name("schema");
    write_reference(json, route.response);
    json.end_object();
  }
  json.end_object().end_object();
}

void write_operation(JsonWriter& json, const Route& route) {
  std::string method(route.method);
  for (char& c : method) {
    c = static_cast<char>(c - 'A' + 'a');
  }
  json.name(method).begin_object();
  json.name("operationId").string(route.name).name("summary").string(route.summary);
  json.name("x-role").string(to_string(route.role));
  write_parameters(json, route);
  write_request_body(json, route);
  json.name("responses").begin_object();
  write_response(json, route, route.status, "done");
  const bool has_dry_run = std::any_of(route.query.begin(), route.query.end(),
                                       [](const QueryParameter& parameter) { return parameter.name == "dry_run"; });
  if (has_dry_run && route.status != 200) {
    write_response(json, route, 200,
                   route.operation == Operation::accept_events
                       ? "a dry run, an event that is known by its idempotency key, or the answers to a batch"
                       : "a dry run");
  }
  json.name("default").begin_object().name("description").string("a problem");
  write_content(json, problem_media_type, "Problem");
  json.end_object().end_object().end_object();
}

void write_paths(JsonWriter& json) {
  std::vector<std::string_view> patterns;
  std::map<std::string_view, std::vector<const Route*>> by_pattern;
  for (const Route& route : routes()) {
    auto& of_pattern = by_pattern[route.pattern];
    if (of_pattern.empty()) {
      patterns.push_back(route.pattern);
    }
    of_pattern.push_back(&route);
  }
  json.name("paths").begin_object();
  for (const std::string_view pattern : patterns) {
    json.name(pattern).begin_object();
    for (const Route* route : by_pattern[pattern]) {
      write_operation(json, *route);
    }
    json.end_object();
  }
  json.end_object();
}

void write_webhook_schema(JsonWriter& json, std::string_view name, bool in_request, std::string_view required) {
  json.name(name).begin_object().name("type").string("object");
  if (!required.empty()) {
    json.name("required").raw(required);
  }
  json.name("properties");
  write_webhook_properties(json, in_request);
  json.end_object();
}

void write_problem_schema(JsonWriter& json) {
  json.name("Problem").begin_object().name("type").string("object").name("properties").begin_object();
  for (const std::string_view text : {"type", "title", "detail"}) {
    json.name(text).raw(R"({"type":"string"})");
  }
  json.name("status").raw(R"({"type":"integer"})");
  json.name("code").begin_object().name("type").string("string").name("enum").begin_array();
  for (const ProblemKind& kind : problem_kinds()) {
    json.string(kind.name);
  }
  json.end_array().end_object();
  json.name("errors").raw(
      R"({"type":"array","items":{"type":"object","properties":{"pointer":{"type":"string"},"detail":{"type":"string"}}}})");
  json.name("line").raw(R"({"type":"integer","description":"in the answer to a batch"})");
  json.end_object().end_object();
}

void write_components(JsonWriter& json) {
  json.name("components").begin_object().name("schemas").begin_object();
  for (const Schema& schema : schemas) {
    json.name(schema.name).raw(schema.json);
  }
  write_webhook_schema(json, "Webhook", false, {});
  write_webhook_schema(json, "WebhookCreate", true, R"(["display_name","url","events"])");
  write_webhook_schema(json, "WebhookPatch", true, {});
  write_problem_schema(json);
  json.end_object();
  json.name("headers").raw(
      R"({"Webhookd-Version":{"description":"the daemon's, in every answer","schema":{"type":"string"}}})");
  json.end_object();
}

void write_deliveries(JsonWriter& json) {
  json.name("webhooks").begin_object().name("delivery").begin_object().name("post").begin_object();
  json.name("summary").string("What the daemon sends to a receiver, until it is answered 2xx or the window ends");
  json.name("parameters").raw(delivery_headers);
  json.name("requestBody").begin_object();
  write_content(json, media::json, "Delivery");
  json.end_object();
  json.name("responses")
      .raw(
          R"({"2XX":{"description":"delivered"},"410":{"description":"fails the message and deactivates the webhook"},)"
          R"("default":{"description":"tried again later"}})");
  json.end_object().end_object().end_object();
}

}  // namespace

std::string openapi_document() {
  std::string out;
  JsonWriter json(out);
  json.begin_object().name("openapi").string("3.1.0");
  json.name("info").begin_object().name("title").string("webhookd");
  json.name("version").string(WEBHOOKD_VERSION);
  json.name("description").string("The API on the Unix socket; curl --unix-socket reaches it.").end_object();
  write_paths(json);
  write_components(json);
  write_deliveries(json);
  json.end_object();
  return out;
}

}  // namespace webhookd::protocol
