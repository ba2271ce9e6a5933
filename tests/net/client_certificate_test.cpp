// Client certificates of webhooks, against receivers that want one.
#include <doctest/doctest.h>

#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"
#include "support/test_certificates.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::always;
using test::Authority;
using test::ClientFiles;
using test::ScriptedReceiver;
using test::ServerContext;
using test::TemporaryFile;

const Authority& authority() {
  static const Authority made("webhookd client test root");
  return made;
}

DeliveryOptions trusting() {
  DeliveryOptions options = loopback_options();
  options.ca_file = authority().file();
  return options;
}

domain::Webhook webhook_as(const ScriptedReceiver& receiver, const std::string& certificate, const std::string& key) {
  domain::Webhook webhook = webhook_to(receiver.url("https"));
  webhook.tls = {certificate, key};
  return webhook;
}

domain::Webhook webhook_as(const ScriptedReceiver& receiver, const ClientFiles& files) {
  return webhook_as(receiver, files.certificate.path(), files.key.path());
}

}  // namespace

TEST_CASE("a webhook's client certificate is shown to a receiver that wants one, in TLS 1.3 and 1.2") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    const ServerContext server = authority().server_for_clients();
    SSL_CTX_set_max_proto_version(server.get(), version);
    ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
    const auto files = authority().client("alice");
    Harness harness(trusting());
    for (int i = 0; i < 3; ++i) {
      CHECK(harness.deliver(webhook_as(receiver, *files)).kind == OutcomeKind::success);
    }
    CHECK(receiver.clients() == std::vector<std::string>{"alice"});
  }
}

TEST_CASE("without one the attempt fails as tls and says what the receiver wants") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    const ServerContext server = authority().server_for_clients();
    SSL_CTX_set_max_proto_version(server.get(), version);
    ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
    Harness harness(trusting());
    const auto outcome = harness.deliver(webhook_to(receiver.url("https")));
    CAPTURE(outcome.error);
    // In TLS 1.3 the refusal comes behind our half of the handshake, and its bytes may be lost to a reset.
    CHECK((outcome.kind == OutcomeKind::tls || (version == TLS1_3_VERSION && outcome.kind == OutcomeKind::reset)));
    if (outcome.kind == OutcomeKind::tls) {
      CHECK(outcome.error.find("a client certificate (tls.client_cert)") != std::string::npos);
    }
    CHECK(receiver.handshakes() == 0);
  }
}

TEST_CASE("connections and sessions made with one client certificate are never used with another") {
  const ServerContext server = authority().server_for_clients();
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  const auto alice = authority().client("alice");
  const auto bob = authority().client("bob");
  Harness harness(trusting());
  for (const auto* files : {alice.get(), bob.get(), alice.get(), bob.get()}) {
    CHECK(harness.deliver(webhook_as(receiver, *files)).kind == OutcomeKind::success);
  }
  CHECK(receiver.clients() == std::vector<std::string>{"alice", "bob"});
  CHECK(receiver.resumed_handshakes() == 0);
}

TEST_CASE("a renewed certificate is used from the next attempt on") {
  const ServerContext server = authority().server_for_clients();
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  const auto files = authority().client("before");
  Harness harness(trusting());
  CHECK(harness.deliver(webhook_as(receiver, *files)).kind == OutcomeKind::success);
  authority().write_client("after", *files);
  CHECK(harness.deliver(webhook_as(receiver, *files)).kind == OutcomeKind::success);
  CHECK(receiver.clients() == std::vector<std::string>{"before", "after"});
}

TEST_CASE("files that cannot be used fail the attempt as tls, name the field, and open no connection") {
  const ServerContext server = authority().server();
  ScriptedReceiver receiver({always(std::string(test::ok_answer))}, server.get());
  const auto good = authority().client("alice");
  const auto other = authority().client("bob");
  const TemporaryFile missing;
  missing.remove();
  const TemporaryFile garbage("-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n");
  const TemporaryFile huge(std::string(64 * 1024 + 1, 'x'));
  const TemporaryFile locked(Authority::locked_key());
  const std::string cert = good->certificate.path();
  const std::string key = good->key.path();
  struct Row {
    std::string certificate;
    std::string key;
    std::string words;
  };
  const std::vector<Row> rows = {
      {missing.path(), key, "tls.client_cert cannot be used (No such file or directory): " + missing.path()},
      {cert, missing.path(), "tls.client_key cannot be used (No such file or directory): " + missing.path()},
      {"/tmp", key, "tls.client_cert cannot be used (it is not a regular file): /tmp"},
      {garbage.path(), key, "tls.client_cert cannot be used (it is no PEM certificate): " + garbage.path()},
      {huge.path(), key, "tls.client_cert cannot be used (it is over 64 KiB): " + huge.path()},
      {cert, cert, "tls.client_key cannot be used (it is no PEM private key): " + cert},
      {cert, locked.path(), "tls.client_key cannot be used (its key wants a passphrase): " + locked.path()},
      {cert, other->key.path(),
       "tls.client_key cannot be used (it is not the key of the certificate in tls.client_cert): " +
           other->key.path()}};
  Harness harness(trusting());
  for (const Row& row : rows) {
    const auto outcome = harness.deliver(webhook_as(receiver, row.certificate, row.key));
    CHECK(outcome.kind == OutcomeKind::tls);
    CHECK(outcome.error == "nothing was sent: " + row.words);
  }
  CHECK(receiver.connections() == 0);
  CHECK(harness.deliver(webhook_as(receiver, *good)).kind == OutcomeKind::success);
  missing.write("");
  good->key.remove();
  CHECK(harness.deliver(webhook_as(receiver, *good)).error ==
        "nothing was sent: tls.client_key cannot be used (No such file or directory): " + key);
}

}  // namespace webhookd::net
