// The main job from end to end, with the real binaries, sockets and store.
#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

json told(const Daemon& daemon, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  return json::parse(daemon.tell(std::move(arguments)));
}

std::string first_message(const Daemon& daemon, const std::string& event) {
  return told(daemon, {"show", event})["messages"][0]["id"];
}

}  // namespace

TEST_CASE("an event reaches its webhook as a Standard Webhooks request with the data verbatim") {
  Daemon daemon;
  CountingReceiver receiver;
  daemon.tell(
      {"create", "orders", "--url", receiver.url("/in?x=1"), "-e", "subscription.create", "--header", "X-Team: a b"});
  const std::string data = "{\"z\":1.50, \"a\" : [1e3,\"\\u00e9\"]}";
  const std::string event = daemon.tell({"emit", "subscription.create", "-d", data, "--at", "2026-01-02T03:04:05Z"});
  CHECK(event.starts_with("evt_"));
  REQUIRE(eventually([&] { return receiver.requests() == 1; }));
  const ReceivedRequest request = receiver.received()[0];
  CHECK(request.head.starts_with("POST /in?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
  CHECK(request.body ==
        "{\"type\":\"subscription.create\",\"data\":" + data + ",\"timestamp\":\"2026-01-02T03:04:05.000Z\"}");
  CHECK(request.header("user-agent") == "webhookd/0.1.0");
  CHECK(request.header("content-type") == "application/json");
  CHECK(request.header("x-team") == "a b");
  CHECK(request.header("webhook-id") == first_message(daemon, event));
  CHECK(request.header("webhook-signature").starts_with("v1,"));
  CHECK(daemon.whctl({"wait", event, "--timeout", "10s"}).exit_code == 0);
  CHECK(told(daemon, {"show", request.header("webhook-id")})["status"] == "success");
}

TEST_CASE("a failing receiver makes the message Retrying; an edited URL and a retry bring Success") {
  Daemon daemon;
  CountingReceiver bad([](const auto&) { return 500; });
  CountingReceiver good;
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "subscription.*"});
  const std::string event = daemon.tell({"emit", "subscription.create", "-d", "{}"});
  const std::string message = first_message(daemon, event);
  REQUIRE(eventually([&] { return told(daemon, {"show", message})["status"] == "retrying"; }));
  CHECK(told(daemon, {"show", message})["failure"] == "HTTP 500");
  CHECK(told(daemon, {"show", message})["last_code"] == 500);
  CHECK(told(daemon, {"show", message})["next_attempt_at"].is_string());
  daemon.tell({"edit", "orders", "--url", good.url()});
  daemon.tell({"retry", message, "--reason", "repaired"});
  CHECK(daemon.whctl({"wait", message, "--timeout", "10s"}).exit_code == 0);
  CHECK(good.successes().at(message) == 1);
  const json detail = told(daemon, {"show", message});
  CHECK(detail["attempt_log"].size() == detail["attempts"]);
  CHECK(detail["attempt_log"].back()["trigger"] == "manual");
}

TEST_CASE("a cancelled message is tried no more, waits end with 9, and a second cancel is a conflict") {
  Daemon daemon;
  CountingReceiver bad([](const auto&) { return 503; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*", "--retry-initial", "1s"});
  const std::string message = first_message(daemon, daemon.tell({"emit", "subscription.create", "-d", "{}"}));
  daemon.tell({"cancel", message, "--reason", "not wanted"});
  CHECK(daemon.whctl({"wait", message}).exit_code == 9);
  CHECK(daemon.whctl({"cancel", message}).exit_code == 5);
  CHECK(told(daemon, {"show", message})["cancelled_by"]["reason"] == "not wanted");
}

TEST_CASE("an inactive webhook gets nothing, and a deleted one is gone") {
  Daemon daemon;
  CountingReceiver receiver;
  const std::string id = daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*"});
  daemon.tell({"deactivate", "orders"});
  CHECK(told(daemon, {"show", "orders"})["status_reason"] == "manual");
  const json event = told(daemon, {"show", daemon.tell({"emit", "subscription.create", "-d", "{}"})});
  CHECK(event["messages"].empty());
  daemon.tell({"activate", "orders"});
  CHECK(daemon.whctl({"delete", "orders"}).exit_code == 2);  // no terminal, no --yes
  CHECK(daemon.whctl({"delete", "orders", "--yes"}).exit_code == 0);
  CHECK(daemon.whctl({"show", id}).exit_code == 3);
  CHECK(receiver.requests() == 0);
}

TEST_CASE("SIGTERM ends cleanly, and a restart knows everything") {
  Daemon daemon;
  CountingReceiver bad([](const auto&) { return 500; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*"});
  const std::string message = first_message(daemon, daemon.tell({"emit", "subscription.create", "-d", "{}"}));
  REQUIRE(eventually([&] { return told(daemon, {"show", message})["status"] == "retrying"; }));
  CHECK(daemon.stop() == 0);
  CHECK(daemon.whctl({"status"}).exit_code == 6);
  daemon.start();
  CHECK(told(daemon, {"show", message})["status"] == "retrying");
  CHECK(told(daemon, {"list"})["items"].size() == 1);
}

TEST_CASE("an idempotency key is remembered: the same event is a duplicate, another a conflict") {
  Daemon daemon;
  const json first = told(daemon, {"emit", "subscription.create", "-d", "{}", "--key", "k1"});
  const json again = told(daemon, {"emit", "subscription.create", "-d", "{}", "--key", "k1"});
  CHECK(again["id"] == first["id"]);
  CHECK(again["duplicate"] == true);
  CHECK(daemon.whctl({"emit", "subscription.create", "-d", "[]", "--key", "k1"}).exit_code == 5);
}
