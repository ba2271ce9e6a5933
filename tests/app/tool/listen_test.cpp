// listen against a real daemon: scripted answers, registration and its end, recording, replay, forwarding.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

// `whctl listen …` in the background, ready; output in files.
class Listener {
 public:
  Listener(const Daemon& daemon, const std::string& name, std::vector<std::string> flags)
      : base_(daemon.directory().path() + "/" + name) {
    std::string command = "exec " WHCTL_BINARY " --socket " + daemon.socket() + " listen -o jsonl";
    for (const auto& flag : flags) command += " '" + flag + "'";
    command += " > " + base_ + ".out 2> " + base_ + ".err";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    REQUIRE(eventually([&] { return read_file(base_ + ".err").find("listening on ") != std::string::npos; }));
  }
  ~Listener() {
    if (pid_ > 0) stop(SIGKILL);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string url() const {
    std::smatch found;
    const std::string text = read_file(base_ + ".err");
    std::regex_search(text, found, std::regex("listening on (\\S+)\n"));
    return found[1].str() + "/";
  }
  std::vector<json> seen() const { return lines_of(read_file(base_ + ".out")); }
  int stop(int signal = SIGINT) {
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  std::string base_;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("listen registers itself, answers by its script, checks signatures, and leaves nothing behind") {
  const Daemon daemon;
  Listener listener(daemon, "script", {"--webhook", "try", "-e", "subscription.*", "--status", "drop,500,200"});
  daemon.tell({"edit", "try", "--retry-initial", "1s"});
  const Ran emitted = daemon.whctl({"emit", "subscription.create", "-d", "{\"a\":1}", "--wait", "--timeout", "30s"});
  CHECK(emitted.exit_code == 0);
  const auto seen = listener.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0]["status"].is_null());
  CHECK(seen[1]["status"] == 500);
  CHECK(seen[2]["status"] == 200);
  for (const auto& line : seen) {
    CHECK(line["signature"] == "ok");
    CHECK(line["webhook_id"] == seen[0]["webhook_id"]);
    CHECK(line["type"] == "subscription.create");
  }
  const json message = json::parse(daemon.tell({"show", seen[0]["webhook_id"], "-o", "json"}));
  CHECK(message["attempt_log"][0]["outcome"] == "reset");
  CHECK(listener.stop() == 130);
  CHECK(daemon.whctl({"show", "try"}).exit_code == 3);
}

TEST_CASE("what was recorded is replayed byte for byte, and what is forwarded gets the other's answer") {
  const Daemon daemon;
  const std::string record = daemon.directory().path() + "/requests.ndjson";
  Listener target(daemon, "target", {"--status", "201,503,200"});
  Listener between(daemon, "between",
                   {"--webhook", "try", "-e", "*", "--forward-to", target.url(), "--record", record});
  daemon.tell({"edit", "try", "--retry-initial", "1s"});
  daemon.tell({"emit", "api.create", "-d", "{\"z\": 1.50}", "--wait", "--timeout", "30s"});
  const Ran failing = daemon.whctl({"emit", "api.create", "-d", "2"});
  REQUIRE(eventually([&] { return between.seen().size() >= 2; }));
  CHECK(between.seen()[0]["status"] == 201);
  CHECK(between.seen()[1]["status"] == 503);
  CHECK(between.seen()[0]["signature"] == "ok");
  CHECK(target.seen()[0]["body"] == between.seen()[0]["body"]);
  CHECK(between.stop(SIGTERM) == 130);
  CHECK(daemon.tell({"list", "-q"}) == "");
  const std::size_t before = target.seen().size();
  const std::size_t recorded = lines_of(read_file(record)).size();
  const Ran replayed = daemon.whctl({"listen", "--replay", record, "--forward-to", target.url(), "-o", "jsonl"});
  CHECK(replayed.exit_code == 0);
  REQUIRE(eventually([&] { return target.seen().size() == before + recorded; }));
  CHECK(target.seen()[before]["body"] == target.seen()[0]["body"]);
  CHECK(target.seen()[before]["webhook_id"] == target.seen()[0]["webhook_id"]);
}

TEST_CASE("the sender sees the whole answer of a program that listen hands on to") {
  const Daemon daemon;
  const CountingReceiver program(
      [](const auto&) { return ReceiverAnswer(429, "Retry-After: 7\r\nX-Program: yes\r\nKeep-Alive: timeout=5\r\n"); });
  const Listener between(daemon, "between", {"--webhook", "try", "-e", "*", "--forward-to", program.url()});
  const std::string event = daemon.tell({"emit", "api.create", "-d", "1"});
  json attempts;
  REQUIRE(eventually([&] {
    const json messages = json::parse(daemon.tell({"show", event, "-o", "json"}))["messages"];
    attempts = json::parse(daemon.tell({"show", messages[0]["id"], "-o", "json"}))["attempt_log"];
    return !attempts.empty() && attempts[0]["code"] == 429;
  }));
  CHECK(attempts[0]["response_body"] == "ok");
  const std::string headers = attempts[0]["response_headers"];
  CHECK(headers.find("retry-after: 7") != std::string::npos);
  CHECK(headers.find("x-program: yes") != std::string::npos);
  CHECK(headers.find("keep-alive") == std::string::npos);
}

TEST_CASE("what a listen that was killed has left behind is named, and so is what stays when the daemon is away") {
  Daemon daemon;
  {
    Listener killed(daemon, "killed", {"--webhook", "try", "-e", "*"});
    killed.stop(SIGKILL);
  }
  const Ran again = daemon.whctl({"listen", "--webhook", "try", "-e", "*"});
  CHECK(again.exit_code == 5);
  CHECK(again.err.find("hint: when an earlier listen left it behind: whctl delete 'try'\n") != std::string::npos);
  daemon.tell({"delete", "try", "--yes"});
  Listener left(daemon, "left", {"--webhook", "try", "-e", "*"});
  daemon.stop();
  CHECK(left.stop() == 130);
  const std::string said = read_file(daemon.directory().path() + "/left.err");
  CHECK(said.find("hint: the webhook stays registered; take it away with: whctl delete wh_") != std::string::npos);
}

TEST_CASE("flags of listen that do not go together are refused before anything is made") {
  const Daemon daemon;
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--webhook", "x"},
                                             {"--drop", "--status", "200"},
                                             {"--replay", "/dev/null"},
                                             {"--forward-to", "http://127.0.0.1:1/", "--status", "200"},
                                             {"--forward-to", "https://a.example/"},
                                             {"--secret", "nonsense"},
                                             {"--status", "99"}}) {
    CAPTURE(flags.front());
    std::vector<std::string> words{"listen"};
    words.insert(words.end(), flags.begin(), flags.end());
    const Ran ran = daemon.whctl(words);
    CHECK(ran.exit_code == 2);
    CHECK(ran.err.starts_with("whctl: --"));
  }
}
