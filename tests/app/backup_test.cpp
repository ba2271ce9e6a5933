// Backup, restore and check with the real programs: under load, cut off, over a daemon that runs.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

namespace fs = std::filesystem;
using namespace webhookd::support;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr int wanted_rate = 5000;  // events a second

// Emits at the wanted rate, as far as the machine gives it, and remembers what was answered, in order.
class Load {
 public:
  explicit Load(const std::string& socket) : thread_([this, socket] { emit(socket); }) {}
  ~Load() { end(); }
  std::vector<std::string> answered() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  // Events a second since it began.
  double rate() const {
    const std::chrono::duration<double> span = std::chrono::steady_clock::now() - began_;
    return static_cast<double>(answered().size()) / span.count();
  }
  void end() {
    stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  void emit(const std::string& socket) {
    constexpr int batch = 250;
    Api api(socket);
    std::string lines;
    for (int i = 0; i < batch; ++i) {
      lines += R"({"type":"subscription.create","data":{"filler":")" + std::string(200, 'x') + "\"}}\n";
    }
    auto next = std::chrono::steady_clock::now();
    while (!stopping_) {
      const ApiAnswer answer = api.ask("POST", "/v1/events", lines, "application/x-ndjson");
      std::istringstream in(answer.body);
      const std::lock_guard lock(mutex_);
      for (std::string line; std::getline(in, line);) {
        events_.push_back(json::parse(line).at("id"));
      }
      next += std::chrono::milliseconds(1000 * batch / wanted_rate);
      std::this_thread::sleep_until(next);
    }
  }

  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> events_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::thread thread_;
};

Ran run_webhookd(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), WEBHOOKD_BINARY);
  return run(arguments);
}

// whctl finds webhookd as a shell would.
Ran offline_check(const std::string& directory) {
  const std::string binary = WEBHOOKD_BINARY;
  return run({WHCTL_BINARY, "check", "--offline", directory}, "", 60s,
             {"PATH=" + binary.substr(0, binary.rfind('/')) + ":/usr/bin:/bin"});
}

