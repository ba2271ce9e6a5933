// The daemon as a service: what it tells the service manager, the socket that was opened for it, the journal.
#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"
#include "support/service_manager.hpp"

namespace {

using namespace webhookd::support;
using namespace std::chrono_literals;

Daemon::Surroundings notifying(const DatagramSocket& manager, std::vector<std::string> more = {}) {
  more.push_back("NOTIFY_SOCKET=" + manager.path());
  return {std::move(more), -1, {}};
}

std::size_t index_of(const std::vector<std::string>& heard, std::string_view text) {
  const auto found = std::find_if(heard.begin(), heard.end(),
                                  [&](const std::string& one) { return one.find(text) != std::string::npos; });
  return static_cast<std::size_t>(found - heard.begin());
}

}  // namespace

TEST_CASE("the service manager hears READY once requests are taken, figures as they change, and STOPPING") {
  const TemporaryDirectory directory;
  DatagramSocket manager(directory.path() + "/notify");
  CountingReceiver receiver;
  Daemon daemon({}, "", R"(["127.0.0.0/8"])", notifying(manager));
  CHECK(manager.hears("READY=1"));
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*"});
  daemon.tell({"emit", "subscription.create", "-d", "{}"});
  CHECK(manager.hears("STATUS=0 requests in flight, 0 more due, 1 of 1 attempts succeeded, 1 events accepted"));
  CHECK(daemon.stop() == 0);
  CHECK(manager.hears("STOPPING=1"));
  CHECK(manager.hears("EXTEND_TIMEOUT_USEC="));
  const auto& heard = manager.heard();
  CHECK(index_of(heard, "READY=1") < index_of(heard, "STOPPING=1"));
  CHECK(manager.count("WATCHDOG=1") == 0);  // nobody asked for it
}

TEST_CASE("an idle daemon gives its signs of life twice in the time that the service manager waits") {
  const TemporaryDirectory directory;
  DatagramSocket manager(directory.path() + "/notify");
  Daemon daemon({}, "", R"(["127.0.0.0/8"])", notifying(manager, {"WATCHDOG_USEC=100000"}));
  const auto begun = std::chrono::steady_clock::now();
  const std::size_t before = manager.count("WATCHDOG=1");
  CHECK(eventually([&] { return manager.count("WATCHDOG=1") >= before + 10; }, 10s));
  CHECK(std::chrono::steady_clock::now() - begun >= 400ms);
}

TEST_CASE("variables that are for another process are not acted on") {
  const TemporaryDirectory directory;
  DatagramSocket manager(directory.path() + "/notify");
  Daemon daemon({}, "", R"(["127.0.0.0/8"])",
                notifying(manager, {"WATCHDOG_USEC=20000", "WATCHDOG_PID=1", "LISTEN_FDS=1", "LISTEN_PID=1"}));
  CHECK(daemon.stop() == 0);
  CHECK(manager.hears("STOPPING=1"));
  CHECK(manager.count("WATCHDOG=1") == 0);
}

TEST_CASE("clients that connect before the daemon runs are served when it does, and the socket outlives it") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/activated.sock";
  const ListeningSocket socket(path);
  std::atomic<int> exit_code = -1;
  std::thread waiting([&] { exit_code = run({WHCTL_BINARY, "--socket", path, "types", "-q"}).exit_code; });
  {
    Daemon daemon({}, "", R"(["127.0.0.0/8"])", {{}, socket.descriptor(), path});
    waiting.join();
    CHECK(exit_code == 0);
    CHECK(nlohmann::json::parse(daemon.tell({"status", "-o", "json"}))["socket"] == path);
    CHECK(daemon.stop() == 0);
  }
  std::thread again([&] {
    exit_code = run({WHCTL_BINARY, "--socket", path, "emit", "subscription.create", "-d", "{}"}).exit_code;
  });
  Daemon daemon({}, "", R"(["127.0.0.0/8"])", {{}, socket.descriptor(), path});
  again.join();
  CHECK(exit_code == 0);
}

TEST_CASE("while the daemon behind a socket of the service manager is restarted, no client is refused") {
  constexpr int restarts = 3;
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/activated.sock";
  const ListeningSocket socket(path);
  CountingReceiver hanging([](const auto&) { return ReceiverAnswer(200, "", 300ms); });
  Daemon daemon({}, "", R"(["127.0.0.0/8"])", {{}, socket.descriptor(), path});
  daemon.tell({"create", "slow", "--url", hanging.url(), "-e", "*"});
  std::atomic<bool> is_over = false;
  std::atomic<int> answered = 0;
  std::vector<std::string> refusals;
  std::thread client([&] {
    while (!is_over) {
      const Ran ran = run({WHCTL_BINARY, "--socket", path, "emit", "subscription.create", "-d", "{}"});
      ran.exit_code == 0 ? void(++answered) : refusals.push_back(ran.err);
    }
  });
  for (int i = 0; i < restarts; ++i) {
    const int before = answered;
    CHECK(eventually([&] { return answered > before; }));
    CHECK(daemon.stop() == 0);
    daemon.start();
  }
  is_over = true;
  client.join();
  CHECK(refusals == std::vector<std::string>());
  CHECK(Api(path).get("/v1/status")["store"]["events"] == answered.load());
}

TEST_CASE("what is handed over must be a listening Unix stream socket") {
  const TemporaryDirectory directory;
  const DatagramSocket wrong(directory.path() + "/datagrams");
  const std::string script = "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
  const Ran ran = run({"/bin/sh", "-c", script, "sh", WEBHOOKD_BINARY, "--data-dir", directory.path() + "/data",
                       "--socket", directory.path() + "/w.sock"});
  CHECK(ran.exit_code == 78);
  CHECK(ran.err.find("no listening Unix stream socket") != std::string::npos);
  const std::string two = "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b exec \"$@\"";
  const Ran refused = run({"/bin/sh", "-c", two, "sh", WEBHOOKD_BINARY, "--data-dir", directory.path() + "/data",
                           "--socket", directory.path() + "/w.sock"});
  CHECK(refused.exit_code == 78);
  CHECK(refused.err.find("handed over 2 sockets (a:b)") != std::string::npos);
}

TEST_CASE("stopping takes at most ten seconds while a hundred receivers hang, and loses nothing") {
  constexpr std::size_t hanging = 100;
  CountingReceiver receiver([](const auto&) { return ReceiverAnswer(200, "", 60s); }, hanging);
  Daemon daemon;
  Api api(daemon.socket());
  for (std::size_t i = 0; i < hanging; ++i) {
    api.create_webhook(
        {{"display_name", "hook " + std::to_string(i)}, {"url", receiver.url()}, {"events", {"*"}}, {"timeout", 60}});
  }
  api.emit("subscription.create");
  REQUIRE(eventually([&] { return receiver.requests() == hanging; }));
  const auto begun = std::chrono::steady_clock::now();
  CHECK(daemon.stop() == 0);
  CHECK(std::chrono::steady_clock::now() - begun <= 10s);
  daemon.start();
  CHECK(Api(daemon.socket()).get("/v1/status")["store"]["waiting"] == hanging);
}
