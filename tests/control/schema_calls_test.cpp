// Schemas over the API: what a type may have, and what becomes of events that do not match, in each mode.
#include <doctest/doctest.h>

#include <string>

#include "control/daemon_harness.hpp"
#include "control/protocol/json_write.hpp"

using namespace control_test;
using namespace webhookd;
using server::SchemaMode;

namespace {

const std::string batch_type = "Content-Type: application/x-ndjson\r\n";
const std::string paid_type =
    R"({"name":"invoice.paid","schema":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}})";

DaemonSettings in_mode(SchemaMode mode) {
  DaemonSettings settings;
  settings.schema_mode = mode;
  return settings;
}

std::string paid(std::string_view data) { return R"({"type":"invoice.paid","data":)" + std::string(data) + "}"; }

Response emit_paid(const Daemon& daemon, std::string_view data, std::string_view query = "") {
  return daemon.call("POST", "/v1/events" + std::string(query), paid(data));
}

std::string metric(const Daemon& daemon, const std::string& result) {
  const std::string text = daemon.call("GET", "/metrics").body;
  const std::string name = "webhookd_events_schema_mismatches_total{result=\"" + result + "\"} ";
  const auto at = text.find(name);
  REQUIRE(at != std::string::npos);
  return text.substr(at + name.size(), text.find('\n', at) - at - name.size());
}

const Json id_is_no_integer = {{"pointer", "/data/id"}, {"detail", "data.id: must be an integer, not a string"}};

}  // namespace

// ---- types --------------------------------------------------------------------------------------------------------

TEST_CASE("a type with a schema that is none is refused, with the place") {
  const Daemon daemon;
  for (const auto& [method, target] : {std::pair("POST", "/v1/types"), std::pair("PUT", "/v1/types/invoice.paid"),
                                       std::pair("PUT", "/v1/types/invoice.paid?dry_run=true")}) {
    const Response refused =
        daemon.call(method, target, R"({"name":"invoice.paid","schema":{"properties":{"id":{"type":"integr"}}}})");
    CHECK(refused.status == 422);
    CHECK(refused.json()["code"] == "invalid_field");
    CHECK(refused.json()["errors"][0]["pointer"] == "/schema/properties/id/type");
    CHECK(refused.json()["detail"] == "schema.properties.id.type: is no type; did you mean integer?");
  }
  CHECK(daemon.call("GET", "/v1/types/invoice.paid").status == 404);
}

TEST_CASE("an example that does not match the schema beside it is refused") {
  const Daemon daemon;
  const Response refused =
      daemon.call("POST", "/v1/types",
                  R"({"name":"invoice.paid","schema":{"properties":{"id":{"type":"integer"}}},"example":{"id":"x"}})");
  CHECK(refused.status == 422);
  CHECK(refused.json()["errors"] ==
        Json::array({{{"pointer", "/example/id"}, {"detail", "example.id: must be an integer, not a string"}}}));
  CHECK(daemon.call("POST", "/v1/types", R"({"name":"invoice.paid","example":{"id":"x"}})").status == 201);
}

TEST_CASE("every shipped type can be put as it is") {
  const Daemon daemon;
  const Json types = daemon.call("GET", "/v1/types?limit=1000").json();
  for (const Json& type : types["items"]) {
    const Json body = {{"schema", type["schema"]}, {"example", type["example"]}};
    CHECK(daemon.call("PUT", "/v1/types/" + type["name"].get<std::string>() + "?dry_run=true", body.dump()).status ==
          200);
  }
}

// ---- warn -----------------------------------------------------------------------------------------------------------

TEST_CASE("an event that does not match is accepted, and the answer warns") {
  const Daemon daemon;
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  const Response good = emit_paid(daemon, R"({"id":1,"grown":true})");
  CHECK(good.status == 201);
  CHECK_FALSE(good.json().contains("warnings"));
  const Response bad = emit_paid(daemon, R"({"id":"x"})");
  CHECK(bad.status == 201);
  CHECK(bad.json()["warnings"] == Json::array({id_is_no_integer}));
  CHECK(daemon.call("GET", "/v1/events/" + bad.json()["id"].get<std::string>()).json()["data"]["id"] == "x");
  const Response dry = emit_paid(daemon, R"({"id":"x"})", "?dry_run=true");
  CHECK(dry.status == 200);
  CHECK(dry.json()["warnings"].size() == 1);
  CHECK(metric(daemon, "accepted") == "1");
  CHECK(metric(daemon, "refused") == "0");
}

TEST_CASE("a batch warns line by line") {
  const Daemon daemon;
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  const Response answer =
      daemon.call("POST", "/v1/events", paid("{\"id\":\"x\"}") + "\n" + paid("{\"id\":1}") + "\n", batch_type);
  const auto end = answer.body.find('\n');
  CHECK(Json::parse(answer.body.substr(0, end))["warnings"] == Json::array({id_is_no_integer}));
  CHECK_FALSE(Json::parse(answer.body.substr(end + 1)).contains("warnings"));
}

