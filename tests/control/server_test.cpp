#include "control/server/server.hpp"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control/daemon_harness.hpp"
#include "control/protocol/routes.hpp"
#include "control/server/access.hpp"
#include "control/server/listening.hpp"

using namespace control_test;
using namespace webhookd;

namespace {

const std::string json_type = "Content-Type: application/json\r\n";
const std::string ndjson_type = "Content-Type: application/x-ndjson\r\n";

std::string shop(std::string_view more = "") {
  return R"({"display_name":"shop","url":"http://receiver.example.com/ok","events":["subscription.create"])" +
         std::string(more) + "}";
}

void check_problem(const Response& response, int status, std::string_view code) {
  CAPTURE(response.body);
  CHECK(response.status == status);
  CHECK(response.header("content-type") == "application/problem+json");
  CHECK(response.json()["code"] == std::string(code));
  CHECK(response.json()["status"] == status);
}

std::vector<Json> lines_of(const std::string& body) {
  std::vector<Json> lines;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    lines.push_back(Json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

// The peer has taken all that was sent.
void wait_until_read(int descriptor) {
  int unread = 1;
  while (unread > 0) {
    REQUIRE(::ioctl(descriptor, SIOCOUTQ, &unread) == 0);
    std::this_thread::yield();
  }
}

int bound_socket(const std::string& path, bool listens) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (listens) {
    REQUIRE(::listen(descriptor, 5) == 0);
  }
  return descriptor;
}

}  // namespace

// ---- webhooks -------------------------------------------------------------------------------------------------

TEST_CASE("a webhook is made, shown by id, prefix and name, and listed") {
  const Daemon daemon;
  const Response made = daemon.call("POST", "/v1/webhooks", shop(), json_type);
  REQUIRE(made.status == 201);
  CHECK(made.header("etag") == "\"1\"");
  CHECK(made.header("webhookd-version") == WEBHOOKD_VERSION);
  const Json webhook = made.json();
  const std::string id = webhook["id"];
  CHECK(id.starts_with("wh_"));
  CHECK(webhook["secrets"].size() == 1);
  CHECK(webhook["health"] == "up");
  CHECK(webhook["waiting"] == 0);
  for (const std::string& named : {id, id.substr(0, 15), std::string("shop")}) {
    CAPTURE(named);
    const Response one = daemon.call("GET", "/v1/webhooks/" + named);
    CHECK(one.status == 200);
    CHECK(one.json()["id"] == id);
    CHECK_FALSE(one.json().contains("secrets"));
  }
  const Json list = daemon.call("GET", "/v1/webhooks").json();
  REQUIRE(list["items"].size() == 1);
  CHECK(list["items"][0]["id"] == id);
  CHECK(list["next_cursor"] == nullptr);
}

TEST_CASE("a prefix that fits several webhooks lists them") {
  const Daemon daemon;
  const std::string first = daemon.add_webhook("one");
  const std::string second = daemon.add_webhook("two");
  const Response both = daemon.call("GET", "/v1/webhooks/wh_0");
  check_problem(both, 400, "ambiguous_id");
  CHECK(both.json()["errors"].size() == 2);
  CHECK(both.body.find(first) != std::string::npos);
  CHECK(both.body.find(second) != std::string::npos);
}

TEST_CASE("of a prefix that fits very many, ten are listed, and that there are more is said") {
  const Daemon daemon;
  for (int i = 0; i < 11; ++i) {
    daemon.add_webhook("hook " + std::to_string(i));
  }
  const Json several = daemon.call("GET", "/v1/webhooks/wh_0").json();
  CHECK(several["errors"].size() == 10);
  CHECK(several["detail"].get<std::string>().ends_with(", and more"));
}

TEST_CASE("a display name may hold anything that a path can carry") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("caf\xc3\xa9 / 50% off?");
  CHECK(daemon.call("GET", "/v1/webhooks/caf%C3%A9%20%2F%2050%25%20off%3F").json()["id"] == id);
}

TEST_CASE("an unknown webhook is not found, with the name that was meant") {
  const Daemon daemon;
  daemon.add_webhook("shop-eu");
  const Response none = daemon.call("GET", "/v1/webhooks/shop-eux");
  check_problem(none, 404, "not_found");
  CHECK(none.json()["detail"].get<std::string>().find("did you mean shop-eu?") != std::string::npos);
}

