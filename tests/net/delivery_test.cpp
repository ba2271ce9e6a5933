#include "net/delivery.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <array>
#include <thread>

#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::always;
using test::once;
using test::ReceiverSide;
using test::ScriptedReceiver;

std::string http_url(std::uint16_t port, const std::string& host = "127.0.0.1") {
  return "http://" + host + ":" + std::to_string(port) + "/hook";
}

}  // namespace

TEST_CASE("the request on the wire is the one of behaviour.md section 5") {
  std::string received;
  std::mutex mutex;
  ScriptedReceiver receiver({[&](ReceiverSide& side) {
    const std::string request = side.read_request();
    {
      const std::lock_guard lock(mutex);
      received = request;
    }
    side.send(test::ok_answer);
    side.hold();
  }});
  Harness harness;
  domain::Webhook webhook = webhook_to(receiver.url());
  webhook.secrets.clear();
  webhook.headers = {{"X-Own", "yes"}};
  CHECK(harness.deliver(webhook, R"({ "b" : 1.0 })").kind == OutcomeKind::success);
  const std::lock_guard lock(mutex);
  CHECK(received ==
        "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(receiver.port()) +
            "\r\nUser-Agent: webhookd/" WEBHOOKD_VERSION
            "\r\nContent-Type: application/json\r\nContent-Length: 90\r\nwebhook-id: msg_00000000j6hb7"
            "\r\nwebhook-timestamp: 1700000001\r\nX-Own: yes\r\n\r\n"
            R"({"type":"subscription.create","data":{ "b" : 1.0 },"timestamp":"2023-11-14T22:13:20.123Z"})");
}

TEST_CASE("a 2xx answer is a success and is kept as it was received") {
  ScriptedReceiver receiver({once("HTTP/1.1 201 Made\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody")});
  Harness harness;
  const auto outcome = harness.deliver(webhook_to(receiver.url()));
  CHECK(outcome.kind == OutcomeKind::success);
  CHECK(outcome.code == 201);
  CHECK(outcome.error.empty());
  CHECK(outcome.response_headers == "HTTP/1.1 201 Made\r\nX-A: b\r\nContent-Length: 4");
  CHECK(outcome.response_body == "body");
  CHECK_FALSE(outcome.response_truncated);
}

TEST_CASE("connections are kept alive and used again") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness;
  for (int i = 0; i < 5; ++i) {
    CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
  }
  CHECK(receiver.connections() == 1);
}

TEST_CASE("a connection that the answer closes, overfills or leaves unread is not used again") {
  const std::string bounds_passed = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + std::string(70'000, 'x');
  for (const std::string& answer :
       {std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        std::string(test::ok_answer) + "HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n", bounds_passed}) {
    ScriptedReceiver receiver({always(answer)});
    Harness harness;
    for (int i = 0; i < 2; ++i) {
      CAPTURE(answer.substr(0, 80));
      CHECK(harness.deliver(webhook_to(receiver.url())).code == 200);
    }
    CHECK(receiver.connections() == 2);
  }
}

TEST_CASE("a reused connection that dies before the first byte is replaced once, inside the same attempt") {
  for (const bool by_reset : {false, true}) {
    const auto answer_then_die = [by_reset](ReceiverSide& side) {
      side.read_request();
      side.send(test::ok_answer);
      side.read_request();
      if (by_reset) {
        side.reset();
      }
    };
    ScriptedReceiver receiver({answer_then_die, always(std::string(test::ok_answer))});
    Harness harness;
    CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
    CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
    CHECK(receiver.connections() == 2);
  }
}

TEST_CASE("a reused connection that dies in the middle of an answer is a failed attempt") {
  ScriptedReceiver receiver({[](ReceiverSide& side) {
    side.read_request();
    side.send(test::ok_answer);
    side.read_request();
    side.send("HTTP/1.1 2");
  }});
  Harness harness;
  CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
  CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::reset);
  CHECK(receiver.connections() == 1);
}

