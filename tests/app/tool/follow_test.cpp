// logs as pipelines and people follow it: every change once, over restarts of the daemon, kill -9 and interrupts.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

std::vector<json> json_lines(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// whctl in the background, its standard output in a file.
class Follower {
 public:
  Follower(const Daemon& daemon, std::vector<std::string> words, const std::string& name = "followed")
      : out_(daemon.directory().path() + "/" + name) {
    words.insert(words.begin(), WHCTL_BINARY);
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    const std::string error_file = out_ + ".err";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      ::dup2(::open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      ::setenv("WHCTL_SOCKET", daemon.socket().c_str(), 1);
      ::execv(arguments.front(), arguments.data());
      ::_exit(127);
    }
  }
  ~Follower() {
    if (pid_ > 0) {
      interrupt();
    }
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  std::string out() const { return text_of(out_); }
  std::string err() const { return text_of(out_ + ".err"); }
  // SIGINT; the exit code.
  int interrupt() {
    ::kill(pid_, SIGINT);
    return exit_code();
  }
  // When it has ended by itself.
  int exit_code() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  std::string out_;
  pid_t pid_ = -1;
};

json webhook_to(const CountingReceiver& receiver, const std::string& name) {
  return {
      {"display_name", name}, {"url", receiver.url()}, {"events", {"*"}}, {"retry", {{"initial", 1}, {"window", 2}}}};
}

}  // namespace

TEST_CASE("a loop with a cursor file sees each of ten thousand messages settle once, over a restart and a kill -9") {
  constexpr std::size_t messages = 10'000;
  Daemon daemon;
  const CountingReceiver receiver;
  Api(daemon.socket()).create_webhook(webhook_to(receiver, "orders"));
  const std::string cursor_file = daemon.directory().path() + "/cursor";

  std::map<std::string, int> settled;
  std::set<std::string> states;  // every line that was printed
  std::size_t lines = 0;
  const auto look = [&] {
    const Ran ran = daemon.whctl({"logs", "-o", "jsonl", "--cursor-file", cursor_file});
    for (const json& message : json_lines(ran.out)) {
      settled[message["id"]] += message["status"] == "success" ? 1 : 0;
      states.insert(message["cursor"]);
      ++lines;
    }
    return ran.exit_code;
  };
  for (int part = 0; part < 4; ++part) {
    Api(daemon.socket()).emit_many("subscription.create", messages / 4);
    CHECK(look() == 0);
    if (part == 1) {
      CHECK(daemon.stop() == 0);
      CHECK(look() == 6);
      daemon.start();
    } else if (part == 2) {
      daemon.kill();
      CHECK(look() == 6);
      daemon.start();
    }
    look();
  }
  CHECK(eventually([&] {
    look();
    return settled.size() == messages &&
           std::all_of(settled.begin(), settled.end(), [](const auto& entry) { return entry.second == 1; });
  }));
  CHECK(lines == states.size());
  CHECK(daemon.whctl({"logs", "-o", "jsonl", "--cursor-file", cursor_file}).out == "");
  struct stat file {};
  REQUIRE(::stat(cursor_file.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0600);
}

TEST_CASE("logs -f shows the latest, then every change once, goes on over a restart and a kill -9, and exits 130") {
  Daemon daemon;
  const CountingReceiver receiver;
  Api(daemon.socket()).create_webhook(webhook_to(receiver, "orders"));
  std::vector<std::string> before;
  for (int i = 0; i < 5; ++i) {
    before.push_back(Api(daemon.socket()).emit("subscription.create").at(0));
    REQUIRE(daemon.whctl({"wait", before.back()}).exit_code == 0);
  }
  Follower follower(daemon, {"logs", "-f", "-n", "3", "-o", "jsonl"});
  const auto ids = [&](const std::string& status) {
    std::vector<std::string> found;
    for (const json& line : json_lines(follower.out())) {
      if (line["status"] == status) {
        found.push_back(line["id"]);
      }
    }
    return found;
  };
  std::vector<std::string> expected(before.end() - 3, before.end());
  CHECK(eventually([&] { return ids("success") == expected; }));
  const auto emit = [&] {
    expected.push_back(Api(daemon.socket()).emit("subscription.create").at(0));
    CHECK(eventually([&] { return ids("success") == expected; }));
  };
  emit();
  CHECK(daemon.stop() == 0);
  CHECK(eventually([&] { return !follower.err().empty(); }));
  daemon.start();
  emit();
  daemon.kill();
  daemon.start();
  emit();
  CHECK(follower.interrupt() == 130);
  CHECK(ids("success") == expected);
  const std::string told = follower.err();
  CHECK(std::count(told.begin(), told.end(), '\n') == 2);
  CHECK(told.find("the daemon went away; going on when it is back") != std::string::npos);
}

TEST_CASE("whoever follows with a history goes on behind the cursor of its last line") {
  Daemon daemon;
  const CountingReceiver receiver;
  Api(daemon.socket()).create_webhook(webhook_to(receiver, "orders"));
  const std::string first = Api(daemon.socket()).emit("subscription.create").at(0);
  REQUIRE(daemon.whctl({"wait", first}).exit_code == 0);
  std::string cursor;
  {
    Follower follower(daemon, {"logs", "-f", "-n", "1", "-o", "jsonl", "--fields", "id,status,cursor"});
    REQUIRE(eventually([&] { return !json_lines(follower.out()).empty(); }));
    CHECK(json_lines(follower.out()).front()["id"] == first);
    cursor = json_lines(follower.out()).front()["cursor"];
  }
  const std::string second = Api(daemon.socket()).emit("subscription.create").at(0);
  REQUIRE(daemon.whctl({"wait", second}).exit_code == 0);
  CHECK(daemon.tell({"logs", "-q", "--after-cursor", cursor}) == second);
}

TEST_CASE("a wait goes on over a restart of the daemon within --wait-daemon, and gives up without") {
  Daemon daemon;
  std::atomic<int> code = 503;
  const CountingReceiver receiver([&](const auto&) { return code.load(); });
  Api(daemon.socket()).create_webhook({{"display_name", "orders"}, {"url", receiver.url()}, {"events", {"*"}}});
  const std::string id = Api(daemon.socket()).emit("subscription.create").at(0);
  REQUIRE(eventually([&] { return receiver.requests() > 0; }));
  Follower impatient(daemon, {"wait", id});
  Follower patient(daemon, {"wait", id, "--wait-daemon", "30s"}, "patient");
  // Both are connected when the daemon has three sessions, the third being the question itself.
  REQUIRE(eventually([&] {
    return daemon.tell({"api", "GET", "/metrics"}).find("\nwebhookd_control_sessions 3\n") != std::string::npos;
  }));
  daemon.kill();
  CHECK(impatient.exit_code() == 6);
  daemon.start();
  code = 200;
  CHECK(daemon.whctl({"retry", id}).exit_code == 0);
  CHECK(patient.exit_code() == 0);
}

TEST_CASE("a table that is followed has no header for a script, and filters combine") {
  Daemon daemon;
  const CountingReceiver good;
  const CountingReceiver bad([](const auto&) { return 503; });
  Api(daemon.socket()).create_webhook(webhook_to(good, "good"));
  Api(daemon.socket()).create_webhook(webhook_to(bad, "bad"));
  Follower follower(daemon,
                    {"logs", "bad", "-f", "--code", "5xx", "--status", "failed", "--since", "1h", "--grep", "503"});
  const auto ids = Api(daemon.socket()).emit("subscription.create");
  CHECK(eventually([&] { return follower.out().find("failed") != std::string::npos; }));
  CHECK(follower.interrupt() == 130);
  const std::string text = follower.out();
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(std::count(text.begin(), text.end(), '\t') == 6);
}

TEST_CASE("a cursor file that is missing or empty begins at the beginning, a foreign one is refused and kept") {
  Daemon daemon;
  const CountingReceiver receiver;
  Api(daemon.socket()).create_webhook(webhook_to(receiver, "orders"));
  const std::string id = Api(daemon.socket()).emit("subscription.create").at(0);
  REQUIRE(daemon.whctl({"wait", id}).exit_code == 0);
  const std::string empty = daemon.directory().write("empty", "");
  CHECK(daemon.tell({"logs", "-q", "--cursor-file", daemon.directory().path() + "/missing"}) == id);
  CHECK(daemon.tell({"logs", "-q", "--cursor-file", empty}) == id);
  CHECK(daemon.tell({"logs", "-q", "--cursor-file", empty}) == "");
  const std::string cursor = text_of(empty);
  const std::string foreign = daemon.directory().write("foreign", "nonsense\n");
  const Ran refused = daemon.whctl({"logs", "--cursor-file", foreign});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("after: is not a cursor that we gave") != std::string::npos);
  CHECK(text_of(foreign) == "nonsense\n");
  CHECK(daemon.whctl({"logs", "--cursor-file", "/dev/null"}).exit_code == 2);

  const json all = json::parse(daemon.tell({"logs", "--after-cursor", "start", "-o", "json"}));
  CHECK(all["items"].size() == 1);
  CHECK(json::parse(daemon.tell({"logs", "--after-cursor", all["next_cursor"], "-o", "json"}))["items"].empty());
  const Daemon other;
  CHECK(other.whctl({"logs", "--after-cursor", all["next_cursor"]}).err.find("another store") != std::string::npos);
}

TEST_CASE("output that cannot be written keeps the cursor where it was") {
  Daemon daemon;
  const CountingReceiver receiver;
  Api(daemon.socket()).create_webhook(webhook_to(receiver, "orders"));
  const std::string id = Api(daemon.socket()).emit("subscription.create").at(0);
  REQUIRE(daemon.whctl({"wait", id}).exit_code == 0);
  const std::string file = daemon.directory().path() + "/cursor";
  const Ran full = run({"/bin/sh", "-c", std::string(WHCTL_BINARY) + " logs --cursor-file " + file + " > /dev/full"},
                       "", std::chrono::seconds(60), {"WHCTL_SOCKET=" + daemon.socket()});
  CHECK(full.exit_code == 1);
  CHECK(daemon.tell({"logs", "-q", "--cursor-file", file}) == id);
}

TEST_CASE("Ctrl-C in a batch exits 130, and what was answered stays accepted") {
  Daemon daemon;
  const std::string fifo = daemon.directory().path() + "/lines";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int writer = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  const std::string line = "{\"type\":\"subscription.create\",\"data\":1}\n";
  REQUIRE(::write(writer, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  Follower batch(daemon, {"emit", "--batch", fifo});
  CHECK(eventually([&] { return Api(daemon.socket()).get("/v1/status").at("store").at("events") == 1; }));
  CHECK(batch.interrupt() == 130);
  ::close(writer);
  CHECK(Api(daemon.socket()).get("/v1/status").at("store").at("events") == 1);
}