TEST_CASE("bad webhooks are refused with their fields and leave nothing behind") {
  const Daemon daemon;
  const std::map<std::string, std::string> cases = {
      {R"({"url":"http://a.example.com","events":["*"]})", "/display_name"},
      {R"({"display_name":"x","events":["*"]})", "/url"},
      {R"({"display_name":"x","url":"http://a.example.com"})", "/events"},
      {R"({"display_name":"x","url":"http://127.1/","events":["*"]})", "/url"},
      {R"({"display_name":"x","url":"http://10.0.0.1/","events":["*"]})", "/url"},
      {R"({"display_name":"x","url":"http://a.example/","events":["*"],"auth":{"type":"oauth2",)"
       R"("token_url":"http://10.0.0.1/","client_id":"i","client_secret_file":"/s"}})",
       "/auth/token_url"},
      {R"({"display_name":"x","url":"http://a.example.com","events":["no.such"]})", "/events/0"},
      {R"({"display_name":"x","url":"http://a.example.com","events":["*"],"headers":{"X":"a\nb"}})", "/headers/X"},
  };
  for (const auto& [body, pointer] : cases) {
    const std::string shown(body);  // clang 14 does not capture a structured binding
    CAPTURE(shown);
    const Response refused = daemon.call("POST", "/v1/webhooks", body);
    CAPTURE(refused.body);
    CHECK(refused.status == 422);
    CHECK(refused.json()["errors"][0]["pointer"] == pointer);
  }
  check_problem(daemon.call("POST", "/v1/webhooks", "{"), 400, "invalid_request");
  check_problem(daemon.call("POST", "/v1/webhooks", "[]"), 400, "invalid_request");
  check_problem(daemon.call("POST", "/v1/webhooks"), 400, "invalid_request");
  CHECK(daemon.call("GET", "/v1/webhooks").json()["items"].empty());
}

TEST_CASE("a display name is given once") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  const Response again = daemon.call("POST", "/v1/webhooks", shop());
  check_problem(again, 409, "name_taken");
  check_problem(daemon.call("POST", "/v1/webhooks?dry_run=true", shop()), 409, "name_taken");
}

TEST_CASE("a patch raises the version, and If-Match guards it") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("shop");
  const std::string path = "/v1/webhooks/" + id;
  const Response patched =
      daemon.call("PATCH", path, R"({"timeout":3})", "Content-Type: application/merge-patch+json\r\n");
  REQUIRE(patched.status == 200);
  CHECK(patched.json()["timeout"] == 3);
  CHECK(patched.json()["version"] == 2);
  CHECK(patched.header("etag") == "\"2\"");
  check_problem(daemon.call("PATCH", path, R"({"timeout":4})", "If-Match: \"1\"\r\n"), 412, "version_mismatch");
  check_problem(daemon.call("PATCH", path, R"({"timeout":4})", "If-Match: W/\"2\"\r\n"), 412, "version_mismatch");
  CHECK(daemon.call("PATCH", path, R"({"timeout":4})", "If-Match: \"9\", \"2\"\r\n").status == 200);
  CHECK(daemon.call("PATCH", path, R"({"timeout":5})", "If-Match: *\r\n").status == 200);
  check_problem(daemon.call("DELETE", path, {}, "If-Match: \"1\"\r\n"), 412, "version_mismatch");
  CHECK(daemon.call("GET", path).json()["timeout"] == 5);
}

TEST_CASE("a patch that changes nothing makes no new version") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("shop");
  CHECK(daemon.call("PATCH", "/v1/webhooks/" + id, "{}").json()["version"] == 1);
  CHECK(daemon.call("POST", "/v1/webhooks/" + id + "/activate").json()["version"] == 1);
}

TEST_CASE("deactivation and activation change the status and its reason") {
  const Daemon daemon;
  const std::string path = "/v1/webhooks/" + daemon.add_webhook("shop");
  const Json off = daemon.call("POST", path + "/deactivate").json();
  CHECK(off["status"] == "inactive");
  CHECK(off["status_reason"] == "manual");
  const Json on = daemon.call("POST", path + "/activate").json();
  CHECK(on["status"] == "active");
  CHECK(on["status_reason"] == nullptr);
}

TEST_CASE("a dry run answers what would be and changes nothing") {
  const Daemon daemon;
  const Response dry = daemon.call("POST", "/v1/webhooks?dry_run=true", shop());
  CHECK(dry.status == 200);
  CHECK(dry.json()["id"] == nullptr);
  CHECK(dry.json()["display_name"] == "shop");
  CHECK(daemon.call("GET", "/v1/webhooks").json()["items"].empty());

  const std::string path = "/v1/webhooks/" + daemon.add_webhook("shop");
  CHECK(daemon.call("PATCH", path + "?dry_run=true", R"({"timeout":3})").json()["timeout"] == 3);
  check_problem(daemon.call("PATCH", path + "?dry_run=true", R"({"events":["no.such"]})"), 422, "invalid_field");
  CHECK(daemon.call("POST", path + "/deactivate?dry_run=true").json()["status"] == "inactive");
  CHECK(daemon.call("POST", path + "/secret/rotate?dry_run=true").json()["secrets"].size() == 1);
  CHECK(daemon.call("DELETE", path + "?dry_run=true").json()["waiting_cancelled"] == 0);
  CHECK(daemon.call("POST", path + "/ping?dry_run=true").json()["id"] == nullptr);
  const Json now = daemon.call("GET", path).json();
  CHECK(now["version"] == 1);
  CHECK(now["timeout"] == 15);
  CHECK(now["status"] == "active");
}

TEST_CASE("secrets are shown in their own route, and a rotation puts the new one first") {
  const Daemon daemon;
  const std::string path = "/v1/webhooks/" + daemon.add_webhook("shop");
  const Json before = daemon.call("GET", path + "/secret").json();
  REQUIRE(before["secrets"].size() == 1);
  CHECK(before["secrets"][0]["expires_at"] == nullptr);
  CHECK(before["public_keys"].empty());
  const Json after = daemon.call("POST", path + "/secret/rotate", R"({"grace":60})").json();
  REQUIRE(after["secrets"].size() == 2);
  CHECK(after["secrets"][0]["secret"] != before["secrets"][0]["secret"]);
  CHECK(after["secrets"][1]["secret"] == before["secrets"][0]["secret"]);
  CHECK(after["secrets"][1]["expires_at"] != nullptr);
  CHECK(daemon.call("GET", path + "/secret").json() == after);
  CHECK(daemon.call("POST", path + "/secret/rotate", R"({"grace":0})").json()["secrets"].size() == 1);
}

TEST_CASE("webhooks are filtered, sorted and paged, and a cursor survives changes") {
  const Daemon daemon;
  for (const char* name : {"delta", "alpha", "Charlie", "bravo", "echo"}) {
    daemon.add_webhook(name);
  }
  daemon.call("POST", "/v1/webhooks/echo/deactivate");
  const auto names = [](const Json& list) {
    std::string all;
    for (const auto& item : list["items"]) {
      all += item["display_name"].get<std::string>() + " ";
    }
    return all;
  };
  CHECK(names(daemon.call("GET", "/v1/webhooks").json()) == "delta alpha Charlie bravo echo ");
  CHECK(names(daemon.call("GET", "/v1/webhooks?sort=name").json()) == "alpha bravo Charlie delta echo ");
  CHECK(names(daemon.call("GET", "/v1/webhooks?status=inactive").json()) == "echo ");
  CHECK(names(daemon.call("GET", "/v1/webhooks?search=CHA").json()) == "Charlie ");
  const std::string id = daemon.call("GET", "/v1/webhooks/Charlie").json()["id"];
  CHECK(names(daemon.call("GET", "/v1/webhooks?search=" + id).json()) == "Charlie ");
  const Json first = daemon.call("GET", "/v1/webhooks?sort=name&limit=2").json();
  CHECK(names(first) == "alpha bravo ");
  daemon.call("DELETE", "/v1/webhooks/bravo");
  const std::string cursor = first["next_cursor"];
  const Json second = daemon.call("GET", "/v1/webhooks?sort=name&limit=2&cursor=" + cursor).json();
  CHECK(names(second) == "Charlie delta ");
  check_problem(daemon.call("GET", "/v1/webhooks?limit=2&cursor=" + cursor), 400, "invalid_request");
}

TEST_CASE("deleting a webhook cancels what waits, and it is gone") {
  const Daemon daemon;
  const std::string id = daemon.add_webhook("slow", "/500");
  const std::string message = daemon.emit()["messages"][0]["id"];
  daemon.message_when(message, "retrying");
  const Response deleted = daemon.call("DELETE", "/v1/webhooks/" + id);
  CHECK(deleted.status == 200);
  CHECK(deleted.json() == Json({{"id", id}, {"waiting_cancelled", 1}}));
  check_problem(daemon.call("GET", "/v1/webhooks/" + id), 404, "not_found");
}

// ---- types ----------------------------------------------------------------------------------------------------

TEST_CASE("the catalogue is listed, extended, replaced and reduced") {
  const Daemon daemon;
  const Json shipped = daemon.call("GET", "/v1/types").json();
  CHECK(shipped["items"].size() > 2);
  CHECK(daemon.call("GET", "/v1/types/subscription.create").json()["origin"] == "builtin");
  const Response made = daemon.call("POST", "/v1/types", R"({"name":"invoice.paid","example":{ "a":1.0 }})");
  CHECK(made.status == 201);
  CHECK(made.body.find(R"("example":{ "a":1.0 })") != std::string::npos);
  check_problem(daemon.call("POST", "/v1/types", R"({"name":"invoice.paid"})"), 409, "type_exists");
  CHECK(daemon.call("PUT", "/v1/types/invoice.paid", R"({"description":"paid"})").status == 200);
  CHECK(daemon.call("PUT", "/v1/types/invoice.sent", R"({"description":"sent"})").status == 201);
  CHECK(daemon.call("GET", "/v1/types/invoice.paid").json()["description"] == "paid");
  check_problem(daemon.call("PUT", "/v1/types/webhook.ping", "{}"), 409, "type_reserved");
  CHECK(daemon.call("DELETE", "/v1/types/invoice.sent").json()["name"] == "invoice.sent");
  check_problem(daemon.call("GET", "/v1/types/invoice.sent"), 404, "not_found");
  check_problem(daemon.call("DELETE", "/v1/types/invoice.sent"), 404, "not_found");
}

TEST_CASE("the catalogue is paged by name") {
  const Daemon daemon;
  std::vector<std::string> names;
  std::string cursor;
  do {
    const Json page = daemon.call("GET", "/v1/types?limit=3" + cursor).json();
    for (const auto& item : page["items"]) {
      names.push_back(item["name"]);
    }
    cursor = page["next_cursor"].is_null() ? "" : "&cursor=" + page["next_cursor"].get<std::string>();
  } while (!cursor.empty());
  CHECK(names.size() == daemon.call("GET", "/v1/types?limit=1000").json()["items"].size());
  CHECK(std::is_sorted(names.begin(), names.end()));
}

TEST_CASE("a type that a webhook names stays") {
  const Daemon daemon;
  daemon.call("POST", "/v1/types", R"({"name":"invoice.paid"})");
  daemon.call("POST", "/v1/webhooks",
              R"({"display_name":"x","url":"http://receiver.example.com/ok","events":["invoice.paid"]})");
  check_problem(daemon.call("DELETE", "/v1/types/invoice.paid?dry_run=true"), 409, "type_in_use");
  check_problem(daemon.call("DELETE", "/v1/types/invoice.paid"), 409, "type_in_use");
}

// ---- events ---------------------------------------------------------------------------------------------------

TEST_CASE("an event is accepted, delivered and shown with its messages") {
  const Daemon daemon;
  const std::string webhook = daemon.add_webhook("shop");
  const Json accepted = daemon.emit(R"({ "z":1, "a":1.00 })");
  CHECK(accepted["duplicate"] == false);
  CHECK(accepted["message_count"] == 1);
  CHECK(accepted["messages"][0]["webhook_id"] == webhook);
  const std::string id = accepted["messages"][0]["id"];
  const Json message = daemon.message_when(id, "success");
  CHECK(message["webhook"] == "shop");
  CHECK(message["type"] == "subscription.create");
  CHECK(message["reason"] == "delivered");
  CHECK(message["last_code"] == 200);
  CHECK(message["attempt_log"].size() == 1);
  const Response event = daemon.call("GET", "/v1/events/" + accepted["id"].get<std::string>());
  CHECK(event.status == 200);
  CHECK(event.body.find(R"("data":{ "z":1, "a":1.00 },)") != std::string::npos);
  CHECK(event.json()["messages"][0]["id"] == id);
  CHECK(daemon.call("GET", "/v1/messages/" + id).body.find(R"("payload":{ "z":1, "a":1.00 },)") != std::string::npos);
}

TEST_CASE("an idempotency key answers the first event, or a conflict") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  const auto emit = [&](std::string_view data) {
    return daemon.call("POST", "/v1/events",
                       R"({"type":"subscription.create","idempotency_key":"k1","data":)" + std::string(data) + "}");
  };
  const Response first = emit("1");
  const Response second = emit("1");
  CHECK(first.status == 201);
  CHECK(second.status == 200);
  CHECK(second.json()["duplicate"] == true);
  CHECK(second.json()["id"] == first.json()["id"]);
  const Response third = emit("2");
  check_problem(third, 409, "idempotency_conflict");
  CHECK(third.json()["errors"][0]["pointer"] == "/idempotency_key");
}

TEST_CASE("bad events are refused by field and leave nothing behind") {
  const Daemon daemon;
  const Response unknown = daemon.call("POST", "/v1/events", R"({"type":"subscription.creat","data":1})");
  check_problem(unknown, 422, "unknown_type");
  CHECK(unknown.json()["errors"][0]["pointer"] == "/type");
  CHECK(unknown.body.find("subscription.create") != std::string::npos);
  const Response deep =
      daemon.call("POST", "/v1/events", R"({"type":"subscription.create","data":)" + std::string(200'000, '[') + "}");
  check_problem(deep, 400, "invalid_request");
  CHECK(deep.json()["errors"][0]["pointer"] == "/data");
  const Response bytes = daemon.call("POST", "/v1/events", "{\"type\":\"subscription.create\",\"data\":\"\xff\"}");
  check_problem(bytes, 400, "invalid_request");
  check_problem(daemon.call("POST", "/v1/events", "x", "Content-Type: text/plain\r\n"), 415, "unsupported_media");
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["events"] == 0);
}

TEST_CASE("data of 2 MiB is refused by name, however it is sent") {
  const Daemon daemon;
  const std::string big = R"({"type":"subscription.create","data":")" + std::string(2 << 20, 'x') + "\"}";
  {
    Client client(daemon.socket_path());
    client.send_what_goes("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(big.size()) +
                          "\r\n\r\n" + big);
    const Response refused = client.receive();
    check_problem(refused, 413, "too_large");
    CHECK(refused.json()["errors"][0]["pointer"] == "/data");
    ::shutdown(client.descriptor(), SHUT_WR);
    CHECK(client.is_closed_by_peer());
  }
  {
    Client client(daemon.socket_path());
    client.send_what_goes("POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200100\r\n" +
                          std::string(0x200100, 'x') + "\r\n0\r\n\r\n");
    check_problem(client.receive(), 413, "too_large");
  }
  {
    Client client(daemon.socket_path());
    client.send("POST /v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2147483648\r\n\r\n");
    check_problem(client.receive(), 413, "too_large");
  }
  const std::string middle = R"({"type":"subscription.create","data":")" + std::string((1 << 20) + 10, 'x') + "\"}";
  check_problem(daemon.call("POST", "/v1/events", middle), 413, "too_large");
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["events"] == 0);
}

TEST_CASE("data of exactly the bound is accepted") {
  const Daemon daemon;
  daemon.emit("\"" + std::string((1 << 20) - 2, 'x') + "\"");
}

TEST_CASE("a peer that expects 100 Continue gets it before it sends") {
  const Daemon daemon;
  Client client(daemon.socket_path());
  const std::string body = R"({"type":"subscription.create","data":1})";
  client.send("POST /v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send(body);
  CHECK(client.receive().status == 201);
}

TEST_CASE("a full store refuses events and goes on with everything else") {
  Daemon daemon;
  daemon.set_full(true);
  const std::string event = R"({"type":"subscription.create","data":1})";
  check_problem(daemon.call("POST", "/v1/events", event), 507, "store_full");
  check_problem(daemon.call("POST", "/v1/events?dry_run=true", event), 507, "store_full");
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["full"] == true);
  daemon.set_full(false);
  CHECK(daemon.call("POST", "/v1/events", event).status == 201);
}

TEST_CASE("a dry run of an event says how many messages there would be") {
  const Daemon daemon;
  daemon.add_webhook("one");
  daemon.add_webhook("two");
  daemon.call("POST", "/v1/webhooks/two/deactivate");
  const Response dry = daemon.call("POST", "/v1/events?dry_run=true", R"({"type":"subscription.create","data":1})");
  CHECK(dry.status == 200);
  CHECK(dry.json()["id"] == nullptr);
  CHECK(dry.json()["message_count"] == 1);
  check_problem(daemon.call("POST", "/v1/events?dry_run=true", R"({"type":"a.b","data":1})"), 422, "unknown_type");
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["events"] == 0);
}

TEST_CASE("a batch is answered line by line, and a bad line spoils only itself") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  const std::string good = R"({"type":"subscription.create","data":1})";
  const Response answer = daemon.call(
      "POST", "/v1/events", good + "\n{\"type\":\n\n" + R"({"type":"no.such","data":1})" + "\r\n" + good, ndjson_type);
  REQUIRE(answer.status == 200);
  CHECK(answer.header("content-type") == "application/x-ndjson");
  const auto lines = lines_of(answer.body);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0]["message_count"] == 1);
  CHECK(lines[1]["code"] == "invalid_request");
  CHECK(lines[1]["line"] == 2);
  CHECK(lines[2]["code"] == "unknown_type");
  CHECK(lines[2]["line"] == 4);
  CHECK(lines[3]["message_count"] == 1);
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["events"] == 2);
}

