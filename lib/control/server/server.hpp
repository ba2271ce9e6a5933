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
#include "control/protocol/status_codec.hpp"
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

// Reads the configuration anew, or only says what it would do; answers what changed.
using Reload = std::function<void(bool dry_run, base::Completion<std::vector<protocol::SettingChange>> done)>;

// The latest reading of the configuration, the one at the start among them.
struct ReloadState {
  bool succeeded = true;
  base::Time succeeded_at{};  // the latest one that did
};

// Reads the whole of a copy of the store, in a process of its own, and answers its report as JSON.
using CheckCopy =
    std::function<void(std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done)>;

// The key that shall take the place of the present one; no_master_key when there is none.
using NextMasterKey = std::function<base::Result<store::SealerRef>()>;

// Where metrics are served over TCP as well.
struct MetricsPlace {
  domain::AddressBytes address;  // a loopback one
  std::uint16_t port = 0;
};

// What becomes of an event whose data does not match the schema of its type.
enum class SchemaMode {
  off,      // nobody looks
  warn,     // it is accepted, and the answer says what is wrong
  enforce,  // it is refused (schema_mismatch)
};

// What may change while the server runs.
struct LiveOptions {
  AccessLists access;
  std::size_t event_data_bytes_max = 1024 * 1024;
  SchemaMode schema_mode = SchemaMode::warn;
  domain::Webhook defaults;  // of a webhook that does not say
  std::function<std::optional<std::string>(const domain::Url&)> url_refusal = nullptr;  // egress, for literals
};

struct ServerOptions {
  std::string socket_path;    // created 0666; a stale socket file is replaced, a live one refused
  int inherited_socket = -1;  // bound to socket_path and listening already; its file is somebody else's
  LiveOptions live;
  std::size_t sessions_max = 1024;
  base::Time started_at{};
  AdvanceClock advance_clock;  // empty without --test-clock
  std::optional<MetricsPlace> metrics_listen;
  std::string configuration;                           // the file, or empty
  std::string master_key_file;                         // or empty
  std::function<ReloadState()> last_reload = nullptr;  // from any thread
  Reload reload;                                       // required where the route is used
  CheckCopy check_copy;                                // likewise
  NextMasterKey next_master_key;                       // likewise
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
  // Ends the sessions, joins.
  virtual ~Server() = default;
  // Lets nobody in any more (who connects queues at a socket that the service manager holds), and serves who is in one
  // last request: what has been sent, and of a session that has sent nothing yet what comes within a second. Nobody who
  // was let in is turned away, so a restart is no failure for its clients.
  virtual void drain() = 0;
  // How many are in. Any thread.
  virtual std::size_t sessions() const = 0;
  // Nobody is in, and nobody can come in any more. Any thread.
  virtual bool is_drained() const = 0;
  // From the next request on, and for the roles of those who are connected. Errors, and then nothing changes: a list
  // names an unknown user or group. With `dry_run` nothing changes either.
  virtual base::Result<void> change(LiveOptions live, bool dry_run) = 0;
};

}  // namespace webhookd::server
