#include "domain/webhook.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

using namespace webhookd::domain;

namespace {

Webhook good_webhook() {
  Webhook webhook;
  webhook.display_name = "billing";
  webhook.url = *Url::parse("https://hooks.example.com/in");
  webhook.events = {"subscription.create"};
  webhook.secrets = {{SecretKind::hmac_sha256, std::string(32, 'k'), {}}};
  return webhook;
}

// The pointers of all faults after `spoil` was done to a good webhook.
std::vector<std::string> faults_after(const std::function<void(Webhook&)>& spoil) {
  Webhook webhook = good_webhook();
  spoil(webhook);
  const auto checked = check_webhook(webhook);
  std::vector<std::string> pointers;
  if (checked.has_error()) {
    CHECK(checked.error().code == webhookd::base::ErrorCode::invalid_field);
    CHECK_FALSE(checked.error().detail.empty());
    for (const auto& field : checked.error().fields) {
      pointers.push_back(field.pointer);
    }
  }
  return pointers;
}

using Pointers = std::vector<std::string>;

}  // namespace

TEST_CASE("the defaults are those of behaviour.md section 2") {
  const Webhook webhook = good_webhook();
  CHECK(webhook.is_active());
  CHECK(webhook.status_reason == InactiveReason::none);
  CHECK(webhook.signature == SignatureScheme::standard);
  CHECK(webhook.format == PayloadFormat::standard);
  CHECK(webhook.timeout == 15s);
  CHECK(webhook.max_in_flight == 16);
  CHECK_FALSE(webhook.rate);
  CHECK(webhook.retry.initial == 5s);
  CHECK(webhook.retry.factor == 2);
  CHECK(webhook.retry.max == 6h);
  CHECK(webhook.retry.jitter == 0.1);
  CHECK(webhook.retry.window == 240h);
  CHECK(check_webhook(webhook).has_value());
}

TEST_CASE("each broken rule names its field") {
  CHECK(faults_after([](Webhook& w) { w.display_name = ""; }) == Pointers{"/display_name"});
  CHECK(faults_after([](Webhook& w) { w.display_name = std::string(201, 'x'); }) == Pointers{"/display_name"});
  CHECK(faults_after([](Webhook& w) { w.display_name = "a\nb"; }) == Pointers{"/display_name"});
  CHECK(faults_after([](Webhook& w) { w.display_name = "\xff"; }) == Pointers{"/display_name"});
  CHECK(faults_after([](Webhook& w) { w.url = Url(); }) == Pointers{"/url"});
  CHECK(faults_after([](Webhook& w) { w.events.clear(); }) == Pointers{"/events"});
  CHECK(faults_after([](Webhook& w) {
          w.events = {"a.b", "nonsense", "c.*", "*."};
        }) == Pointers{"/events/1", "/events/3"});
  CHECK(faults_after([](Webhook& w) { w.description = std::string(1001, 'x'); }) == Pointers{"/description"});
  CHECK(faults_after([](Webhook& w) { w.description = "\xc0\x80"; }) == Pointers{"/description"});
  CHECK(faults_after([](Webhook& w) { w.headers = {{"Host", "x"}}; }) == Pointers{"/headers/Host"});
  CHECK(faults_after([](Webhook& w) { w.secrets.assign(9, w.secrets[0]); }) == Pointers{"/secrets"});
  CHECK(faults_after([](Webhook& w) { w.secrets[0].key = "short"; }) == Pointers{"/secrets"});
  CHECK(faults_after([](Webhook& w) { w.timeout = 999ms; }) == Pointers{"/timeout"});
  CHECK(faults_after([](Webhook& w) { w.timeout = 60001ms; }) == Pointers{"/timeout"});
  CHECK(faults_after([](Webhook& w) { w.max_in_flight = 0; }) == Pointers{"/max_in_flight"});
  CHECK(faults_after([](Webhook& w) { w.max_in_flight = 1025; }) == Pointers{"/max_in_flight"});
  CHECK(faults_after([](Webhook& w) { w.rate = 0; }) == Pointers{"/rate"});
  CHECK(faults_after([](Webhook& w) { w.rate = std::nan(""); }) == Pointers{"/rate"});
  CHECK(faults_after([](Webhook& w) { w.retry.initial = 999ms; }) == Pointers{"/retry/initial"});
  CHECK(faults_after([](Webhook& w) { w.retry.factor = 0.5; }) == Pointers{"/retry/factor"});
  CHECK(faults_after([](Webhook& w) { w.retry.factor = std::numeric_limits<double>::infinity(); }) ==
        Pointers{"/retry/factor"});
  CHECK(faults_after([](Webhook& w) { w.retry.max = 4s; }) == Pointers{"/retry/max"});
  CHECK(faults_after([](Webhook& w) { w.retry.jitter = 0.51; }) == Pointers{"/retry/jitter"});
  CHECK(faults_after([](Webhook& w) { w.retry.jitter = -0.1; }) == Pointers{"/retry/jitter"});
  CHECK(faults_after([](Webhook& w) { w.retry.window = 721h; }) == Pointers{"/retry/window"});
}