TEST_CASE("a batch of thousands is answered in order over several commits") {
  const Daemon daemon;
  std::string body;
  for (int i = 0; i < 3500; ++i) {
    body += R"({"type":"subscription.create","data":)" + std::to_string(i) + "}\n";
  }
  Client client(daemon.socket_path());
  const Response answer = client.call("POST", "/v1/events", body, ndjson_type);
  const auto lines = lines_of(answer.body);
  REQUIRE(lines.size() == 3500);
  std::string before;
  for (const auto& line : lines) {
    const std::string id = line["id"];
    CHECK(before < id);
    before = id;
  }
  CHECK(client.call("GET", "/healthz").status == 200);
}

TEST_CASE("an HTTP/1.0 peer gets its batch without chunks") {
  const Daemon daemon;
  Client client(daemon.socket_path());
  const std::string body = R"({"type":"subscription.create","data":1})";
  client.send("POST /v1/events HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  const Response answer = client.receive();
  CHECK(answer.status == 200);
  CHECK(answer.header("transfer-encoding").empty());
  CHECK(answer.header("connection") == "close");
  CHECK(client.is_closed_by_peer());
}

TEST_CASE("an empty batch is answered empty") {
  const Daemon daemon;
  const Response answer = daemon.call("POST", "/v1/events", "\n\n", ndjson_type);
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
}

// ---- messages -------------------------------------------------------------------------------------------------

TEST_CASE("messages are listed newest first, filtered and paged without gaps") {
  const Daemon daemon;
  daemon.add_webhook("good");
  daemon.add_webhook("bad", "/500");
  std::string event;
  for (int i = 0; i < 5; ++i) {
    const Json accepted = daemon.emit();
    event = accepted["id"];
    daemon.message_when(accepted["messages"][0]["id"], "success");
    daemon.message_when(accepted["messages"][1]["id"], "retrying");
    daemon.call("POST", "/v1/clock", R"({"advance":1})");  // an endpoint that failed is left alone for a moment
  }
  const auto count = [&](const std::string& query) {
    return daemon.call("GET", "/v1/messages?" + query).json()["items"].size();
  };
  CHECK(count("") == 10);
  CHECK(count("webhook=bad") == 5);
  CHECK(count("status=success") == 5);
  CHECK(count("status=success,retrying") == 10);
  CHECK(count("code=5xx") == 5);
  CHECK(count("code=404") == 0);
  CHECK(count("type=subscription.create") == 10);
  CHECK(count("type=subscription.delete") == 0);
  CHECK(count("q=http%20500") == 5);
  CHECK(count("event=" + event) == 2);
  CHECK(count("event=" + event + "&status=success") == 1);
  CHECK(count("since=2100-01-01T00:00:00Z") == 0);
  check_problem(daemon.call("GET", "/v1/messages?webhook=ugly"), 404, "not_found");

  for (const char* order : {"asc", "desc"}) {
    std::vector<std::string> ids;
    std::string cursor;
    do {
      const Json page = daemon.call("GET", std::string("/v1/messages?limit=3&order=") + order + cursor).json();
      for (const auto& item : page["items"]) {
        ids.push_back(item["id"]);
      }
      cursor = page["next_cursor"].is_null() ? "" : "&cursor=" + page["next_cursor"].get<std::string>();
    } while (!cursor.empty());
    REQUIRE(ids.size() == 10);
    CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 10);
    CHECK((std::string_view(order) == "asc") == std::is_sorted(ids.begin(), ids.end()));
  }
  const Json first = daemon.call("GET", "/v1/messages?limit=1&event=" + event).json();
  const Json rest =
      daemon.call("GET", "/v1/messages?limit=1&event=" + event + "&cursor=" + first["next_cursor"].get<std::string>())
          .json();
  CHECK(first["items"][0]["id"] != rest["items"][0]["id"]);
  CHECK(rest["next_cursor"] == nullptr);
}