TEST_CASE("a fresh connection that dies is not replaced") {
  ScriptedReceiver receiver({[](ReceiverSide& side) { side.read_request(); }});
  Harness harness;
  const auto outcome = harness.deliver(webhook_to(receiver.url()));
  CHECK(outcome.kind == OutcomeKind::reset);
  CHECK(outcome.error == "127.0.0.1:" + std::to_string(receiver.port()) + " closed the connection before it answered");
  CHECK(receiver.connections() == 1);
}

TEST_CASE("bytes that nobody asked for make an idle connection unusable") {
  ScriptedReceiver receiver({[](ReceiverSide& side) {
                               side.read_request();
                               side.send(test::ok_answer);
                               std::this_thread::sleep_for(std::chrono::milliseconds(30));  // after the answer is taken
                               side.send("HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n");
                               side.hold();
                             },
                             always(std::string(test::ok_answer))});
  Harness harness;
  CHECK(harness.deliver(webhook_to(receiver.url())).code == 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(harness.deliver(webhook_to(receiver.url())).code == 200);
  CHECK(receiver.connections() == 2);
}

TEST_CASE("idle connections are closed after their time") {
  std::atomic<bool> closed = false;
  ScriptedReceiver receiver({[&](ReceiverSide& side) {
    side.read_request();
    side.send(test::ok_answer);
    side.hold();
    closed = true;
  }});
  DeliveryOptions options = loopback_options();
  options.connection_idle_max = base::Duration(50);
  Harness harness(options);
  CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
  for (int i = 0; i < 500 && !closed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(closed);
}

TEST_CASE("a refused connection says who refused it") {
  Harness harness;
  const auto port = test::closed_port();
  const auto outcome = harness.deliver(webhook_to(http_url(port)));
  CHECK(outcome.kind == OutcomeKind::connect);
  CHECK(outcome.error == "connection refused by 127.0.0.1:" + std::to_string(port));
}

TEST_CASE("the timeout covers the whole exchange and says what it was waiting for") {
  ScriptedReceiver receiver({[](ReceiverSide& side) { side.hold(); }});
  Harness harness;
  const auto outcome = harness.deliver(webhook_to(receiver.url(), base::Duration(200)));
  CHECK(outcome.kind == OutcomeKind::timeout);
  CHECK(outcome.error == "no answer within 200ms (while waiting for the response head)");
  CHECK(outcome.duration >= base::Duration(200));
  CHECK(outcome.duration < base::Duration(1500));
}

TEST_CASE("an abort ends an exchange in flight") {
  std::atomic<bool> asked = false;
  ScriptedReceiver receiver({[&](ReceiverSide& side) {
    side.read_request();
    asked = true;
    side.hold();
  }});
  Harness harness;
  const auto key = harness.start(webhook_to(receiver.url()));
  while (!asked) {
    std::this_thread::yield();
  }
  harness.delivery().abort(key);
  harness.delivery().abort(key + 1000);
  const auto report = harness.wait_for(key);
  CHECK(report.outcome.kind == OutcomeKind::aborted);
  CHECK(report.outcome.duration < base::Duration(4000));
  harness.delivery().abort(key);
  CHECK(harness.doubles() == 0);
}

TEST_CASE("an answer whose head is complete stays what it is when its body is aborted or late") {
  std::atomic<bool> answered = false;
  ScriptedReceiver receiver({[&](ReceiverSide& side) {
    side.read_request();
    side.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal");
    answered = true;
    side.hold();
  }});
  Harness harness;
  const auto late = harness.deliver(webhook_to(receiver.url(), base::Duration(200)));
  CHECK(late.kind == OutcomeKind::success);
  CHECK(late.response_body == "hal");
  answered = false;
  const auto key = harness.start(webhook_to(receiver.url()));
  while (!answered) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // let the head arrive
  harness.delivery().abort(key);
  CHECK(harness.wait_for(key).outcome.kind == OutcomeKind::success);
}

TEST_CASE("want of descriptors is a shortage, not an attempt, and heals") {
  ScriptedReceiver other({always(std::string(test::ok_answer))});
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness;
  // Once with descriptors: a sanitizer looks at each type that it sees for the first time through a pipe of its own.
  CHECK(harness.deliver(webhook_to(other.url())).kind == OutcomeKind::success);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto key = harness.start(webhook_to(receiver.url()));
  const auto report = harness.wait_for(key);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(report.shortage);
  CHECK(receiver.connections() == 0);
  const auto outcome = harness.deliver(webhook_to(receiver.url()));
  CAPTURE(outcome.error);
  CHECK(outcome.kind == OutcomeKind::success);
}

TEST_CASE("Retry-After is read in both forms from a failed answer") {
  struct Row {
    const char* value;
    std::optional<base::Duration> expected;
  };
  // The attempts are made at 2023-11-14T22:13:21.999Z.
  const std::array rows{Row{"120", base::Duration(120'000)},
                        Row{"0", base::Duration(0)},
                        Row{"007", base::Duration(7'000)},
                        Row{"1000000001", base::Duration(1'000'000'000'000)},
                        Row{"99999999999999999999", base::Duration(1'000'000'000'000)},
                        Row{"Tue, 14 Nov 2023 22:14:22 GMT", base::Duration(60'001)},
                        Row{"Tue, 14 Nov 2023 22:13:20 GMT", std::nullopt},
                        Row{"-5", std::nullopt},
                        Row{"soon", std::nullopt}};
  Harness harness;
  for (const Row& row : rows) {
    CAPTURE(row.value);
    ScriptedReceiver receiver(
        {once("HTTP/1.1 503 Busy\r\nRetry-After: " + std::string(row.value) + "\r\nContent-Length: 0\r\n\r\n")});
    const auto outcome = harness.deliver(webhook_to(receiver.url()));
    CHECK(outcome.kind == OutcomeKind::status);
    CHECK(outcome.code == 503);
    CHECK(outcome.retry_after == row.expected);
  }
}

TEST_CASE("a header that may not be sent stops the attempt before it connects") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness;
  domain::Webhook webhook = webhook_to(receiver.url());
  webhook.headers = {{"X-A", "b\r\nHost: evil"}};
  const auto outcome = harness.deliver(webhook);
  CHECK(outcome.kind == OutcomeKind::protocol);
  CHECK(outcome.error.starts_with("nothing was sent: "));
  CHECK(receiver.connections() == 0);
}

TEST_CASE("many attempts on several loops are each reported once") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  DeliveryOptions options = loopback_options();
  options.threads = 2;
  Harness harness(options);
  std::vector<engine::AttemptRequest> batch;
  for (std::uint64_t i = 0; i < 300; ++i) {
    domain::Webhook webhook = webhook_to(receiver.url());
    webhook.id.value = i;
    batch.push_back(harness.request(webhook, "{}"));
  }
  std::vector<engine::AttemptKey> keys;
  for (const auto& request : batch) {
    keys.push_back(request.key);
  }
  harness.delivery().start(std::move(batch));
  for (const auto key : keys) {
    CHECK(harness.wait_for(key).outcome.kind == OutcomeKind::success);
  }
  CHECK(harness.doubles() == 0);
}

TEST_CASE("attempts in flight are dropped without a report when deliveries end") {
  ScriptedReceiver receiver({[](ReceiverSide& side) { side.hold(); }});
  auto harness = std::make_unique<Harness>();
  for (int i = 0; i < 10; ++i) {
    harness->start(webhook_to(receiver.url()));
  }
  while (receiver.connections() == 0) {
    std::this_thread::yield();
  }
  harness.reset();
}

TEST_CASE("a name is refused when one of its addresses is denied, and nothing is connected to") {
  ScriptedReceiver canary({always(std::string(test::ok_answer))});
  DeliveryOptions options = loopback_options();
  options.lookup = [](const std::string&) {
    return Resolution{{*domain::parse_ipv4("127.0.0.1"), *domain::parse_ipv4("127.0.0.2")}, {}, false};
  };
  Harness harness(options);
  const auto outcome = harness.deliver(webhook_to(http_url(canary.port(), "mixed.example")));
  CHECK(outcome.kind == OutcomeKind::denied);
  CHECK(outcome.error ==
        "mixed.example: 127.0.0.2 is a loopback address (127.0.0.0/8); to allow it add egress.allow = "
        "[\"127.0.0.0/8\"]");
  CHECK(canary.connections() == 0);
}

TEST_CASE("an address literal that policy denies is refused at every attempt") {
  ScriptedReceiver canary({always(std::string(test::ok_answer))});
  Harness harness{DeliveryOptions{}};
  const auto outcome = harness.deliver(webhook_to(canary.url()));
  CHECK(outcome.kind == OutcomeKind::denied);
  CHECK(outcome.error ==
        "127.0.0.1 is a loopback address (127.0.0.0/8); to allow it add egress.allow = [\"127.0.0.0/8\"]");
  CHECK(canary.connections() == 0);
}

TEST_CASE("a name that changes to a denied address is refused at its next connection") {
  ScriptedReceiver receiver({always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")});
  DeliveryOptions options = loopback_options();
  options.resolver_ttl = base::Duration(1);
  auto lookups = std::make_shared<std::atomic<int>>(0);
  options.lookup = [lookups](const std::string&) {
    return Resolution{{*domain::parse_ipv4((*lookups)++ == 0 ? "127.0.0.1" : "127.0.0.3")}, {}, false};
  };
  Harness harness(options);
  const auto webhook = webhook_to(http_url(receiver.port(), "changing.example"));
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // past the ttl
  CHECK(harness.deliver(webhook).kind == OutcomeKind::denied);
  CHECK(receiver.connections() == 1);
}

TEST_CASE("a new egress policy counts from the next attempt on, over idle connections too") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness;
  const auto webhook = webhook_to(http_url(receiver.port(), "127.0.0.1"));
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  harness.delivery().set_egress(EgressPolicy());
  CHECK(harness.deliver(webhook).kind == OutcomeKind::denied);
  harness.delivery().set_egress(loopback_options().egress);
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  CHECK(receiver.connections() == 2);
}

TEST_CASE("the next address is tried when one refuses") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  DeliveryOptions options = loopback_options();
  options.egress.allow = {range("127.0.0.0/8")};
  options.lookup = [](const std::string&) {
    return Resolution{{*domain::parse_ipv4("127.0.0.9"), *domain::parse_ipv4("127.0.0.1")}, {}, false};
  };
  Harness harness(options);
  CHECK(harness.deliver(webhook_to(http_url(receiver.port(), "two.example"))).kind == OutcomeKind::success);
  const auto port = test::closed_port();
  const auto outcome = harness.deliver(webhook_to(http_url(port, "two.example")));
  CHECK(outcome.kind == OutcomeKind::connect);
  CHECK(outcome.error == "connection refused by 127.0.0.9:" + std::to_string(port) +
                             "; connection refused by 127.0.0.1:" + std::to_string(port));
}

TEST_CASE("a name that cannot be resolved is a dns failure, and a slow resolver a timeout") {
  DeliveryOptions options = loopback_options();
  std::atomic<bool> release = false;
  options.lookup = [&](const std::string& host) {
    while (host == "slow.example" && !release) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return Resolution{{}, "the name " + host + " does not exist", false};
  };
  {
    Harness harness(options);
    const auto missing = harness.deliver(webhook_to("http://missing.example/"));
    CHECK(missing.kind == OutcomeKind::dns);
    CHECK(missing.error == "the name missing.example does not exist");
    const auto slow = harness.deliver(webhook_to("http://slow.example/", base::Duration(150)));
    CHECK(slow.kind == OutcomeKind::timeout);
    CHECK(slow.error == "no answer within 150ms (while resolving the name)");
    release = true;
    CHECK(harness.deliver(webhook_to("http://slow.example/")).kind == OutcomeKind::dns);
  }
}

TEST_CASE("localhost is this host, without a lookup") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  DeliveryOptions options = loopback_options();
  options.lookup = [](const std::string&) { return Resolution{{}, "asked", false}; };
  Harness harness(options);
  CHECK(harness.deliver(webhook_to(http_url(receiver.port(), "localhost"))).kind == OutcomeKind::success);
}

}  // namespace webhookd::net
