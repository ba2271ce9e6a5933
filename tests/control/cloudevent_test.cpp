// CloudEvents as a way in: structured and binary, at the codec and at the real server.
#include <doctest/doctest.h>

#include <string>

#include "control/daemon_harness.hpp"
#include "control/protocol/cloudevent_codec.hpp"

using namespace control_test;
using namespace webhookd;

namespace {

constexpr std::size_t data_bytes_max = 1000;
constexpr std::string_view structured = R"({"specversion":"1.0","id":"A234","source":"/control-plane",)"
                                        R"("type":"api.create","time":"2026-03-02T09:15:27.5Z","subject":"x",)"
                                        R"("datacontenttype":"application/json","data": {"b":1.00, "a":[ ]} })";

std::string without(std::string_view member) {
  Json event = Json::parse(structured);
  event.erase(std::string(member));
  return event.dump();
}

std::string with(std::string_view member, const Json& value) {
  Json event = Json::parse(structured);
  event[std::string(member)] = value;
  return event.dump();
}

std::string pointer_of(const base::Result<protocol::EventRequest>& read) {
  return read ? "" : read.error().fields.empty() ? "none" : read.error().fields.front().pointer;
}

std::string headers_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string text = "Content-Type: application/json\r\n";
  for (const auto& [name, value] : fields) {
    text.append(name).append(": ").append(value).append("\r\n");
  }
  return text;
}

const std::string structured_type = "Content-Type: application/cloudevents+json; charset=utf-8\r\n";

}  // namespace

TEST_CASE("a structured CloudEvent gives type, data, time, and by source and id its idempotency key") {
  const auto event = protocol::read_cloudevent(structured, data_bytes_max);
  REQUIRE(event.has_value());
  CHECK(event->type == "api.create");
  CHECK(event->data == R"({"b":1.00, "a":[ ]})");
  CHECK(event->timestamp == base::parse_time("2026-03-02T09:15:27.500Z"));
  CHECK(event->idempotency_key == "/control-plane A234");
}

TEST_CASE("a CloudEvent without data or time has null and no time of its own") {
  const auto event = protocol::read_cloudevent(without("data"), data_bytes_max);
  REQUIRE(event.has_value());
  CHECK(event->data == "null");
  CHECK_FALSE(protocol::read_cloudevent(without("time"), data_bytes_max)->timestamp.has_value());
}

TEST_CASE("a CloudEvent that breaks a rule is refused at the attribute") {
  for (const char* required : {"specversion", "id", "source", "type"}) {
    CAPTURE(required);
    CHECK(pointer_of(protocol::read_cloudevent(without(required), data_bytes_max)) == "/" + std::string(required));
  }
  const std::pair<const char*, Json> wrong[] = {{"specversion", "0.3"},
                                                {"id", ""},
                                                {"id", 7},
                                                {"source", "\xc3\xa4"},
                                                {"type", "no type"},
                                                {"time", "yesterday"},
                                                {"datacontenttype", "text/xml"},
                                                {"data_base64", "AA=="},
                                                {"Upper", "x"},
                                                {"id", std::string(250, 'x')}};
  for (const auto& [member, value] : wrong) {
    CAPTURE(member);
    CHECK(pointer_of(protocol::read_cloudevent(with(member, value), data_bytes_max)) == "/" + std::string(member));
  }
  CHECK(protocol::read_cloudevent(with("data", std::string(data_bytes_max, 'x')), data_bytes_max).error().code ==
        base::ErrorCode::too_large);
}

TEST_CASE("a binary CloudEvent has its attributes in headers, percent-encoded, and its data in the body") {
  const protocol::CloudEventHeaders headers = {
      {"specversion", "1.0"}, {"id", "a%20b"}, {"source", "/s"}, {"type", "api.create"}, {"traceparent", "%zz"}};
  const auto event = protocol::read_binary_cloudevent(headers, " {\"a\": 1}\n", data_bytes_max);
  REQUIRE(event.has_value());
  CHECK(event->idempotency_key == "/s a b");
  CHECK(event->data == "{\"a\": 1}");
  CHECK_FALSE(protocol::read_binary_cloudevent(headers, "{", data_bytes_max).has_value());
  CHECK(pointer_of(protocol::read_binary_cloudevent({{"specversion", "1.0"}, {"id", "%z"}}, "1", data_bytes_max)) ==
        "/id");
}

TEST_CASE("the server takes both modes, knows an event again by source and id, and keeps the bytes of its data") {
  const Daemon daemon;
  daemon.add_webhook("one");
  const Response first = daemon.call("POST", "/v1/events", structured, structured_type);
  CHECK(first.status == 201);
  CHECK(first.json()["type"] == "api.create");
  CHECK(first.json()["timestamp"] == "2026-03-02T09:15:27.500Z");
  const Response again = daemon.call("POST", "/v1/events", structured, structured_type);
  CHECK(again.status == 200);
  CHECK(again.json()["duplicate"] == true);

  const std::string data = R"({"z": 1.0,  "a":2})";
  const Response binary = daemon.call(
      "POST", "/v1/events", data,
      headers_of({{"CE-SpecVersion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "api.delete"}}));
  CHECK(binary.status == 201);
  const std::string id = binary.json()["id"];
  CHECK(daemon.call("GET", "/v1/events/" + id).body.find("\"data\":" + data) != std::string::npos);
}

TEST_CASE("headers of a CloudEvent say what the event is, not its body, and a missing one is named") {
  const Daemon daemon;
  const auto binary =
      headers_of({{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "api.create"}});
  const Response taken = daemon.call("POST", "/v1/events", R"({"type":"api.delete","data":1})", binary);
  CHECK(taken.json()["type"] == "api.create");
  const Response refused = daemon.call("POST", "/v1/events", "1", headers_of({{"ce-specversion", "1.0"}}));
  CHECK(refused.status == 422);
  CHECK(refused.json()["errors"][0]["pointer"] == "/id");
  CHECK(daemon.call("POST", "/v1/events", "[]", "Content-Type: application/cloudevents-batch+json\r\n").status == 415);
}
