// One attempt from start to report: gets what the webhook authenticates itself with, makes one exchange, and after a
// 401 to an access token once a second one with a fresh token, all under the one deadline of the attempt. Reported
// exactly once, like the exchanges it is made of.
//
// Never here: whether and when there is another attempt.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/ports.hpp"
#include "net/exchange_impl.hpp"
#include "net/tokens_impl.hpp"

namespace webhookd::net {

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(engine::AttemptRequest request, LoopWorld& loop);
  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void start();
  void abort();

 private:
  void send(std::optional<domain::Header> authorization);
  void send_header_file(const domain::HeaderFile& header_file);
  void ask_for_token();
  void on_token(const TokenResult& result);
  void on_answer(ExchangeResult result);
  // Ends the waiting for a token.
  void give_up(domain::OutcomeKind kind, std::string error);
  void fail(domain::OutcomeKind kind, std::string error);
  // A file that cannot be used, or the shortage that kept it from being read.
  void fail(domain::OutcomeKind kind, const base::Error& error);
  void finish(ExchangeResult result);

  const domain::Webhook& webhook() const { return *request_.webhook; }

  engine::AttemptRequest request_;
  LoopWorld& world_;
  const Steady::time_point started_at_;
  std::weak_ptr<Exchange> exchange_;  // owned by its own coroutine, and it owns us
  std::optional<Timer> token_wait_;
  bool is_waiting_for_token_ = false;
  std::string token_;         // the one that was sent
  bool was_refused_ = false;  // and answered with 401
  bool is_reported_ = false;
};

}  // namespace webhookd::net
