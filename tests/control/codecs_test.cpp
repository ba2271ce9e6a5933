#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "control/protocol/cursor.hpp"
#include "control/protocol/event_codec.hpp"
#include "control/protocol/message_codec.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/query.hpp"
#include "control/protocol/status_codec.hpp"
#include "control/protocol/webhook_codec.hpp"
#include "domain/limits.hpp"

using namespace webhookd;
using namespace webhookd::protocol;
using Json = nlohmann::json;

namespace {

constexpr std::size_t data_max = 1024;

std::vector<std::string> pointers(const base::Error& error) {
  std::vector<std::string> all;
  for (const auto& field : error.fields) {
    all.push_back(field.pointer);
  }
  return all;
}

base::Result<domain::Webhook> read(const std::string& body) { return read_webhook(body, domain::Webhook{}); }

domain::Webhook shop_webhook() {
  return *read(R"({"display_name":"shop","url":"https://shop.example.com/hook","events":["subscription.create"]})");
}

Json shown(const domain::Webhook& webhook) {
  std::string out;
  JsonWriter json(out);
  write_webhook(json, webhook, {});
  return Json::parse(out);
}

}  // namespace

// ---- webhooks -------------------------------------------------------------------------------------------------

TEST_CASE("a create with the required members alone gets the defaults") {
  const auto webhook = shop_webhook();
  const Json json = shown(webhook);
  CHECK(json["id"] == nullptr);
  CHECK(json["display_name"] == "shop");
  CHECK(json["url"] == "https://shop.example.com/hook");
  CHECK(json["events"] == Json::array({"subscription.create"}));
  CHECK(json["status"] == "active");
  CHECK(json["status_reason"] == nullptr);
  CHECK(json["description"] == "");
  CHECK(json["headers"] == Json::object());
  CHECK(json["signature"] == "standard");
  CHECK(json["format"] == "standard");
  CHECK(json["timeout"] == 15);
  CHECK(json["max_in_flight"] == 16);
  CHECK(json["rate"] == nullptr);
  CHECK(json["retry"] == Json::parse(R"({"initial":5,"factor":2,"max":21600,"jitter":0.1,"window":864000})"));
  CHECK_FALSE(json.contains("secrets"));
}

TEST_CASE("a webhook that is written reads back the same") {
  const std::string body = R"({"display_name":"caf\u00e9","url":"http://[2001:db8::1]:8080/x?y=1","events":["*","a.b"],
    "status":"inactive","description":"d","headers":{"X-One":"1","X-Two":"a b"},"signature":"github",
    "format":"cloudevents-binary","timeout":2.5,"max_in_flight":3,"rate":0.5,
    "retry":{"initial":1,"factor":1.5,"max":60,"jitter":0,"window":3600}})";
  const auto first = read(body);
  REQUIRE(first.has_value());
  CHECK(first->status_reason == domain::InactiveReason::manual);
  CHECK(first->timeout == base::Duration(2500));
  Json again = shown(*first);
  for (const char* kept : {"id", "status_reason", "version", "created_at", "updated_at", "health", "waiting",
                           "failed_last_day", "last_success_at", "certificate_expires_at"}) {
    again.erase(kept);
  }
  const auto second = read(again.dump());
  REQUIRE(second.has_value());
  CHECK(*second == *first);
}

TEST_CASE("all faults of a webhook are named at once") {
  const auto webhook =
      read(R"({"display_name":"","url":"ftp://x","events":[],"timeout":0.5,"retry":{"factor":99,"wndow":1},
    "headers":{"Host":"x"},"max_in_flight":1.5,"color":"red","id":"wh_0000000000001"})");
  REQUIRE(webhook.has_error());
  CHECK(webhook.error().code == base::ErrorCode::invalid_field);
  const auto all = pointers(webhook.error());
  const std::set<std::string> found(all.begin(), all.end());
  for (const char* pointer : {"/display_name", "/url", "/events", "/timeout", "/headers/Host", "/max_in_flight",
                              "/color", "/id", "/retry/wndow"}) {
    CAPTURE(pointer);
    CHECK(found.contains(pointer));
  }
}

