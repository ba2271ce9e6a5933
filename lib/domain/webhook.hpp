// A webhook: where to deliver, what, how signed, how fast, and for how long to retry (behaviour.md section 2). A value:
// whoever holds one holds a complete, checked definition. Edits make a new value with the next version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/authentication.hpp"
#include "domain/header.hpp"
#include "domain/limits.hpp"
#include "domain/url.hpp"

namespace webhookd::domain {

using base::EventId;
using base::MessageId;
using base::WebhookId;

enum class WebhookStatus : std::uint8_t { active, inactive };
enum class InactiveReason : std::uint8_t { none, manual, gone };
enum class SignatureScheme : std::uint8_t { standard, none, github, stripe };
enum class PayloadFormat : std::uint8_t { standard, raw, cloudevents, cloudevents_binary };
enum class SecretKind : std::uint8_t { hmac_sha256, ed25519 };

struct Secret {
  SecretKind kind = SecretKind::hmac_sha256;
  std::string key;                 // raw bytes: HMAC key, or ed25519 seed
  std::optional<Time> expires_at;  // set by a rotation: signs until then
  bool operator==(const Secret&) const = default;
};

struct RetryPolicy {
  Duration initial = 5s;
  double factor = 2;
  Duration max = 6h;
  double jitter = 0.1;
  Duration window = 10 * 24h;
  bool operator==(const RetryPolicy&) const = default;
};

struct Webhook {
  WebhookId id;
  std::string display_name;
  Url url;
  std::vector<std::string> events;  // patterns
  WebhookStatus status = WebhookStatus::active;
  InactiveReason status_reason = InactiveReason::none;
  std::string description;
  std::vector<Header> headers;
  std::vector<Secret> secrets;
  TlsIdentity tls;
  Authentication auth;
  SignatureScheme signature = SignatureScheme::standard;
  PayloadFormat format = PayloadFormat::standard;
  Duration timeout = 15s;
  std::uint32_t max_in_flight = 16;
  std::optional<double> rate;  // requests per second
  RetryPolicy retry;
  std::uint64_t version = 1;
  Time created_at{};
  Time updated_at{};

  bool is_active() const { return status == WebhookStatus::active; }
  bool wants(std::string_view type) const;
  bool operator==(const Webhook&) const = default;
};

// Every rule of behaviour.md section 2 that one webhook can break alone (uniqueness and the catalogue are the
// store's and the engine's). All faults at once, each with its JSON pointer.
base::Result<void> check_webhook(const Webhook& webhook);

// "whsec_" (standard base64 of 24-64 bytes) or "whsk_" (of a 32-byte ed25519 seed, or 64 bytes seed and public key).
base::Result<Secret> parse_secret(std::string_view text);
std::string format_secret(const Secret& secret);

// The words used in JSON, TOML and on the command line.
std::string_view to_string(WebhookStatus value);
std::string_view to_string(InactiveReason value);  // "" for none
std::string_view to_string(SignatureScheme value);
std::string_view to_string(PayloadFormat value);
std::optional<SignatureScheme> parse_signature_scheme(std::string_view text);
std::optional<PayloadFormat> parse_payload_format(std::string_view text);

}  // namespace webhookd::domain
