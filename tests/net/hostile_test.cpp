// Receivers that break every rule. Each gets one recorded outcome of the right class, within its deadline.
#include <doctest/doctest.h>

#include <array>

#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::once;
using test::ReceiverSide;
using test::ScriptedReceiver;
using Script = ScriptedReceiver::Script;

// Answers and ends the connection.
Script answer_and_close(std::string bytes) {
  return [bytes = std::move(bytes)](ReceiverSide& side) {
    side.read_request();
    side.send(bytes);
  };
}

Script repeated(std::string start, std::string part, int count, std::string end) {
  return [=](ReceiverSide& side) {
    side.read_request();
    side.send(start);
    side.send_repeatedly(part, count);
    side.send(end);
    side.hold();
  };
}

Script with_head(const std::string& fields) { return once("HTTP/1.1 200 OK\r\n" + fields + "\r\n"); }

struct Hostile {
  const char* name;
  Script script;
  OutcomeKind kind;
  std::uint16_t code = 0;
  const char* words = "";  // part of the error
};

const std::string bytes_nul("X: a\0b\r\n", 8);
const std::string bytes_escape = "X: a\x1b[31m\r\n";
const std::string bytes_c1 = "X: a\x9b\r\nContent-Length: 0\r\n";
const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";

using K = OutcomeKind;
const std::vector<Hostile> hostile_receivers = {
    {"accepts and says nothing", [](ReceiverSide& s) { s.hold(); }, K::timeout, 0, "waiting for the response head"},
    {"closes without reading", [](ReceiverSide& s) { s.close(); }, K::reset},
    {"resets after the request", [](ReceiverSide& s) { s.read_request(), s.reset(); }, K::reset, 0, "reset"},
    {"resets in the head", [](ReceiverSide& s) { s.read_request(), s.send("HTTP/1.1 200 OK\r\nA: b"), s.reset(); },
     K::reset},
    {"closes in the head", answer_and_close("HTTP/1.1 200 OK\r\nA: b"), K::reset, 0, "in the middle"},
    {"drips its head", [](ReceiverSide& s) { s.read_request(), s.drip("HTTP/1.1 200 OK\r\n" + std::string(500, 'a')); },
     K::timeout},
    {"drips its body",
     [](ReceiverSide& s) {
       s.read_request(), s.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), s.drip(std::string(500, 'a'));
     },
     K::success, 200},
    {"never ends its head", repeated("HTTP/1.1 200 OK\r\n", "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 100'000, ""),
     K::protocol, 0, "over 16 KiB"},
    {"sends one endless line", repeated("HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'a'), 100'000, ""), K::protocol, 0,
     "over 16 KiB"},
    {"never ends its body", repeated("HTTP/1.1 200 OK\r\n\r\n", std::string(1000, 'a'), 1'000'000, ""), K::success,
     200},
    {"sends endless chunks",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\naaaa\r\n", 1'000'000, ""), K::success,
     200},
    {"sends endless empty lines as a body", repeated("HTTP/1.1 500 No\r\n\r\n", "\r\n", 1'000'000, ""), K::status, 500},
    {"sends nine informational heads", repeated("", interim, 9, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
     K::protocol, 0, "informational"},
    {"sends eight informational heads", repeated("", interim, 8, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
     K::success, 200},
    {"floods with informational heads", repeated("", interim, 1'000'000, ""), K::protocol, 0, "informational"},
    {"switches protocols and waits", once("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), K::timeout},
    {"redirects to loopback", once("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"),
     K::status, 302},
    {"ends before its length", answer_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), K::success,
     200},
    {"resets in the body",
     [](ReceiverSide& s) {
       s.read_request(), s.send("HTTP/1.1 204 OK\r\nContent-Length: 100\r\n\r\nshort"), s.reset();
     },
     K::success, 204},
    {"says two lengths", with_head("Content-Length: 1\r\nContent-Length: 2\r\n"), K::protocol, 0, "malformed"},
    {"says a negative length", with_head("Content-Length: -1\r\n"), K::protocol},
    {"says a length past 64 bits", with_head("Content-Length: 99999999999999999999999\r\n"), K::protocol},
    {"says a huge length", with_head("Content-Length: 9999999999999999\r\n"), K::success, 200},
    {"says a length and chunks", with_head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), K::protocol},
    {"says chunks and a length", with_head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), K::protocol},
    {"breaks its chunks", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), K::success, 200},
    {"sends a chunk of 2^64 bytes",
     once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"), K::success, 200},
    {"sends a giant trailer",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", std::string(1000, 'a'), 100, "\r\n\r\n"),
     K::success, 200},
    {"sends a giant chunk extension",
     repeated("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=", std::string(1000, 'a'), 100,
              "\r\nhello\r\n"),
     K::success, 200},
    {"sends ten thousand fields", repeated("HTTP/1.1 200 OK\r\n", "a:b\r\n", 10'000, "\r\n"), K::protocol, 0, "16 KiB"},
    {"sends NUL in a field", with_head(bytes_nul), K::protocol},
    {"sends ESC in a field", with_head(bytes_escape), K::protocol},
    {"sends C1 bytes in a field", with_head(bytes_c1), K::success, 200},
    {"sends a field without a name", with_head(": x\r\n"), K::protocol},
    {"sends a space before the colon", with_head("Content-Length : 0\r\n"), K::protocol},
    {"sends a gzip bomb",
     once("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01"), K::success, 200},
    {"leaves out reason and space", once("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), K::success, 200},
    {"answers in HTTP/1.0 until it closes", answer_and_close("HTTP/1.0 200 OK\r\n\r\nbody"), K::success, 200},
    {"answers in HTTP/2", once("HTTP/2 200 OK\r\n\r\n"), K::protocol, 0, "not HTTP/1"},
    {"answers with bare line feeds", once("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), K::protocol, 0, "CR LF"},
    {"answers in TLS", once(std::string("\x15\x03\x01\x00\x02\x02\x46", 7)), K::protocol, 0, "not HTTP/1"},
    {"answers as SSH", once("SSH-2.0-OpenSSH_9.2\r\n"), K::protocol, 0, "not HTTP/1"},
    {"answers with blank lines", once("\r\n\r\n"), K::protocol},
    {"answers with a status of four digits", once("HTTP/1.1 2000 OK\r\n\r\n"), K::protocol},
    {"answers with status 099", once("HTTP/1.1 099 Odd\r\n\r\n"), K::protocol},
    {"answers with status 999", once("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), K::status, 999},
    {"answers twice", once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\n\r\n"), K::success, 200},
    {"says gone", once("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"), K::status, 410},
};

}  // namespace

TEST_CASE("every hostile receiver gets one outcome of the right class in time") {
  Harness harness;
  for (const Hostile& row : hostile_receivers) {
    CAPTURE(row.name);
    ScriptedReceiver receiver({row.script});
    const auto outcome = harness.deliver(webhook_to(receiver.url(), base::Duration(400)));
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
  std::vector<std::pair<engine::AttemptKey, const Hostile*>> started;
  for (int round = 0; round < 5; ++round) {
    for (const Hostile& row : hostile_receivers) {
      receivers.push_back(std::make_unique<ScriptedReceiver>(std::vector{row.script}));
      started.emplace_back(harness.start(webhook_to(receivers.back()->url(), base::Duration(1500))), &row);
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
