// whctl: the composition root. Everything it does is run.cpp's; here are the descriptors, the environment and signals.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/text.hpp"
#include "run.hpp"

namespace {

using namespace webhookd::whctl;

constexpr std::size_t width_default = 80;
constexpr std::size_t height_default = 24;
constexpr unsigned long long size_max = 10'000;

void leave_interrupted(int) { ::_exit(static_cast<int>(ExitCode::interrupted)); }

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// The variable, then what the terminal says, then the default.
std::size_t terminal_size(std::string_view variable, unsigned short winsize::*member, std::size_t fallback) {
  const auto given = webhookd::base::parse_whole_number(environment(variable).value_or(""), size_max);
  if (given && *given > 0) return static_cast<std::size_t>(*given);
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.*member > 0 ? size.*member : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, leave_interrupted);
  Channel out(STDOUT_FILENO);
  Channel err(STDERR_FILENO);
  Console console{out, err};
  console.in = STDIN_FILENO;
  console.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  console.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  console.width = terminal_size("COLUMNS", &winsize::ws_col, width_default);
  console.height = terminal_size("LINES", &winsize::ws_row, height_default);
  const auto code = run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), environment, console);
  out.flush();
  err.flush();
  return static_cast<int>(code);
}
