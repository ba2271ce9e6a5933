// The API of interface.md section 2 on the Unix socket: HTTP sessions, peer credentials and roles, routing, answers.
// One thread of its own, so that a slow client or a long list never delays a delivery. Changes go to the engine,
// through its executor; reads go to the store. What requests and answers look like is control/protocol's; what they
// mean is the engine's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "engine/ports.hpp"
#include "store/store.hpp"

namespace webhookd::server {

// Each list holds `user` names or numbers, or `@group`. A role includes the ones before it.
struct AccessLists {
  std::vector<std::string> read;
  std::vector<std::string> emit;
  std::vector<std::string> operate;
  std::vector<std::string> admin;
};

// Moves a test clock: answers when every due attempt on the way was made.
using AdvanceClock = std::function<void(base::Duration by, base::Completion<base::Time> done)>;

// Reads the whole of a copy of the store, in a process of its own, and answers its report as JSON.
using CheckCopy =
    std::function<void(std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done)>;

struct ServerOptions {
  std::string socket_path;  // created 0660; a stale socket file is replaced, a live one refused
  AccessLists access;
  std::size_t event_data_bytes_max = 1024 * 1024;
  std::size_t sessions_max = 1024;
  domain::Webhook defaults;  // timeout and retry of a webhook that does not say
  base::Time started_at{};
  std::function<std::optional<std::string>(const domain::Url&)> url_refusal;  // egress, for literals
  AdvanceClock advance_clock;                                                 // empty without --test-clock
  CheckCopy check_copy;
  // crypto's: secrets of new webhooks and rotations, and the "whpk_" text of an ed25519 secret. Both are required.
  std::function<domain::Secret(domain::SecretKind)> generate_secret;
  std::function<std::string(const domain::Secret&)> public_key_text;
};

// What the server works on; all outlive it. Engine functions are called only inside tasks on `executor`.
struct ServerWorld {
  engine::Engine& engine;
  engine::Executor& executor;
  const engine::Clock& clock;
  store::Store& store;
  base::LogSink& log;
};

class Server {
 public:
  // Binds and starts serving on its own thread. Errors: the socket cannot be made (names the path and why).
  static base::Result<std::unique_ptr<Server>> start(ServerOptions options, ServerWorld world);
  // Stops accepting, ends the sessions, joins.
  virtual ~Server() = default;
  // Answers everything with `unavailable` from now on (draining).
  virtual void stop_accepting() = 0;
};

}  // namespace webhookd::server
