#include "forward.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/text.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t body_bytes_max = std::size_t{1} << 20;
constexpr long step_seconds = 30;

// Ours to write: they are about the connection, not about the message.
constexpr std::array<std::string_view, 6> own_headers{"host",   "connection",        "content-length",
                                                      "expect", "transfer-encoding", "keep-alive"};

std::string text_of(const domain::Url& to, const ReceivedRequest& request) {
  const std::string& target = to.target() == "/" ? request.target : to.target();
  std::string text = request.method + " " + target + " HTTP/1.1\r\nHost: " + to.authority() + "\r\n";
  for (const auto& [name, value] : request.headers) {
    if (std::find(own_headers.begin(), own_headers.end(), name) == own_headers.end()) {
      text.append(name).append(": ").append(value).append("\r\n");
    }
  }
  text += "Connection: close\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n\r\n";
  return text + request.body;
}

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// errno, 0 when connected.
int connect_any(const addrinfo* addresses, int& connected) {
  int fault = ECONNREFUSED;
  for (const addrinfo* address = addresses; address != nullptr; address = address->ai_next) {
    const int socket = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    const timeval limit{step_seconds, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket, address->ai_addr, address->ai_addrlen) == 0) {
      connected = socket;
      return 0;
    }
    fault = errno;
    ::close(socket);
  }
  return fault;
}

Result<int> connect_to(const domain::Url& to, const std::string& place) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int fault = ::getaddrinfo(to.host().c_str(), std::to_string(to.port()).c_str(), &wanted, &found);
  if (fault != 0) return failure(client::codes::io, place, ::gai_strerror(fault));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  int socket = -1;
  const int refused = connect_any(addresses.get(), socket);
  if (refused != 0) return failure(client::codes::io, place, std::strerror(refused));
  return socket;
}

void send_all(int socket, std::string_view unsent) {
  while (!unsent.empty()) {
    const auto sent = ::send(socket, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;  // it may have answered without reading everything
    unsent.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

Result<domain::Url> read_forward_url(const std::string& text) {
  const auto url = domain::Url::parse(text);
  if (!url) return failure(client::codes::usage, "--forward-to", url.error().detail);
  if (url->is_https()) {
    return failure(client::codes::usage, "--forward-to", "https is not spoken here",
                   "it is meant for a program on this machine: http://127.0.0.1:PORT/");
  }
  return *url;
}

Result<HttpAnswer> forward(const domain::Url& to, const ReceivedRequest& request) {
  const std::string place = to.redacted();
  const auto connected = connect_to(to, place);
  if (!connected) return connected.error();
  const Socket socket(*connected);
  send_all(socket.descriptor(), text_of(to, request));
  std::string bytes;
  std::vector<char> buffer(64 * 1024);
  HttpAnswer answer;
  auto state = AnswerState::incomplete;
  for (bool is_closed = false; state == AnswerState::incomplete && !is_closed;) {
    const auto got = ::recv(socket.descriptor(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    is_closed = got == 0;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    state = read_answer(bytes, is_closed, request.method == "HEAD", answer);
    if (answer.body.size() >= body_bytes_max) state = AnswerState::complete;
  }
  if (state != AnswerState::complete) return failure(client::codes::io, place, "gave no whole HTTP answer");
  answer.headers = end_to_end(answer.headers);
  answer.body.resize(std::min(answer.body.size(), body_bytes_max));
  return answer;
}

}  // namespace webhookd::whctl
