#include "domain/webhook.hpp"

#include <algorithm>
#include <cmath>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "domain/event_type.hpp"

namespace webhookd::domain {

namespace {

constexpr std::string_view hmac_prefix = "whsec_";
constexpr std::string_view ed25519_prefix = "whsk_";
constexpr std::size_t ed25519_pair_bytes = 64;  // seed and public key, as some tools write it

template <class Value>
struct Word {
  Value value;
  std::string_view word;
};
constexpr Word<WebhookStatus> status_words[] = {{WebhookStatus::active, "active"},
                                                {WebhookStatus::inactive, "inactive"}};
constexpr Word<InactiveReason> reason_words[] = {
    {InactiveReason::none, ""}, {InactiveReason::manual, "manual"}, {InactiveReason::gone, "gone"}};
constexpr Word<SignatureScheme> scheme_words[] = {{SignatureScheme::standard, "standard"},
                                                  {SignatureScheme::none, "none"},
                                                  {SignatureScheme::github, "github"},
                                                  {SignatureScheme::stripe, "stripe"}};
constexpr Word<PayloadFormat> format_words[] = {{PayloadFormat::standard, "standard"},
                                                {PayloadFormat::raw, "raw"},
                                                {PayloadFormat::cloudevents, "cloudevents"},
                                                {PayloadFormat::cloudevents_binary, "cloudevents-binary"}};

template <class Value, std::size_t N>
std::string_view word_of(const Word<Value> (&words)[N], Value value) {
  const auto* found = std::find_if(std::begin(words), std::end(words), [&](const auto& w) { return w.value == value; });
  return found == std::end(words) ? std::string_view() : found->word;
}

template <class Value, std::size_t N>
std::optional<Value> value_of(const Word<Value> (&words)[N], std::string_view word) {
  const auto* found = std::find_if(std::begin(words), std::end(words), [&](const auto& w) { return w.word == word; });
  return found == std::end(words) ? std::nullopt : std::optional(found->value);
}

// Headers that a preset or a format writes itself. '*' covers a family, as in header.cpp.
struct OwnedBy {
  bool (*applies)(const Webhook&);
  std::string_view prefix;
  std::string_view owner;
};
constexpr OwnedBy owned_headers[] = {
    {[](const Webhook& w) { return w.signature == SignatureScheme::github; }, "x-hub-signature-256",
     "signature github"},
    {[](const Webhook& w) { return w.signature == SignatureScheme::stripe; }, "stripe-signature", "signature stripe"},
    {[](const Webhook& w) { return w.format == PayloadFormat::cloudevents_binary; }, "ce-",
     "format cloudevents-binary"},
};

class Faults {
 public:
  void add(std::string pointer, std::string detail) { fields_.push_back({std::move(pointer), std::move(detail)}); }
  void add(base::Error error) { std::move(error.fields.begin(), error.fields.end(), std::back_inserter(fields_)); }
  void add(std::vector<base::FieldError> fields) {
    std::move(fields.begin(), fields.end(), std::back_inserter(fields_));
  }
  void require(bool holds, const char* pointer, std::string_view detail) {
    if (!holds) {
      add(pointer, std::string(detail));
    }
  }
  base::Result<void> result() && {
    if (fields_.empty()) {
      return {};
    }
    std::vector<std::string> details;
    std::transform(fields_.begin(), fields_.end(), std::back_inserter(details), [](const auto& f) { return f.detail; });
    return base::Error{base::ErrorCode::invalid_field, base::join(details, "; "), std::move(fields_)};
  }

