// Who did what, asked of the server: every change has a line, and only changes that were made.
#include <doctest/doctest.h>
#include <unistd.h>

#include <map>
#include <set>

#include "control/protocol/routes.hpp"
#include "daemon_harness.hpp"

using namespace control_test;
using namespace webhookd;

namespace {

using protocol::Operation;

Json audit_of(const Daemon& daemon, const std::string& query = "") {
  const Response response = daemon.call("GET", "/v1/audit" + query);
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  return response.json()["items"];
}

void change(const Daemon& daemon, const char* method, const std::string& target, const std::string& body = "") {
  const Response response = daemon.call(method, target, body);
  CAPTURE(target);
  CAPTURE(response.body);
  REQUIRE(response.status < 300);
}

}  // namespace

TEST_CASE("every operation that changes something has its line, and every look at secrets") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("orders");
  const std::string message = daemon.emit()["messages"][0]["id"];
  daemon.message_when(message, "success");
  change(daemon, "POST", "/v1/messages/" + message + "/retry");
  daemon.message_when(message, "success");
  change(daemon, "PATCH", "/v1/webhooks/orders", R"({"timeout":3,"description":"d"})");
  change(daemon, "POST", "/v1/webhooks/orders/deactivate");
  const std::string held = daemon.emit()["messages"].empty() ? "" : "held";
  CHECK(held.empty());
  change(daemon, "POST", "/v1/webhooks/orders/activate");
  change(daemon, "GET", "/v1/webhooks/orders/secret");
  change(daemon, "POST", "/v1/webhooks/orders/secret/rotate");
  change(daemon, "POST", "/v1/types", R"({"name":"own.made"})");
  change(daemon, "PUT", "/v1/types/own.made", R"({"description":"mine"})");
  change(daemon, "DELETE", "/v1/types/own.made");
  change(daemon, "POST", "/v1/clock", R"({"advance":1})");
  change(daemon, "POST", "/v1/messages/retry", R"({"filter":{"webhook":"orders"}})");
  daemon.add_webhook("failing", "/500");
  change(daemon, "POST", "/v1/webhooks/orders/deactivate");
  for (int i = 0; i < 3; ++i) {
    daemon.emit();
  }
  const Response begun = daemon.call("POST", "/v1/messages/cancel", R"({"filter":{"webhook":"failing"},"rate":0.01})");
  REQUIRE(begun.status == 202);
  change(daemon, "POST", "/v1/tasks/" + begun.json()["id"].get<std::string>() + "/cancel");
  const Json waits = daemon.emit();
  change(daemon, "POST", "/v1/messages/" + waits["messages"][0]["id"].get<std::string>() + "/cancel");
  change(daemon, "GET", "/v1/admin/history");
  CHECK(daemon.call("POST", "/v1/admin/history", "\n", "Content-Type: application/x-ndjson\r\n").status == 200);
  change(daemon, "DELETE", "/v1/webhooks/orders");

  std::set<std::string> noted;
  for (const Json& line : audit_of(daemon, "?limit=1000")) {
    noted.insert(line["operation"]);
  }
  // Traffic; copies that change nothing; and what this world has no key, file or settings for.
  const std::set<Operation> exempt = {Operation::accept_events, Operation::ping_webhook, Operation::check_store,
                                      Operation::back_up,       Operation::reload,       Operation::rotate_master_key};
  for (const protocol::Route& route : protocol::routes()) {
    const bool is_look_at_all =
        route.operation == Operation::show_secrets || route.operation == Operation::export_history;
    const bool is_noted = (route.method != "GET" || is_look_at_all) && !exempt.contains(route.operation);
    CAPTURE(route.name);
    CHECK(noted.contains(std::string(route.name)) == is_noted);
  }
}

