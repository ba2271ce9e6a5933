// Names to addresses. Lookups block, so they run on threads of their own, started when first needed: Asio's resolver is
// one thread for each loop, cannot be cancelled, and is joined at exit (traps.md). Equal lookups are made once, answers
// are kept for `ttl` and failures for a moment. What a name means is asked for here; whether its addresses may be
// reached is egress policy's, for every address, every time.
//
// A lookup has no timeout of its own: the caller's deadline ends the waiting (forget), and the thread comes back when
// getaddrinfo does. So that names that hang cannot take all threads, every name is in one of three lanes by how it did
// last time, and each lane has its share of the threads: all of them are open only to names that have answered before.
// Never here: search domains (names are absolute), a scope id, a lookup of `localhost` outside of
// this host.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "base/time.hpp"
#include "domain/url.hpp"

namespace webhookd::net {

struct Resolution {
  std::vector<domain::AddressBytes> addresses;  // in the order to try; empty when it failed
  std::string error;                            // why it failed, in words
  bool is_shortage = false;                     // it failed for want of descriptors, memory or threads: not kept
  bool operator==(const Resolution&) const = default;
};
using ResolutionRef = std::shared_ptr<const Resolution>;

// Blocks; called on the resolver's threads.
using Lookup = std::function<Resolution(const std::string& host)>;

// getaddrinfo, for absolute names; both families.
Resolution system_lookup(const std::string& host);

struct ResolverOptions {
  std::uint32_t threads = 16;
  base::Duration ttl{60'000};
  base::Duration failure_ttl{2'000};
  base::Duration slow_after{2'000};  // a failure that took longer makes a name a slow one
  std::size_t waiting_max = 10'000;  // names that wait for a thread; more are a shortage
  std::size_t cached_max = 10'000;
};

class Resolver {
 public:
  using Done = base::UniqueFunction<void(ResolutionRef)>;
  using Ticket = std::uint64_t;

  explicit Resolver(const ResolverOptions& options, Lookup lookup = system_lookup);
  // No `done` is called any more. Threads inside a lookup are left behind.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // What a name means on every host without asking anybody: localhost; nothing for all others.
  static ResolutionRef without_lookup(const std::string& host);
  // What is known without waiting, or nothing.
  ResolutionRef known(const std::string& host);
  // `done` is called once, on any thread and under the resolver's lock: it may only hand the answer on.
  Ticket resolve(const std::string& host, Done done);
  // The one who waits with this ticket has gone; `done` is dropped unless it has been called already.
  void forget(const std::string& host, Ticket ticket);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace webhookd::net