 private:
  std::vector<base::FieldError> fields_;
};

void check_texts(const Webhook& webhook, Faults& faults) {
  const std::string& name = webhook.display_name;
  if (!base::is_valid_utf8(name)) {
    faults.add("/display_name", "display_name: is not valid UTF-8");
  } else {
    const std::size_t characters = base::count_code_points(name);
    faults.require(characters >= 1 && characters <= limits::display_name_characters, "/display_name",
                   "display_name: must have 1 to 200 characters, not " + std::to_string(characters));
    faults.require(!base::has_control_characters(name), "/display_name",
                   "display_name: control characters are not allowed");
  }
  if (!base::is_valid_utf8(webhook.description)) {
    faults.add("/description", "description: is not valid UTF-8");
  } else {
    faults.require(base::count_code_points(webhook.description) <= limits::description_characters, "/description",
                   "description: must have at most 1000 characters");
  }
  faults.require(!webhook.url.host().empty(), "/url", "url: is required");
}

void check_events(const Webhook& webhook, Faults& faults) {
  faults.require(!webhook.events.empty(), "/events", "events: at least one event type is required");
  faults.require(webhook.events.size() <= limits::events_per_webhook, "/events", "events: at most 256 entries");
  for (std::size_t i = 0; i < std::min(webhook.events.size(), limits::events_per_webhook); ++i) {
    if (!is_event_pattern(webhook.events[i])) {
      faults.add("/events/" + std::to_string(i), "events: entry " + std::to_string(i + 1) +
                                                     " is not an event type such as subscription.create, "
                                                     "subscription.* or *");
    }
  }
}

void check_headers_of(const Webhook& webhook, Faults& faults) {
  if (auto checked = check_headers(webhook.headers); checked.has_error()) {
    faults.add(checked.error());
    return;
  }
  for (const OwnedBy& rule : owned_headers) {
    for (const Header& header : webhook.headers) {
      if (rule.applies(webhook) && base::to_lower(header.name).starts_with(rule.prefix)) {
        faults.add("/headers/" + header.name,
                   "headers: " + header.name + " is written by " + std::string(rule.owner) + " and cannot be set");
      }
    }
  }
}

// The header that authentication writes at each attempt; empty when it writes none.
std::string_view authentication_header(const Authentication& auth) {
  const auto* header_file = std::get_if<HeaderFile>(&auth);
  return header_file != nullptr                 ? std::string_view(header_file->header)
         : std::holds_alternative<Oauth2>(auth) ? std::string_view("Authorization")
                                                : std::string_view();
}

void check_authentication(const Webhook& webhook, Faults& faults) {
  faults.add(identity_faults(webhook.tls));
  faults.require(!webhook.tls.is_set() || webhook.url.is_https(), "/tls",
                 "tls: a client certificate needs an https url");
  faults.add(authentication_faults(webhook.auth));
  const std::string_view written = authentication_header(webhook.auth);
  for (const Header& header : webhook.headers) {
    if (base::equals_ignoring_case(header.name, written)) {
      faults.add("/headers/" + header.name, "headers: " + header.name + " is written by auth and cannot be set");
    }
  }
  for (const OwnedBy& rule : owned_headers) {
    if (!written.empty() && rule.applies(webhook) && base::to_lower(written).starts_with(rule.prefix)) {
      faults.add("/auth/header", "auth.header: is written by " + std::string(rule.owner) + " and cannot be set");
    }
  }
}

bool has_allowed_key(const Secret& secret) {
  const std::size_t bytes = secret.key.size();
  return secret.kind == SecretKind::ed25519
             ? bytes == limits::ed25519_seed_bytes
             : bytes >= limits::hmac_key_bytes_min && bytes <= limits::hmac_key_bytes_max;
}

void check_secrets(const Webhook& webhook, Faults& faults) {
  const auto& secrets = webhook.secrets;
  faults.require(secrets.size() <= limits::secrets_per_webhook, "/secrets", "secrets: at most 8 secrets");
  faults.require(std::all_of(secrets.begin(), secrets.end(), has_allowed_key), "/secrets",
                 "secrets: a whsec_ key has 24 to 64 bytes, a whsk_ seed 32");
  const bool needs_hmac = webhook.signature == SignatureScheme::github || webhook.signature == SignatureScheme::stripe;
  const auto is_hmac = [](const Secret& secret) { return secret.kind == SecretKind::hmac_sha256; };
  faults.require(!needs_hmac || secrets.empty() || std::any_of(secrets.begin(), secrets.end(), is_hmac), "/signature",
                 "signature: this preset signs with a whsec_ secret, and the webhook has none");
}

template <class Value>
bool within(Value value, Value low, Value high) {
  return value >= low && value <= high;  // false for NaN
}

void check_pace(const Webhook& webhook, Faults& faults) {
  faults.require(within(webhook.timeout, limits::timeout_min, limits::timeout_max), "/timeout",
                 "timeout: must be between 1s and 60s");
  faults.require(within(webhook.max_in_flight, limits::in_flight_min, limits::in_flight_max), "/max_in_flight",
                 "max_in_flight: must be between 1 and 1024");
  faults.require(!webhook.rate || within(*webhook.rate, limits::rate_min, limits::rate_max), "/rate",
                 "rate: must be between 0.01 and 100000 requests per second");
  const RetryPolicy& retry = webhook.retry;
  faults.require(within(retry.initial, limits::retry_initial_min, limits::retry_wait_max), "/retry/initial",
                 "retry.initial: must be between 1s and 24h");
  faults.require(within(retry.factor, limits::retry_factor_min, limits::retry_factor_max), "/retry/factor",
                 "retry.factor: must be between 1 and 10");
  faults.require(within(retry.max, retry.initial, limits::retry_wait_max), "/retry/max",
                 "retry.max: must be between retry.initial and 24h");
  faults.require(within(retry.jitter, 0.0, limits::retry_jitter_max), "/retry/jitter",
                 "retry.jitter: must be between 0 and 0.5");
  faults.require(within(retry.window, limits::retry_window_min, limits::retry_window_max), "/retry/window",
                 "retry.window: must be between 1s and 30d");
}

base::Error secret_error(std::string rule) { return base::field_error("/secrets", "secrets: " + std::move(rule)); }

}  // namespace

bool Webhook::wants(std::string_view type) const {
  return std::any_of(events.begin(), events.end(),
                     [&](const std::string& pattern) { return pattern_matches(pattern, type); });
}

base::Result<void> check_webhook(const Webhook& webhook) {
  Faults faults;
  check_texts(webhook, faults);
  check_events(webhook, faults);
  check_headers_of(webhook, faults);
  check_secrets(webhook, faults);
  check_authentication(webhook, faults);
  check_pace(webhook, faults);
  return std::move(faults).result();
}

// The text of a secret never appears in an error.
base::Result<Secret> parse_secret(std::string_view text) {
  const bool is_ed25519 = text.starts_with(ed25519_prefix);
  if (!is_ed25519 && !text.starts_with(hmac_prefix)) {
    return secret_error("a secret begins with whsec_ or whsk_");
  }
  auto key = base::base64_decode(text.substr(is_ed25519 ? ed25519_prefix.size() : hmac_prefix.size()));
  if (!key) {
    return secret_error("what follows the prefix is not standard base64 with padding");
  }
  if (is_ed25519 && key->size() == ed25519_pair_bytes) {
    key->resize(limits::ed25519_seed_bytes);
  }
  Secret secret{is_ed25519 ? SecretKind::ed25519 : SecretKind::hmac_sha256, std::move(*key), std::nullopt};
  if (!has_allowed_key(secret)) {
    return secret_error(is_ed25519 ? "a whsk_ secret is base64 of 32 bytes (seed) or 64 (seed and public key)"
                                   : "a whsec_ secret is base64 of 24 to 64 bytes");
  }
  return secret;
}

std::string format_secret(const Secret& secret) {
  return std::string(secret.kind == SecretKind::ed25519 ? ed25519_prefix : hmac_prefix) +
         base::base64_encode(secret.key);
}

std::string_view to_string(WebhookStatus value) { return word_of(status_words, value); }
std::string_view to_string(InactiveReason value) { return word_of(reason_words, value); }
std::string_view to_string(SignatureScheme value) { return word_of(scheme_words, value); }
std::string_view to_string(PayloadFormat value) { return word_of(format_words, value); }
std::optional<SignatureScheme> parse_signature_scheme(std::string_view text) { return value_of(scheme_words, text); }
std::optional<PayloadFormat> parse_payload_format(std::string_view text) { return value_of(format_words, text); }

}  // namespace webhookd::domain
