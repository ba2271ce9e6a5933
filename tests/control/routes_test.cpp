#include "control/protocol/routes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "control/protocol/openapi.hpp"
#include "domain/message.hpp"

using namespace webhookd;
using namespace webhookd::protocol;
using Json = nlohmann::json;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = static_cast<char>(c + 32);
  }
  return out;
}

void collect_references(const Json& json, std::set<std::string>& references) {
  if (json.is_object() && json.contains("$ref")) {
    references.insert(json["$ref"].get<std::string>());
  }
  for (const auto& child : json) {
    if (child.is_structured()) {
      collect_references(child, references);
    }
  }
}

const Route& route_of(Operation operation) {
  for (const Route& route : routes()) {
    if (route.operation == operation) {
      return route;
    }
  }
  FAIL("no such route");
  return routes().front();
}

base::Result<MessageFilter> filter_of(std::string_view query) {
  auto parsed = Query::parse(query, route_of(Operation::list_messages).query);
  if (!parsed) {
    return parsed.error();
  }
  return read_message_filter(*parsed);
}

}  // namespace

TEST_CASE("the OpenAPI document has every route and no other") {
  const Json document = Json::parse(openapi_document());
  std::set<std::pair<std::string, std::string>> described;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      described.emplace(path, method);
    }
  }
  std::set<std::pair<std::string, std::string>> routed;
  for (const Route& route : routes()) {
    routed.emplace(std::string(route.pattern), lower(route.method));
    const Json& operation = document["paths"][std::string(route.pattern)][lower(route.method)];
    CHECK(operation["operationId"] == std::string(route.name));
    const bool has_argument = route.pattern.find('{') != std::string_view::npos;
    CHECK(operation["parameters"].size() == route.query.size() + (has_argument ? 1 : 0));
  }
  CHECK(described == routed);
}

TEST_CASE("every schema that the OpenAPI document names is there, and every one there is named") {
  const Json document = Json::parse(openapi_document());
  CHECK(document["openapi"] == "3.1.0");
  CHECK(document["info"]["version"] == WEBHOOKD_VERSION);
  CHECK(document["webhooks"].contains("delivery"));
  std::set<std::string> references;
  collect_references(document, references);
  std::set<std::string> present;
  for (const char* kind : {"schemas", "headers"}) {
    for (const auto& [name, value] : document["components"][kind].items()) {
      present.insert("#/components/" + std::string(kind) + "/" + name);
    }
  }
  CHECK(references == present);
}

TEST_CASE("every change describes what its dry run answers, and the events also a batch") {
  const Json document = Json::parse(openapi_document());
  for (const Route& route : routes()) {
    const Json& responses = document["paths"][std::string(route.pattern)][lower(route.method)]["responses"];
    CHECK(responses.contains(std::to_string(route.status)));
    CHECK(responses[std::to_string(route.status)]["headers"].contains("Webhookd-Version"));
    const bool has_dry_run =
        std::any_of(route.query.begin(), route.query.end(), [](const auto& one) { return one.name == "dry_run"; });
    CHECK((!has_dry_run || responses.contains("200")));
  }
  CHECK(document["paths"]["/v1/events"]["post"]["responses"]["200"]["content"].contains("application/x-ndjson"));
}

TEST_CASE("every operation has exactly one route") {
  std::map<Operation, int> counts;
  std::set<std::string_view> names;
  for (const Route& route : routes()) {
    ++counts[route.operation];
    CHECK(names.insert(route.name).second);
    CHECK(route.role != Role::none);
  }
  CHECK(counts.size() == static_cast<std::size_t>(Operation::check_store) + 1);
  CHECK(counts.size() == routes().size());
}

TEST_CASE("a path is matched with its argument decoded") {
  const auto match = match_route("POST", "/v1/webhooks/my%20shop%2F1/activate");
  REQUIRE(match.route != nullptr);
  CHECK(match.route->operation == Operation::activate_webhook);
  CHECK(match.argument == "my shop/1");
  CHECK(match_route("GET", "/v1/types/a.b").argument == "a.b");
  CHECK(match_route("GET", "/v1/webhooks").route->operation == Operation::list_webhooks);
}

TEST_CASE("another method of a known path says which there are, another path nothing") {
  const auto wrong_method = match_route("PUT", "/v1/webhooks/wh_1");
  CHECK(wrong_method.route == nullptr);
  CHECK(wrong_method.allowed == "GET, PATCH, DELETE");
  for (const char* path : {"", "/", "/v1", "/v1/webhooks/", "/v1/webhooks//activate", "/v1/webhooks/a/b", "/v1/webhook",
                           "/v1/messages/x/retry/", "*", "/v1/webhooks/%zz"}) {
    CAPTURE(path);
    const auto unknown = match_route("GET", path);
    CHECK(unknown.route == nullptr);
    CHECK(unknown.allowed.empty());
  }
}

