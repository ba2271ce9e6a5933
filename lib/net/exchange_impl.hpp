// One HTTP exchange from connect to outcome: one coroutine and one deadline over all of it, which ends it by closing
// what it waits on. (Asio 1.81 has no safe cancellation of awaitables: traps.md.) Whatever happens, the exchange is
// reported exactly once, also when the coroutine is destroyed half-way; only a loop that is being torn down drops it
// silently. An attempt (attempt_impl.hpp) makes one or two of them, a token request (tokens_impl.hpp) is one.
//
// Everything runs on the loop's thread, so nothing here is locked.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "domain/attempt.hpp"
#include "domain/limits.hpp"
#include "net/client_identity.hpp"
#include "net/connection_impl.hpp"
#include "net/deadlines_impl.hpp"
#include "net/request.hpp"
#include "net/resolver.hpp"

namespace webhookd::net {

struct EgressPolicy;
struct LoopWorld;

enum class Phase { resolving, connecting, tunnelling, handshaking, sending, awaiting_head, reading_body };
enum class Interruption { none, deadline, abort };

// Connects to several addresses, each a moment after the one before (RFC 8305); the first that answers wins.
struct ConnectRace {
  std::vector<ConnectionPtr> candidates;
  std::vector<std::string> faults;
  ConnectionPtr winner;
  std::size_t failed = 0;
  bool is_shortage = false;

  void close_all() {
    for (const ConnectionPtr& candidate : candidates) {
      candidate->close();
    }
  }
};

// What one exchange is to do.
struct ExchangePlan {
  std::shared_ptr<const domain::Url> url;
  ClientIdentityRef identity;  // null: none
  WireRequest request;
  base::Duration timeout{};  // for words; the moment is `deadline`
  Steady::time_point deadline;
  base::Time at{};  // what a Retry-After date is measured from
  std::size_t body_kept_bytes = domain::limits::response_body_kept_bytes;
};

// An outcome without its duration, or a shortage on our side.
struct ExchangeResult {
  domain::Outcome outcome;
  bool shortage = false;
  std::optional<base::Time> certificate_expires_at = std::nullopt;  // of whoever answered over TLS
};
using ExchangeDone = base::UniqueFunction<void(ExchangeResult)>;

class Exchange final : public Expiring, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(ExchangePlan what, LoopWorld& loop, ExchangeDone done);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void start();
  void abort() { interrupt(Interruption::abort); }
  void expire() override;

  // The rest is for the coroutines of this folder.
  bool is_interrupted() const { return interruption_ != Interruption::none; }
  void fail(domain::OutcomeKind kind, std::string error);
  // The machine is short of something: no attempt was made.
  void fail_for_shortage(std::string what);
  const domain::Url& url() const { return *plan.url; }
  // Whom we connect to: the receiver, or the proxy.
  const domain::Url& next_hop() const;
  bool has_proxy() const { return &next_hop() != plan.url.get(); }

  // The steps of the coroutine `perform`.
  void send();
  void conclude(const error_code& read_error);
  bool is_stale(const error_code& read_error) const;
  void finish();

  const ExchangePlan plan;
  LoopWorld& world;
  const std::shared_ptr<const EgressPolicy> egress;  // as it was when this began
  const std::string endpoint;  // "https://host:port": what connections and TLS sessions are filed under
  ConnectionPtr connection;
  std::shared_ptr<ConnectRace> race;
  ResolutionRef resolution;
  Timer wake;  // for waits other than on the connection
  Phase phase = Phase::resolving;

 private:
  void interrupt(Interruption why);
  void conclude_interrupted();
  void conclude_answer();
  void report_once();

  ExchangeDone done_;
  std::optional<Deadlines::Ticket> deadline_;
  Interruption interruption_ = Interruption::none;
  bool has_outcome_ = false;
  bool is_reported_ = false;
  ExchangeResult result_;
};

// Descriptors, memory, local ports (behaviour.md section 5).
bool is_shortage(const error_code& ec);
// "connection refused by 127.0.0.1:8080"
std::string connect_fault(const error_code& ec, const Connection& connection);
// "127.0.0.1:8080", "[::1]:8080", or "hooks.example:443 (through the proxy 10.0.0.1:3128)"
std::string peer_text(const Connection& connection);
// What a TLS error means, for people, with OpenSSL's own word for it.
std::string tls_words(const error_code& ec);

// Adds what arrives to the connection's reader.
Awaitable<error_code> read_some(ConnectionPtr connection);

// Resolves, checks, connects and shakes hands. Afterwards exchange->connection is set, or the outcome is.
Awaitable<void> connect(std::shared_ptr<Exchange> exchange);

}  // namespace webhookd::net