TEST_CASE("the bounds themselves are allowed") {
  CHECK(faults_after([](Webhook& w) { w.display_name = "x"; }).empty());
  CHECK(faults_after([](Webhook& w) {
          w.display_name.clear();
          for (int i = 0; i < 200; ++i) {
            w.display_name += "\xe2\x82\xac";  // counted in characters, not bytes
          }
        }).empty());
  CHECK(faults_after([](Webhook& w) { w.timeout = 60s; }).empty());
  CHECK(faults_after([](Webhook& w) { w.timeout = 1s; }).empty());
  CHECK(faults_after([](Webhook& w) { w.max_in_flight = 1024; }).empty());
  CHECK(faults_after([](Webhook& w) { w.retry.window = 720h; }).empty());
  CHECK(faults_after([](Webhook& w) { w.description = "two\nlines"; }).empty());
}

TEST_CASE("all faults are told at once") {
  const auto pointers = faults_after([](Webhook& w) {
    w.display_name = "";
    w.events.clear();
    w.timeout = 0s;
  });
  CHECK(pointers == Pointers{"/display_name", "/events", "/timeout"});
}

TEST_CASE("a preset owns its header and needs an HMAC secret") {
  CHECK(faults_after([](Webhook& w) { w.headers = {{"X-Hub-Signature-256", "x"}}; }).empty());
  CHECK(faults_after([](Webhook& w) {
          w.signature = SignatureScheme::github;
          w.headers = {{"X-Hub-Signature-256", "x"}};
        }) == Pointers{"/headers/X-Hub-Signature-256"});
  CHECK(faults_after([](Webhook& w) {
          w.format = PayloadFormat::cloudevents_binary;
          w.headers = {{"ce-id", "x"}};
        }) == Pointers{"/headers/ce-id"});
  CHECK(faults_after([](Webhook& w) {
          w.signature = SignatureScheme::stripe;
          w.secrets = {{SecretKind::ed25519, std::string(32, 's'), {}}};
        }) == Pointers{"/signature"});
}

TEST_CASE("a client certificate is two absolute paths, and only for https") {
  CHECK(faults_after([](Webhook& w) { w.tls = {"/etc/c.pem", "/etc/k.pem"}; }).empty());
  CHECK(faults_after([](Webhook& w) { w.tls.client_cert = "/etc/c.pem"; }) == Pointers{"/tls/client_key"});
  CHECK(faults_after([](Webhook& w) { w.tls.client_key = "/etc/k.pem"; }) == Pointers{"/tls/client_cert"});
  CHECK(faults_after([](Webhook& w) {
          w.tls = {"c.pem", "/" + std::string(1024, 'k')};
        }) == Pointers{"/tls/client_cert", "/tls/client_key"});
  CHECK(faults_after([](Webhook& w) { w.tls = {"/etc/c\n.pem", "/etc/k.pem"}; }) == Pointers{"/tls/client_cert"});
  CHECK(faults_after([](Webhook& w) {
          w.url = *Url::parse("http://hooks.example.com/");
          w.tls = {"/etc/c.pem", "/etc/k.pem"};
        }) == Pointers{"/tls"});
}

TEST_CASE("a header from a file is one that may be set, and set once") {
  const auto with = [](std::string header, std::string file = "/etc/key") {
    return [=](Webhook& w) { w.auth = HeaderFile{header, file}; };
  };
  CHECK(faults_after(with("Authorization")).empty());
  CHECK(faults_after(with("X-Api-Key")).empty());
  for (const char* header : {"", "Host", "webhook-id", "Content-Type", "a b", "X\r\nY"}) {
    CAPTURE(header);
    CHECK(faults_after(with(header)) == Pointers{"/auth/header"});
  }
  CHECK(faults_after(with("Authorization", "")) == Pointers{"/auth/file"});
  CHECK(faults_after(with("Authorization", "relative/key")) == Pointers{"/auth/file"});
  CHECK(faults_after([](Webhook& w) {
          w.auth = HeaderFile{"Authorization", "/etc/key"};
          w.headers = {{"authorization", "x"}};
        }) == Pointers{"/headers/authorization"});
  CHECK(faults_after([](Webhook& w) {
          w.auth = HeaderFile{"X-Hub-Signature-256", "/etc/key"};
          w.signature = SignatureScheme::github;
        }) == Pointers{"/auth/header"});
}

