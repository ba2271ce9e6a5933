#include "net/tls.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"
#include "support/test_certificates.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::always;
using test::Authority;
using test::CertificateShape;
using test::ReceiverSide;
using test::ScriptedReceiver;
using test::ServerContext;

const Authority& trusted() {
  static const Authority authority("webhookd test root");
  return authority;
}

DeliveryOptions tls_options() {
  DeliveryOptions options = loopback_options();
  options.ca_file = trusted().file();
  options.lookup = [](const std::string&) { return Resolution{{*domain::parse_ipv4("127.0.0.1")}, {}, false}; };
  return options;
}

std::string close_answer() { return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"; }

struct Refused {
  const char* name;
  CertificateShape shape;
  const char* host;
  const char* words;
};

}  // namespace

TEST_CASE("a verified receiver is delivered to, by name and by address, and kept alive") {
  const ServerContext server = trusted().server({.names = "DNS:hooks.example,IP:127.0.0.1"});
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  Harness harness(tls_options());
  for (const char* host : {"hooks.example", "127.0.0.1"}) {
    for (int i = 0; i < 3; ++i) {
      const auto outcome = harness.deliver(webhook_to(receiver.url("https", host)));
      CAPTURE(outcome.error);
      CHECK(outcome.kind == OutcomeKind::success);
      CHECK(outcome.response_body == "ok");
    }
  }
  CHECK(receiver.connections() == 2);
}

TEST_CASE("every answer over TLS says when the receiver's certificate expires, a resumed session's too") {
  const ServerContext server = trusted().server({.valid_until = 7200});
  ScriptedReceiver receiver({always(close_answer())}, server.get());
  Harness harness(tls_options());
  const auto expected = std::chrono::floor<base::Duration>(std::chrono::system_clock::now()) + std::chrono::hours(2);
  for (int i = 0; i < 3; ++i) {
    const auto report = harness.wait_for(harness.start(webhook_to(receiver.url("https"))));
    REQUIRE(report.certificate_expires_at);
    CHECK(*report.certificate_expires_at > expected - std::chrono::minutes(2));
    CHECK(*report.certificate_expires_at < expected + std::chrono::minutes(2));
  }
  ScriptedReceiver plain({always(close_answer())});
  CHECK_FALSE(harness.wait_for(harness.start(webhook_to(plain.url()))).certificate_expires_at);
}

TEST_CASE("a certificate that does not verify fails the attempt with the exact reason, and nothing is sent") {
  const Refused rows[] = {
      {"expired", {.valid_from = -7200, .valid_until = -3600}, "127.0.0.1", "certificate has expired"},
      {"not yet valid", {.valid_from = 3600, .valid_until = 7200}, "127.0.0.1", "certificate is not yet valid"},
      {"another name", {.names = "DNS:other.example"}, "hooks.example", "hostname mismatch"},
      {"no name at all", {.names = ""}, "hooks.example", "hostname mismatch"},
      {"another address", {.names = "IP:127.0.0.2"}, "127.0.0.1", "IP address mismatch"},
      {"an address as a name", {.names = "DNS:127.0.0.1"}, "127.0.0.1", "IP address mismatch"},
      {"a wildcard over two labels", {.names = "DNS:*.example"}, "a.hooks.example", "hostname mismatch"},
      {"a wildcard inside a label", {.names = "DNS:h*s.example"}, "hooks.example", "hostname mismatch"},
      {"a weak key", {.rsa_bits = 1024}, "127.0.0.1", "EE certificate key too weak"},
      {"a weak digest", {.is_signed_with_sha1 = true}, "127.0.0.1", "CA signature digest algorithm too weak"},
      {"self-signed", {.is_self_signed = true}, "127.0.0.1", "self-signed certificate"},
      {"for clients only", {.usage = "clientAuth"}, "127.0.0.1", "unsuitable certificate purpose"},
  };
  Harness harness(tls_options());
  for (const Refused& row : rows) {
    CAPTURE(row.name);
    const ServerContext server = trusted().server(row.shape);
    std::atomic<bool> was_asked = false;
    ScriptedReceiver receiver({[&](ReceiverSide& side) { was_asked = !side.read_head().empty(); }}, server.get());
    const auto outcome = harness.deliver(webhook_to(receiver.url("https", row.host)));
    CHECK(outcome.kind == OutcomeKind::tls);
    CHECK(outcome.error == "certificate verify failed: " + std::string(row.words));
    CHECK_FALSE(was_asked);
  }
}