TEST_CASE("messages and events are named by unique prefixes too") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  const Json accepted = daemon.emit();
  const std::string message = accepted["messages"][0]["id"];
  const std::string event = accepted["id"];
  CHECK(daemon.call("GET", "/v1/messages/" + message.substr(0, 14)).json()["id"] == message);
  CHECK(daemon.call("GET", "/v1/events/" + event.substr(0, 14)).json()["id"] == event);
  daemon.emit();
  check_problem(daemon.call("GET", "/v1/messages/msg_0"), 400, "ambiguous_id");
  check_problem(daemon.call("GET", "/v1/events/evt_0"), 400, "ambiguous_id");
  check_problem(daemon.call("GET", "/v1/messages/msg_"), 404, "not_found");
  check_problem(daemon.call("GET", "/v1/messages/" + event), 404, "not_found");
  check_problem(daemon.call("GET", "/v1/messages/msg_zzzzzzzzzzzzz"), 404, "not_found");
}

TEST_CASE("a cancel settles a message for the user who asked, once") {
  const Daemon daemon;
  daemon.add_webhook("slow", "/500");
  const std::string id = daemon.emit()["messages"][0]["id"];
  daemon.message_when(id, "retrying");
  const std::string path = "/v1/messages/" + id;
  CHECK(daemon.call("POST", path + "/cancel?dry_run=true").json()["status"] == "cancelled");
  CHECK(daemon.call("GET", path).json()["status"] == "retrying");
  const Response cancelled = daemon.call("POST", path + "/cancel", R"({"reason":"not needed"})");
  CHECK(cancelled.status == 200);
  CHECK(cancelled.json()["status"] == "cancelled");
  CHECK(cancelled.json()["reason"] == "cancelled");
  CHECK(cancelled.json()["cancelled_by"] == Json({{"uid", ::getuid()}, {"reason", "not needed"}}));
  check_problem(daemon.call("POST", path + "/cancel"), 409, "already_settled");
  check_problem(daemon.call("POST", path + "/cancel?dry_run=true"), 409, "already_settled");
}

