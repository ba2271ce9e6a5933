#include "program.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace webhookd::whctl {

namespace {

// SIGINT and SIGQUIT ignored while it lives.
class KeysLeftToProgram {
 public:
  KeysLeftToProgram() : interrupt_(std::signal(SIGINT, SIG_IGN)), quit_(std::signal(SIGQUIT, SIG_IGN)) {}
  ~KeysLeftToProgram() {
    std::signal(SIGINT, interrupt_);
    std::signal(SIGQUIT, quit_);
  }
  KeysLeftToProgram(const KeysLeftToProgram&) = delete;
  KeysLeftToProgram& operator=(const KeysLeftToProgram&) = delete;

 private:
  void (*interrupt_)(int);
  void (*quit_)(int);
};

[[noreturn]] void become(const std::vector<std::string>& arguments, int input, const Defaults& defaults) {
  constexpr int not_found = 127;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGQUIT, SIGPIPE}) std::signal(signal, SIG_DFL);
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  for (const auto& [name, value] : defaults) ::setenv(name.c_str(), value.c_str(), 0);
  std::vector<char*> words;
  for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execvp(words.front(), words.data());
  ::_exit(not_found);
}

// A program that has seen enough closes its end: that is no failure.
void feed(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string shell_command(const std::string& command, std::string_view arguments) {
  const bool is_lone = command.find_first_of("|&;<>()$`\\\"'*?[]#~=%{}!\n") == std::string::npos;
  const std::string whole = command + std::string(arguments);
  if (!is_lone) return whole;
  const std::string program = command.substr(0, command.find(' ', command.find_first_not_of(' ')));
  return "case $(command -v " + program + ") in /*) exec " + whole + ";; *) " + whole + ";; esac";
}

std::optional<int> run_program(const std::vector<std::string>& arguments, const std::optional<std::string>& input,
                               const Defaults& defaults) {
  std::array<int, 2> ends{-1, -1};
  if (input && ::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const KeysLeftToProgram keys;
  const pid_t child = ::fork();
  if (child == 0) become(arguments, ends[0], defaults);
  if (input) ::close(ends[0]);
  if (input && child > 0) feed(ends[1], *input);
  if (input) ::close(ends[1]);
  if (child < 0) return std::nullopt;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace webhookd::whctl
