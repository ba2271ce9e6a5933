// What clients of the API send: targets with their queries, cursors, and the bodies of requests.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/text.hpp"
#include "control/protocol/audit_codec.hpp"
#include "control/protocol/cloudevent_codec.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/event_codec.hpp"
#include "control/protocol/message_codec.hpp"
#include "control/protocol/query.hpp"
#include "control/protocol/routes.hpp"
#include "control/protocol/status_codec.hpp"
#include "control/protocol/task_codec.hpp"
#include "control/protocol/webhook_codec.hpp"
#include "domain/limits.hpp"
#include "fuzz/targets.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;
using OrderedJson = nlohmann::ordered_json;  // the order of headers is part of a webhook
namespace limits = domain::limits;

constexpr std::size_t data_max = 4096;

// An error that can be answered: with words, and with every place that it names.
void check_refusal(const base::Error& error) {
  check(!error.detail.empty(), "a refusal has words");
  for (const auto& field : error.fields) {
    check(field.pointer.empty() || field.pointer.starts_with('/'), "a place is a JSON pointer");
    check(!field.detail.empty(), "a place has words");
  }
}

template <class T>
bool is_read(const base::Result<T>& result) {
  if (!result) {
    check_refusal(result.error());
  }
  return result.has_value();
}

std::vector<protocol::QueryParameter> all_parameters() {
  std::vector<protocol::QueryParameter> all;
  for (const auto& route : protocol::routes()) {
    for (const auto& parameter : route.query) {
      if (std::none_of(all.begin(), all.end(), [&](const auto& one) { return one.name == parameter.name; })) {
        all.push_back(parameter);
      }
    }
  }
  return all;
}

std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return encoded;
}

void read_every_filter(const protocol::Query& query) {
  if (const auto messages = protocol::read_message_filter(query); is_read(messages)) {
    check(messages->limit >= 1 && messages->limit <= protocol::list_limit_max, "a page is bounded");
    check(messages->code_min <= messages->code_max, "a range of codes has an order");
  }
  if (const auto wait = protocol::read_wait(query); is_read(wait)) {
    check(wait->count() >= 0 && *wait <= protocol::wait_max, "a wait is bounded");
  }
  is_read(protocol::read_stream_filter(query));
  is_read(protocol::read_webhook_filter(query));
  is_read(protocol::read_page_filter(query));
  is_read(protocol::read_history_filter(query));
  is_read(protocol::read_audit_filter(query));
  is_read(protocol::read_since(query));
  is_read(protocol::read_dry_run(query));
}

void run_query(std::string_view input) {
  static const auto known = all_parameters();
  const auto query = protocol::Query::parse(input, known);
  if (!is_read(query)) {
    return;
  }
  std::string again;
  for (const auto& parameter : known) {
    if (const std::string* value = query->find(parameter.name)) {
      check(base::is_valid_utf8(*value), "a parameter is UTF-8");
      again = std::string(parameter.name) + "=" + percent_encoded(*value) + "&" + again;
    }
  }
  const auto reordered = protocol::Query::parse(again, known);
  check(reordered.has_value() && reordered->list_fingerprint() == query->list_fingerprint(),
        "a query is the same list in any order and spelling");
  read_every_filter(*query);
}

// "METHOD TARGET", then a line with the content type.
void run_route(std::string_view input) {
  const auto [request_line, content_type] = split_at_first(input, "\n");
  const auto [method, target] = split_at_first(request_line, " ");
  const auto match = protocol::match_route(method, split_at_first(target, "?").first);
  if (match.route == nullptr) {
    return;
  }
  check(match.route->method == method, "a route has the method that was asked for");
  const bool takes_argument = match.route->pattern.find('{') != std::string_view::npos;
  check(takes_argument || match.argument.empty(), "only a route with a place for it has an argument");
  is_read(protocol::Query::parse(split_at_first(target, "?").second, match.route->query));
  const auto* body = protocol::match_body(*match.route, content_type);
  check(body == nullptr || !match.route->requests.empty(), "a body that is taken is one of the route's");
}

void run_cursor(std::string_view input) {
  constexpr std::uint64_t list = 77;
  if (const auto position = protocol::decode_cursor(list, input); is_read(position)) {
    check(protocol::encode_cursor(list, *position) == input, "a cursor has one spelling");
  }
  if (const auto feed = protocol::decode_feed_cursor(input); is_read(feed)) {
    check(protocol::encode_feed_cursor(*feed) == input, "a cursor of the feed has one spelling");
  }
  const std::string_view position = input.substr(0, 1024);
  std::string cursor = protocol::encode_cursor(list, position);
  const auto decoded = protocol::decode_cursor(list, cursor);
  check(decoded.has_value() && *decoded == position, "a cursor gives its position back");
  check(!protocol::decode_cursor(list + 1, cursor), "a cursor fits no other list");
  char& changed = cursor[choice_of(input) % cursor.size()];
  changed = changed == 'A' ? 'B' : 'A';
  check(!protocol::decode_cursor(list, cursor), "a cursor that was changed is refused");
}