TEST_CASE("a retry makes a settled message wait again, unless its webhook is inactive") {
  const Daemon daemon;
  daemon.add_webhook("bad", "/500");
  const std::string id = daemon.emit()["messages"][0]["id"];
  daemon.message_when(id, "retrying");
  daemon.call("POST", "/v1/messages/" + id + "/cancel");
  CHECK(daemon.call("POST", "/v1/messages/" + id + "/retry?dry_run=true").json()["status"] == "retrying");
  CHECK(daemon.call("GET", "/v1/messages/" + id).json()["status"] == "cancelled");
  const Response retried = daemon.call("POST", "/v1/messages/" + id + "/retry", R"({"reason":"fixed"})");
  CHECK(retried.status == 200);
  CHECK(retried.json()["retried_by"]["reason"] == "fixed");
  daemon.message_when(id, "retrying");
  daemon.call("POST", "/v1/webhooks/bad/deactivate");
  check_problem(daemon.call("POST", "/v1/messages/" + id + "/retry"), 409, "webhook_inactive");
  check_problem(daemon.call("POST", "/v1/messages/" + id + "/retry?dry_run=true"), 409, "webhook_inactive");
}

TEST_CASE("a wait answers when the message settles, or says that it has not") {
  const Daemon daemon;
  daemon.add_webhook("hung", "/hang");
  const Json accepted = daemon.emit();
  const std::string message = accepted["messages"][0]["id"];
  const std::string event = accepted["id"];
  check_problem(daemon.call("GET", "/v1/messages/" + message + "/wait?timeout=0.05"), 408, "wait_timeout");
  check_problem(daemon.call("GET", "/v1/events/" + event + "/wait?timeout=0"), 408, "wait_timeout");
  Client waiting(daemon.socket_path());
  waiting.send("GET /v1/messages/" + message + "/wait?timeout=10 HTTP/1.1\r\nHost: x\r\n\r\n");
  daemon.call("POST", "/v1/messages/" + message + "/cancel");
  const Response settled = waiting.receive();
  CHECK(settled.status == 200);
  CHECK(settled.json()["status"] == "cancelled");
  CHECK(daemon.call("GET", "/v1/events/" + event + "/wait").json()["messages"][0]["status"] == "cancelled");
  check_problem(daemon.call("GET", "/v1/messages/msg_zzzzzzzzzzzzz/wait"), 404, "not_found");
}

