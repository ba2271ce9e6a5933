// The tool as scripts use it: the README's tour as it stands there, and a pipeline that goes by exit codes.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;

// Indented lines of the README that run whctl, without their comments, in their order.
std::vector<std::string> readme_lines() {
  std::ifstream readme(std::string(WEBHOOKD_SOURCE_DIR) + "/README.md");
  std::vector<std::string> lines;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with("    ") || line.find("whctl ") == std::string::npos || line.find("──") != std::string::npos) {
      continue;
    }
    lines.push_back(std::regex_replace(line.substr(4), std::regex(" +# .*"), ""));
  }
  return lines;
}

struct Shell {
  Ran run_line(const std::string& line) const {
    const std::string binary = WHCTL_BINARY;
    return run({"/bin/sh", "-c", "cd " + daemon.directory().path() + "; " + line}, "", std::chrono::seconds(120),
               {"WHCTL_SOCKET=" + daemon.socket(), "PATH=" + binary.substr(0, binary.rfind('/')) + ":/usr/bin:/bin",
                "XDG_CONFIG_HOME=/nonexistent"});
  }
  Daemon daemon;
};

}  // namespace

TEST_CASE("the tour of the README runs as it stands there") {
  const Shell shell;
  const std::string place = shell.daemon.directory().path();
  std::string background;
  int count = 0;
  for (std::string line : readme_lines()) {
    CAPTURE(line);
    if (line.starts_with("whctl listen")) {
      const Ran started = shell.run_line(line + " > out 2> err & echo $! > pid; " +
                                         "timeout 20 sh -c \"until grep -q 'listening on' err; do sleep 0.01; done\"");
      CHECK(started.exit_code == 0);
      std::getline(std::ifstream(place + "/pid"), background);
      continue;
    }
    const auto message = line.find("MESSAGE");
    if (message != std::string::npos) line.replace(message, 7, shell.daemon.tell({"logs", "-n", "1", "-q"}));
    const Ran ran = shell.run_line(line);
    CAPTURE(ran.err);
    CHECK(ran.exit_code == 0);
    ++count;
  }
  CHECK(count > 10);
  REQUIRE(background != "");
  ::kill(std::stoi(background), SIGINT);
  CHECK(eventually([&] { return shell.daemon.whctl({"show", "portal"}).exit_code == 3; }));
}

TEST_CASE("a pipeline applies, sees the delivery fail in bounded time, repairs, retries, and is done") {
  const Shell shell;
  CountingReceiver bad([](const auto&) { return 500; });
  CountingReceiver good;
  shell.daemon.directory().write("w.toml", "[[webhook]]\ndisplay_name = \"orders\"\nurl = \"" + bad.url() +
                                               "\"\nevents = [\"subscription.*\"]\n"
                                               "retry = {initial = \"1s\", window = \"2s\"}\n");
  CHECK(shell.run_line("whctl apply -f w.toml").exit_code == 0);
  const auto start = std::chrono::steady_clock::now();
  CHECK(shell.run_line("whctl emit subscription.create -d '{}' --wait > event").exit_code == 8);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK(shell.run_line("whctl wait $(cat event)").exit_code == 8);
  CHECK(shell.run_line("whctl edit orders --url " + good.url()).exit_code == 0);
  CHECK(shell.run_line("whctl retry $(whctl logs --status failed -q) && whctl wait $(cat event) --timeout 20s")
            .exit_code == 0);
  CHECK(good.requests() == 1);
  CHECK(shell.run_line("whctl emit subscription.create -d '{}' --wait --timeout 20s").exit_code == 0);
  CHECK(shell.run_line("whctl diff -f w.toml").exit_code == 1);
  CHECK(shell.run_line("whctl list > /dev/full").exit_code == 1);
  CHECK(shell.run_line("whctl types | head -n 1").exit_code == 0);
}

TEST_CASE("--wait-daemon bridges a daemon that is just being started, and gives up with 6") {
  Shell shell;
  shell.daemon.stop();
  CHECK(shell.run_line("whctl --wait-daemon 100ms status").exit_code == 6);
  shell.daemon.start();
  CHECK(shell.run_line("whctl --wait-daemon 10s status").exit_code == 0);
}
