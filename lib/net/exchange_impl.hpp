// One attempt from start to report: one coroutine and one deadline over all of it, which ends it by closing what it
// waits on. (Asio 1.81 has no safe cancellation of awaitables: traps.md.) Whatever happens, the attempt is reported
// exactly once, also when the coroutine is destroyed half-way; only a loop that is being torn down drops it silently.
//
// Everything runs on the loop's thread, so nothing here is locked.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signer.hpp"
#include "engine/ports.hpp"
#include "net/connection_impl.hpp"
#include "net/connection_pool_impl.hpp"
#include "net/egress.hpp"
#include "net/request.hpp"
#include "net/resolver.hpp"
#include "net/tls.hpp"

namespace webhookd::net {

// What the attempts of one loop share.
struct LoopWorld {
  asio::io_context& io;
  const EgressPolicy& egress;
  Resolver& resolver;
  TlsContext& tls;
  ConnectionPool& pool;
  crypto::Signer& signer;
  base::UniqueFunction<void(engine::AttemptReport)> report;
  bool is_stopping = false;
};

enum class Phase { resolving, connecting, handshaking, sending, awaiting_head, reading_body };
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

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(engine::AttemptRequest attempt, LoopWorld& loop);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void start();
  void abort() { interrupt(Interruption::abort); }

  // The rest is for the coroutines of this folder.
  bool is_interrupted() const { return interruption_ != Interruption::none; }
  void fail(domain::OutcomeKind kind, std::string error);
  // The machine is short of something: no attempt was made.
  void fail_for_shortage(std::string what);
  const domain::Url& url() const { return attempt.webhook->url; }

  // The steps of the coroutine `perform`.
  bool build_request();
  void send();
  void conclude(const error_code& read_error);
  bool is_stale(const error_code& read_error) const;
  void finish();

  engine::AttemptRequest attempt;
  LoopWorld& world;
  std::string endpoint;  // "https://host:port": what connections and TLS sessions are filed under
  WireRequest request;
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

  Timer deadline_;
  Steady::time_point started_at_;
  Interruption interruption_ = Interruption::none;
  bool has_outcome_ = false;
  bool is_reported_ = false;
  engine::AttemptReport report_;
};

// Descriptors, memory, local ports (behaviour.md section 5).
bool is_shortage(const error_code& ec);
// "connection refused by 127.0.0.1:8080"
std::string connect_fault(const error_code& ec, const Connection& connection);
// "127.0.0.1:8080" or "[::1]:8080"
std::string peer_text(const Connection& connection);

// Resolves, checks, connects and shakes hands. Afterwards exchange->connection is set, or the outcome is.
Awaitable<void> connect(std::shared_ptr<Exchange> exchange);

}  // namespace webhookd::net