TEST_CASE("a type that is put anew or removed is judged by its new schema from then on") {
  const Daemon daemon;
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  CHECK(emit_paid(daemon, R"({"id":"x"})").json().contains("warnings"));
  REQUIRE(daemon.call("PUT", "/v1/types/invoice.paid", R"({"schema":{"required":["no"]}})").status == 200);
  CHECK(emit_paid(daemon, R"({"id":"x"})").json()["warnings"][0]["detail"] == "data.no: is required");
  REQUIRE(daemon.call("PUT", "/v1/types/invoice.paid", R"({"description":"no schema"})").status == 200);
  CHECK_FALSE(emit_paid(daemon, R"({"id":"x"})").json().contains("warnings"));
  REQUIRE(daemon.call("DELETE", "/v1/types/invoice.paid").status == 200);
  CHECK(emit_paid(daemon, R"({"id":"x"})").json()["code"] == "unknown_type");
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  CHECK(emit_paid(daemon, R"({"id":"x"})").json().contains("warnings"));
}

TEST_CASE("a dry run of a type changes nothing about its schema") {
  const Daemon daemon;
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  CHECK(daemon.call("PUT", "/v1/types/invoice.paid?dry_run=true", "{}").status == 200);
  CHECK(daemon.call("DELETE", "/v1/types/invoice.paid?dry_run=true").status == 200);
  CHECK(emit_paid(daemon, R"({"id":"x"})").json().contains("warnings"));
}

// ---- enforce
// ----------------------------------------------------------------------------------------------------------

TEST_CASE("while schemas are enforced, an event that does not match is refused and leaves nothing behind") {
  const Daemon daemon(in_mode(SchemaMode::enforce));
  const std::string webhook = daemon.add_webhook("all");
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  for (const char* query : {"", "?dry_run=true"}) {
    const Response refused = emit_paid(daemon, R"({"id":"x"})", query);
    CHECK(refused.status == 422);
    CHECK(refused.header("content-type") == "application/problem+json");
    CHECK(refused.json()["code"] == "schema_mismatch");
    CHECK(refused.json()["detail"] == "data.id: must be an integer, not a string");
    CHECK(refused.json()["errors"] == Json::array({id_is_no_integer}));
  }
  CHECK(daemon.call("GET", "/v1/messages?webhook=" + webhook).json()["items"].empty());
  CHECK(metric(daemon, "refused") == "1");
  CHECK(emit_paid(daemon, R"({"id":1,"grown":true})").status == 201);
}

TEST_CASE("an enforced batch refuses the lines that do not match, and no other") {
  const Daemon daemon(in_mode(SchemaMode::enforce));
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  const Response answer = daemon.call(
      "POST", "/v1/events", paid("{\"id\":1}") + "\n\n" + paid("{}") + "\n" + paid("{\"id\":2}") + "\n", batch_type);
  std::vector<Json> lines;
  for (std::size_t at = 0; at < answer.body.size(); at = answer.body.find('\n', at) + 1) {
    lines.push_back(Json::parse(answer.body.substr(at, answer.body.find('\n', at) - at)));
  }
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["id"].is_string());
  CHECK(lines[1]["code"] == "schema_mismatch");
  CHECK(lines[1]["line"] == 3);
  CHECK(lines[2]["id"].is_string());
}

TEST_CASE("types without a schema, and pings, are nobody's business") {
  const Daemon daemon(in_mode(SchemaMode::enforce));
  const std::string webhook = daemon.add_webhook("all");
  REQUIRE(daemon.call("POST", "/v1/types", R"({"name":"invoice.paid"})").status == 201);
  CHECK(emit_paid(daemon, "17").status == 201);
  CHECK(daemon.call("POST", "/v1/webhooks/" + webhook + "/ping").status == 201);
}

// ---- off, and changing the mode -------------------------------------------------------------------------------------

TEST_CASE("with schemas off nobody looks, and a reload may change that") {
  Daemon daemon(in_mode(SchemaMode::off));
  REQUIRE(daemon.call("POST", "/v1/types", paid_type).status == 201);
  CHECK_FALSE(emit_paid(daemon, R"({"id":"x"})").json().contains("warnings"));
  CHECK(metric(daemon, "accepted") == "0");
  server::LiveOptions live;
  live.schema_mode = SchemaMode::enforce;
  REQUIRE(daemon.server().change(live, false).has_value());
  CHECK(emit_paid(daemon, R"({"id":"x"})").json()["code"] == "schema_mismatch");
  live.schema_mode = SchemaMode::warn;
  REQUIRE(daemon.server().change(live, false).has_value());
  CHECK(emit_paid(daemon, R"({"id":"x"})").json()["warnings"].size() == 1);
}
