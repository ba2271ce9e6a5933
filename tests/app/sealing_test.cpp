// Secrets at rest with the real programs: what lies in the file, a rotation with a kill in the middle, and the refusal
// to start without the key.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

const std::string key_bytes = "0123456789abcdefghijklmnopqrstuv";
const std::string secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";  // of key_bytes

std::string key_file(const TemporaryDirectory& directory, const std::string& name, char digit) {
  const std::string path = directory.write(name, std::string(64, digit) + "\n");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  return path;
}

std::string sealed_by(const std::string& path) { return "[secrets]\nmaster_key_file = \"" + path + "\"\n"; }

std::string stored_bytes(const Daemon& daemon) {
  std::ifstream file(daemon.directory().path() + "/data/store/data.mdb", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a start says that is expected to fail.
Ran start_of(const Daemon& daemon, const std::string& config) {
  const std::string file = daemon.directory().write("other.toml", config);
  return run({WEBHOOKD_BINARY, "--config", file, "--data-dir", daemon.directory().path() + "/data", "--socket",
              daemon.directory().path() + "/other.sock"});
}

}  // namespace

TEST_CASE(
    "with a master key no signing secret is in the store, in its backups or in the log, and deliveries are signed") {
  const TemporaryDirectory keys;
  Daemon daemon({}, sealed_by(key_file(keys, "key", 'a')));
  CountingReceiver receiver;
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*", "--secret-file", "-"}, secret + "\n");
  CHECK(daemon.tell({"secret", "show", "orders"}).starts_with(secret));
  daemon.tell({"emit", "subscription.create", "-d", "{}", "--wait"});
  CHECK(receiver.distinct_successes() == 1);
  CHECK(stored_bytes(daemon).find(key_bytes) == std::string::npos);
  const std::string backup = keys.path() + "/backup";
  daemon.tell({"backup", backup});
  std::ifstream copy(backup, std::ios::binary);
  const std::string copied{std::istreambuf_iterator<char>(copy), {}};
  CHECK(copied.find(key_bytes) == std::string::npos);
  CHECK(copied.find("orders") != std::string::npos);
  CHECK(daemon.log().find("store_sealed") != std::string::npos);
  CHECK(daemon.log().find(std::string(64, 'a')) == std::string::npos);
  CHECK(json::parse(daemon.tell({"status", "-o", "json"}))["store"]["master_key"].get<std::string>().size() == 16);
}

TEST_CASE("a rotation of the master key survives a kill at each of its steps") {
  const TemporaryDirectory keys;
  const std::string path = key_file(keys, "key", 'a');
  Daemon daemon({}, sealed_by(path));
  daemon.tell({"create", "orders", "--url", "http://127.0.0.1:1/", "-e", "*", "--secret-file", "-"}, secret + "\n");
  const Ran early = daemon.whctl({"secret", "rotate-master"});
  CHECK(early.exit_code == 5);
  CHECK(early.err.find("put the key that takes its place into " + path + ".next first") != std::string::npos);

  key_file(keys, "key.next", 'b');
  const auto restart = [&] {
    daemon.kill();
    daemon.start();
    CHECK(daemon.tell({"secret", "show", "orders"}).starts_with(secret));
  };
  restart();
  const json planned = json::parse(daemon.tell({"secret", "rotate-master", "--dry-run", "-o", "json"}));
  const json done = json::parse(daemon.tell({"secret", "rotate-master", "-o", "json"}));
  CHECK(planned == done);
  CHECK(done["webhooks"] == 1);
  CHECK(done["from"] != done["to"]);
  CHECK(json::parse(daemon.tell({"secret", "rotate-master", "-o", "json"}))["webhooks"] == 0);
  restart();
  REQUIRE(::rename((path + ".next").c_str(), path.c_str()) == 0);
  restart();
  CHECK(json::parse(daemon.tell({"status", "-o", "json"}))["store"]["master_key"] == done["to"]);
}

TEST_CASE(
    "a sealed store does not start without its key, nor with a key that others may read; systemd need not try again") {
  const TemporaryDirectory keys;
  const std::string path = key_file(keys, "key", 'a');
  Daemon daemon({}, sealed_by(path));
  CHECK(daemon.stop() == 0);
  const Ran without = start_of(daemon, "");
  CHECK(without.exit_code == 78);
  CHECK(without.err.find("the store is sealed with the master key") != std::string::npos);
  CHECK(start_of(daemon, sealed_by(key_file(keys, "other", 'b'))).exit_code == 78);
  CHECK(start_of(daemon, sealed_by(keys.path() + "/missing")).exit_code == 78);
  CHECK(start_of(daemon, sealed_by(keys.write("short", "abc"))).exit_code == 78);
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  const Ran open = start_of(daemon, sealed_by(path));
  CHECK(open.exit_code == 78);
  CHECK(open.err.find("secrets.master_key_file cannot be used (others than its owner may use it: chmod 0600): " +
                      path) != std::string::npos);
}

TEST_CASE("a credential of the service manager is the master key without any setting") {
  const TemporaryDirectory credentials;
  const std::string path = key_file(credentials, "master_key", 'c');
  REQUIRE(::chmod(path.c_str(), 0440) == 0);  // as systemd shows them
  const Daemon daemon({}, "", R"(["127.0.0.0/8"])", {{"CREDENTIALS_DIRECTORY=" + credentials.path()}, -1, {}});
  CHECK(json::parse(daemon.tell({"status", "-o", "json"}))["store"]["master_key"].is_string());
}

TEST_CASE("a next master key that cannot be used is a warning at the start, and stops a rotation alone") {
  const TemporaryDirectory keys;
  const std::string path = key_file(keys, "key", 'a');
  const std::string next = key_file(keys, "key.next", 'b');
  REQUIRE(::chmod(next.c_str(), 0644) == 0);
  Daemon daemon({}, sealed_by(path));
  CHECK(daemon.log().find("master_key_next_unusable error=\"secrets.master_key_file cannot be used (others than its "
                          "owner may use it: chmod 0600): " +
                          next) != std::string::npos);
  const Ran refused = daemon.whctl({"secret", "rotate-master"});
  CHECK(refused.exit_code != 0);
  CHECK(refused.err.find("chmod 0600") != std::string::npos);
  REQUIRE(::chmod(next.c_str(), 0600) == 0);
  CHECK(daemon.whctl({"secret", "rotate-master"}).exit_code == 0);
  REQUIRE(::chmod(next.c_str(), 0644) == 0);
  CHECK(daemon.stop() == 0);
  const Ran without = start_of(daemon, sealed_by(path));  // it is the key by now
  CHECK(without.exit_code == 78);
  CHECK(without.err.find("the store is sealed with the master key") != std::string::npos);
}
