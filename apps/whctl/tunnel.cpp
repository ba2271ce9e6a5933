#include "tunnel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "control/client/connection.hpp"
#include "session.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view scheme = "ssh://";

// What may stand in a user or host: nothing that ssh could take for a flag, or a shell for more than a word.
bool is_name(std::string_view text) {
  constexpr std::string_view more = "._-[]%:";
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [&](char c) {
    return base::is_letter(c) || base::is_digit(c) || more.find(c) != std::string_view::npos;
  });
}

// For the shell over there.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<int> dial(const std::string& address) {
  const auto command = ssh_command(address);
  if (!command) return command.error();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return failure(client::codes::io, address, std::strerror(errno));
  }
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr int not_found = 127;
    std::signal(SIGPIPE, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
    ::dup2(ends[1], STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> words;
    for (const auto& word : *command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words.front(), words.data());
    constexpr std::string_view said = "whctl: ssh: cannot be run\n";
    static_cast<void>(::write(STDERR_FILENO, said.data(), said.size()) == 0);
    ::_exit(not_found);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return failure(client::codes::io, address, std::strerror(errno));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return ends[0];
}

// ---- the other end
// ---------------------------------------------------------------------------------------------------

// One way of the joint. What was read is written before more is read, so neither side is ever held up by the other.
class Flow {
 public:
  Flow(int from, int to) : from_(from), to_(to) {}

  pollfd waiting_for() const {
    if (!held_.empty()) return {to_, POLLOUT, 0};
    return {is_open_ ? from_ : -1, POLLIN, 0};
  }
  void go_on(const pollfd& entry) {
    if (entry.revents == 0) return;
    if (held_.empty()) {
      read();
    } else {
      write();
    }
  }
  bool is_over() const { return !is_open_ && held_.empty(); }

 private:
  static constexpr std::size_t piece_max = 4096;  // PIPE_BUF: what a writable pipe takes without blocking

  void read() {
    std::array<char, piece_max> buffer{};
    const auto count = ::read(from_, buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) {
      held_.assign(buffer.data(), static_cast<std::size_t>(count));
    } else {
      is_open_ = false;
    }
  }

  void write() {
    const auto count = ::write(to_, held_.data(), held_.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) {
      held_.erase(0, static_cast<std::size_t>(count));
    } else {
      held_.clear();
      is_open_ = false;
    }
  }

  int from_;
  int to_;
  bool is_open_ = true;
  std::string held_;
};

}  // namespace

bool is_ssh_address(std::string_view address) { return address.starts_with(scheme); }

Result<std::vector<std::string>> ssh_command(std::string_view address) {
  std::string_view rest = address.substr(std::min(scheme.size(), address.size()));
  const auto slash = rest.find('/');
  const std::string path(slash == std::string_view::npos ? "" : rest.substr(slash));
  rest = rest.substr(0, slash);
  std::vector<std::string> words{"ssh", "-T"};
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    if (!is_name(rest.substr(0, at)))
      return failure(client::codes::usage, std::string(address), "the user is not clear");
    words.insert(words.end(), {"-l", std::string(rest.substr(0, at))});
    rest.remove_prefix(at + 1);
  }
  const auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
    const auto port = base::parse_whole_number(rest.substr(colon + 1), 65'535);
    if (!port || *port == 0) return failure(client::codes::usage, std::string(address), "the port is not clear");
    words.insert(words.end(), {"-p", std::to_string(*port)});
    rest = rest.substr(0, colon);
  }
  if (!is_name(rest)) {
    return failure(client::codes::usage, std::string(address), "the host is not clear",
                   "write ssh://[user@]host[/path]");
  }
  const bool is_bracketed = rest.front() == '[' && rest.back() == ']';
  words.insert(words.end(), {"--", std::string(is_bracketed ? rest.substr(1, rest.size() - 2) : rest)});
  words.push_back("whctl " + (path.size() > 1 ? "--socket " + quoted(path) + " " : std::string()) + "dial-stdio");
  return words;
}

std::function<Result<int>()> dialler_of(const std::string& address) {
  if (!is_ssh_address(address)) return nullptr;
  return [address] { return dial(address); };
}

Result<ExitCode> join_standard_streams(Session& session, const Invocation&) {
  const auto& settings = session.settings();
  if (is_ssh_address(settings.socket_path)) {
    return failure(client::codes::usage, "--socket", "dial-stdio joins a socket of this machine");
  }
  const auto socket = client::connect_to_socket(settings.socket_path, settings.connect_timeout);
  if (!socket) return socket.error();
  Flow in(session.console().in, *socket);
  Flow out(*socket, STDOUT_FILENO);
  while (!in.is_over() && !out.is_over()) {
    std::array<pollfd, 2> entries{in.waiting_for(), out.waiting_for()};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) break;
    in.go_on(entries[0]);
    out.go_on(entries[1]);
  }
  ::close(*socket);
  return ExitCode::done;
}

}  // namespace webhookd::whctl