TEST_CASE("an authority that is not trusted is refused") {
  const Authority unknown("unknown root");
  const ServerContext server = unknown.server();
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  Harness harness(tls_options());
  const auto outcome = harness.deliver(webhook_to(receiver.url("https")));
  CHECK(outcome.kind == OutcomeKind::tls);
  CHECK(outcome.error == "certificate verify failed: unable to get local issuer certificate");
  const ServerContext with_root = unknown.server({.shows_its_root = true});
  ScriptedReceiver showing({always(std::string(test::ok_answer))}, with_root.get());
  CHECK(harness.deliver(webhook_to(showing.url("https"))).error ==
        "certificate verify failed: self-signed certificate in certificate chain");
  DeliveryOptions with_system_roots = tls_options();
  with_system_roots.ca_file.clear();
  Harness other(with_system_roots);
  CHECK(other.deliver(webhook_to(receiver.url("https"))).kind == OutcomeKind::tls);
}

TEST_CASE("protocols below TLS 1.2 are refused") {
  const ServerContext server = trusted().server();
  SSL_CTX_set_max_proto_version(server.get(), TLS1_1_VERSION);
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  Harness harness(tls_options());
  const auto outcome = harness.deliver(webhook_to(receiver.url("https")));
  CHECK(outcome.kind == OutcomeKind::tls);
  CHECK(outcome.error.starts_with("TLS handshake failed: the receiver speaks no TLS from version 1.2 on: "));
  CHECK(receiver.handshakes() == 0);
}

TEST_CASE("a receiver without a cipher that we accept is refused") {
  const ServerContext server = trusted().server();
  SSL_CTX_set_max_proto_version(server.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(server.get(), "ECDHE-ECDSA-NULL-SHA");
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  Harness harness(tls_options());
  const auto outcome = harness.deliver(webhook_to(receiver.url("https")));
  CHECK(outcome.kind == OutcomeKind::tls);
  CHECK(outcome.error.starts_with("TLS handshake failed: the receiver accepts none of our ciphers"));
  CHECK(receiver.handshakes() == 0);
}

TEST_CASE("sessions are resumed on new connections, in TLS 1.3 and 1.2") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    const ServerContext server = trusted().server();
    SSL_CTX_set_max_proto_version(server.get(), version);
    ScriptedReceiver receiver({always(close_answer())}, server.get());
    Harness harness(tls_options());
    for (int i = 0; i < 5; ++i) {
      CHECK(harness.deliver(webhook_to(receiver.url("https"))).kind == OutcomeKind::success);
    }
    CHECK(receiver.handshakes() == 5);
    CHECK(receiver.resumed_handshakes() == 4);
  }
}

TEST_CASE("at least 95 of 100 handshakes are resumed with receivers that keep no connection, also many at once") {
  struct Row {
    const char* name;
    int version;
    std::uint64_t options;
  };
  const Row rows[] = {
      {"TLS 1.3, tickets", TLS1_3_VERSION, 0},
      {"TLS 1.3, sessions kept by the receiver, each good for one connection", TLS1_3_VERSION, SSL_OP_NO_TICKET},
      {"TLS 1.2, tickets", TLS1_2_VERSION, 0},
      {"TLS 1.2, sessions kept by the receiver", TLS1_2_VERSION, SSL_OP_NO_TICKET}};
  constexpr int rounds = 50;
  constexpr int at_once = 4;
  for (const Row& row : rows) {
    const ServerContext server = trusted().server();
    SSL_CTX_set_max_proto_version(server.get(), row.version);
    SSL_CTX_set_options(server.get(), row.options);
    ScriptedReceiver receiver({always(close_answer())}, server.get());
    Harness harness(tls_options());
    const auto webhook = webhook_to(receiver.url("https"));
    CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
    for (int round = 0; round < rounds; ++round) {
      std::vector<engine::AttemptKey> keys;
      for (int i = 0; i < at_once; ++i) {
        keys.push_back(harness.start(webhook));
      }
      for (const auto key : keys) {
        CHECK(harness.wait_for(key).outcome.kind == OutcomeKind::success);
      }
    }
    CHECK(receiver.handshakes() == 1 + rounds * at_once);
    MESSAGE(std::string(row.name), ": ", receiver.resumed_handshakes(), " of ", receiver.handshakes(), " resumed");
    CHECK(receiver.resumed_handshakes() * 100 >= receiver.handshakes() * 95);
  }
}

