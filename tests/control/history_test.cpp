// Data that leaves one daemon by the API and enters another.
#include <doctest/doctest.h>

#include "control/daemon_harness.hpp"

using namespace control_test;

namespace {

const std::string ndjson_lines = "Content-Type: application/x-ndjson\r\n";
const std::string history_path = "/v1/admin/history";

std::vector<std::string> split_lines(const std::string& body) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    lines.push_back(body.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> export_of(const Daemon& daemon, const std::string& query = {}) {
  const Response response = daemon.call("GET", history_path + query);
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  return split_lines(response.body);
}

Json taken(const Daemon& daemon, const std::string& line, const std::string& query = {}) {
  const Response response = daemon.call("POST", history_path + query, line + "\n", ndjson_lines);
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  return Json::parse(response.body);
}

// One delivered event, with data whose spelling matters.
void deliver_one(const Daemon& daemon) {
  daemon.add_webhook("shop");
  const Json event = daemon.emit(R"({"b":1.00, "a":2})");
  daemon.message_when(event["messages"][0]["id"], "success");
}

}  // namespace

TEST_CASE("an export has a head, a line for each event and a last line with the counts") {
  Daemon daemon;
  deliver_one(daemon);
  const auto lines = export_of(daemon);
  REQUIRE(lines.size() == 3);
  const Json head = Json::parse(lines[0]);
  CHECK(head["format"] == "webhookd-history");
  CHECK(head["version"] == 1);
  CHECK(!head["cursor"].get<std::string>().empty());
  CHECK(lines[1].find(R"("data":{"b":1.00, "a":2}})") != std::string::npos);
  const Json event = Json::parse(lines[1]);
  CHECK(event["messages"][0]["webhook"] == "shop");
  CHECK(event["messages"][0]["status"] == "success");
  CHECK(event["messages"][0]["attempt_log"].size() == 1);
  CHECK(lines[2] == R"({"complete":true,"events":1,"messages":1,"damaged":0})");
  CHECK(export_of(daemon, "?type=api.create").size() == 2);
}

TEST_CASE("an export enters another daemon, once, and leaves it again as it came") {
  Daemon from;
  deliver_one(from);
  const std::string line = export_of(from).at(1);
  Daemon to;
  to.add_webhook("shop");
  const Json rehearsed = taken(to, line, "?dry_run=true");
  CHECK(rehearsed["id"].is_null());
  CHECK(export_of(to).size() == 2);
  const Json first = taken(to, line);
  CHECK(first["known"] == false);
  CHECK(first["messages"] == 1);
  CHECK(first["waiting"] == 0);
  const Json again = taken(to, line);
  CHECK(again["known"] == true);
  CHECK(again["id"] == first["id"]);
  const auto lines = export_of(to);
  REQUIRE(lines.size() == 3);
  Json before = Json::parse(line);
  Json after = Json::parse(lines[1]);
  before["messages"][0].erase("id");
  after["messages"][0].erase("id");
  CHECK(before == after);
}

TEST_CASE("a message that waited is delivered where it was imported") {
  Daemon from;
  from.add_webhook("shop", "/hang");
  from.emit();
  const std::string line = export_of(from).at(1);
  Daemon to;
  to.add_webhook("shop");
  const Json answer = taken(to, line);
  CHECK(answer["waiting"] == 1);
  const Json event = to.call("GET", "/v1/events/" + answer["id"].get<std::string>()).json();
  to.message_when(event["messages"][0]["id"], "success");
}

TEST_CASE("a line that breaks a rule is refused with its number and field, and writes nothing") {
  Daemon from;
  deliver_one(from);
  const std::string line = export_of(from).at(1);
  Daemon to;
  const Json stranger = taken(to, "\n" + line);
  CHECK(stranger["line"] == 2);
  CHECK(stranger["errors"][0]["pointer"] == "/messages/0/webhook");
  to.add_webhook("shop");
  Json changed = Json::parse(line);
  changed["messages"][0]["status"] = "failed";
  CHECK(taken(to, changed.dump())["errors"][0]["pointer"] == "/messages/0/reason");
  CHECK(taken(to, "{")["code"] == "invalid_request");
  CHECK(export_of(to).size() == 2);
}
