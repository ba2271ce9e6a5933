#include "net/request.hpp"

#include <doctest/doctest.h>

namespace webhookd::net {

namespace {

engine::AttemptRequest attempt_with(const domain::Webhook& webhook) {
  domain::Event event;
  event.id.value = 7;
  event.type = "user.lock";
  event.timestamp = base::time_from_ms(1'700'000'000'123);
  event.data = R"({ "b" : 1.0 })";
  engine::AttemptRequest attempt;
  attempt.message.value = 0x1234567;
  attempt.event = std::make_shared<const domain::Event>(event);
  attempt.webhook = std::make_shared<const domain::Webhook>(webhook);
  attempt.at = base::time_from_ms(1'700'000'001'999);
  return attempt;
}

domain::Webhook webhook() {
  domain::Webhook made;
  made.url = *domain::Url::parse("https://example.com/a?b=c");
  made.secrets = {{domain::SecretKind::hmac_sha256, std::string(32, 'k'), std::nullopt}};
  return made;
}

std::string head_of(const WireRequest& request) { return std::string(request.head()); }

std::string body_of(const WireRequest& request) {
  std::string body;
  for (const auto piece : request.body()) {
    body += piece;
  }
  return body;
}

WireRequest build(const domain::Webhook& definition) {
  static std::vector<engine::AttemptRequest> kept;  // requests view into their events
  crypto::Signer signer;
  kept.push_back(attempt_with(definition));
  return *WireRequest::build(kept.back(), signer);
}

std::string header_of(const WireRequest& request, const std::string& name) {
  const std::string head = head_of(request);
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) {
    return "(none)";
  }
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("a standard request signs the envelope that is sent") {
  const WireRequest request = build(webhook());
  CHECK(body_of(request) == R"({"type":"user.lock","data":{ "b" : 1.0 },"timestamp":"2023-11-14T22:13:20.123Z"})");
  CHECK(request.body_size() == body_of(request).size());
  const std::string signature = header_of(request, "webhook-signature");
  CHECK(crypto::verify_standard(webhook().secrets, "msg_00000000j6hb7", 1'700'000'001, body_of(request), signature));
  CHECK(head_of(request) ==
        "POST /a?b=c HTTP/1.1\r\nHost: example.com\r\nUser-Agent: webhookd/" WEBHOOKD_VERSION
        "\r\nContent-Type: application/json\r\nContent-Length: 80\r\nwebhook-id: msg_00000000j6hb7\r\n"
        "webhook-timestamp: 1700000001\r\nwebhook-signature: " +
            signature + "\r\n\r\n");
}

TEST_CASE("the raw format sends the data alone") {
  domain::Webhook definition = webhook();
  definition.format = domain::PayloadFormat::raw;
  definition.signature = domain::SignatureScheme::none;
  const WireRequest request = build(definition);
  CHECK(body_of(request) == R"({ "b" : 1.0 })");
  CHECK(header_of(request, "Content-Length") == "13");
  CHECK(header_of(request, "webhook-signature") == "(none)");
}

TEST_CASE("the cloudevents format is one structured JSON event") {
  domain::Webhook definition = webhook();
  definition.format = domain::PayloadFormat::cloudevents;
  const WireRequest request = build(definition);
  CHECK(body_of(request) ==
        R"({"specversion":"1.0","id":"evt_0000000000007","source":"webhookd","type":"user.lock",)"
        R"("time":"2023-11-14T22:13:20.123Z","datacontenttype":"application/json","data":{ "b" : 1.0 }})");
  CHECK(header_of(request, "Content-Type") == "application/cloudevents+json");
  CHECK(header_of(request, "Content-Length") == std::to_string(body_of(request).size()));
}

TEST_CASE("the binary cloudevents format carries the attributes in headers") {
  domain::Webhook definition = webhook();
  definition.format = domain::PayloadFormat::cloudevents_binary;
  const WireRequest request = build(definition);
  CHECK(body_of(request) == R"({ "b" : 1.0 })");
  CHECK(header_of(request, "Content-Type") == "application/json");
  CHECK(header_of(request, "ce-specversion") == "1.0");
  CHECK(header_of(request, "ce-id") == "evt_0000000000007");
  CHECK(header_of(request, "ce-source") == "webhookd");
  CHECK(header_of(request, "ce-type") == "user.lock");
  CHECK(header_of(request, "ce-time") == "2023-11-14T22:13:20.123Z");
}

TEST_CASE("the presets sign in their own header with the newest HMAC secret") {
  domain::Webhook definition = webhook();
  domain::Secret old = definition.secrets[0];
  old.key = std::string(32, 'o');
  old.expires_at = base::time_from_ms(1'900'000'000'000);
  const domain::Secret ed25519{domain::SecretKind::ed25519, std::string(32, 'e'), std::nullopt};
  definition.secrets = {old, ed25519, webhook().secrets[0]};
  crypto::Signer signer;
  definition.signature = domain::SignatureScheme::github;
  const WireRequest github = build(definition);
  const auto pieces = github.body();
  CHECK(header_of(github, "X-Hub-Signature-256") == signer.github_signature(webhook().secrets[0], pieces));
  CHECK(header_of(github, "webhook-signature") == "(none)");

  definition.signature = domain::SignatureScheme::stripe;
  const std::string stripe = header_of(build(definition), "Stripe-Signature");
  CHECK(stripe == signer.stripe_signature({old, webhook().secrets[0]}, 1'700'000'001, pieces,
                                          base::time_from_ms(1'700'000'001'999)));
}

TEST_CASE("a request without a valid secret is not signed with an expired one") {
  domain::Webhook definition = webhook();
  definition.secrets[0].expires_at = base::time_from_ms(1'700'000'001'999);
  for (const auto scheme :
       {domain::SignatureScheme::standard, domain::SignatureScheme::github, domain::SignatureScheme::stripe}) {
    definition.signature = scheme;
    CHECK(head_of(build(definition)).find("ignature") == std::string::npos);
  }
}

TEST_CASE("the webhook's own headers come last, and a bad one stops the request") {
  domain::Webhook definition = webhook();
  definition.headers = {{"X-A", "1"}, {"Authorization", "Bearer t"}};
  CHECK(head_of(build(definition)).ends_with("\r\nX-A: 1\r\nAuthorization: Bearer t\r\n\r\n"));
  definition.headers = {{"X-A", "1\r\nX-B: 2"}};
  crypto::Signer signer;
  CHECK_FALSE(WireRequest::build(attempt_with(definition), signer).has_value());
}

}  // namespace webhookd::net