TEST_CASE("a ping makes one message to one webhook, whatever it subscribes to") {
  const Daemon daemon;
  const Response made = daemon.call("POST", "/v1/webhooks", shop());
  REQUIRE(made.status == 201);
  const Response ping = daemon.call("POST", "/v1/webhooks/shop/ping");
  CHECK(ping.status == 201);
  CHECK(ping.json()["type"] == "webhook.ping");
  CHECK(ping.json()["message_count"] == 1);
  daemon.message_when(ping.json()["messages"][0]["id"], "success");
  daemon.call("POST", "/v1/webhooks/shop/deactivate");
  check_problem(daemon.call("POST", "/v1/webhooks/shop/ping"), 409, "webhook_inactive");
  check_problem(daemon.call("POST", "/v1/webhooks/shop/ping?dry_run=true"), 409, "webhook_inactive");
}

// ---- the daemon -----------------------------------------------------------------------------------------------

TEST_CASE("the status tells version, clock, store and engine") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  const std::string id = daemon.emit()["messages"][0]["id"];
  daemon.message_when(id, "success");
  const Json status = daemon.call("GET", "/v1/status").json();
  CHECK(status["version"] == WEBHOOKD_VERSION);
  CHECK(status["test_clock"] == true);
  CHECK(status["socket"] == daemon.socket_path());
  CHECK(status["uptime_seconds"].is_number());
  CHECK(status["store"]["events"] == 1);
  CHECK(status["store"]["messages"] == 1);
  CHECK(status["store"]["webhooks"] == 1);
  CHECK(status["store"]["waiting"] == 0);
  CHECK(status["engine"]["accepted"] == 1);
  CHECK(status["engine"]["successes"] == 1);
  CHECK(status["health"] == Json{{"up", 1}, {"throttled", 0}, {"down", 0}});
}

TEST_CASE("a test clock is advanced, any other is not") {
  const Daemon daemon;
  const Json before = daemon.call("GET", "/v1/clock").json();
  CHECK(before["test"] == true);
  CHECK(daemon.call("POST", "/v1/clock?dry_run=true", R"({"advance":3600})").json()["now"] != before["now"]);
  CHECK(daemon.call("GET", "/v1/clock").json()["now"] == before["now"]);
  const Response moved = daemon.call("POST", "/v1/clock", R"({"advance":3600})");
  CHECK(moved.status == 200);
  CHECK(moved.json()["now"] == daemon.call("GET", "/v1/clock").json()["now"]);
  CHECK(moved.json()["now"] != before["now"]);
  DaemonSettings settings;
  settings.test_clock = false;
  const Daemon other(settings);
  CHECK(other.call("GET", "/v1/clock").json()["test"] == false);
  check_problem(other.call("POST", "/v1/clock", R"({"advance":3600})"), 409, "no_test_clock");
}

TEST_CASE("without a next master key there is nothing to rotate to, and the answer says what is missing") {
  const Daemon daemon;
  check_problem(daemon.call("POST", "/v1/admin/master-key/rotate"), 409, "no_master_key");
  check_problem(daemon.call("POST", "/v1/admin/master-key/rotate?dry_run=true"), 409, "no_master_key");
  CHECK(daemon.call("GET", "/v1/status").json()["store"]["master_key"].is_null());
}

TEST_CASE("health, readiness and the description answer") {
  const Daemon daemon;
  CHECK(daemon.call("GET", "/healthz").json()["status"] == "ok");
  CHECK(daemon.call("GET", "/readyz").json()["status"] == "ready");
  CHECK(daemon.call("GET", "/v1/openapi.json").json()["openapi"] == "3.1.0");
}

