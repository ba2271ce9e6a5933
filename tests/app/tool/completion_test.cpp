// Completion in the real shells: the committed scripts are loaded and asked, as the shell itself would.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "support/process.hpp"

namespace {

using namespace webhookd::support;

const std::string scripts = std::string(WEBHOOKD_SOURCE_DIR) + "/completions";

std::string tool_path() {
  const std::string binary = WHCTL_BINARY;
  return "PATH=" + binary.substr(0, binary.rfind('/')) + ":/usr/bin:/bin";
}

bool has_shell(const std::string& shell) {
  if (std::filesystem::exists("/usr/bin/" + shell) || std::filesystem::exists("/bin/" + shell)) return true;
  std::cout << "skipped: " << shell << " is not installed\n";
  return false;
}

Ran run_in(const std::string& shell, const std::string& script, const std::string& socket) {
  return run({"/usr/bin/env", shell, "-c", script}, "", std::chrono::seconds(20),
             {"WHCTL_SOCKET=" + socket, tool_path(), "LC_ALL=C.UTF-8", "XDG_CONFIG_HOME=/nonexistent"});
}

// COMPREPLY for the words as readline splits them; the last one is the unfinished one.
std::string in_bash(const std::string& socket, const std::string& line, const std::string& words) {
  const std::string script = "source '" + scripts + "/whctl.bash'; COMP_LINE=" + line +
                             "; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(" + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _whctl; printf '%s\\n' \"${COMPREPLY[@]}\"";
  const Ran ran = run_in("bash", script, socket);
  CHECK(ran.err == "");
  return ran.out;
}

// What compadd is given for words as zsh has them.
std::string in_zsh(const std::string& socket, const std::string& words) {
  const std::string script =
      "compdef() { :; }; compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -rl -- \"$@\"; };"
      "_files() { print FILES; }; compset() { :; }; source '" +
      scripts + "/_whctl'; words=(" + words + "); CURRENT=$#words; _whctl";
  const Ran ran = run_in("zsh", script, socket);
  CHECK(ran.err == "");
  return ran.out;
}

std::string in_fish(const std::string& socket, const std::string& line) {
  const Ran ran = run_in("fish", "source '" + scripts + "/whctl.fish'; complete -C '" + line + "'", socket);
  CHECK(ran.err == "");
  return ran.out;
}

bool has(const std::string& text, const std::string& part) {
  return ("\n" + text).find("\n" + part) != std::string::npos;
}

struct Filled {
  Filled() {
    daemon.tell({"create", "my orders", "--url", "http://127.0.0.1:9/", "-e", "api.create"});
    daemon.tell({"create", "my audit", "--url", "http://127.0.0.1:9/", "-e", "*"});
    daemon.tell({"emit", "subscription.create", "-d", "{}"});
    message = daemon.tell({"logs", "-q"});
  }
  Daemon daemon;
  std::string message;
};

}  // namespace

TEST_CASE("bash completes commands, flags, values, names with spaces and ids") {
  if (!has_shell("bash")) return;
  const Filled filled;
  const std::string socket = filled.daemon.socket();
  CHECK(has(in_bash(socket, "'whctl deac'", "whctl deac"), "deactivate\n"));
  CHECK(in_bash(socket, "'whctl secret '", "whctl secret ''") == "show\nrotate\nrotate-master\n");
  CHECK(in_bash(socket, "'whctl list --so'", "whctl list --so") == "--sort\n--socket\n");
  CHECK(in_bash(socket, "'whctl list --sort=n'", "whctl list --sort = n") == "name\n");
  CHECK(in_bash(socket, "'whctl list --sort n'", "whctl list --sort n") == "name\n");
  CHECK(in_bash(socket, "'whctl logs --status failed,ca'", "whctl logs --status failed,ca") == "failed\\,cancelled\n");
  CHECK(in_bash(socket, "'whctl show my'", "whctl show my") == "my\\ orders\nmy\\ audit\n");
  CHECK(in_bash(socket, "'whctl show my\\ o'", "whctl show 'my\\ o'") == "my\\ orders\n");
  CHECK(in_bash(socket, "'whctl show \"my o'", "whctl show '\"my o'") == "my orders\n");
  CHECK(in_bash(socket, "'whctl retry msg_'", "whctl retry msg_") == filled.message + "\n");
  CHECK(has(in_bash(socket, "'whctl create x -e subscr'", "whctl create x -e subscr"), "subscription.create\n"));
}

TEST_CASE("zsh completes commands, flags, values, names with spaces and ids") {
  if (!has_shell("zsh")) return;
  const Filled filled;
  const std::string socket = filled.daemon.socket();
  CHECK(in_zsh(socket, "whctl deac") == "deactivate\n");
  CHECK(in_zsh(socket, "whctl list --so") == "--sort\n--socket\n");
  CHECK(in_zsh(socket, "whctl list --sort=n") == "--sort=name\n");
  CHECK(in_zsh(socket, "whctl show 'my\\ o'") == "my orders\n");
  CHECK(in_zsh(socket, "whctl retry msg_") == filled.message + "\n");
  CHECK(in_zsh(socket, "whctl emit subscription.create -d ''") == "FILES\n");
  CHECK(has(in_zsh(socket, "whctl trigger subscription.c"), "subscription.create\n"));
}

TEST_CASE("fish completes commands, flags, values, names with spaces and ids") {
  if (!has_shell("fish")) return;
  const Filled filled;
  const std::string socket = filled.daemon.socket();
  CHECK(has(in_fish(socket, "whctl deac"), "deactivate\tdeactivates webhooks"));
  CHECK(has(in_fish(socket, "whctl list --so"), "--sort\t"));
  CHECK(has(in_fish(socket, "whctl show my"), "my orders\t"));
  CHECK(has(in_fish(socket, "whctl show my\\ o"), "my orders\t"));
  CHECK(has(in_fish(socket, "whctl retry msg_"), filled.message + "\t"));
  CHECK(has(in_fish(socket, "whctl create x -e subscr"), "subscription.*"));
}

TEST_CASE("a field that a list has is known when the list is empty, too") {
  const Filled filled;
  const auto check = [&](const std::vector<std::string>& command, const std::vector<std::string>& to_none) {
    std::vector<std::string> whole = command;
    whole.insert(whole.end(), {"-o", "json"});
    const auto item = nlohmann::json::parse(filled.daemon.tell(whole))["items"][0];
    REQUIRE(item.is_object());
    for (const auto& member : item.items()) {
      CAPTURE(member.key());
      std::vector<std::string> words = to_none;
      words.insert(words.end(), {"--fields", member.key()});
      CHECK(filled.daemon.whctl(words).exit_code == 0);
    }
  };
  check({"list"}, {"list", "--search", "nothing-like-it"});
  check({"logs"}, {"logs", "--grep", "nothing-like-it"});
  check({"logs", "--after-cursor", "start"}, {"logs", "--grep", "nothing-like-it"});
}

TEST_CASE("with the daemon stopped completion is silent, offers what it knows, and takes at most 250 ms") {
  const auto start = std::chrono::steady_clock::now();
  const Ran names =
      run({WHCTL_BINARY, "__complete", "show", ""}, "", std::chrono::seconds(5), {"WHCTL_SOCKET=/nonexistent/socket"});
  const auto taken = std::chrono::steady_clock::now() - start;
  CHECK(names.exit_code == 0);
  CHECK(names.out == ":\n");
  CHECK(names.err == "");
  CHECK(taken < std::chrono::milliseconds(250));
  CHECK(has(run({WHCTL_BINARY, "__complete", ""}).out, "create\tmakes a webhook"));
}
