// The tool on a real terminal (a pseudo terminal): the live view, Ctrl-C, the restored screen; and the way through ssh.
#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

// whctl on a terminal of 100 columns and 30 lines.
class OnTerminal {
 public:
  OnTerminal(const Daemon& daemon, std::vector<std::string> words,
             const std::vector<std::pair<std::string, std::string>>& environment = {}) {
    winsize size{30, 100, 0, 0};
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::setenv("LC_ALL", "C.UTF-8", 1);
      ::setenv("TERM", "xterm", 1);
      for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
      words.insert(words.begin(), {"whctl", "--socket", daemon.socket()});
      std::vector<char*> pointers;
      for (auto& word : words) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      ::execv(WHCTL_BINARY, pointers.data());
      ::_exit(127);
    }
    ::tcgetattr(terminal_, &before_);
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(terminal_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  bool shows(const std::string& text) {
    return eventually([&] {
      drain();
      return seen_.find(text) != std::string::npos;
    });
  }
  void type(const std::string& keys) { REQUIRE(::write(terminal_, keys.data(), keys.size()) > 0); }
  // `keys` are typed until it ends: nothing says when a program that prints nothing has begun to listen.
  int ended(const std::string& keys = "") {
    int status = 0;
    const bool is_over = eventually([&] {
      drain();
      if (!keys.empty()) type(keys);
      return ::waitpid(pid_, &status, WNOHANG) == pid_;
    });
    REQUIRE(is_over);
    pid_ = -1;
    drain();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // Lines are edited and echoed again, as before.
  bool is_restored() const {
    termios now{};
    ::tcgetattr(terminal_, &now);
    return now.c_lflag == before_.c_lflag;
  }
  const std::string& seen() const { return seen_; }

 private:
  void drain() {
    std::array<char, 4096> buffer{};
    pollfd entry{terminal_, POLLIN, 0};
    while (::poll(&entry, 1, 0) > 0) {
      const auto got = ::read(terminal_, buffer.data(), buffer.size());
      if (got <= 0) return;
      seen_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  int terminal_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string seen_;
};

const std::string other_screen = "\x1b[?1049h";
const std::string own_screen = "\x1b[?1049l";

}  // namespace

TEST_CASE("top shows the daemon, cancels by a key, and gives the terminal back") {
  const Daemon daemon;
  CountingReceiver bad([](const auto&) { return 503; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*", "--retry-initial", "1h"});
  daemon.tell({"emit", "api.create", "-d", "{}"});
  REQUIRE(eventually([&] { return !daemon.tell({"logs", "--status", "retrying", "-q"}).empty(); }));
  OnTerminal top(daemon, {"top", "--interval", "100ms"});
  CHECK(top.shows(other_screen));
  CHECK(top.shows("HTTP 503"));
  CHECK(top.shows("in flight"));
  top.type("c");
  CHECK(top.shows("is now cancelled"));
  CHECK(daemon.tell({"logs", "--status", "cancelled", "-q"}) != "");
  top.type("q");
  CHECK(top.ended() == 0);
  CHECK(top.seen().ends_with(own_screen));
  CHECK(top.is_restored());
}

TEST_CASE("Ctrl-C ends top and listen with 130, the terminal is as before and the webhook gone") {
  const Daemon daemon;
  OnTerminal top(daemon, {"top"});
  CHECK(top.shows("in flight"));
  top.type("\x03");
  CHECK(top.ended() == 130);
  CHECK(top.seen().find(own_screen) != std::string::npos);
  CHECK(top.is_restored());
  OnTerminal listener(daemon, {"listen", "--webhook", "try", "-e", "*"});
  CHECK(listener.shows("listening on"));
  listener.type("\x03");
  CHECK(listener.ended() == 130);
  CHECK(daemon.tell({"list", "-q"}) == "");
}

TEST_CASE("Ctrl-C ends a wait and a question with 130, and nothing was done") {
  const Daemon daemon;
  CountingReceiver bad([](const auto&) { return 503; });
  daemon.tell({"create", "orders", "--url", bad.url(), "-e", "*", "--retry-initial", "1h"});
  const std::string event = daemon.tell({"emit", "api.create", "-d", "{}"});
  OnTerminal waiting(daemon, {"wait", event});
  REQUIRE(eventually([&] { return bad.requests() > 0; }));
  CHECK(waiting.ended("\x03") == 130);
  OnTerminal question(daemon, {"delete", "orders"});
  CHECK(question.shows("[y/N]"));
  question.type("\x03");
  CHECK(question.ended() == 130);
  CHECK(daemon.whctl({"show", "orders"}).exit_code == 0);
}

TEST_CASE("Ctrl-C in the editor exits 130, sends nothing, and keeps the text only when there is some") {
  const Daemon daemon;
  daemon.tell({"create", "orders", "--url", "http://127.0.0.1:9/", "-e", "*"});
  const auto drafts = [&] { return run({"/bin/sh", "-c", "ls " + daemon.directory().path() + "/whctl-*"}).out; };
  const std::string temporary = daemon.directory().path();
  OnTerminal unchanged(daemon, {"edit", "orders"},
                       {{"EDITOR", "echo editing; exec sleep 60; true"}, {"TMPDIR", temporary}});
  CHECK(unchanged.shows("editing"));
  unchanged.type("\x03");
  CHECK(unchanged.ended() == 130);
  CHECK(unchanged.is_restored());
  CHECK(drafts() == "");
  const std::string patient =
      daemon.directory().write("patient",
                               "trap 'echo it stays; seen=1' INT; echo ready; until [ \"$seen\" ]; do sleep 0.05; "
                               "done; sed -i s,//127.0.0.1:9/,//127.0.0.2:9/, \"$1\"\n");
  OnTerminal lived(daemon, {"edit", "orders"}, {{"EDITOR", "sh " + patient}, {"TMPDIR", temporary}});
  CHECK(lived.shows("ready"));
  lived.type("\x03");
  CHECK(lived.shows("it stays"));
  CHECK(lived.ended() == 0);
  CHECK(json::parse(daemon.tell({"show", "orders", "-o", "json"}))["url"] == "http://127.0.0.2:9/");
  const std::string half =
      daemon.directory().write("half", "echo 'half a text' > \"$1\"; echo editing; exec sleep 60\n");
  OnTerminal changed(daemon, {"edit", "orders"}, {{"EDITOR", "sh " + half}, {"TMPDIR", temporary}});
  CHECK(changed.shows("editing"));
  changed.type("\x03");
  CHECK(changed.ended() == 130);
  CHECK(changed.seen().find("your text is kept in " + temporary + "/whctl-") != std::string::npos);
  CHECK(run({"/bin/sh", "-c", "cat " + temporary + "/whctl-*"}).out == "half a text\n");
  CHECK(json::parse(daemon.tell({"show", "orders", "-o", "json"}))["version"] == 2);
}

TEST_CASE("Ctrl-C in the pager belongs to the pager; when that ends by it, so does the tool, with 130") {
  const Daemon daemon;
  for (int i = 0; i < 40; ++i) daemon.tell({"types", "add", "own.type" + std::to_string(i)});
  const std::string short_lived =
      daemon.directory().write("short-lived", "read -r line; echo \"$line\"; exec sleep 60\n");
  OnTerminal dying(daemon, {"types"}, {{"WHCTL_PAGER", "sh " + short_lived}});
  CHECK(dying.shows("NAME"));
  dying.type("\x03");
  CHECK(dying.ended() == 130);
  CHECK(dying.is_restored());
  const std::string staying = daemon.directory().write(
      "staying", "trap 'echo it stays; seen=1' INT; echo ready; until [ \"$seen\" ]; do sleep 0.05; done; exit 0\n");
  OnTerminal living(daemon, {"types"}, {{"WHCTL_PAGER", "sh " + staying}});
  CHECK(living.shows("ready"));
  living.type("\x03");
  CHECK(living.shows("it stays"));
  CHECK(living.ended() == 0);
  CHECK(living.is_restored());
}

TEST_CASE("Ctrl-C in an apply exits 130; what it has done is whole, and the next apply does the rest") {
  const Daemon daemon;
  constexpr int wanted = 400;
  std::string manifest;
  for (int i = 0; i < wanted; ++i) {
    manifest +=
        "[[webhook]]\ndisplay_name = \"w" + std::to_string(i) + "\"\nurl = \"http://127.0.0.1:9/\"\nevents = [\"*\"]\n";
  }
  const std::string file = daemon.directory().write("all.toml", manifest);
  OnTerminal applying(daemon, {"apply", "-f", file, "--yes"});
  REQUIRE(eventually([&] { return !daemon.tell({"list", "-q"}).empty(); }));
  CHECK(applying.ended("\x03") == 130);
  CHECK(applying.is_restored());
  const json made = json::parse(daemon.tell({"list", "-o", "json"}))["items"];
  CHECK(!made.empty());
  CHECK(made.size() < wanted);
  for (const json& webhook : made) CHECK(webhook["events"] == json{"*"});
  daemon.tell({"apply", "-f", file, "--yes"});
  CHECK(json::parse(daemon.tell({"list", "-o", "json"}))["items"].size() == wanted);
  CHECK(daemon.tell({"apply", "-f", file, "--yes", "--dry-run", "-q"}) == "");
  CHECK(daemon.whctl({"check"}).exit_code == 0);
}

TEST_CASE("without a terminal top is status") {
  const Daemon daemon;
  CHECK(json::parse(daemon.tell({"top", "-o", "json"})).contains("engine"));
}

TEST_CASE("ssh://host reaches a daemon through the system's ssh, and what ssh says is shown as it is") {
  const Daemon daemon;
  const auto& place = daemon.directory();
  const std::string binary = WHCTL_BINARY;
  const std::string folder = binary.substr(0, binary.rfind('/'));
  // Stands for ssh: keeps its words, and runs the last one as the other machine's shell would.
  place.write("ssh", "#!/bin/sh\necho \"$@\" >> " + place.path() + "/ssh.log\nfor last; do :; done\nPATH=" + folder +
                         ":$PATH exec sh -c \"$last\"\n");
  REQUIRE(run({"/bin/chmod", "+x", place.path() + "/ssh"}).exit_code == 0);
  const std::vector<std::string> environment{"PATH=" + place.path() + ":/usr/bin:/bin"};
  const auto through_ssh = [&](std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {binary, "--socket", "ssh://deploy@box.example:2222" + daemon.socket()});
    return run(words, input, std::chrono::seconds(60), environment);
  };
  CHECK(through_ssh({"create", "orders", "--url", "http://127.0.0.1:9/", "-e", "*"}).exit_code == 0);
  CHECK(daemon.tell({"list", "-o", "name"}) == "orders");
  CHECK(through_ssh({"show", "no such"}).exit_code == 3);
  const std::string large(600'000, 'x');
  CHECK(through_ssh({"emit", "api.create", "-d", "-"}, "\"" + large + "\"").exit_code == 0);
  const std::string message = daemon.tell({"logs", "-q"});
  CHECK(through_ssh({"show", message, "-o", "json"}).out.find(large) != std::string::npos);
  const Ran log = run({"/bin/cat", place.path() + "/ssh.log"});
  CHECK(
      log.out.starts_with("-T -l deploy -p 2222 -- box.example whctl --socket '" + daemon.socket() + "' dial-stdio\n"));

  place.write("ssh", "#!/bin/sh\necho 'ssh: connect to host box.example port 22: Connection refused' >&2\nexit 255\n");
  const Ran refused = through_ssh({"list"});
  CHECK(refused.exit_code == 6);
  CHECK(refused.err.starts_with("ssh: connect to host box.example port 22: Connection refused\nwhctl: ssh://"));
  const Ran wrong =
      run({binary, "--socket", "ssh://-oProxyCommand=x/y", "list"}, "", std::chrono::seconds(5), environment);
  CHECK(wrong.exit_code == 2);
}

TEST_CASE("the tool starts in a few milliseconds") {
  std::chrono::steady_clock::duration best = std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(run({WHCTL_BINARY, "version"}).exit_code == 0);
    best = std::min(best, std::chrono::steady_clock::now() - start);
  }
  MESSAGE("fork, exec and `whctl version`: " << std::chrono::duration_cast<std::chrono::microseconds>(best).count()
                                             << " us at best");
  if (!is_sanitized) {
    CHECK(best < std::chrono::milliseconds(50));
  }
}