TEST_CASE("a line says who, in which role, did what to what, and why; secrets and values are not in it") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("orders");
  const Response edited = daemon.call("PATCH", "/v1/webhooks/orders", R"({"url":"http://receiver.example.com/s3cret"})",
                                      "Webhookd-Reason: moved to caf\xc3\xa9\r\n");
  REQUIRE(edited.status == 200);
  const Json line = audit_of(daemon)[0];
  CHECK(line["uid"] == ::getuid());
  CHECK(line["role"] == "admin");
  CHECK(line["operation"] == "patchWebhook");
  CHECK(line["object"] == id);
  CHECK(line["name"] == "orders");
  CHECK(line["detail"] == "url");
  CHECK(line["reason"] == "moved to caf\xc3\xa9");
  CHECK(line["at"].is_string());
  CHECK(daemon.call("GET", "/v1/audit").body.find("s3cret") == std::string::npos);
}

TEST_CASE("what is refused, run dry, or changes nothing has no line") {
  const Daemon daemon;
  daemon.add_webhook("orders");
  const std::size_t before = audit_of(daemon).size();
  daemon.call("POST", "/v1/webhooks", R"({"display_name":"orders","url":"http://a.example.com/","events":["*"]})");
  daemon.call("PATCH", "/v1/webhooks/orders?dry_run=true", R"({"timeout":3})");
  daemon.call("PATCH", "/v1/webhooks/orders", R"({"display_name":"orders"})");
  daemon.call("DELETE", "/v1/webhooks/none");
  daemon.call("POST", "/v1/types?dry_run=true", R"({"name":"own.made"})");
  daemon.emit();
  CHECK(audit_of(daemon).size() == before);
}

TEST_CASE("the reason of a body comes before that of the header, and both are bounded") {
  const Daemon daemon;
  daemon.add_webhook("orders", "/500");
  const std::string message = daemon.emit()["messages"][0]["id"];
  const std::string path = "/v1/messages/" + message + "/cancel";
  const std::string huge = "Webhookd-Reason: " + std::string(501, 'x') + "\r\n";
  const Response refused = daemon.call("POST", path, "", huge);
  CHECK(refused.status == 400);
  CHECK(refused.json()["detail"] == "Webhookd-Reason: must have at most 500 bytes");
  CHECK(daemon.call("POST", path, "", "Webhookd-Reason: \xff\xfe\r\n").status == 400);
  CHECK(daemon.call("POST", path, R"({"reason":"of the body"})", "Webhookd-Reason: of the header\r\n").status == 200);
  CHECK(audit_of(daemon)[0]["reason"] == "of the body");
  CHECK(daemon.call("GET", "/v1/messages/" + message).json()["cancelled_by"]["reason"] == "of the body");
}

TEST_CASE("the list is filtered, paged, for admins, and says what is wrong with a filter") {
  const Daemon daemon;
  for (int i = 0; i < 7; ++i) {
    daemon.add_webhook("number " + std::to_string(i));
  }
  change(daemon, "DELETE", "/v1/webhooks/number%203");
  CHECK(audit_of(daemon, "?operation=deleteWebhook").size() == 1);
  CHECK(audit_of(daemon, "?object=number+3").size() == 2);
  CHECK(audit_of(daemon, "?user=" + std::to_string(::getuid())).size() == 8);
  CHECK(audit_of(daemon, "?user=nobody-at-all").empty());
  CHECK(audit_of(daemon, "?until=2000-01-01T00:00:00Z").empty());
  std::vector<std::string> names;
  std::string cursor;
  do {
    const Json page = daemon.call("GET", "/v1/audit?limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor)).json();
    for (const Json& line : page["items"]) {
      names.push_back(line["name"]);
    }
    cursor = page["next_cursor"].is_null() ? "" : page["next_cursor"].get<std::string>();
  } while (!cursor.empty() && names.size() < 20);
  CHECK(names == std::vector<std::string>{"number 3", "number 6", "number 5", "number 4", "number 3", "number 2",
                                          "number 1", "number 0"});
  const Response wrong = daemon.call("GET", "/v1/audit?operation=patchWebhok");
  CHECK(wrong.status == 400);
  CHECK(wrong.json()["detail"].get<std::string>().find("did you mean patchWebhook?") != std::string::npos);
  CHECK(protocol::match_route("GET", "/v1/audit").route->role == protocol::Role::admin);
}
