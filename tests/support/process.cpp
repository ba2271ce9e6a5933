#include "support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace webhookd::support {

namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe");
    }
    read = ends[0];
    write = ends[1];
  }
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) {
    result.push_back(const_cast<char*>(text.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

// In the child: `listening` becomes descriptor 3, as sd_listen_fds(3) wants it.
void hand_over(int listening) {
  static std::array<char, 32> process{};
  if (::dup2(listening, 3) == listening) {
    ::fcntl(listening, F_SETFD, 0);  // the copy onto itself leaves close-on-exec as it is
  }
  std::snprintf(process.data(), process.size(), "LISTEN_PID=%d", ::getpid());
  for (const char* entry :
       {static_cast<const char*>(process.data()), "LISTEN_FDS=1", "LISTEN_FDNAMES=webhookd.socket"}) {
    ::putenv(const_cast<char*>(entry));
  }
}

pid_t spawn(const std::vector<std::string>& arguments, int in, int out, int err,
            const std::vector<std::string>& environment, int listening = -1) {
  const auto argv = pointers(arguments);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    if (listening >= 0) {
      hand_over(listening);
    }
    for (const std::string& entry : environment) {
      ::putenv(const_cast<char*>(entry.c_str()));
    }
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return child;
}

// Feeds and drains a child's pipes until it closes them.
void exchange(pid_t child, int in, int out, int err, const std::string& input, Ran& ran, Clock::time_point deadline) {
  std::size_t sent = 0;
  std::array<pollfd, 3> ends{{{out, POLLIN, 0}, {err, POLLIN, 0}, {input.empty() ? -1 : in, POLLOUT, 0}}};
  if (input.empty()) {
    ::close(in);
  }
  std::array<char, 65536> buffer{};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (Clock::now() > deadline) {
      ::kill(child, SIGKILL);
      ran.err += "\n[killed: time is up]";
      return;
    }
    ::poll(ends.data(), ends.size(), 100);
    for (std::size_t i = 0; i < 2; ++i) {
      if (ends[i].fd >= 0 && ends[i].revents != 0) {
        const ssize_t got = ::read(ends[i].fd, buffer.data(), buffer.size());
        if (got > 0) {
          (i == 0 ? ran.out : ran.err).append(buffer.data(), static_cast<std::size_t>(got));
        } else {
          ends[i].fd = -1;
        }
      }
    }
    if (ends[2].fd >= 0 && ends[2].revents != 0) {
      const ssize_t put = ::write(in, input.data() + sent, std::min<std::size_t>(input.size() - sent, 60000));
      sent += put > 0 ? static_cast<std::size_t>(put) : 0;
      if (put <= 0 || sent == input.size()) {
        ends[2].fd = -1;
        ::close(in);
      }
    }
  }
}

}  // namespace

Ran run(const std::vector<std::string>& arguments, const std::string& input, std::chrono::seconds limit,
        const std::vector<std::string>& environment) {
  static const bool ignores_pipe = [] {
    ::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  static_cast<void>(ignores_pipe);
  Pipe in;
  Pipe out;
  Pipe err;
  const pid_t child = spawn(arguments, in.read, out.write, err.write, environment);
  ::close(in.read);
  ::close(out.write);
  ::close(err.write);
  Ran ran;
  exchange(child, in.write, out.read, err.read, input, ran, Clock::now() + limit);
  ::close(out.read);
  ::close(err.read);
  int status = 0;
  ::waitpid(child, &status, 0);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (Clock::now() < deadline) {
    if (holds()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  return holds();
}

std::size_t resident_bytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::stoul(line.substr(line.find_first_of("0123456789"))) * 1024;
    }
  }
  throw std::runtime_error("no VmRSS of process " + std::to_string(process));
}

std::optional<std::size_t> open_descriptors(pid_t process) {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(process) + "/fd", error);
  if (error) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

Daemon::Daemon(std::vector<std::string> flags, const std::string& extra_config, const std::string& egress_allow,
               Surroundings surroundings)
    : flags_(std::move(flags)), surroundings_(std::move(surroundings)) {
  directory_.write("webhookd.toml", "[egress]\nallow = " + egress_allow + "\n" + extra_config);
  start();
}

Daemon::~Daemon() { kill(); }

void Daemon::start() {
  std::vector<std::string> arguments = {
      WEBHOOKD_BINARY, "--config", directory_.path() + "/webhookd.toml", "--data-dir", directory_.path() + "/data",
      "--socket",      socket()};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  const std::string log_path = directory_.path() + "/log";
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_ = spawn(arguments, nothing, log, log, surroundings_.environment, surroundings_.listening);
  ::close(log);
  ::close(nothing);
  const bool ready = eventually([this] { return whctl({"status"}).exit_code == 0; });
  if (!ready) {
    throw std::runtime_error("webhookd is not ready: " + this->log());
  }
}

void Daemon::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

int Daemon::stop() {
  ::kill(pid_, SIGTERM);
  return wait_for_exit();
}

int Daemon::wait_for_exit() {
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, std::chrono::seconds(20));
  if (!ended) {
    kill();
    return -1;
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Daemon::is_running() const {
  siginfo_t ended{};
  return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

std::string Daemon::log() const {
  std::ostringstream text;
  text << std::ifstream(directory_.path() + "/log").rdbuf();
  return text.str();
}

Ran Daemon::whctl(std::vector<std::string> arguments, const std::string& input) const {
  std::vector<std::string> all = {WHCTL_BINARY, "--socket", socket()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run(all, input);
}

std::string Daemon::tell(std::vector<std::string> arguments, const std::string& input) const {
  std::string command;
  for (const std::string& argument : arguments) {
    command += " " + argument;
  }
  const Ran ran = whctl(std::move(arguments), input);
  if (ran.exit_code != 0) {
    throw std::runtime_error("whctl" + command + ": exit " + std::to_string(ran.exit_code) + ": " + ran.err);
  }
  std::string out = ran.out;
  if (!out.empty() && out.back() == '\n') {
    out.pop_back();
  }
  return out;
}

}  // namespace webhookd::support