TEST_CASE("client credentials need a token URL, a client id, a secret's path and well-formed scopes") {
  const Oauth2 good{*Url::parse("https://login.example/token"), "client 1", "/etc/secret", {"read", "write:all"}};
  const auto after = [&](const std::function<void(Oauth2&)>& spoil) {
    Oauth2 oauth2 = good;
    spoil(oauth2);
    return faults_after([&](Webhook& w) { w.auth = oauth2; });
  };
  CHECK(after([](Oauth2&) {}).empty());
  CHECK(after([](Oauth2& o) { o = {}; }) == Pointers{"/auth/token_url", "/auth/client_id", "/auth/client_secret_file"});
  CHECK(after([](Oauth2& o) { o.client_id = std::string(256, 'x'); }) == Pointers{"/auth/client_id"});
  CHECK(after([](Oauth2& o) { o.client_id = "a\nb"; }) == Pointers{"/auth/client_id"});
  CHECK(after([](Oauth2& o) { o.scopes = {"two words"}; }) == Pointers{"/auth/scopes"});
  CHECK(after([](Oauth2& o) { o.scopes = {""}; }) == Pointers{"/auth/scopes"});
  CHECK(after([](Oauth2& o) { o.scopes.assign(33, "x"); }) == Pointers{"/auth/scopes"});
  CHECK(faults_after([&](Webhook& w) {
          w.auth = good;
          w.headers = {{"AUTHORIZATION", "x"}};
        }) == Pointers{"/headers/AUTHORIZATION"});
}

TEST_CASE("a webhook wants what one of its patterns names") {
  Webhook webhook = good_webhook();
  CHECK(webhook.wants("subscription.create"));
  CHECK_FALSE(webhook.wants("subscription.delete"));
  webhook.events = {"user.*", "api.create"};
  CHECK(webhook.wants("user.lock"));
  CHECK(webhook.wants("api.create"));
  CHECK_FALSE(webhook.wants("api.update"));
}

TEST_CASE("secrets are read and written in the Standard Webhooks spelling") {
  const auto hmac = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");  // the specification's example
  REQUIRE(hmac.has_value());
  CHECK(hmac->kind == SecretKind::hmac_sha256);
  CHECK(hmac->key.size() == 24);
  CHECK(format_secret(*hmac) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

  const std::string seed = "whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const auto ed = parse_secret(seed);
  REQUIRE(ed.has_value());
  CHECK(ed->kind == SecretKind::ed25519);
  CHECK(ed->key == std::string(32, '\0'));
  CHECK(format_secret(*ed) == seed);
  // Seed and public key together: the seed is what signs.
  const auto pair = parse_secret("whsk_" + std::string(86, 'A') + "==");
  REQUIRE(pair.has_value());
  CHECK(pair->key.size() == 32);
}

TEST_CASE("a malformed secret is refused without being repeated") {
  for (const char* text :
       {"", "secret", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_QUJD", "whpk_AAAA",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La LaSw", "whsk_QUJD", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    CAPTURE(text);
    const auto secret = parse_secret(text);
    REQUIRE(secret.has_error());
    CHECK(secret.error().fields[0].pointer == "/secrets");
    CHECK(secret.error().detail.find("MfKQ") == std::string::npos);
  }
  CHECK(parse_secret("whsec_" + std::string(88, 'A')).has_error());  // 66 bytes
}

TEST_CASE("the words of JSON and the command line read back") {
  for (const auto scheme :
       {SignatureScheme::standard, SignatureScheme::none, SignatureScheme::github, SignatureScheme::stripe}) {
    CHECK(parse_signature_scheme(to_string(scheme)) == scheme);
  }
  for (const auto format :
       {PayloadFormat::standard, PayloadFormat::raw, PayloadFormat::cloudevents, PayloadFormat::cloudevents_binary}) {
    CHECK(parse_payload_format(to_string(format)) == format);
  }
  CHECK(to_string(PayloadFormat::cloudevents_binary) == "cloudevents-binary");
  CHECK(to_string(WebhookStatus::inactive) == "inactive");
  CHECK(to_string(InactiveReason::gone) == "gone");
  CHECK(to_string(InactiveReason::none).empty());
  CHECK_FALSE(parse_signature_scheme("Standard"));
  CHECK_FALSE(parse_payload_format(""));
}
