#include "net/request.hpp"

#include <charconv>

#include "base/time.hpp"
#include "domain/header.hpp"

namespace webhookd::net {

namespace {

using domain::PayloadFormat;
using domain::SignatureScheme;

constexpr std::size_t usual_size = 1024;  // of everything but the data
constexpr std::string_view cloudevents_source = "webhookd";

void append_number(std::string& text, std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

std::string_view content_type(PayloadFormat format) {
  return format == PayloadFormat::cloudevents ? "application/cloudevents+json" : "application/json";
}

// The secret that signs where a scheme has room for one signature: the newest, else one whose grace still runs.
const domain::Secret* single_secret(const std::vector<domain::Secret>& secrets, base::Time now) {
  const domain::Secret* chosen = nullptr;
  for (const domain::Secret& secret : secrets) {
    const bool is_valid = !secret.expires_at || *secret.expires_at > now;
    if (secret.kind == domain::SecretKind::hmac_sha256 && is_valid && (chosen == nullptr || !secret.expires_at)) {
      chosen = &secret;
    }
  }
  return chosen;
}

}  // namespace

base::Result<WireRequest> WireRequest::build(const engine::AttemptRequest& attempt, crypto::Signer& signer,
                                             const std::optional<domain::Header>& authorization) {
  const auto refuse = [](const std::string& fault) {
    return base::Error{base::ErrorCode::invalid_field, "nothing was sent: " + fault, {}};
  };
  for (const domain::Header& header : attempt.webhook->headers) {
    if (const auto fault = domain::header_fault(header)) {
      return refuse(*fault);
    }
  }
  if (const auto fault = authorization ? domain::header_fault(*authorization) : std::nullopt) {
    return refuse(*fault);
  }
  WireRequest request;
  request.text_.reserve(usual_size);
  request.write_body(attempt);
  request.write_head(attempt, signer);
  if (authorization) {
    request.write_header(authorization->name, authorization->value);
  }
  request.text_.append("\r\n");
  return request;
}

WireRequest WireRequest::of(std::string head, std::string body) {
  WireRequest request;
  request.prefix_size_ = body.size();
  request.text_ = std::move(body) + head;
  return request;
}

void WireRequest::write_body(const engine::AttemptRequest& attempt) {
  const domain::Event& event = *attempt.event;
  event_ = attempt.event;
  data_ = event.data;
  // A type name is letters, digits, dots, dashes and underscores: nothing in it needs escaping.
  if (attempt.webhook->format == PayloadFormat::standard) {
    text_.append(R"({"type":")").append(event.type).append(R"(","data":)");
    prefix_size_ = text_.size();
    text_.append(R"(,"timestamp":")").append(base::format_time(event.timestamp)).append(R"("})");
  } else if (attempt.webhook->format == PayloadFormat::cloudevents) {
    text_.append(R"({"specversion":"1.0","id":")").append(to_string(event.id));
    text_.append(R"(","source":")").append(cloudevents_source).append(R"(","type":")").append(event.type);
    text_.append(R"(","time":")").append(base::format_time(event.timestamp));
    text_.append(R"(","datacontenttype":"application/json","data":)");
    prefix_size_ = text_.size();
    text_.append("}");
  }
  suffix_size_ = text_.size() - prefix_size_;
}

void WireRequest::write_header(std::string_view name, std::string_view value) {
  text_.append(name).append(": ").append(value).append("\r\n");
}

void WireRequest::write_head(const engine::AttemptRequest& attempt, crypto::Signer& signer) {
  const domain::Webhook& webhook = *attempt.webhook;
  const std::string message_id = to_string(attempt.message);
  text_.append("POST ").append(webhook.url.target()).append(" HTTP/1.1\r\n");
  write_header("Host", webhook.url.authority());
  write_header("User-Agent", "webhookd/" WEBHOOKD_VERSION);
  write_header("Content-Type", content_type(webhook.format));
  text_.append("Content-Length: ");
  append_number(text_, static_cast<std::int64_t>(body_size()));
  text_.append("\r\n");
  write_header("webhook-id", message_id);
  text_.append("webhook-timestamp: ");
  append_number(text_, base::to_unix_seconds(attempt.at));
  text_.append("\r\n");
  write_signature(attempt, message_id, signer);
  if (webhook.format == PayloadFormat::cloudevents_binary) {
    write_header("ce-specversion", "1.0");
    write_header("ce-id", to_string(attempt.event->id));
    write_header("ce-source", cloudevents_source);
    write_header("ce-type", attempt.event->type);
    write_header("ce-time", base::format_time(attempt.event->timestamp));
  }
  for (const domain::Header& header : webhook.headers) {
    write_header(header.name, header.value);
  }
}

void WireRequest::write_signature(const engine::AttemptRequest& attempt, std::string_view message_id,
                                  crypto::Signer& signer) {
  const auto& secrets = attempt.webhook->secrets;
  const std::int64_t seconds = base::to_unix_seconds(attempt.at);
  const auto pieces = body();
  const domain::Secret* one = single_secret(secrets, attempt.at);
  switch (attempt.webhook->signature) {
    case SignatureScheme::standard:
      if (const auto value = signer.standard_signature(secrets, message_id, seconds, pieces, attempt.at);
          !value.empty()) {
        write_header("webhook-signature", value);
      }
      return;
    case SignatureScheme::github:
      if (one != nullptr) {
        write_header("X-Hub-Signature-256", signer.github_signature(*one, pieces));
      }
      return;
    case SignatureScheme::stripe:
      if (one != nullptr) {
        write_header("Stripe-Signature", signer.stripe_signature(secrets, seconds, pieces, attempt.at));
      }
      return;
    case SignatureScheme::none:
      return;
  }
}

}  // namespace webhookd::net