TEST_CASE("of very many faults the first are told, and how many there are") {
  std::string members;
  for (int i = 0; i < 1000; ++i) {
    members += (i == 0 ? "\"x" : ",\"x") + std::to_string(i) + "\":1";
  }
  const auto webhook =
      read(R"({"display_name":"a","url":"https://a.example","events":["*"],"retry":{)" + members + "}}");
  REQUIRE(webhook.has_error());
  CHECK(webhook.error().fields.size() == faults_told_max);
  CHECK(webhook.error().detail.ends_with("; and 900 more"));
}

TEST_CASE("every member that has the wrong kind is refused by name, and only once") {
  const std::map<std::string, std::string> wrong = {
      {"display_name", "1"},   {"url", "[]"},        {"events", "\"*\""}, {"status", "true"}, {"description", "{}"},
      {"headers", "[]"},       {"secrets", "\"x\""}, {"signature", "1"},  {"format", "[]"},   {"timeout", "\"15s\""},
      {"max_in_flight", "{}"}, {"rate", "\"1/s\""},  {"retry", "5"},      {"tls", "\"/c\""},  {"auth", "[]"}};
  for (const auto& [member, value] : wrong) {
    const std::string shown = member;  // clang 14 does not capture a structured binding
    CAPTURE(shown);
    const auto patched = patch_webhook("{\"" + member + "\":" + value + "}", shop_webhook(), domain::Webhook{});
    REQUIRE(patched.has_error());
    REQUIRE(patched.error().fields.size() == 1);
    CHECK(patched.error().fields[0].pointer == "/" + member);
    CHECK(patched.error().detail.starts_with(member + ": "));
  }
}

TEST_CASE("credentials read back as they are written, and patch member by member") {
  const std::string tls = R"({"client_cert":"/etc/c.pem","client_key":"/etc/k.pem"})";
  const std::string header_file = R"({"type":"header_file","file":"/etc/token"})";
  const std::string oauth2 = R"({"type":"oauth2","token_url":"https://login.example/token","client_id":"me",)"
                             R"("client_secret_file":"/etc/secret","scopes":["a","b"]})";
  const auto with = [](const std::string& members, const domain::Webhook& webhook) {
    return *patch_webhook("{" + members + "}", webhook, domain::Webhook{});
  };
  CHECK(shown(shop_webhook())["tls"] == nullptr);
  CHECK(shown(shop_webhook())["auth"] == nullptr);
  const auto first = with(R"("tls":)" + tls + R"(,"auth":)" + header_file, shop_webhook());
  CHECK(shown(first)["tls"] == Json::parse(tls));
  CHECK(shown(first)["auth"] == Json::parse(R"({"type":"header_file","header":"Authorization","file":"/etc/token"})"));
  const auto second = with(R"("auth":)" + oauth2, first);
  CHECK(shown(second)["auth"] == Json::parse(oauth2));
  const auto third = with(R"("auth":{"client_id":"you","scopes":null})", second);
  CHECK(shown(third)["auth"]["client_id"] == "you");
  CHECK(shown(third)["auth"]["scopes"] == Json::array());
  CHECK(shown(third)["auth"]["client_secret_file"] == "/etc/secret");
  CHECK(with(R"("tls":null,"auth":null)", third) == shop_webhook());
}

TEST_CASE("credentials that break a rule are refused by the member's pointer") {
  const std::map<std::string, std::string> refused = {
      {R"("tls":{"client_cert":"/c"})", "/tls/client_key"},
      {R"("tls":{"client_cert":"/c","client_key":5})", "/tls/client_key"},
      {R"("tls":{"cert":"/c"})", "/tls/cert"},
      {R"("auth":{"file":"/t"})", "/auth/type"},
      {R"("auth":{"type":"basic"})", "/auth/type"},
      {R"("auth":{"type":5})", "/auth/type"},
      {R"("auth":{"type":"header_file"})", "/auth/file"},
      {R"("auth":{"type":"header_file","file":"/t","token_url":"https://a.example/"})", "/auth/token_url"},
      {R"("auth":{"type":"header_file","file":"/t","header":"Host"})", "/auth/header"},
      {R"("auth":{"type":"oauth2","token_url":"ftp://a","client_id":"i","client_secret_file":"/s"})",
       "/auth/token_url"},
      {R"("auth":{"type":"oauth2","token_url":"https://a.example/","client_id":"i"})", "/auth/client_secret_file"},
      {R"("auth":{"type":"oauth2","token_url":"https://a.example/","client_id":"i","client_secret_file":"/s",)"
       R"("scopes":[1]})",
       "/auth/scopes/0"}};
  for (const auto& [members, pointer] : refused) {
    const std::string shown_members = members;  // clang 14 does not capture a structured binding
    CAPTURE(shown_members);
    const auto patched = patch_webhook("{" + members + "}", shop_webhook(), domain::Webhook{});
    REQUIRE(patched.has_error());
    CHECK(pointers(patched.error()) == std::vector<std::string>{pointer});
  }
}

TEST_CASE("an unknown member is refused with the one that was meant") {
  const auto webhook = read(R"({"display_name":"x","url":"http://a.example.com","event":["*"]})");
  REQUIRE(webhook.has_error());
  CHECK(webhook.error().detail.find("did you mean events?") != std::string::npos);
  CHECK(webhook.error().detail.find("events: is required") != std::string::npos);
}

TEST_CASE("a patch changes what it names and nothing else") {
  const auto patched =
      patch_webhook(R"({"url":"http://b.example.com/","retry":{"max":60}})", shop_webhook(), domain::Webhook{});
  REQUIRE(patched.has_value());
  CHECK(patched->url.text() == "http://b.example.com/");
  CHECK(patched->retry.max == base::Duration(60'000));
  CHECK(patched->retry.initial == base::Duration(5'000));
  CHECK(patched->display_name == "shop");
  CHECK(*patch_webhook("{}", shop_webhook(), domain::Webhook{}) == shop_webhook());
}

TEST_CASE("null takes a member back to its default") {
  domain::Webhook defaults;
  defaults.timeout = base::Duration(7000);
  auto webhook = shop_webhook();
  webhook.rate = 5;
  webhook.description = "x";
  webhook.timeout = base::Duration(1000);
  webhook.retry.factor = 3;
  webhook.headers = {{"X-One", "1"}, {"X-Two", "2"}};
  const auto patched = patch_webhook(
      R"({"rate":null,"description":null,"timeout":null,"retry":{"factor":null},"headers":{"x-one":null}})", webhook,
      defaults);
  REQUIRE(patched.has_value());
  CHECK_FALSE(patched->rate);
  CHECK(patched->description.empty());
  CHECK(patched->timeout == base::Duration(7000));
  CHECK(patched->retry.factor == 2);
  REQUIRE(patched->headers.size() == 1);
  CHECK(patched->headers[0].name == "X-Two");
  CHECK(patch_webhook(R"({"url":null})", webhook, defaults).has_error());
}

TEST_CASE("a header with a line break is refused") {
  const auto patched = patch_webhook(R"({"headers":{"X-Evil":"a\r\nHost: b"}})", shop_webhook(), domain::Webhook{});
  REQUIRE(patched.has_error());
  CHECK(patched.error().fields[0].pointer == "/headers/X-Evil");
}

TEST_CASE("a header given twice in two spellings is refused") {
  const auto patched = patch_webhook(R"({"headers":{"X-A":"1","x-a":"2"}})", shop_webhook(), domain::Webhook{});
  REQUIRE(patched.has_error());
  CHECK(patched.error().fields[0].pointer == "/headers/x-a");
}

TEST_CASE("secrets may be given, are checked, and are not repeated in the error") {
  const std::string good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string start = R"({"display_name":"x","url":"http://a.example.com","events":["*"],"secrets":[)";
  const auto webhook = read(start + "\"" + good + "\"]}");
  REQUIRE(webhook.has_value());
  CHECK(domain::format_secret(webhook->secrets.at(0)) == good);
  const auto bad = read(start + "\"whsec_hunter2\"]}");
  REQUIRE(bad.has_error());
  CHECK(bad.error().fields[0].pointer == "/secrets/0");
  CHECK(bad.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("a create answers the secrets") {
  auto webhook = shop_webhook();
  webhook.secrets.push_back(*domain::parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  std::string out;
  JsonWriter json(out);
  write_created_webhook(json, webhook, {domain::Health::up, 0});
  const Json parsed = Json::parse(out);
  CHECK(parsed["secrets"] == Json::array({"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}));
  CHECK(parsed["health"] == "up");
  CHECK(parsed["waiting"] == 0);
}

TEST_CASE("a rotation takes a grace in seconds") {
  CHECK(*read_rotation("") == base::Duration(86'400'000));
  CHECK(*read_rotation(R"({"grace":1.5})") == base::Duration(1500));
  CHECK(read_rotation(R"({"grace":99999999})").error().fields[0].pointer == "/grace");
  CHECK(read_rotation(R"({"grace":"1h"})").error().fields[0].pointer == "/grace");
}

// ---- events ---------------------------------------------------------------------------------------------------

TEST_CASE("the data of an event is kept byte for byte") {
  const std::string data = "{ \"z\":1,\"a\": 1.000 ,\"z\":\"\\u00e9\xc3\xa9\\ud800\"}";
  const std::string body = "{\"data\":  " + data + " ,\"type\":\"a.b\",\"timestamp\":\"2026-11-23T20:24:45.123Z\"}";
  const auto event = read_event(body, data_max);
  REQUIRE(event.has_value());
  CHECK(event->data == data);
  CHECK(event->type == "a.b");
  CHECK(base::format_time(*event->timestamp) == "2026-11-23T20:24:45.123Z");
  CHECK(event->idempotency_key.empty());
}

TEST_CASE("null is data, and no data is not") {
  CHECK(read_event(R"({"type":"a.b","data":null})", data_max)->data == "null");
  CHECK(read_event(R"({"type":"a.b"})", data_max).error().fields[0].pointer == "/data");
}

TEST_CASE("bad events name the field") {
  const std::map<std::string, std::string> cases = {
      {R"({"data":1})", "/type"},
      {R"({"type":1,"data":1})", "/type"},
      {R"({"type":"nodot","data":1})", "/type"},
      {R"({"type":"a.b","data":1,"timestamp":"yesterday"})", "/timestamp"},
      {R"({"type":"a.b","data":1,"timestamp":5})", "/timestamp"},
      {R"({"type":"a.b","data":1,"idempotency_key":""})", "/idempotency_key"},
      {R"({"type":"a.b","data":1,"idempotency_key":"caf\u00e9"})", "/idempotency_key"},
      {R"({"type":"a.b","data":1,"idempotency_key":")" + std::string(256, 'k') + "\"}", "/idempotency_key"},
      {R"({"type":"a.b","data":1,"key":"x"})", "/key"},
      {R"({"type":"a.b","data":{"a":}})", "/data"},
      {"{\"type\":\"a.b\",\"data\":\"\xff\"}", "/data"},
      {R"({"type":"a.b","data":)" + std::string(200'000, '['), "/data"},
      {R"({"type":"a.b","data":")" + std::string(2000, 'x') + "\"}", "/data"},
  };
  for (const auto& [body, pointer] : cases) {
    const std::string shown = body.substr(0, 80);
    CAPTURE(shown);
    const auto event = read_event(body, data_max);
    REQUIRE(event.has_error());
    REQUIRE_FALSE(event.error().fields.empty());
    CHECK(event.error().fields[0].pointer == pointer);
    CHECK(event.error().detail.starts_with(pointer.substr(1) + ": "));
  }
}

TEST_CASE("data may nest 128 levels, whatever surrounds it") {
  const std::string deep = R"({"type":"a.b","data":)" + std::string(129, '[') + std::string(129, ']') + "}";
  CHECK(read_event(deep, 1000).error().detail.find("at most 128 levels") != std::string::npos);
  const auto with_depth = [](std::size_t levels) {
    return R"({"type":"a.b","data":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  CHECK(read_event(with_depth(128), data_max).has_value());
  CHECK(read_event(with_depth(129), data_max).has_error());
}

TEST_CASE("data past the bound is too large") {
  CHECK(read_event(R"({"type":"a.b","data":")" + std::string(data_max - 2, 'x') + "\"}", data_max).has_value());
  CHECK(read_event(R"({"type":"a.b","data":")" + std::string(data_max - 1, 'x') + "\"}", data_max).error().code ==
        base::ErrorCode::too_large);
}

TEST_CASE("the answer to an event has its exact shape") {
  AcceptAnswer answer;
  answer.id = base::EventId{1};
  answer.type = "a.b";
  answer.message_count = 1;
  answer.messages.emplace_back(base::MessageId{2}, base::WebhookId{3});
  std::string out;
  append_accept_answer(out, answer);
  CHECK(out == R"({"id":"evt_0000000000001","type":"a.b","timestamp":"1970-01-01T00:00:00.000Z","duplicate":false,)"
               R"("message_count":1,"messages":[{"id":"msg_0000000000002","webhook_id":"wh_0000000000003"}]})");
}

TEST_CASE("an event type keeps its schema and example as they were written") {
  const auto type =
      read_event_type(R"({"name":"a.b","description":"d","schema":{ "type":"object" },"example":[1.0]})", "");
  REQUIRE(type.has_value());
  CHECK(type->schema == R"({ "type":"object" })");
  CHECK(type->example == "[1.0]");
  std::string out;
  JsonWriter json(out);
  write_event_type(json, *type);
  CHECK(out.find(R"("schema":{ "type":"object" },"example":[1.0])") != std::string::npos);
  CHECK(read_event_type(R"({"schema":5})", "a.b").error().fields[0].pointer == "/schema");
  CHECK(read_event_type(R"({"name":"c.d"})", "a.b").error().fields[0].pointer == "/name");
  CHECK(read_event_type("{}", "").error().fields[0].pointer == "/name");
  CHECK(read_event_type(R"({"name":"nodot"})", "").error().fields[0].pointer == "/name");
}

// ---- messages -------------------------------------------------------------------------------------------------

TEST_CASE("a message has every member of the interface, null where there is nothing") {
  auto message = domain::new_message(base::MessageId{5}, base::WebhookId{6}, base::EventId{7}, base::time_from_ms(0),
                                     base::Duration(1000));
  std::string out;
  JsonWriter json(out);
  write_message(json, message, "a.b", {"shop", "http://a.example.com/"});
  const Json parsed = Json::parse(out);
  for (const char* name :
       {"settled_at", "last_attempt_at", "last_code", "failure", "reason", "cancelled_by", "retried_by"}) {
    CAPTURE(name);
    REQUIRE(parsed.contains(name));
    CHECK(parsed[name] == nullptr);
  }
  CHECK(parsed["id"] == "msg_0000000000005");
  CHECK(parsed["webhook_id"] == "wh_0000000000006");
  CHECK(parsed["webhook"] == "shop");
  CHECK(parsed["event_id"] == "evt_0000000000007");
  CHECK(parsed["status"] == "created");
  CHECK(parsed["attempts"] == 0);
  CHECK(parsed["deadline"] == "1970-01-01T00:00:01.000Z");
  CHECK(parsed["next_attempt_at"] == "1970-01-01T00:00:00.000Z");
  CHECK(parsed["url"] == "http://a.example.com/");
}

TEST_CASE("a detail has the payload verbatim and survives any bytes of a receiver") {
  auto message = domain::new_message(base::MessageId{5}, base::WebhookId{6}, base::EventId{7}, base::time_from_ms(0),
                                     base::Duration(1000));
  domain::Attempt attempt;
  attempt.number = 1;
  attempt.url = "http://a.example.com/";
  attempt.outcome.kind = domain::OutcomeKind::status;
  attempt.outcome.code = 503;
  attempt.outcome.error = "HTTP 503";
  attempt.outcome.response_body = "\x1b[31m\xff\x9b";
  attempt.outcome.duration = base::Duration(12);
  std::string out;
  JsonWriter json(out);
  write_message_detail(json, message, "a.b", {}, "{ \"a\":1.0 }", {attempt});
  CHECK(out.find("\"payload\":{ \"a\":1.0 },") != std::string::npos);
  CHECK(out.find('\x1b') == std::string::npos);
  const Json parsed = Json::parse(out);
  CHECK(parsed["webhook"] == nullptr);
  const Json log = parsed["attempt_log"][0];
  CHECK(log["number"] == 1);
  CHECK(log["duration_ms"] == 12);
  CHECK(log["trigger"] == "automatic");
  CHECK(log["outcome"] == "status");
  CHECK(log["code"] == 503);
  CHECK(log["response_truncated"] == false);
}

TEST_CASE("a reason is optional, bounded text") {
  CHECK(read_reason("")->empty());
  CHECK(*read_reason(R"({"reason":"fixed"})") == "fixed");
  CHECK(read_reason("{}")->empty());
  CHECK(read_reason(R"({"reason":5})").error().fields[0].pointer == "/reason");
  CHECK(read_reason(R"({"reason":"a\u0007"})").error().fields[0].pointer == "/reason");
  CHECK(read_reason(R"({"reason":")" + std::string(501, 'x') + "\"}").error().fields[0].pointer == "/reason");
  CHECK(read_reason(R"({"raeson":"x"})").error().detail.find("did you mean reason?") != std::string::npos);
}

TEST_CASE("the clock is advanced by a positive number of seconds") {
  CHECK(*read_advance(R"({"advance":129600})") == base::Duration(129'600'000));
  for (const char* body :
       {"{}", R"({"advance":0})", R"({"advance":-5})", R"({"advance":"36h"})", R"({"advance":1e9})"}) {
    CAPTURE(body);
    CHECK(read_advance(body).error().fields[0].pointer == "/advance");
  }
}

// ---- problems -------------------------------------------------------------------------------------------------

TEST_CASE("every error code has one name and one status, and reads back") {
  std::set<std::string_view> names;
  for (const ProblemKind& kind : problem_kinds()) {
    CHECK(names.insert(kind.name).second);
    CHECK(kind.status >= 400);
    std::string out;
    append_problem(out, {kind.code, "what \"happened\"", {{"/a", "a: b"}}});
    const auto error = parse_problem(out);
    REQUIRE(error.has_value());
    CHECK(error->code == kind.code);
    CHECK(error->detail == "what \"happened\"");
    CHECK(error->fields == std::vector<base::FieldError>{{"/a", "a: b"}});
    const Json parsed = Json::parse(out);
    CHECK(parsed["status"] == kind.status);
    CHECK(parsed["code"] == std::string(kind.name));
    CHECK(parsed.contains("type"));
    CHECK(parsed.contains("title"));
  }
  CHECK_FALSE(parse_problem("{}"));
  CHECK_FALSE(parse_problem("<html>"));
}

// ---- queries and cursors --------------------------------------------------------------------------------------

TEST_CASE("a cursor gives back its position, and only for its own list") {
  const std::string cursor = encode_cursor(7, number_position(12345));
  CHECK(cursor.find_first_of("+/=") == std::string::npos);
  CHECK(position_number(*decode_cursor(7, cursor)) == 12345);
  CHECK(decode_cursor(8, cursor).error().fields[0].pointer == "/cursor");
}

TEST_CASE("a cursor of the stream gives back its store and number, and is none of a list") {
  const std::string cursor = encode_feed_cursor({0xfedcba9876543210, 77});
  const auto position = decode_feed_cursor(cursor);
  REQUIRE(position.has_value());
  CHECK(position->store == 0xfedcba9876543210);
  CHECK(position->number == 77);
  CHECK(decode_cursor(7, cursor).error().fields[0].pointer == "/cursor");
  CHECK(decode_feed_cursor(encode_cursor(7, number_position(1))).error().fields[0].pointer == "/after");
  CHECK(decode_feed_cursor("").error().fields[0].pointer == "/after");
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    std::string damaged = cursor;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    CHECK(decode_feed_cursor(damaged).has_error());
  }
}

TEST_CASE("a cursor damaged at any place is refused") {
  const std::string cursor = encode_cursor(7, number_position(12345));
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    std::string damaged = cursor;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    CAPTURE(i);
    CHECK(decode_cursor(7, damaged).has_error());
    CHECK(decode_cursor(7, cursor.substr(0, i)).has_error());
  }
  CHECK(decode_cursor(7, std::string(100'000, 'A')).has_error());
  CHECK(decode_cursor(7, "a b").has_error());
}

TEST_CASE("percent escapes are decoded strictly") {
  CHECK(*percent_decode("a%20b+c", true) == "a b c");
  CHECK(*percent_decode("a+c", false) == "a+c");
  CHECK_FALSE(percent_decode("%", true));
  CHECK_FALSE(percent_decode("%2", true));
  CHECK_FALSE(percent_decode("%zz", true));
}
