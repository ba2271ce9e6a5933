// Receivers that break every rule. Each gets one recorded outcome of the right class, within its deadline.
#include <doctest/doctest.h>

#include <array>

#include "delivery_harness.hpp"
#include "support/hostile_receivers.hpp"
#include "support/scripted_receiver.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::HostileReceiver;
using test::ReceiverSide;
using test::ScriptedReceiver;
using Script = ScriptedReceiver::Script;

}  // namespace

TEST_CASE("every hostile receiver gets one outcome of the right class in time") {
  Harness harness;
  for (const HostileReceiver& row : test::hostile_receivers()) {
    CAPTURE(row.name);
    ScriptedReceiver receiver({row.script});
    const auto outcome = harness.deliver(webhook_to(receiver.url(row.scheme), base::Duration(400)));
    CAPTURE(outcome.error);
    CHECK(outcome.kind == row.kind);
    CHECK(outcome.code == row.code);
    CHECK(outcome.error.find(row.words) != std::string::npos);
    CHECK(outcome.duration < base::Duration(1500));
    CHECK(outcome.response_body.size() <= domain::limits::response_body_kept_bytes);
    CHECK(outcome.response_headers.size() <= domain::limits::response_head_kept_bytes);
    CHECK(receiver.connections() == 1);
  }
  CHECK(harness.doubles() == 0);
}

TEST_CASE("hostile receivers do not disturb the attempts beside them") {
  Harness harness;
  std::vector<std::unique_ptr<ScriptedReceiver>> receivers;
  std::vector<std::pair<engine::AttemptKey, const HostileReceiver*>> started;
  for (int round = 0; round < 5; ++round) {
    for (const HostileReceiver& row : test::hostile_receivers()) {
      receivers.push_back(std::make_unique<ScriptedReceiver>(std::vector{row.script}));
      started.emplace_back(harness.start(webhook_to(receivers.back()->url(row.scheme), base::Duration(1500))), &row);
    }
  }
  for (const auto& [key, row] : started) {
    const std::string shown(row->name);  // clang 14 does not capture a structured binding
    CAPTURE(shown);
    CHECK(harness.wait_for(key).outcome.kind == row->kind);
  }
  CHECK(harness.doubles() == 0);
}

TEST_CASE("an early refusal of a large request counts, whether the receiver then resets or stops reading") {
  const std::string refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
  const std::string data = "\"" + std::string(4'000'000, 'x') + "\"";
  const std::array<Script, 3> scripts{
      [&](ReceiverSide& side) {
        side.read_head();
        side.send(refusal);
      },
      [&](ReceiverSide& side) {
        side.read_head();
        side.send(refusal);
        side.reset();
      },
      [&](ReceiverSide& side) {
        side.read_head();
        side.send(refusal);
        std::this_thread::sleep_for(std::chrono::milliseconds(300));  // without reading on
      }};
  for (const Script& script : scripts) {
    ScriptedReceiver receiver({script});
    Harness harness;
    const auto outcome = harness.deliver(webhook_to(receiver.url()), data);
    CAPTURE(outcome.error);
    CHECK(outcome.kind == OutcomeKind::status);
    CHECK(outcome.code == 413);
    CHECK(outcome.duration < base::Duration(3000));
  }
}

TEST_CASE("a large request reaches the receiver whole") {
  std::atomic<std::size_t> received = 0;
  ScriptedReceiver receiver({[&](ReceiverSide& side) {
    for (std::string request = side.read_request(); !request.empty(); request = side.read_request()) {
      received = request.size() - request.find("\r\n\r\n") - 4;
      side.send(test::ok_answer);
    }
  }});
  Harness harness;
  const std::string data = "\"" + std::string(3'000'000, 'x') + "\"";
  for (int i = 0; i < 2; ++i) {
    received = 0;
    CHECK(harness.deliver(webhook_to(receiver.url()), data).kind == OutcomeKind::success);
    CHECK(received == data.size() + std::string(R"({"type":"subscription.create","data":)").size() +
                          std::string(R"(,"timestamp":"2023-11-14T22:13:20.123Z"})").size());
  }
  CHECK(receiver.connections() == 1);
}

}  // namespace webhookd::net
