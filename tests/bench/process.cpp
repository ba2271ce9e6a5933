#include "bench/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace bench {

namespace {

[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& log, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing of a bench outlives it
  ::dup2(output, STDOUT_FILENO);
  if (!log.empty()) {
    ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
  }
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  std::perror(pointers[0]);
  ::_exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const std::string& log) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot make a pipe");
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    become(arguments, log, pipe[1]);
  }
  ::close(pipe[1]);
  output_ = pipe[0];
  if (pid_ < 0) {
    throw std::runtime_error("cannot start " + arguments[0]);
  }
}

Process::~Process() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(output_);
}

std::string Process::read_line() {
  std::string line;
  for (char c = 0; ::read(output_, &c, 1) == 1 && c != '\n';) {
    line += c;
  }
  if (line.empty()) {
    throw std::runtime_error("a program of the bench ended without an answer");
  }
  return line;
}

bool Process::is_running() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

double Process::cpu_microseconds() const {
  std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {  // from the state to cmajflt; utime and stime follow
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double first_byte_microseconds(const std::vector<std::string>& arguments) {
  const auto start = std::chrono::steady_clock::now();
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot make a pipe");
  }
  const pid_t child = ::fork();
  if (child == 0) {
    become(arguments, {}, pipe[1]);
  }
  ::close(pipe[1]);
  char buffer[65536];
  const ssize_t first = ::read(pipe[0], buffer, sizeof buffer);
  const std::chrono::duration<double, std::micro> span = std::chrono::steady_clock::now() - start;
  while (::read(pipe[0], buffer, sizeof buffer) > 0) {
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (child < 0 || first <= 0 || status != 0) {
    throw std::runtime_error(arguments[0] + " failed");
  }
  return span.count();
}

Measured run_ceiling(const std::vector<std::string>& arguments) {
  Process process(arguments);
  std::istringstream line(process.read_line());
  Measured measured;
  line >> measured.operations >> measured.seconds >> measured.cpu_microseconds;
  return measured;
}

}  // namespace bench