void check_event(const base::Result<protocol::EventRequest>& event) {
  if (is_read(event)) {
    check(event->data.size() <= data_max, "data stays within its bound");
    check(protocol::check_json(event->data, limits::json_depth).has_value(), "data is JSON within its depth");
    check(domain::is_event_type_name(event->type), "an event has a type");
    check(event->idempotency_key.size() <= limits::idempotency_key_bytes, "a key stays within its bound");
  }
}

void run_event(std::string_view input) { check_event(protocol::read_event(input, data_max)); }

void run_cloudevent(std::string_view input) { check_event(protocol::read_cloudevent(input, data_max)); }

// Lines "name: value", an empty line, the data.
void run_binary_cloudevent(std::string_view input) {
  auto [head, body] = split_at_first(input, "\n\n");
  protocol::CloudEventHeaders headers;
  while (!head.empty()) {
    const auto [line, rest] = split_at_first(head, "\n");
    const auto [name, value] = split_at_first(line, ": ");
    headers.emplace_back(name, value);
    head = rest;
  }
  check_event(protocol::read_binary_cloudevent(headers, body, data_max));
}

std::string shown(const domain::Webhook& webhook) {
  std::string out;
  protocol::JsonWriter json(out);
  protocol::write_webhook(json, webhook, {});
  return out;
}

void run_webhook(std::string_view input) {
  const domain::Webhook defaults;
  const auto webhook = protocol::read_webhook(input, defaults);
  if (is_read(webhook)) {
    check(domain::check_webhook(*webhook).has_value(), "a webhook that was read keeps every rule");
    OrderedJson members = OrderedJson::parse(shown(*webhook));
    for (const char* kept : {"id", "status_reason", "version", "created_at", "updated_at", "health", "waiting",
                             "failed_last_day", "last_success_at", "certificate_expires_at"}) {
      members.erase(kept);
    }
    auto again = protocol::read_webhook(members.dump(), defaults);
    check(again.has_value(), "a webhook that is shown is accepted again");
    again->secrets = webhook->secrets;
    check(*again == *webhook, "a webhook that is shown reads back the same");
  }
  static const domain::Webhook current = *protocol::read_webhook(
      R"({"display_name":"shop","url":"https://shop.example","events":["*"],"headers":{"X-A":"1"}})", defaults);
  const auto patched = protocol::patch_webhook(input, current, defaults);
  if (is_read(patched)) {
    check(domain::check_webhook(*patched).has_value(), "a webhook that was patched keeps every rule");
    check(patched->id == current.id && patched->version == current.version, "a patch leaves what the daemon keeps");
    const auto twice = protocol::patch_webhook(input, *patched, defaults);
    check(twice.has_value() && *twice == *patched, "a merge patch applied twice is applied once");
  }
  is_read(protocol::read_rotation(input));
}

void run_type(std::string_view input) {
  const auto type = protocol::read_event_type(input, "");
  if (is_read(type)) {
    std::string out;
    protocol::JsonWriter json(out);
    protocol::write_event_type(json, *type);
    check(protocol::check_json(out, limits::json_depth + 2).has_value(), "a type is shown as JSON");
    check(protocol::read_event_type(input, type->name).has_value(), "a type may repeat its own name");
  }
}

void run_bulk(std::string_view input) {
  const auto bulk = protocol::read_bulk(input);
  if (is_read(bulk)) {
    check(!bulk->filter.webhook.empty(), "a bulk request names its webhook");
    check(!bulk->rate || (*bulk->rate > 0 && *bulk->rate <= 1e6), "a rate is bounded");
    check(bulk->reason.size() <= limits::actor_reason_bytes, "a reason is bounded");
  }
  if (const auto reason = protocol::read_reason(input); is_read(reason)) {
    check(reason->size() <= limits::actor_reason_bytes, "a reason is bounded");
  }
  if (const auto reason = protocol::read_reason_header(input)) {
    check(base::is_valid_utf8(*reason) && !base::has_control_characters(*reason), "a reason is a line of text");
  }
  if (const auto advance = protocol::read_advance(input); is_read(advance)) {
    check(advance->count() > 0 && *advance <= protocol::clock_advance_max, "a clock is moved ahead, within a bound");
  }
}

}  // namespace