TEST_CASE("sessions of one endpoint are not offered to another") {
  const ServerContext server = trusted().server({.names = "DNS:a.example,DNS:b.example"});
  ScriptedReceiver receiver({always(close_answer())}, server.get());
  Harness harness(tls_options());
  CHECK(harness.deliver(webhook_to(receiver.url("https", "a.example"))).kind == OutcomeKind::success);
  CHECK(harness.deliver(webhook_to(receiver.url("https", "b.example"))).kind == OutcomeKind::success);
  CHECK(receiver.resumed_handshakes() == 0);
}

TEST_CASE("a plain receiver behind https, a stalled handshake, and one cut short are told apart") {
  Harness harness(tls_options());
  ScriptedReceiver plain({[](ReceiverSide& side) { side.send("HTTP/1.1 400 Bad Request\r\n\r\n"); }});
  const auto wrong = harness.deliver(webhook_to(plain.url("https")));
  CHECK(wrong.kind == OutcomeKind::tls);
  CHECK(wrong.error.starts_with("TLS handshake failed: the receiver does not speak TLS on this port: "));
  ScriptedReceiver stalled({[](ReceiverSide& side) { side.hold(); }});
  const auto late = harness.deliver(webhook_to(stalled.url("https"), base::Duration(200)));
  CHECK(late.kind == OutcomeKind::timeout);
  CHECK(late.error == "no answer within 200ms (while in the TLS handshake)");
  ScriptedReceiver closing({[](ReceiverSide& side) { side.close(); }});
  const auto cut = harness.deliver(webhook_to(closing.url("https")));
  CHECK(cut.kind == OutcomeKind::tls);
  CHECK(cut.error == "127.0.0.1:" + std::to_string(closing.port()) + " closed the connection during the TLS handshake");
}

TEST_CASE("a stale TLS connection is replaced once, and an early refusal over TLS counts") {
  const ServerContext server = trusted().server();
  ScriptedReceiver receiver({[](ReceiverSide& side) {
                               side.read_request();
                               side.send(test::ok_answer);
                               side.read_request();
                             },
                             [](ReceiverSide& side) {
                               side.read_head();
                               side.send("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
                               side.hold();
                             }},
                            server.get());
  Harness harness(tls_options());
  CHECK(harness.deliver(webhook_to(receiver.url("https"))).kind == OutcomeKind::success);
  const auto outcome = harness.deliver(webhook_to(receiver.url("https")), "\"" + std::string(3'000'000, 'x') + "\"");
  CHECK(outcome.code == 413);
  CHECK(receiver.connections() == 2);
}

TEST_CASE("a ca_file that cannot be read is an error that names it") {
  DeliveryOptions options;
  options.ca_file = "/nonexistent/roots.pem";
  base::SilentLog log;
  std::vector<ReportSink> sinks;
  sinks.emplace_back([](std::vector<engine::AttemptReport>) {});
  const auto made = Delivery::create(options, std::move(sinks), log);
  REQUIRE(made.has_error());
  CHECK(made.error().detail.starts_with("egress.ca_file: cannot read certificates from /nonexistent/roots.pem"));
}

}  // namespace webhookd::net
