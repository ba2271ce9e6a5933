#include <algorithm>

#include "base/base64.hpp"
#include "base/check.hpp"
#include "base/text.hpp"
#include "net/loop_world_impl.hpp"
#include "net/tokens_impl.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;

constexpr base::Duration lifetime_default = std::chrono::hours(1);
constexpr base::Duration lifetime_max = std::chrono::hours(24);
constexpr base::Duration margin_max = std::chrono::seconds(30);

// application/x-www-form-urlencoded, which RFC 6749 section 2.3.1 also asks for inside of Basic.
std::string form_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view plain_marks = "-._~";
  std::string encoded;
  for (const char c : text) {
    if (base::is_letter(c) || base::is_digit(c) || plain_marks.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return encoded;
}

WireRequest token_request(const domain::Oauth2& terms, const std::string& secret) {
  std::string body = "grant_type=client_credentials";
  if (!terms.scopes.empty()) {
    body += "&scope=" + form_encoded(base::join(terms.scopes, " "));
  }
  const std::string basic = form_encoded(terms.client_id) + ":" + form_encoded(secret);
  const domain::Url& url = terms.token_url;
  std::string head =
      "POST " + url.target() + " HTTP/1.1\r\nHost: " + url.authority() +
      "\r\nUser-Agent: webhookd/" WEBHOOKD_VERSION "\r\nAccept: application/json\r\nAuthorization: Basic " +
      base::base64_encode(basic) +
      "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n";
  return WireRequest::of(std::move(head), std::move(body));
}

// Before it expires, so that it does not expire on its way.
base::Duration useful_life(const domain::AccessToken& token) {
  const base::Duration lifetime =
      std::clamp(token.lifetime.value_or(lifetime_default), base::Duration(0), lifetime_max);
  return lifetime - std::min(lifetime / 10, margin_max);
}

}  // namespace

std::string no_token_text(const domain::Oauth2& oauth2) {
  return "no access token from " + oauth2.token_url.redacted() + ": ";
}

Tokens::GrantPtr Tokens::grant_of(const domain::Webhook& webhook, const domain::Oauth2& terms) {
  if (const auto found = grants_.find(webhook.id); found != grants_.end() && found->second->terms == terms) {
    return found->second;
  }
  if (grants_.size() >= kept_max) {
    grants_.clear();  // requests under way keep theirs
  }
  auto grant = std::make_shared<Grant>();
  grant->terms = terms;
  grants_[webhook.id] = grant;
  return grant;
}

void Tokens::get(const domain::Webhook& webhook, const std::string& secret, TokenDone done) {
  const GrantPtr grant = grant_of(webhook, std::get<domain::Oauth2>(webhook.auth));
  if (Steady::now() < grant->good_until) {
    return done({grant->token, std::nullopt});
  }
  grant->waiting.push_back(std::move(done));
  if (grant->waiting.size() == 1) {
    ask(grant, secret, webhook.timeout);
  }
}

void Tokens::forget(domain::WebhookId webhook, const std::string& token) {
  if (const auto found = grants_.find(webhook); found != grants_.end() && found->second->token == token) {
    found->second->good_until = {};
  }
}

void Tokens::ask(const GrantPtr& grant, const std::string& secret, base::Duration timeout) {
  ExchangePlan plan;
  plan.url = std::shared_ptr<const domain::Url>(grant, &grant->terms.token_url);
  plan.request = token_request(grant->terms, secret);
  plan.timeout = timeout;
  plan.deadline = Steady::now() + timeout;
  plan.body_kept_bytes = domain::limits::response_body_read_bytes;
  const auto exchange = std::make_shared<Exchange>(
      std::move(plan), world_, [this, grant](ExchangeResult result) { on_answer(*grant, std::move(result)); });
  exchange->start();
}

void Tokens::on_answer(Grant& grant, ExchangeResult result) const {
  const TokenResult told = read_answer(grant, std::move(result));
  for (TokenDone& done : std::exchange(grant.waiting, {})) {
    done(told);
  }
}

// What the endpoint said stays here: only its status and the RFC's error codes get into the log.
TokenResult Tokens::read_answer(Grant& grant, ExchangeResult result) const {
  base::check(static_cast<bool>(world_.read_token), "whoever delivers with access tokens can read them");
  const domain::Outcome& outcome = result.outcome;
  ExchangeResult failure;
  failure.shortage = result.shortage;
  failure.outcome.kind = outcome.kind;
  failure.outcome.error = no_token_text(grant.terms) + outcome.error;
  if (outcome.kind != OutcomeKind::success && outcome.kind != OutcomeKind::status) {
    return {{}, std::move(failure)};
  }
  const auto token = world_.read_token(outcome.response_body);
  if (outcome.kind == OutcomeKind::success && token) {
    grant.token = token->value;
    grant.good_until = Steady::now() + useful_life(*token);
    return {token->value, std::nullopt};
  }
  failure.outcome.kind = OutcomeKind::protocol;
  failure.outcome.error = no_token_text(grant.terms) + "HTTP " + std::to_string(outcome.code) +
                          (token ? std::string() : " (" + token.error().detail + ")");
  return {{}, std::move(failure)};
}

}  // namespace webhookd::net
