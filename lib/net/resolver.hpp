// Names to addresses. Lookups block, so they run on threads of their own, started when first needed: Asio's resolver is
// one thread for each loop, cannot be cancelled, and is joined at exit (traps.md). Equal lookups are made once, answers
// are kept for `ttl` and failures for a moment. What a name means is asked for here; whether its addresses may be
// reached is egress policy's, for every address, every time.
//
// A lookup has no timeout of its own: the caller's deadline ends the waiting, and the thread comes back when
// getaddrinfo does. Never here: search domains (names are absolute), a scope id, a lookup of `localhost` outside of
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
  std::size_t waiting_max = 10'000;  // names that wait for a thread; more are a shortage
  std::size_t cached_max = 10'000;
};

class Resolver {
 public:
  using Done = base::UniqueFunction<void(ResolutionRef)>;

  explicit Resolver(const ResolverOptions& options, Lookup lookup = system_lookup);
  // No `done` is called any more. Threads inside a lookup are left behind.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // What is known without waiting, or nothing.
  ResolutionRef known(const std::string& host);
  // `done` is called once, on any thread and under the resolver's lock: it may only hand the answer on.
  void resolve(const std::string& host, Done done);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace webhookd::net
