// The hostile-receiver bench: a hundred connections of every kind in support/hostile_receivers.cpp before the whole
// daemon. Each message gets one recorded outcome of the right class within its deadline, and the daemon comes out as it
// went in: alive, no larger, without a descriptor more.
//
// A hundred connections at once need a hundred webhooks, because a webhook that fails is soon down and then gets one
// attempt at a time: one event of a type of its own reaches the hundred webhooks of a kind. First waits of an hour keep
// second attempts away.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "domain/limits.hpp"
#include "support/api.hpp"
#include "support/hostile_receivers.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using namespace std::chrono_literals;
using nlohmann::json;
using test::HostileReceiver;
using test::ScriptedReceiver;

constexpr std::size_t connections_each = 100;
constexpr std::size_t kinds_at_once = 6;  // the receivers have a thread for each connection
constexpr auto timeout = is_sanitized ? 10s : 3s;
constexpr auto slack = is_sanitized ? 10s : 2s;  // two cores carry both sides of hundreds of exchanges

// Sanitizers make every allocation larger and keep what was freed (ASan: 256 MiB of it) to catch its use.
constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t growth_max = is_sanitized ? 600 * mebibyte : 50 * mebibyte;

struct Kind {
  const HostileReceiver* row = nullptr;
  std::string type;
  std::unique_ptr<ScriptedReceiver> receiver;
};

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const HostileReceiver& row : test::hostile_receivers()) {
    kinds.push_back({&row, "hostile.kind-" + std::to_string(kinds.size()),
                     std::make_unique<ScriptedReceiver>(std::vector{row.script})});
  }
  return kinds;
}

void create_webhooks(Api& api, const Kind& kind) {
  api.add_type(kind.type);
  for (std::size_t i = 0; i < connections_each; ++i) {
    api.create_webhook({{"display_name", kind.type + " " + std::to_string(i)},
                        {"url", kind.receiver->url(kind.row->scheme)},
                        {"events", {kind.type}},
                        {"timeout", timeout.count()},
                        {"retry", {{"initial", 3600}}}});
  }
}

json messages_of(Api& api, const Kind& kind) {
  return api.get("/v1/messages?limit=1000&type=" + kind.type).at("items");
}

bool all_are_tried(Api& api, const Kind& kind) {
  const json messages = messages_of(api, kind);
  return messages.size() == connections_each &&
         std::all_of(messages.begin(), messages.end(), [](const json& message) { return message["attempts"] > 0; });
}

// One wrong outcome says it all; a hundred of a kind would bury it.
std::string first_fault(Api& api, const Kind& kind) {
  const HostileReceiver& row = *kind.row;
  for (const json& listed : messages_of(api, kind)) {
    const json message = api.message(listed["id"]);
    const json& log = message["attempt_log"];
    if (message["attempts"] != 1 || log.size() != 1) {
      return "not one recorded outcome: " + message.dump();
    }
    const json& attempt = log[0];
    const std::string error = attempt["error"].is_null() ? "" : attempt["error"].get<std::string>();
    const bool is_right = attempt["outcome"] == domain::to_string(row.kind) &&
                          (row.code == 0 ? attempt["code"].is_null() : attempt["code"] == row.code) &&
                          error.find(row.words) != std::string::npos;
    if (!is_right) {
      return "the wrong outcome: " + attempt.dump();
    }
    if (attempt["duration_ms"] > std::chrono::milliseconds(timeout + slack).count()) {
      return "past its deadline: " + attempt.dump();
    }
    const std::string status = row.kind == domain::OutcomeKind::success ? "success"
                               : row.code == 410                        ? "failed"
                                                                        : "retrying";
    if (message["status"] != status) {
      return "the wrong status: " + message.dump();
    }
  }
  return "";
}

// The largest resident size since it was made, looked at while it lives.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t process) : process_(process), thread_([this] { watch(); }) {}
  ~MemoryWatch() {
    stopping_ = true;
    thread_.join();
  }
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  std::size_t largest() const { return largest_; }

 private:
  void watch() {
    while (!stopping_) {
      largest_ = std::max<std::size_t>(largest_, resident_bytes(process_));
      std::this_thread::sleep_for(20ms);
    }
  }
  pid_t process_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> largest_{0};
  std::thread thread_;
};

// Emits to a few kinds at once, judges them when all their messages have been tried, and ends their receivers. Gives
// the number of connections that those saw.
int put_before(Api& api, const std::span<Kind>& kinds) {
  for (const Kind& kind : kinds) {
    REQUIRE(api.emit(kind.type).size() == connections_each);
  }
  int connections = 0;
  for (Kind& kind : kinds) {
    CAPTURE(kind.row->name);
    CHECK(eventually([&] { return all_are_tried(api, kind); }, 120s));
    CHECK(first_fault(api, kind) == "");
    connections += kind.receiver->connections();
  }
  for (Kind& kind : kinds) {
    kind.receiver = nullptr;
  }
  return connections;
}

}  // namespace

TEST_CASE("a hundred connections of every hostile kind cost the daemon neither a message, memory, nor a descriptor") {
  Daemon daemon;
  Api api(daemon.socket());
  std::vector<Kind> kinds = all_kinds();
  for (const Kind& kind : kinds) {
    create_webhooks(api, kind);
  }
  const auto descriptors = open_descriptors(daemon.pid());
  const std::size_t before = resident_bytes(daemon.pid());
  const MemoryWatch memory(daemon.pid());
  const auto start = std::chrono::steady_clock::now();
  int connections = 0;
  for (std::size_t first = 0; first < kinds.size(); first += kinds_at_once) {
    connections += put_before(api, std::span(kinds).subspan(first, std::min(kinds_at_once, kinds.size() - first)));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  REQUIRE(daemon.is_running());
  // A second attempt that came too early, or a message that came from nowhere, would show in the whole.
  const json status = api.get("/v1/status");
  CHECK(status["engine"]["attempts"] == kinds.size() * connections_each);
  CHECK(status["engine"]["in_flight"] == 0);
  const std::size_t growth = memory.largest() - std::min(before, memory.largest());
  MESSAGE(kinds.size() << " kinds, " << connections << " connections, " << took.count() << " s; memory "
                       << before / mebibyte << " MiB + " << growth / mebibyte << " MiB");
  CHECK(growth <= growth_max);
  if (descriptors) {
    // What was kept for the next request is closed after its idle limit.
    CHECK(eventually([&] { return *open_descriptors(daemon.pid()) <= *descriptors; }, 60s));
  } else {
    MESSAGE("the daemon's descriptors are not counted: only root may see them");
  }
}
