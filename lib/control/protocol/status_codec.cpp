#include "control/protocol/status_codec.hpp"

#include <algorithm>
#include <array>

#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/problems.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

void write_store(JsonWriter& json, const StoreStatus& store) {
  json.begin_object();
  json.name("id").string(store.id);
  json.name("schema").number(std::uint64_t{store.schema});
  json.name("events").number(store.events);
  json.name("messages").number(store.messages);
  json.name("waiting").number(store.waiting);
  json.name("webhooks").number(store.webhooks);
  json.name("used_bytes").number(store.used_bytes);
  json.name("quota_bytes").number(store.quota_bytes);
  json.name("master_key").text_or_null(store.master_key);
  json.name("directory").string(store.directory);
  json.name("disk_free_bytes").number(store.disk_free_bytes);
  json.name("disk_reserve_bytes").number(store.disk_reserve_bytes);
  json.name("full").boolean(store.full);
  json.name("full_because").text_or_null(store.full_because);
  json.name("commits").number(store.commits);
  json.name("damaged_records").number(store.damaged_records);
  json.end_object();
}

void write_engine(JsonWriter& json, const EngineStatus& engine) {
  json.begin_object();
  json.name("in_flight").number(engine.in_flight);
  json.name("ready").number(engine.ready);
  json.name("unsettled").number(engine.unsettled);
  json.name("attempts").number(engine.attempts);
  json.name("successes").number(engine.successes);
  json.name("failures").number(engine.failures);
  json.name("accepted").number(engine.accepted);
  json.name("next_due").time(engine.next_due);
  json.end_object();
}

void write_health(JsonWriter& json, const HealthStatus& health) {
  json.begin_object().name("up").number(health.up).name("throttled").number(health.throttled);
  json.name("down").number(health.down).end_object();
}

struct Advance {
  std::optional<base::Duration> by;
};

}  // namespace

void write_master_key_rotation(JsonWriter& json, std::string_view from, std::string_view to, std::uint64_t webhooks) {
  json.begin_object().name("from").string(from).name("to").string(to).name("webhooks").number(webhooks).end_object();
}

void write_status(JsonWriter& json, const Status& status) {
  json.begin_object();
  json.name("version").string(status.version);
  json.name("started_at").time(status.started_at);
  json.name("now").time(status.now);
  json.name("uptime_seconds").seconds(status.uptime);
  json.name("test_clock").boolean(status.test_clock);
  json.name("socket").string(status.socket);
  json.name("configuration").text_or_null(status.configuration);
  json.name("master_key_file").text_or_null(status.master_key_file);
  write_store(json.name("store"), status.store);
  write_engine(json.name("engine"), status.engine);
  write_health(json.name("health"), status.health);
  json.end_object();
}

void write_stats(JsonWriter& json, const Stats& stats) {
  std::uint64_t attempts = 0;
  for (const auto& [name, count] : stats.outcomes) {
    attempts += count;
  }
  const std::uint64_t successes = stats.outcomes.empty() ? 0 : stats.outcomes.front().second;
  const double seconds = std::max(0.001, base::to_seconds(stats.until - stats.since));
  const std::array<std::pair<std::string_view, std::uint64_t>, 4> counts = {{{"accepted", stats.accepted},
                                                                             {"attempts", attempts},
                                                                             {"successes", successes},
                                                                             {"failures", attempts - successes}}};
  json.begin_object().name("since").time(stats.since).name("until").time(stats.until).name("seconds").number(seconds);
  for (const auto& [name, count] : counts) {
    json.name(name).number(count);
  }
  json.name("outcomes").begin_object();
  for (const auto& [name, count] : stats.outcomes) {
    json.name(name).number(count);
  }
  json.end_object().name("per_second").begin_object();
  for (const auto& [name, count] : counts) {
    json.name(name).number(static_cast<double>(count) / seconds);
  }
  json.end_object().name("delivery_ms").begin_object();
  json.name("p50").number(stats.p50_ms).name("p90").number(stats.p90_ms).name("p99").number(stats.p99_ms);
  json.end_object().name("kept").begin_object();
  json.name("events").number(stats.kept_events).name("messages").number(stats.kept_messages);
  json.name("waiting").number(stats.kept_waiting).name("success").number(stats.kept_success);
  json.name("failed").number(stats.kept_failed).name("cancelled").number(stats.kept_cancelled);
  json.end_object().end_object();
}

void write_clock(JsonWriter& json, base::Time now, bool test) {
  json.begin_object().name("now").time(now).name("test").boolean(test).end_object();
}

base::Result<base::Duration> read_advance(std::string_view body) {
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  static constexpr std::array rules = {
      MemberRule<Advance>{"advance",
                          [](std::string_view value, Advance& advance, Faults& faults) {
                            advance.by = read_seconds(value, Place::of("advance"), faults);
                          }},
  };
  Advance advance;
  Faults faults;
  read_members(*members, rules, advance, faults);
  if (!faults.any() && !advance.by) {
    add_fault(faults, Place::of("advance"), "is required (seconds)");
  } else if (!faults.any() && (advance.by->count() == 0 || *advance.by > clock_advance_max)) {
    add_fault(faults, Place::of("advance"), "must be more than 0 and at most 31622400 seconds (366 d)");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return *advance.by;
}

void write_reload(JsonWriter& json, const std::vector<SettingChange>& changes) {
  json.begin_object().name("changes").begin_array();
  for (const SettingChange& change : changes) {
    json.begin_object().name("key").string(change.key);
    json.name("from").string(change.from).name("to").string(change.to);
    json.name("effect").string(change.is_live ? "now" : "restart").end_object();
  }
  json.end_array().end_object();
}

void write_deleted(JsonWriter& json, base::WebhookId webhook, std::uint64_t waiting_cancelled) {
  json.begin_object().name("id").string(base::to_string(webhook));
  json.name("waiting_cancelled").number(waiting_cancelled).end_object();
}

}  // namespace webhookd::protocol