std::vector<Target> request_targets() {
  const std::vector<std::string> events = {
      R"({"type":"subscription.create","data":{"a":[1,2.0e3,"\u00e9"]},"timestamp":"2026-11-23T20:24:45Z",)"
      R"("idempotency_key":"k-1"})",
      R"({"type":"a.b","data":null})", R"({"data":1,"type":"a.b","dta":2})",
      R"({"specversion":"1.0","id":"1","source":"/shop","type":"a.b","time":"2026-03-02T09:15:27Z",)"
      R"("datacontenttype":"application/json","data":{"x":1},"traceparent":"00"})",
      R"({"specversion":"1.0","id":"1","source":"s","type":"a.b","data_base64":"AA=="})"};
  return {
      {"query",
       run_query,
       {"webhook=shop&type=a.b&status=failed,success&since=2026-11-23T20:24:45.123Z&code=5xx&q=x%20y&limit=5&order=asc",
        "timeout=2.5&dry_run=true&follow=false&after=start", "sort=name&search=%e2%82%ac&event=a.b",
        "user=alice&operation=patchWebhook&object=wh_1&until=2026-01-01T00:00:00+01:00", "limit=0&limit=1",
        "a=%zz&&=", "after=" + protocol::encode_feed_cursor({3, 4}) + "&cursor=" + protocol::encode_cursor(1, "x")}},
      {"route",
       run_route,
       {"GET /v1/webhooks?limit=5\n", "PATCH /v1/webhooks/my%20shop\napplication/merge-patch+json; charset=utf-8",
        "POST /v1/events\napplication/cloudevents+json", "PUT /v1/types/a.b\n", "DELETE /v1/webhooks/%2f/x\n",
        "GET /v1/messages/msg_0000000000001/wait?timeout=1\n", "GET //v1/../healthz\n", "HEAD /v1/openapi.json\n"}},
      {"cursor",
       run_cursor,
       {protocol::encode_cursor(77, protocol::number_position(9)), protocol::encode_feed_cursor({1, 2}), "AQ", "",
        protocol::encode_cursor(77, "")}},
      {"event", run_event, events},
      {"cloudevent", run_cloudevent, events},
      {"binary_cloudevent",
       run_binary_cloudevent,
       {"specversion: 1.0\nid: 1\nsource: /shop%20x\ntype: a.b\ntime: 2026-03-02T09:15:27Z\ntraceparent: "
        "00\n\n{\"x\":1}",
        "specversion: 1.0\nid: %zz\nsource: s\ntype: a.b\ndatacontenttype: text/plain\n\n 1 \n"}},
      {"webhook",
       run_webhook,
       {R"({"display_name":"shop","url":"https://shop.example/hook","events":["subscription.create","api.*"],)"
        R"("status":"inactive","description":"d","headers":{"X-One":"1"},"signature":"github","format":"cloudevents",)"
        R"("timeout":2.5,"max_in_flight":3,"rate":0.5,"retry":{"initial":1,"factor":1.5,"max":60,"jitter":0,)"
        R"("window":3600},"tls":{"client_cert":"/c","client_key":"/k"},)"
        R"("auth":{"type":"header_file","header":"Authorization","file":"/etc/t"}})",
        R"({"display_name":"x","url":"http://x.example","events":["*"],"secrets":["whsec_)" + std::string(32, 'A') +
            R"("],"auth":{"type":"oauth2","token_url":"https://login.example/t","client_id":"me",)"
            R"("client_secret_file":"/s","scopes":["a","b"]}})",
        R"({"headers":{"X-A":null,"X-B":"2"},"retry":null,"rate":null,"auth":null,"timeout":null})", R"({"grace":60})",
        R"({"retry":{"a":1,"b":2,"c":3}})"}},
      {"type",
       run_type,
       {R"({"name":"a.b","description":"d","schema":{"type":"object"},"example":{"x":1}})",
        R"({"name":"a.b","schema":true,"example":null})", R"({"name":"webhook.ping","schema":[]})"}},
      {"bulk",
       run_bulk,
       {R"({"filter":{"webhook":"shop","status":["failed","cancelled"],"type":"a.b","since":"2026-11-23T20:24:45Z",)"
        R"("until":"2026-11-24T20:24:45Z","code":"5xx","q":"x"},"rate":2.5,"reason":"again","dry_run":true})",
        R"({"filter":{"webhook":"shop","stats":1,"code":5}})", R"({"reason":"because"})", R"({"advance":86400})"}},
  };
}

}  // namespace webhookd::fuzz
