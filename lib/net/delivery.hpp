// Performs attempts: N network loops, each one thread with its own connections, sharing the resolver and the TLS
// context. A webhook always uses the same loop, so its keep-alive connections are found again. Reports go back to the
// engine in batches, one for each turn of a loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "engine/ports.hpp"
#include "net/egress.hpp"
#include "net/resolver.hpp"

namespace webhookd::net {

// Reads what a token endpoint answers. Errors are in words for a log.
using TokenReader = std::function<base::Result<domain::AccessToken>(std::string_view body)>;

struct DeliveryOptions {
  std::uint32_t threads = 1;
  EgressPolicy egress;
  std::string ca_file;  // empty: the system's roots
  std::uint32_t resolver_threads = 16;
  base::Duration resolver_ttl{60'000};
  TokenReader read_token;                      // needed where webhooks get access tokens
  Lookup lookup;                               // empty: system_lookup; tests answer as they like
  base::Duration connection_idle_max{30'000};  // idle keep-alive connections are closed after this
};

// Called on network threads with everything one loop finished in one turn.
using ReportSink = base::UniqueFunction<void(std::vector<engine::AttemptReport>)>;

class Delivery : public engine::Transport {
 public:
  // Errors: an unreadable ca_file. One sink for each thread.
  static base::Result<std::unique_ptr<Delivery>> create(const DeliveryOptions& options, std::vector<ReportSink> sinks,
                                                        base::LogSink& log);
  // Joins the loops; attempts in flight are dropped without a report. Resolver threads that hang in getaddrinfo are
  // left behind: the process leaves with _exit after the drain (traps.md).
  ~Delivery() override = default;
  // Any thread. Attempts that start later follow it; those in flight end on the old one. Idle connections are closed.
  virtual void set_egress(EgressPolicy policy) = 0;
};

}  // namespace webhookd::net