TEST_CASE("secrets and changes of definitions are for admins, producers may only emit") {
  CHECK(route_of(Operation::show_secrets).role == Role::admin);
  CHECK(route_of(Operation::create_webhook).role == Role::admin);
  CHECK(route_of(Operation::advance_clock).role == Role::admin);
  CHECK(route_of(Operation::retry_message).role == Role::operate);
  CHECK(route_of(Operation::cancel_message).role == Role::operate);
  CHECK(route_of(Operation::ping_webhook).role == Role::operate);
  CHECK(route_of(Operation::accept_events).role == Role::emit);
  CHECK(route_of(Operation::list_messages).role == Role::read);
}

TEST_CASE("every change can be run dry, and no read can") {
  for (const Route& route : routes()) {
    bool has_dry_run = false;
    for (const auto& parameter : route.query) {
      has_dry_run = has_dry_run || parameter.name == "dry_run";
    }
    CAPTURE(route.pattern);
    // Copies are work, and change nothing.
    const bool is_copy = route.operation == Operation::back_up || route.operation == Operation::check_store;
    CHECK(has_dry_run == (route.method != "GET" && !is_copy));
  }
}

TEST_CASE("a content type is taken with parameters and in any case, a missing one is JSON") {
  const Route& events = route_of(Operation::accept_events);
  CHECK(match_body(events, "application/json; charset=utf-8")->media_type == media::json);
  CHECK(match_body(events, "Application/X-NDJSON")->media_type == media::ndjson);
  CHECK(match_body(events, "")->media_type == media::json);
  CHECK(match_body(events, "text/plain") == nullptr);
}

TEST_CASE("the filter of messages reads every parameter") {
  const auto filter = filter_of(
      "webhook=my+shop&type=a.b&status=failed,cancelled&since=2026-01-01T00:00:00%2B01:00&until=2026-02-01T00:00:00Z"
      "&code=5xx&q=refused&order=asc&limit=7&cursor=abc");
  REQUIRE(filter.has_value());
  CHECK(filter->webhook == "my shop");
  CHECK(filter->type == "a.b");
  CHECK(filter->statuses == (1U << static_cast<unsigned>(domain::MessageStatus::failed) |
                             1U << static_cast<unsigned>(domain::MessageStatus::cancelled)));
  CHECK(base::format_time(*filter->since) == "2025-12-31T23:00:00.000Z");
  CHECK(filter->code_min == 500);
  CHECK(filter->code_max == 599);
  CHECK(filter->text == "refused");
  CHECK(filter->oldest_first);
  CHECK(filter->limit == 7);
  CHECK(filter->cursor == "abc");
}

TEST_CASE("a plus that a time kept unescaped is still a plus") {
  CHECK(base::format_time(*filter_of("since=2026-01-01T00:00:00+01:00")->since) == "2025-12-31T23:00:00.000Z");
}

TEST_CASE("bad query parameters are refused by name") {
  const std::map<std::string, std::string> cases = {{"limit=0", "/limit"},
                                                    {"limit=1001", "/limit"},
                                                    {"limit=x", "/limit"},
                                                    {"status=done", "/status"},
                                                    {"status=", "/status"},
                                                    {"since=yesterday", "/since"},
                                                    {"until=1", "/until"},
                                                    {"code=5x", "/code"},
                                                    {"code=99", "/code"},
                                                    {"order=up", "/order"},
                                                    {"type=nodot", "/type"},
                                                    {"limt=5", "/limt"},
                                                    {"limit=5&limit=6", "/limit"},
                                                    {"q=%zz", "/q"},
                                                    {"q=%ff", "/q"},
                                                    {"q=%", "/q"}};
  for (const auto& [query, pointer] : cases) {
    const std::string shown(query);  // clang 14 does not capture a structured binding
    CAPTURE(shown);
    const auto filter = filter_of(query);
    REQUIRE(filter.has_error());
    CHECK(filter.error().code == base::ErrorCode::invalid_request);
    CHECK(filter.error().fields.at(0).pointer == pointer);
  }
  CHECK(filter_of("limt=5").error().detail.find("did you mean limit?") != std::string::npos);
}

TEST_CASE("a cursor is bound to the filter and not to the size of the page") {
  const auto print = [](std::string_view query) {
    return Query::parse(query, route_of(Operation::list_messages).query)->list_fingerprint();
  };
  CHECK(print("status=failed&limit=5") == print("limit=9&status=failed&cursor=x"));
  CHECK(print("status=failed") != print("status=created"));
  CHECK(print("q=failed") != print("type=failed"));
}

TEST_CASE("a wait is bounded") {
  const auto wait = [](std::string_view query) {
    const auto parsed = Query::parse(query, route_of(Operation::wait_message).query);
    return read_wait(*parsed);
  };
  CHECK(*wait("") == wait_default);
  CHECK(*wait("timeout=1.5") == base::Duration(1500));
  CHECK(*wait("timeout=3600") == wait_max);
  for (const char* bad : {"timeout=3601", "timeout=-1", "timeout=x", "timeout=nan", "timeout="}) {
    CAPTURE(bad);
    CHECK(wait(bad).error().fields.at(0).pointer == "/timeout");
  }
}
