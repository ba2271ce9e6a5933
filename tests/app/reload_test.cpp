// Reading the configuration anew while the daemon runs.
#include <doctest/doctest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"
#include "support/service_manager.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

constexpr const char* loopback = "[egress]\nallow = [\"127.0.0.0/8\"]\n";

void configure(const Daemon& daemon, const std::string& text) { daemon.directory().write("webhookd.toml", text); }

json reload(const Daemon& daemon) { return json::parse(daemon.tell({"reload", "-o", "json"}))["items"]; }

std::string outcome_of(Api& api, const std::string& message) {
  const json log = api.message(message)["attempt_log"];
  return log.empty() ? "" : log.back()["outcome"].get<std::string>();
}

}  // namespace

TEST_CASE("a reload takes what can change at once, and names what needs a restart, each time until then") {
  Daemon daemon({}, "", R"(["127.0.0.0/8"])");
  CHECK(reload(daemon).empty());
  configure(daemon, std::string(loopback) + "[delivery]\ntimeout = \"3s\"\n[store]\nquota = \"1GiB\"\n");
  const json first = reload(daemon);
  REQUIRE(first.size() == 2);
  CHECK(first[0] == json{{"key", "store.quota"}, {"from", "\"64GiB\""}, {"to", "\"1GiB\""}, {"effect", "restart"}});
  CHECK(first[1] == json{{"key", "delivery.timeout"}, {"from", "\"15s\""}, {"to", "\"3s\""}, {"effect", "now"}});
  daemon.tell({"create", "orders", "--url", "http://127.0.0.1:1/", "-e", "*"});
  CHECK(json::parse(daemon.tell({"show", "orders", "-o", "json"}))["timeout"] == 3);
  CHECK(reload(daemon).size() == 1);
  CHECK(daemon.log().find("reloaded changed=delivery.timeout needs_restart=store.quota") != std::string::npos);
}

TEST_CASE("a file with a mistake changes nothing, and the answer names line, key and what is allowed") {
  Daemon daemon({}, "", R"(["127.0.0.0/8"])");
  configure(daemon, "[egress]\nallow = []\n[delivery]\ntimeout = \"3h\"\n");
  const Ran ran = daemon.whctl({"reload"});
  CHECK(ran.exit_code == 2);
  CHECK(ran.err.find("the settings stay as they are") != std::string::npos);
  CHECK(ran.err.find("webhookd.toml:4: delivery.timeout: must be a duration") != std::string::npos);
  configure(daemon, "[access]\nread = [\"@no-such-group\"]\n[egress]\nallow = []\n");
  const Ran unknown = daemon.whctl({"reload"});
  CHECK(unknown.exit_code == 2);
  CHECK(unknown.err.find("no group") != std::string::npos);
  configure(daemon, std::string(loopback) + "[metrics]\nlisten = \"0.0.0.0:1\"\n");  // the next start would fail
  const Ran restart = daemon.whctl({"reload"});
  CHECK(restart.exit_code == 2);
  CHECK(restart.err.find("metrics.listen: ") != std::string::npos);
  CountingReceiver receiver;
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*"});  // loopback is allowed as before
  daemon.tell({"emit", "subscription.create", "-d", "{}"});
  CHECK(eventually([&] { return receiver.requests() == 1; }));
}

TEST_CASE("a dry run says what a reload would do, and does nothing") {
  Daemon daemon;
  configure(daemon, std::string(loopback) + "[log]\nlevel = \"debug\"\n");
  CHECK(daemon.tell({"reload", "--dry-run", "-q"}).find("log.level") != std::string::npos);
  CHECK(daemon.tell({"reload", "--dry-run", "-q"}).find("log.level") != std::string::npos);
}

TEST_CASE(
    "SIGHUP reads the file anew, between RELOADING and READY, and the egress policy counts for the next attempt") {
  const TemporaryDirectory directory;
  DatagramSocket manager(directory.path() + "/notify");
  Daemon daemon({}, "", R"(["127.0.0.0/8"])", {{"NOTIFY_SOCKET=" + manager.path()}, -1, {}});
  Api api(daemon.socket());
  CountingReceiver receiver;
  api.create_webhook({{"display_name", "orders"}, {"url", receiver.url()}, {"events", {"*"}}});
  api.emit("subscription.create");
  REQUIRE(eventually([&] { return receiver.requests() == 1; }));
  configure(daemon, "");
  ::kill(daemon.pid(), SIGHUP);
  REQUIRE(manager.hears("RELOADING=1\nMONOTONIC_USEC="));
  REQUIRE(eventually([&] { return manager.count("READY=1") == 2; }));
  const std::string denied = api.emit("subscription.create").at(0);
  CHECK(eventually([&] { return outcome_of(api, denied) == "denied"; }));
  CHECK(receiver.requests() == 1);
  CHECK(daemon.is_running());
}

TEST_CASE("access that a reload takes away is gone for those who are connected already") {
  if (::getuid() != 0) {
    MESSAGE("SKIPPED: another user can be played by root only");
    return;
  }
  Daemon daemon({}, "[access]\nread = [\"65534\"]\n");
  const std::string open = "chmod 0666 " + daemon.socket() + " && chmod 0755 " + daemon.directory().path();
  REQUIRE(run({"/bin/sh", "-c", open}).exit_code == 0);
  const auto as_nobody = [&] {
    return run({"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", WHCTL_BINARY, "--socket",
                daemon.socket(), "status"})
        .exit_code;
  };
  CHECK(as_nobody() == 0);
  configure(daemon, loopback);
  REQUIRE(reload(daemon).size() == 2);  // access.read, and egress.allow without ::1
  CHECK(as_nobody() == 4);
}
