#include "net/attempt_impl.hpp"
#include "net/loop_world_impl.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;

constexpr std::uint16_t unauthorized = 401;
constexpr std::string_view secret_field = "auth.client_secret_file";

const domain::Oauth2* oauth2_of(const domain::Webhook& webhook) { return std::get_if<domain::Oauth2>(&webhook.auth); }

}  // namespace

Attempt::Attempt(engine::AttemptRequest request, LoopWorld& loop)
    : request_(std::move(request)), world_(loop), started_at_(Steady::now()) {}

Attempt::~Attempt() {
  if (!is_reported_ && !world_.is_stopping) {
    fail(OutcomeKind::protocol, "the attempt was given up by an internal fault");
  }
}

void Attempt::start() {
  if (oauth2_of(webhook()) != nullptr) {
    ask_for_token();
  } else if (const auto* header_file = std::get_if<domain::HeaderFile>(&webhook().auth)) {
    send_header_file(*header_file);
  } else {
    send(std::nullopt);
  }
}

void Attempt::abort() {
  if (const auto exchange = exchange_.lock()) {
    exchange->abort();
  } else if (is_waiting_for_token_) {
    give_up(OutcomeKind::aborted, "cancelled while in flight");
  }
}

void Attempt::send_header_file(const domain::HeaderFile& header_file) {
  auto line = world_.secrets.get(header_file.file, "auth.file");
  if (!line) {
    return fail(OutcomeKind::protocol, line.error());
  }
  send(domain::Header{header_file.header, std::move(*line)});
}

void Attempt::send(std::optional<domain::Header> authorization) {
  ExchangePlan plan;
  if (webhook().tls.is_set()) {
    auto identity = world_.identities.get(webhook().tls);
    if (!identity) {
      return fail(OutcomeKind::tls, identity.error());
    }
    plan.identity = std::move(*identity);
  }
  auto built = WireRequest::build(request_, world_.signer, authorization);
  if (!built) {
    return fail(OutcomeKind::protocol, built.error().detail);
  }
  plan.url = std::shared_ptr<const domain::Url>(request_.webhook, &webhook().url);
  plan.request = std::move(*built);
  plan.timeout = webhook().timeout;
  plan.deadline = started_at_ + webhook().timeout;
  plan.at = request_.at;
  const auto exchange = std::make_shared<Exchange>(
      std::move(plan), world_,
      [self = shared_from_this()](ExchangeResult result) { self->on_answer(std::move(result)); });
  exchange_ = exchange;
  exchange->start();
}

void Attempt::ask_for_token() {
  auto secret = world_.secrets.get(oauth2_of(webhook())->client_secret_file, secret_field);
  if (!secret) {
    return fail(OutcomeKind::protocol, secret.error());
  }
  is_waiting_for_token_ = true;
  token_wait_.emplace(world_.io.get_executor());
  token_wait_->expires_at(started_at_ + webhook().timeout);
  token_wait_->async_wait([self = shared_from_this()](error_code ec) {
    if (!ec && self->is_waiting_for_token_) {
      self->give_up(OutcomeKind::timeout, no_token_text(*oauth2_of(self->webhook())) + "nothing within " +
                                              base::format_duration(self->webhook().timeout));
    }
  });
  world_.tokens.get(webhook(), *secret,
                    [self = shared_from_this()](const TokenResult& result) { self->on_token(result); });
}

void Attempt::on_token(const TokenResult& result) {
  if (!is_waiting_for_token_) {
    return;  // it has been reported
  }
  is_waiting_for_token_ = false;
  token_wait_->cancel();
  if (!result.failure) {
    token_ = result.token;
    return send(domain::Header{"Authorization", "Bearer " + token_});
  }
  ExchangeResult failed = *result.failure;
  if (was_refused_) {
    failed.outcome.error = "HTTP 401 to the access token, then " + failed.outcome.error;
  }
  finish(std::move(failed));
}

void Attempt::on_answer(ExchangeResult result) {
  exchange_.reset();
  const bool is_refused = result.outcome.kind == OutcomeKind::status && result.outcome.code == unauthorized;
  if (is_refused && oauth2_of(webhook()) != nullptr && !was_refused_) {
    was_refused_ = true;
    world_.tokens.forget(webhook().id, token_);
    return ask_for_token();
  }
  finish(std::move(result));
}

void Attempt::give_up(OutcomeKind kind, std::string error) {
  is_waiting_for_token_ = false;
  token_wait_->cancel();
  fail(kind, std::move(error));
}

void Attempt::fail(OutcomeKind kind, std::string error) {
  ExchangeResult result;
  result.outcome.kind = kind;
  result.outcome.error = std::move(error);
  finish(std::move(result));
}

void Attempt::fail(OutcomeKind kind, const base::Error& error) {
  ExchangeResult result;
  result.shortage = error.code == base::ErrorCode::unavailable;
  result.outcome.kind = kind;
  result.outcome.error = "nothing was sent: " + error.detail;
  finish(std::move(result));
}

void Attempt::finish(ExchangeResult result) {
  is_reported_ = true;
  engine::AttemptReport report;
  report.key = request_.key;
  report.shortage = result.shortage;
  report.certificate_expires_at = result.certificate_expires_at;
  report.outcome = std::move(result.outcome);
  report.outcome.duration = std::chrono::duration_cast<base::Duration>(Steady::now() - started_at_);
  world_.report(std::move(report));
}

}  // namespace webhookd::net
