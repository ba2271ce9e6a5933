#include "scripted_daemon.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace webhookd::whctl::testing {

namespace {

std::string made_folder() {
  std::string pattern = "/tmp/whctl_test_XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  return pattern;
}

std::size_t content_length(const std::string& head) {
  const auto at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

ScriptedDaemon::ScriptedDaemon() : folder_(made_folder()), path_(folder_ + "/s") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, path_.size());
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0) {
    throw std::runtime_error("bind");
  }
  thread_ = std::thread([this] { serve(); });
}

ScriptedDaemon::~ScriptedDaemon() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  ::unlink(path_.c_str());
  ::rmdir(folder_.c_str());
}

void ScriptedDaemon::answer(const std::string& line, int status, const std::string& body,
                            const std::string& more_headers) {
  answer_raw(line, "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" + more_headers +
                       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

void ScriptedDaemon::answer_raw(const std::string& line, std::string bytes) {
  const std::lock_guard lock(mutex_);
  answers_[line].push_back(std::move(bytes));
}

std::vector<SeenRequest> ScriptedDaemon::seen() {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void ScriptedDaemon::serve() {
  for (;;) {
    const int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    serve_peer(peer);
    ::close(peer);
  }
}

// One peer at a time is enough: the tool has one connection. An empty answer closes it.
void ScriptedDaemon::serve_peer(int peer) {
  std::string in;
  char buffer[16 * 1024];
  for (;;) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string::npos || in.size() < end + 4 + content_length(in.substr(0, end + 2))) {
      const auto count = ::recv(peer, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      in.append(buffer, static_cast<std::size_t>(count));
      continue;
    }
    SeenRequest request;
    request.head = in.substr(0, end + 2);
    request.line = request.head.substr(0, request.head.find(" HTTP/1.1"));
    request.body = in.substr(end + 4, content_length(request.head));
    in.erase(0, end + 4 + request.body.size());
    const std::string answer = next_answer(request);
    if (answer.empty()) return;
    if (answer.find("Shut: reading\r\n") != std::string::npos) {
      ::shutdown(peer, SHUT_RD);
    }
    if (::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
  }
}

std::string ScriptedDaemon::next_answer(const SeenRequest& request) {
  const std::lock_guard lock(mutex_);
  seen_.push_back(request);
  const auto found = answers_.find(request.line);
  if (found == answers_.end()) {
    const std::string body = R"({"code":"not_found","detail":"there is no such thing","status":404})";
    return "HTTP/1.1 404 X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  auto& turns = found->second;
  std::string answer = turns.front();
  if (turns.size() > 1) turns.erase(turns.begin());
  return answer;
}

}  // namespace webhookd::whctl::testing
