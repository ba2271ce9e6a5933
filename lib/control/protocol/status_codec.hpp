// The daemon about itself, in JSON.
//
// GET /v1/status:
//   {"version":"0.1.0","started_at":"…","now":"…","uptime_seconds":12.5,"test_clock":false,"socket":"/run/…",
//    "configuration":"/etc/…"|null,"master_key_file":"/etc/…"|null,
//    "store":{"id","schema","events","messages","waiting","webhooks","used_bytes","quota_bytes",
//             "master_key","directory","disk_free_bytes","disk_reserve_bytes","full",
//             "full_because":"quota"|"disk_reserve"|null,"commits","damaged_records"},
//    "engine":{"in_flight","ready","unsettled","attempts","successes","failures","accepted","next_due":"…"|null},
//    "health":{"up","throttled","down"}}
//   Store counts are of what is stored now, `commits` since the store was opened, engine counters since start; health
//   is how many webhooks have which `health`.
// GET /v1/clock, and the answer to POST /v1/clock {"advance": seconds}: {"now":"…","test":true}
// DELETE of a webhook: {"id":"wh_…","waiting_cancelled":3}; of a type: {"name":"…"}
// POST /v1/admin/reload: {"changes":[{"key":"log.level","from":"\"info\"","to":"\"debug\"","effect":"now"|"restart"}]}
//   Values are spelled as in the file. `restart`: the running daemon keeps the old one.
// GET /healthz: {"status":"ok"}; GET /readyz: {"status":"ready"}, or the problem `unavailable`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "control/protocol/json_write.hpp"

namespace webhookd::protocol {

inline constexpr base::Duration clock_advance_max = std::chrono::hours(366 * 24);

struct StoreStatus {
  std::string id;
  std::uint32_t schema = 0;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t waiting = 0;
  std::uint64_t webhooks = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t quota_bytes = 0;
  std::string master_key;
  std::string directory;
  std::uint64_t disk_free_bytes = 0;
  std::uint64_t disk_reserve_bytes = 0;
  bool full = false;
  std::string full_because;
  std::uint64_t commits = 0;
  std::uint64_t damaged_records = 0;
};

struct EngineStatus {
  std::uint64_t in_flight = 0;
  std::uint64_t ready = 0;
  std::uint64_t unsettled = 0;
  std::uint64_t attempts = 0;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t accepted = 0;
  std::optional<base::Time> next_due;
};

// Webhooks, by their health.
struct HealthStatus {
  std::uint64_t up = 0;
  std::uint64_t throttled = 0;
  std::uint64_t down = 0;
};

struct Status {
  std::string_view version;
  base::Time started_at{};
  base::Time now{};
  base::Duration uptime{};  // on a steady clock
  bool test_clock = false;
  std::string socket;
  std::string configuration;
  std::string master_key_file;
  StoreStatus store;
  EngineStatus engine;
  HealthStatus health;
};

void write_status(JsonWriter& json, const Status& status);

// Ids of master keys, never keys.
void write_master_key_rotation(JsonWriter& json, std::string_view from, std::string_view to, std::uint64_t webhooks);

// {"since","until","seconds":3600,"accepted":0,"attempts":0,"successes":0,"failures":0,"outcomes":{"status":0,…},
//  "per_second":{"accepted":0.5,"attempts","successes","failures"},"delivery_ms":{"p50","p90","p99"},
//  "kept":{"events","messages","waiting","success","failed","cancelled"}}
// What happened since then, and what the store has counted ever since it was made.
struct Stats {
  base::Time since{};
  base::Time until{};
  std::uint64_t accepted = 0;
  std::vector<std::pair<std::string_view, std::uint64_t>> outcomes;  // all kinds; the first is success
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  std::uint64_t kept_events = 0;
  std::uint64_t kept_messages = 0;
  std::uint64_t kept_waiting = 0;
  std::uint64_t kept_success = 0;
  std::uint64_t kept_failed = 0;
  std::uint64_t kept_cancelled = 0;
};
void write_stats(JsonWriter& json, const Stats& stats);

void write_clock(JsonWriter& json, base::Time now, bool test);
base::Result<base::Duration> read_advance(std::string_view body);

// A key of the configuration whose value in the file is not the one the daemon runs with.
struct SettingChange {
  std::string key;
  std::string from;
  std::string to;
  bool is_live = false;
};
void write_reload(JsonWriter& json, const std::vector<SettingChange>& changes);

void write_deleted(JsonWriter& json, base::WebhookId webhook, std::uint64_t waiting_cancelled);

}  // namespace webhookd::protocol
