// A store that fills up: it refuses new events, delivers on, makes room, and takes events again; never wedged.
#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"
#include "support/small_file_system.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr int fills = is_sanitized ? 4 : 20;

// A receiver that refuses while the store is being filled, in a way that does not count as being down.
class Valve {
 public:
  void open() { is_open_ = true; }
  void close() { is_open_ = false; }
  CountingReceiver& receiver() { return receiver_; }

 private:
  std::atomic<bool> is_open_{false};
  CountingReceiver receiver_{[this](const auto&) { return is_open_ ? 200 : 404; }};
};

std::string event_of(std::size_t bytes) {
  return R"({"type":"subscription.create","data":")" + std::string(bytes, 'x') + "\"}";
}

std::size_t count_in(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

// Emits until it is refused; how many were taken.
std::size_t fill(Api& api) {
  std::size_t taken = 0;
  for (std::size_t bytes = 1000;; bytes = bytes * 5 % 60'001 + 500) {
    const ApiAnswer answer = api.ask("POST", "/v1/events", event_of(bytes));
    if (answer.status != 201) {
      CHECK(answer.status == 507);
      CHECK(json::parse(answer.body)["code"] == "store_full");
      return taken;
    }
    REQUIRE(++taken < 100'000);
  }
}

std::uint64_t waiting(Api& api) { return api.get("/v1/status").at("store").at("waiting").get<std::uint64_t>(); }

void fill_and_drain(Daemon& daemon, Valve& valve, int rounds, const std::string& cause) {
  Api api(daemon.socket());
  api.create_webhook({{"display_name", "orders"},
                      {"url", valve.receiver().url()},
                      {"events", {"subscription.create"}},
                      {"max_in_flight", 64},
                      {"retry", {{"initial", 1}, {"max", 1}}}});
  std::size_t least = ~std::size_t{0};
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    valve.close();
    const std::size_t taken = fill(api);
    least = std::min(least, taken);
    // Cancels, deletes and edits go on in a full store.
    const std::string id = api.get("/v1/messages?limit=1&status=created,retrying").at("items")[0].at("id");
    CHECK(api.ask("POST", "/v1/messages/" + id + "/cancel").status == 200);
    const std::string other = api.create_webhook(
        {{"display_name", "other"}, {"url", valve.receiver().url()}, {"events", {"subscription.delete"}}});
    CHECK(api.ask("DELETE", "/v1/webhooks/" + other).status == 200);
    valve.open();
    CHECK_MESSAGE(eventually([&] { return waiting(api) == 0; }, 60s), "deliveries do not go on");
    CHECK_MESSAGE(eventually([&] { return api.ask("POST", "/v1/events", event_of(100)).status == 201; }, 60s),
                  "the store does not recover");
    CHECK_MESSAGE(eventually([&] { return waiting(api) == 0; }), "the last event is not delivered");
  }
  CHECK(daemon.is_running());
  CHECK(least > 100);  // each time there was room again for many
  const json store = api.get("/v1/status").at("store");
  MESSAGE(rounds << " times filled and drained, at least " << least << " events each time; "
                 << store.at("used_bytes").get<std::uint64_t>() / mebibyte << " MiB used in the end");
  CHECK(store.at("damaged_records") == 0);
  // Told when it changes, not of each event that is refused.
  CHECK(eventually([&] { return count_in(daemon.log(), "store_has_room ") >= 1; }));
  CHECK(count_in(daemon.log(), "store_full ") >= 1);
  CHECK(count_in(daemon.log(), "store_full ") <= static_cast<std::size_t>(rounds) * 2);
  CHECK(count_in(daemon.log(), "(" + cause + ")") == count_in(daemon.log(), "store_full "));
  CHECK(api.ask("GET", "/metrics").body.find("webhookd_events_refused_total{reason=\"store_full\"} 0\n") ==
        std::string::npos);
}

void check_store(const std::string& directory) {
  const Ran checked = run({WEBHOOKD_BINARY, "--check-store", directory});
  CHECK_MESSAGE(checked.exit_code == 0, checked.out << checked.err);
}

}  // namespace

TEST_CASE("a file system of 64 MiB is filled and drained twenty times") {
  const TemporaryDirectory directory;
  const std::string data = directory.path() + "/data";
  const auto file_system = SmallFileSystem::mount(data, 64 * mebibyte);
  if (!file_system) {
    MESSAGE("this process may not mount: only the quota is shown");
    return;
  }
  Valve valve;
  Daemon daemon({"--data-dir", data}, "[store]\nquota = \"1GiB\"\ndisk_reserve = \"12MiB\"\n");
  fill_and_drain(daemon, valve, fills, "store.disk_reserve");
  daemon.stop();
  check_store(data);
}

TEST_CASE("a quota of 64 MiB is filled and drained twenty times") {
  Valve valve;
  Daemon daemon({}, "[store]\nquota = \"64MiB\"\ndisk_reserve = \"0\"\n");
  fill_and_drain(daemon, valve, fills, "store.quota");
  daemon.stop();
  check_store(daemon.directory().path() + "/data");
}
