#include "receiver.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/text.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t peers_max = 256;
constexpr auto silence_max = 60s;

bool read_head(std::string_view head, ReceivedRequest& request) {
  const auto line = head.substr(0, head.find("\r\n"));
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.substr(last + 1) != "HTTP/1.1") return false;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  return read_header_lines(head.substr(line.size() + 2), request.headers);
}

}  // namespace

std::string ReceivedRequest::header(std::string_view name) const { return value_of_header(headers, name); }

RequestState read_request(std::string_view bytes, ReceivedRequest& request, std::size_t& consumed) {
  const auto end = bytes.substr(0, http_head_bytes_max).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return bytes.size() >= http_head_bytes_max ? RequestState::malformed : RequestState::incomplete;
  }
  if (!read_head(bytes.substr(0, end + 2), request)) return RequestState::malformed;
  const auto rest = bytes.substr(end + 4);
  const auto unfinished = base::equals_ignoring_case(request.header("expect"), "100-continue") && rest.empty()
                              ? RequestState::wants_continue
                              : RequestState::incomplete;
  request.body.clear();
  if (base::equals_ignoring_case(request.header("transfer-encoding"), "chunked")) {
    const auto taken = read_chunks(rest, request.body);
    if (!taken) return RequestState::malformed;
    consumed = end + 4 + *taken;
    return *taken > 0 ? RequestState::complete : unfinished;
  }
  const std::string stated = request.header("content-length");
  const auto length = base::parse_whole_number(stated.empty() ? "0" : stated, http_body_bytes_max);
  if (!length) return RequestState::malformed;
  if (rest.size() < *length) return unfinished;
  request.body = rest.substr(0, static_cast<std::size_t>(*length));
  consumed = end + 4 + request.body.size();
  return RequestState::complete;
}

// One connection. At most one answer is under way: what a client pipelines waits in `in`.
struct Receiver::Peer {
  int socket = -1;
  std::string in;
  std::string out;
  std::string answer;  // goes out at answer_at
  Steady::time_point answer_at{};
  Steady::time_point active_at{};
  bool has_continued = false;
  bool closes = false;
  bool drops = false;  // at answer_at, instead of answering

  bool is_over() const { return closes && out.empty() && answer.empty(); }
  Steady::time_point wakes_at() const { return answer.empty() ? active_at + silence_max : answer_at; }

  void read(Steady::time_point now) {
    std::array<char, 16 * 1024> buffer{};
    const auto count = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    active_at = now;
    if (count > 0) {
      in.append(buffer.data(), static_cast<std::size_t>(count));
    } else {
      end();
    }
  }

  void write() {
    const auto count = ::send(socket, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) out.erase(0, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR) end();
  }

  void end() {
    closes = true;
    out.clear();
    answer.clear();
  }

  // False when serving is to stop.
  bool turn(Steady::time_point now, base::Duration delay, const OnRequest& on_request) {
    if (!answer.empty() && now >= answer_at) {
      if (drops) {
        end();
        return true;
      }
      out += std::exchange(answer, {});
      has_continued = false;
    }
    if (!answer.empty() || closes || in.empty()) return true;
    ReceivedRequest request;
    std::size_t consumed = 0;
    switch (read_request(in, request, consumed)) {
      case RequestState::incomplete:
        return true;
      case RequestState::wants_continue:
        if (!std::exchange(has_continued, true)) out += "HTTP/1.1 100 Continue\r\n\r\n";
        return true;
      case RequestState::malformed:
        out += text_of_answer({400, {}, {}}, false);
        in.clear();
        closes = true;
        return true;
      case RequestState::complete:
        break;
    }
    in.erase(0, consumed);
    const auto given = on_request(request);
    if (!given) return false;
    closes = base::equals_ignoring_case(request.header("connection"), "close");
    drops = given->status == dropped;
    answer = text_of_answer(*given, !closes);
    answer_at = now + delay;
    return delay.count() > 0 || turn(now, delay, on_request);
  }
};

Receiver::Receiver(Receiver&& other) noexcept : listener_(std::exchange(other.listener_, -1)), port_(other.port_) {}

Receiver::~Receiver() {
  if (listener_ >= 0) ::close(listener_);
}

Result<Receiver> Receiver::open(std::uint16_t port) {
  const std::string place = "127.0.0.1:" + std::to_string(port);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return failure(client::codes::io, place, std::strerror(errno));
  Receiver receiver(listener, port);
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return failure(client::codes::io, place, std::strerror(errno));
  }
  receiver.port_ = ntohs(address.sin_port);
  return receiver;
}

void Receiver::accept_peers(std::vector<Peer>& peers) {
  while (peers.size() < peers_max) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Peer peer;
    peer.socket = socket;
    peer.active_at = Steady::now();
    peers.push_back(std::move(peer));
  }
}

void Receiver::serve(base::Duration delay, int stop, const OnRequest& on_request) {
  std::vector<Peer> peers;
  bool goes_on = true;
  while (goes_on) {
    auto wake = Steady::now() + silence_max;
    std::vector<pollfd> entries{{stop, POLLIN, 0},
                                {listener_, static_cast<short>(peers.size() < peers_max ? POLLIN : 0), 0}};
    for (const auto& peer : peers) {
      entries.push_back({peer.socket, static_cast<short>(POLLIN | (peer.out.empty() ? 0 : POLLOUT)), 0});
      wake = std::min(wake, peer.wakes_at());
    }
    const auto sleep = std::chrono::ceil<std::chrono::milliseconds>(wake - Steady::now()).count();
    const int ready = ::poll(entries.data(), entries.size(), static_cast<int>(std::max<long long>(0, sleep)));
    if (ready < 0 && errno != EINTR) break;
    if ((entries[0].revents & POLLIN) != 0) break;
    const auto now = Steady::now();
    for (std::size_t i = 0; i < peers.size() && goes_on; ++i) {
      if ((entries[i + 2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) peers[i].read(now);
      goes_on = peers[i].turn(now, delay, on_request);
      if (!peers[i].out.empty()) peers[i].write();
      if (peers[i].answer.empty() && now - peers[i].active_at > silence_max) peers[i].end();
    }
    std::erase_if(peers, [](const Peer& peer) { return peer.is_over() && ::close(peer.socket) == 0; });
    if ((entries[1].revents & POLLIN) != 0) accept_peers(peers);
  }
  for (const auto& peer : peers) ::close(peer.socket);
}

}  // namespace webhookd::whctl
