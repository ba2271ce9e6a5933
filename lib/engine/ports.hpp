// What the engine asks of the world besides the store: somebody who performs attempts, and a place to run its
// completions. Production gives it net::Delivery and an engine thread; simulations give it virtual receivers and a
// queue. Nothing here knows sockets, threads or clocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/task.hpp"
#include "domain/attempt.hpp"
#include "domain/event.hpp"
#include "domain/webhook.hpp"

namespace webhookd::engine {

// Identifies one attempt while it is in flight; never reused in a process.
using AttemptKey = std::uint64_t;

struct AttemptRequest {
  AttemptKey key = 0;
  domain::MessageId message;
  domain::EventRef event;
  std::shared_ptr<const domain::Webhook>
      webhook;      // the definition this attempt is made with, whatever is edited meanwhile
  base::Time at{};  // webhook-timestamp
};

// An outcome, or a shortage on our side (descriptors, memory, local ports), which is no attempt.
struct AttemptReport {
  AttemptKey key = 0;
  bool shortage = false;
  domain::Outcome outcome;
  std::optional<base::Time> certificate_expires_at = std::nullopt;  // the receiver's, when it answered over TLS
};

// Performs attempts. Every started attempt is reported exactly once, also after abort, through Engine::report on the
// engine's executor.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void start(std::vector<AttemptRequest> requests) = 0;
  // Ends an exchange in flight early; its report (aborted, or what it became before) still comes.
  virtual void abort(AttemptKey key) = 0;
};

// Runs tasks one after the other on the engine's thread, in order of posting; callable from any thread.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(base::Task task) = 0;
};

// For the rooms above the engine, which live in time. The engine itself is told `now`.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual base::Time now() const = 0;
};

}  // namespace webhookd::engine