TEST_CASE("an unknown route is 404, a wrong method 405 with the methods there are") {
  const Daemon daemon;
  check_problem(daemon.call("GET", "/v2/webhooks"), 404, "not_found");
  const Response wrong = daemon.call("PUT", "/v1/webhooks");
  check_problem(wrong, 405, "method_not_allowed");
  CHECK(wrong.header("allow") == "GET, POST");
  check_problem(daemon.call("GET", "/v1/messages?limt=1"), 400, "invalid_request");
}

// ---- draining -------------------------------------------------------------------------------------------------

namespace {

constexpr std::string_view event_body = R"({"type":"subscription.create","data":1})";

std::string event_request(std::string_view body) {
  return "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(event_body.size()) + "\r\n\r\n" +
         std::string(body);
}

bool comes_true(const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  return holds();
}

bool turns_away(const Daemon& daemon) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  daemon.socket_path().copy(address.sun_path, sizeof address.sun_path - 1);
  const int connected = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(descriptor);
  return connected != 0;
}

}  // namespace

TEST_CASE("while draining nobody new is let in, and who is in is served once more and then let go") {
  Daemon daemon;
  Client silent(daemon.socket_path());
  Client half(daemon.socket_path());
  Client served(daemon.socket_path());
  half.send(event_request(event_body.substr(0, 5)));
  CHECK(served.call("GET", "/readyz").status == 200);
  REQUIRE(comes_true([&] { return daemon.server().sessions() == 3; }));
  daemon.server().drain();
  CHECK(comes_true([&] { return turns_away(daemon); }));
  CHECK(served.is_closed_by_peer());

  half.send(event_body.substr(5));
  const Response accepted = half.receive();
  CHECK(accepted.status == 201);
  CHECK(accepted.header("connection") == "close");
  CHECK(half.is_closed_by_peer());

  const Response late = silent.call("POST", "/v1/events", event_body);
  CHECK(late.status == 201);
  CHECK(late.header("connection") == "close");
  CHECK(silent.is_closed_by_peer());
  CHECK(comes_true([&] { return daemon.server().is_drained(); }));
}

TEST_CASE("while draining a client that says nothing is let go after a moment, and readiness is no more") {
  Daemon daemon;
  Client silent(daemon.socket_path());
  Client asking(daemon.socket_path());
  CHECK(comes_true([&] { return daemon.server().sessions() == 2; }));
  daemon.server().drain();
  CHECK(comes_true([&] { return turns_away(daemon); }));
  check_problem(asking.call("GET", "/readyz"), 503, "unavailable");
  CHECK(silent.is_closed_by_peer());
  CHECK(comes_true([&] { return daemon.server().is_drained(); }));
}

// ---- sessions -------------------------------------------------------------------------------------------------

TEST_CASE("a connection serves many requests, also when they come at once") {
  const Daemon daemon;
  Client client(daemon.socket_path());
  std::string burst;
  for (int i = 0; i < 50; ++i) {
    burst += "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  client.send(burst);
  for (int i = 0; i < 50; ++i) {
    CHECK(client.receive().status == 200);
  }
}

TEST_CASE("a HEAD is answered without a body") {
  const Daemon daemon;
  Client client(daemon.socket_path());
  client.send("HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.receive().status == 405);
  ::shutdown(client.descriptor(), SHUT_WR);
  CHECK(client.is_closed_by_peer());
}

TEST_CASE("a request that comes byte by byte is understood") {
  const Daemon daemon;
  Client client(daemon.socket_path());
  const std::string body = R"({"type":"subscription.create","data":1})";
  const std::string request =
      "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (const char byte : request) {
    client.send(std::string_view(&byte, 1));
  }
  CHECK(client.receive().status == 201);
}

TEST_CASE("an empty body in chunks may come in pieces of any size") {
  const Daemon daemon;
  const std::string request = "POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& pieces :
       {std::vector<std::string>{"0\r\n", "\r", "\n"}, {"0\r\n\r", "\n"}, {"0", "\r", "\n", "\r\n"}}) {
    Client client(daemon.socket_path());
    client.send(request);
    for (const std::string& piece : pieces) {
      wait_until_read(client.descriptor());
      client.send(piece);
    }
    check_problem(client.receive(), 400, "invalid_request");
  }
}

