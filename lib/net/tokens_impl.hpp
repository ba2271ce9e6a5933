// Access tokens of webhooks with client credentials (RFC 6749 section 4.4), one for each webhook: asked for when an
// attempt needs one and there is none, shared by all attempts that wait meanwhile, kept until shortly before it
// expires, and dropped when the receiver answers 401 to it. The request for one is an exchange like any other: egress
// policy, proxy, TLS and bounds are the same. It goes on when the attempt that asked first is cancelled.
//
// A loop's own; nothing is locked. A failure is not kept: the next attempt asks again, at the pace of attempts. Tokens,
// secrets and what a token endpoint says never appear in an error; its status and the error codes of the RFC do.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/webhook.hpp"
#include "net/exchange_impl.hpp"

namespace webhookd::net {

struct TokenResult {
  std::string token;
  std::optional<ExchangeResult> failure;
};
using TokenDone = base::UniqueFunction<void(const TokenResult&)>;

// "no access token from https://login.example/…: "
std::string no_token_text(const domain::Oauth2& oauth2);

class Tokens {
 public:
  static constexpr std::size_t kept_max = 4096;

  // `world` may still be under construction; it is used from `get` on.
  explicit Tokens(LoopWorld& world) : world_(world) {}

  // `done` is called once, perhaps before this returns.
  void get(const domain::Webhook& webhook, const std::string& secret, TokenDone done);
  // Drops a token that a receiver refused; nothing when there is a newer one already.
  void forget(domain::WebhookId webhook, const std::string& token);

 private:
  struct Grant {
    domain::Oauth2 terms;
    std::string token;
    Steady::time_point good_until{};
    std::vector<TokenDone> waiting;  // not empty while a request is under way
  };
  using GrantPtr = std::shared_ptr<Grant>;

  GrantPtr grant_of(const domain::Webhook& webhook, const domain::Oauth2& terms);
  void ask(const GrantPtr& grant, const std::string& secret, base::Duration timeout);
  void on_answer(Grant& grant, ExchangeResult result) const;
  TokenResult read_answer(Grant& grant, ExchangeResult result) const;

  LoopWorld& world_;
  std::unordered_map<domain::WebhookId, GrantPtr> grants_;  // an edit of the terms makes a new one
};

}  // namespace webhookd::net