void put_back(const Daemon& daemon, const std::string& backup) {
  const Ran restored = run_webhookd(
      {"--restore", backup, "--data-dir", daemon.directory().path() + "/data", "--socket", daemon.socket()});
  CHECK_MESSAGE(restored.exit_code == 0, restored.err);
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a backup taken under load opens, checks clean, and holds everything answered before it began") {
  CountingReceiver receiver;
  Daemon daemon;
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*", "--max-in-flight", "64"});
  const std::string backup = daemon.directory().path() + "/backup";
  std::vector<std::string> before;
  double rate = 0;
  {
    Load load(daemon.socket());
    REQUIRE(eventually([&] { return load.answered().size() >= 10'000; }));
    before = load.answered();
    const std::string made = daemon.tell({"backup", backup, "-o", "json"});
    CHECK(json::parse(made)["file"] == backup);
    CHECK(daemon.tell({"check", "-o", "json"}).find("\"clean\": true") != std::string::npos);
    rate = load.rate();
    load.end();
    CHECK(load.answered().size() > before.size());  // the load went on
  }
  struct stat status {};
  REQUIRE(::stat(backup.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(!fs::exists(backup + ".part"));

  daemon.stop();
  put_back(daemon, backup);
  const Ran checked = offline_check(daemon.directory().path() + "/data");
  CHECK_MESSAGE(checked.exit_code == 0, checked.out << checked.err);
  daemon.start();
  Api api(daemon.socket());
  std::size_t missing = 0;
  for (const std::string& event : before) {
    missing += api.ask("GET", "/v1/events/" + event).status == 200 ? 0 : 1;
  }
  MESSAGE(before.size() << " events answered before the backup at " << static_cast<int>(rate)
                        << " a second, of which the restored store misses " << missing);
  CHECK(missing == 0);
}

TEST_CASE("what waits in a restored store is delivered under its own id, and new ids are new") {
  CountingReceiver receiver([](const auto&) { return 503; });
  Daemon daemon;
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*", "--retry-initial", "1s"});
  Api api(daemon.socket());
  const std::string waiting = api.emit("subscription.create").at(0);
  const std::string backup = daemon.directory().path() + "/backup";
  daemon.tell({"backup", backup});
  const std::string after = api.emit("subscription.create").at(0);
  daemon.stop();
  put_back(daemon, backup);
  daemon.start();
  Api again(daemon.socket());
  CHECK(again.message(waiting)["status"] != "failed");
  CHECK(again.ask("GET", "/v1/messages/" + after).status == 404);
  CHECK(again.emit("subscription.create").at(0) > after);
  CHECK(fs::exists(daemon.directory().path() + "/data/store"));
}

TEST_CASE("a restore by the daemon's user needs no socket, and the store is that user's" *
          doctest::skip(::geteuid() != 0)) {
  const Daemon daemon;
  const TemporaryDirectory place;  // where that user may go
  REQUIRE(::chmod(place.path().c_str(), 0755) == 0);
  const std::string program = place.path() + "/webhookd";
  std::filesystem::copy_file(WEBHOOKD_BINARY, program);
  const std::string data = place.path() + "/data";
  REQUIRE(::mkdir(data.c_str(), 0700) == 0);
  daemon.tell({"backup", data + "/to-restore"});
  for (const std::string& path : {data, data + "/to-restore"}) {
    REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
  }
  const Ran restored = run({"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/env",
                            "-i", program, "--data-dir", data, "--restore", data + "/to-restore"});
  CHECK_MESSAGE(restored.exit_code == 0, restored.err);
  struct stat store {};
  REQUIRE(::stat((data + "/store/data.mdb").c_str(), &store) == 0);
  CHECK(store.st_uid == 65534);
}

TEST_CASE("a backup that was cut off never has the name of one") {
  Daemon daemon;
  const std::string backup = daemon.directory().path() + "/nowhere/backup";
  const Ran ran = daemon.whctl({"backup", backup});
  CHECK(ran.exit_code == 1);
  CHECK(ran.err.find("nowhere") != std::string::npos);
  const Ran other = daemon.whctl({"backup", daemon.directory().path() + "/data"});
  CHECK(other.exit_code == 2);
  CHECK(fs::is_directory(daemon.directory().path() + "/data"));
  CHECK(!fs::exists(daemon.directory().path() + "/data.part"));
}

TEST_CASE("a damaged backup is refused and the daemon's store stays") {
  Daemon daemon;
  const std::string event = daemon.tell({"emit", "subscription.create", "-d", "{}"});
  const std::string backup = daemon.directory().path() + "/backup";
  daemon.tell({"backup", backup});
  const std::vector<std::string> restore = {
      "--restore", backup, "--data-dir", daemon.directory().path() + "/data", "--socket", daemon.socket()};
  const Ran running = run_webhookd(restore);
  CHECK(running.exit_code == 1);
  CHECK(running.err.find("another process holds") != std::string::npos);
  daemon.stop();
  std::string content = content_of(backup);
  content.resize(content.size() / 2);
  daemon.directory().write("backup", content);
  const Ran refused = run_webhookd(restore);
  CHECK(refused.exit_code == 1);
  CHECK(refused.err.find("cut short") != std::string::npos);
  daemon.start();
  CHECK(daemon.whctl({"show", event}).exit_code == 0);
}

TEST_CASE("damage is found by the check of a running daemon, which goes on") {
  Daemon daemon;
  const std::string event = daemon.tell({"emit", "subscription.create", "-d", R"({"unmistakable":1})"});
  CHECK(daemon.tell({"check"}).empty());
  daemon.stop();
  const std::string file = daemon.directory().path() + "/data/store/data.mdb";
  std::string content = content_of(file);
  for (auto at = content.find("unmistakable"); at != std::string::npos; at = content.find("unmistakable", at + 1)) {
    content[at] = 'X';
  }
  std::ofstream(file, std::ios::binary) << content;
  CHECK(offline_check(daemon.directory().path() + "/data").exit_code == 1);
  daemon.start();
  const Ran ran = daemon.whctl({"check"});
  CHECK(ran.exit_code == 1);
  CHECK(ran.out.find("the checksum of its data does not fit") != std::string::npos);
  CHECK(daemon.whctl({"status"}).exit_code == 0);
  CHECK(daemon.whctl({"show", event}).exit_code == 1);
}

TEST_CASE("a store that is in use is not checked from outside") {
  Daemon daemon;
  const Ran ran = offline_check(daemon.directory().path() + "/data");
  CHECK(ran.exit_code == 1);
  CHECK(ran.err.find("whctl check") != std::string::npos);
}