TEST_CASE("what is no HTTP is answered and closed, and the daemon goes on") {
  const Daemon daemon;
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\r\n\r\n"), std::string("GET\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n"), "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n",
        std::string("POST /v1/events HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string("POST /v1/events HTTP/1.1\r\nContent-Length: -5\r\n\r\n"),
        std::string("POST /v1/events HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "no length\r\n")}) {
    CAPTURE(garbage.substr(0, 40));
    Client client(daemon.socket_path());
    client.send_what_goes(garbage);
    const Response refused = client.receive();
    CHECK(refused.status == 400);
    CHECK(refused.header("connection") == "close");
    ::shutdown(client.descriptor(), SHUT_WR);
    CHECK(client.is_closed_by_peer());
  }
  CHECK(daemon.call("GET", "/healthz").status == 200);
}

TEST_CASE("a peer that leaves in the middle harms nobody") {
  const Daemon daemon;
  for (const char* part :
       {"", "GET", "GET /v1/status HTTP/1.1\r\n", "POST /v1/events HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        "GET /v1/types HTTP/1.1\r\n\r\n"}) {
    Client client(daemon.socket_path());
    client.send(part);
  }
  CHECK(daemon.call("GET", "/healthz").status == 200);
}

TEST_CASE("connections past the bound are turned away with a reason") {
  DaemonSettings settings;
  settings.sessions_max = 2;
  const Daemon daemon(settings);
  Client first(daemon.socket_path());
  Client second(daemon.socket_path());
  CHECK(first.call("GET", "/healthz").status == 200);
  CHECK(second.call("GET", "/healthz").status == 200);
  Client third(daemon.socket_path());
  check_problem(third.receive(), 503, "unavailable");
  CHECK(first.call("GET", "/healthz").status == 200);
}

TEST_CASE("sixty-four clients at once all get their answers") {
  const Daemon daemon;
  daemon.add_webhook("shop");
  std::vector<std::thread> threads;
  std::atomic<int> accepted = 0;
  for (int i = 0; i < 64; ++i) {
    threads.emplace_back([&] {
      Client client(daemon.socket_path());
      for (int n = 0; n < 20; ++n) {
        accepted +=
            client.call("POST", "/v1/events", R"({"type":"subscription.create","data":1})").status == 201 ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(accepted == 64 * 20);
}

TEST_CASE("stats count what happened lately and what was ever counted, and refuse what is no time") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.add_webhook("gone", "/gone");
  const Json messages = daemon.emit()["messages"];
  daemon.message_when(messages[0]["id"], "success");
  daemon.message_when(messages[1]["id"], "failed");
  const Json stats = daemon.call("GET", "/v1/stats").json();
  CHECK(stats["accepted"] == 1);
  CHECK(stats["attempts"] == 2);
  CHECK(stats["successes"] == 1);
  CHECK(stats["failures"] == 1);
  CHECK(stats["outcomes"]["status"] == 1);
  CHECK(stats["kept"]["success"] == 1);
  CHECK(stats["kept"]["failed"] == 1);
  CHECK(stats["delivery_ms"]["p99"].is_number());
  check_problem(daemon.call("GET", "/v1/stats?since=yesterday"), 400, "invalid_request");
  const Json good = daemon.call("GET", "/v1/webhooks/good").json();
  CHECK(good["last_success_at"].is_string());
  CHECK(good["failed_last_day"] == 0);
  CHECK(daemon.call("GET", "/v1/webhooks/gone").json()["failed_last_day"] == 1);
  daemon.call("POST", "/v1/clock", R"({"advance":7200})");
  CHECK(daemon.call("GET", "/v1/stats").json()["accepted"] == 0);
  CHECK(daemon.call("GET", "/v1/stats?since=2001-01-01T00:00:00Z").json()["accepted"] == 1);
}

TEST_CASE("the server ends while a call is unanswered, a wait is pending and a body half sent") {
  Daemon daemon;
  daemon.add_webhook("hung", "/hang");
  const std::string message = daemon.emit()["messages"][0]["id"];
  Client half(daemon.socket_path());
  half.send("POST /v1/events HTTP/1.1\r\nContent-Length: 100\r\n\r\n{");
  Client waiting(daemon.socket_path());
  waiting.send("GET /v1/messages/" + message + "/wait?timeout=60 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(daemon.call("GET", "/healthz").status == 200);
  daemon.hold_engine(true);
  Client unanswered(daemon.socket_path());
  unanswered.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
  daemon.stop_server();
  CHECK(half.is_closed_by_peer());
  CHECK(waiting.is_closed_by_peer());
  CHECK(unanswered.is_closed_by_peer());
  daemon.hold_engine(false);
}

// ---- the socket and who may use it ----------------------------------------------------------------------------

TEST_CASE("the socket is open to everybody, because roles decide, and goes with the server") {
  Daemon daemon;
  struct stat status {};
  REQUIRE(::stat(daemon.socket_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0666);
  daemon.stop_server();
  CHECK(::stat(daemon.socket_path().c_str(), &status) != 0);
}

TEST_CASE("a stale socket is replaced, a live one and any other file are left alone") {
  const Daemon directory;  // for its directory alone
  const std::string path = directory.socket_path() + "2";
  const int dead = bound_socket(path, true);
  CHECK(server::listen_on(path).error().detail.find("another process listens") != std::string::npos);
  ::close(dead);
  const auto replaced = server::listen_on(path);
  REQUIRE(replaced.has_value());
  server::remove_socket(path, *replaced);
  ::close(replaced->descriptor);
  std::ofstream(path) << "precious";
  CHECK(server::listen_on(path).error().detail.find("no socket") != std::string::npos);
  CHECK(server::listen_on(std::string(108, 'a')).error().detail.find("1 to 107 bytes") != std::string::npos);
  CHECK(server::listen_on(directory.socket_path() + "/none/s").has_error());
  ::unlink(path.c_str());
}

TEST_CASE("roles follow users and groups, root and the daemon's own user are admin") {
  const auto access = server::Access::resolve({{"4001", "@4100"}, {"4002"}, {"4003"}, {"4004"}});
  REQUIRE(access.has_value());
  using protocol::Role;
  CHECK(access->role_of({0, 0}) == Role::admin);
  CHECK(access->role_of({::geteuid(), 0}) == Role::admin);
  CHECK(access->role_of({4001, 1}) == Role::read);
  CHECK(access->role_of({4002, 1}) == Role::emit);
  CHECK(access->role_of({4003, 1}) == Role::operate);
  CHECK(access->role_of({4004, 1}) == Role::admin);
  CHECK(access->role_of({4005, 4100}) == Role::read);
  CHECK(access->role_of({4002, 4100}) == Role::emit);
  CHECK(access->role_of({4005, 1}) == Role::none);
}

TEST_CASE("an unknown user or group in the access lists is named") {
  const auto user = server::Access::resolve({{}, {}, {"no-such-user-here"}, {}});
  REQUIRE(user.has_error());
  CHECK(user.error().fields[0].pointer == "/access/operate");
  CHECK(user.error().detail.find("no-such-user-here") != std::string::npos);
  CHECK(server::Access::resolve({{"@no-such-group-here"}, {}, {}, {}}).has_error());
}
