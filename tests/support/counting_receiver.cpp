#include "support/counting_receiver.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "base/text.hpp"

namespace webhookd::support {

namespace {

void watch(int epoll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

}  // namespace

std::string ReceivedRequest::header(const std::string& name) const {
  std::size_t line = head.find("\r\n");
  while (line != std::string::npos && line + 2 < head.size()) {
    const std::size_t start = line + 2;
    line = head.find("\r\n", start);
    const std::string text = head.substr(start, line - start);
    const std::size_t colon = text.find(':');
    if (colon != std::string::npos && base::to_lower(text.substr(0, colon)) == name) {
      return text.substr(text.find_first_not_of(' ', colon + 1));
    }
  }
  return {};
}

CountingReceiver::CountingReceiver(Answer answer, std::size_t remembered)
    : answer_(std::move(answer)), remembered_(remembered) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 1024) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("a loopback port for the receiver");
  }
  port_ = ntohs(address.sin_port);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll_, listener_);
  thread_ = std::thread([this] { serve(); });
}

CountingReceiver::~CountingReceiver() {
  stopping_ = true;
  thread_.join();
  for (const auto& [descriptor, peer] : peers_) {
    ::close(descriptor);
  }
  ::close(listener_);
  ::close(epoll_);
}

std::string CountingReceiver::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::map<std::string, int> CountingReceiver::successes() const {
  const std::lock_guard lock(mutex_);
  return successes_;
}

std::size_t CountingReceiver::distinct_successes() const {
  const std::lock_guard lock(mutex_);
  return successes_.size();
}

std::vector<ReceivedRequest> CountingReceiver::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::size_t CountingReceiver::take_most_open() {
  const std::lock_guard lock(mutex_);
  return std::exchange(most_open_, open_);
}

void CountingReceiver::serve() {
  std::array<epoll_event, 256> events{};
  while (!stopping_) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_limit());
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == listener_) {
        accept_all();
      } else if (const auto peer = peers_.find(descriptor);
                 peer != peers_.end() && !read_from(descriptor, peer->second)) {
        drop(descriptor);
      }
    }
    answer_due();
  }
}

void CountingReceiver::accept_all() {
  int accepted = -1;
  while ((accepted = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    const int on = 1;
    ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peers_[accepted].serial = ++last_serial_;
    watch(epoll_, accepted);
  }
}

// Milliseconds until the next answer is due, rounded up, and never so long that the end is missed.
int CountingReceiver::wait_limit() const {
  constexpr int look_around = 50;
  if (pending_.empty()) {
    return look_around;
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(pending_.begin()->first - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(wait)>(wait, 0, look_around));
}

bool CountingReceiver::read_from(int descriptor, Peer& peer) {
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      return false;
    }
    if (got < 0) {
      break;
    }
    peer.in.append(buffer.data(), static_cast<std::size_t>(got));
  }
  while (take_request(descriptor, peer)) {
  }
  return true;
}

bool CountingReceiver::take_request(int descriptor, Peer& peer) {
  const std::size_t end = peer.in.find("\r\n\r\n");
  if (end == std::string::npos) {
    return false;
  }
  ReceivedRequest request;
  request.head = peer.in.substr(0, end + 2);
  const std::string length = request.header("content-length");
  const std::size_t body = length.empty() ? 0 : std::stoul(length);
  if (peer.in.size() < end + 4 + body) {
    return false;
  }
  request.body = peer.in.substr(end + 4, body);
  peer.in.erase(0, end + 4 + body);
  const ReceiverAnswer answer = answer_(request);
  pending_.emplace(Clock::now() + answer.delay, Pending{descriptor, peer.serial,
                                                        "HTTP/1.1 " + std::to_string(answer.status) + " Answer\r\n" +
                                                            answer.headers + "Content-Length: 2\r\n\r\nok"});
  ++peer.open;
  ++requests_;
  const std::lock_guard lock(mutex_);
  most_open_ = std::max(most_open_, ++open_);
  request.status = answer.status;
  request.open = open_;
  request.answered = answered_;
  if (answer.status >= 200 && answer.status < 300) {
    ++successes_[request.header("webhook-id")];
  }
  if (received_.size() < remembered_) {
    received_.push_back(std::move(request));
  }
  return true;
}

// Answers are small; one that does not fit the socket's buffer costs the connection.
void CountingReceiver::answer_due() {
  const auto now = Clock::now();
  while (!pending_.empty() && pending_.begin()->first <= now) {
    const Pending pending = std::move(pending_.extract(pending_.begin()).mapped());
    const auto peer = peers_.find(pending.descriptor);
    if (peer == peers_.end() || peer->second.serial != pending.serial) {
      continue;
    }
    --peer->second.open;
    ++answered_;
    {
      const std::lock_guard lock(mutex_);
      --open_;
    }
    const ssize_t put = ::send(pending.descriptor, pending.bytes.data(), pending.bytes.size(), MSG_NOSIGNAL);
    if (put != static_cast<ssize_t>(pending.bytes.size())) {
      drop(pending.descriptor);
    }
  }
}

void CountingReceiver::drop(int descriptor) {
  {
    const std::lock_guard lock(mutex_);
    open_ -= peers_[descriptor].open;
  }
  peers_.erase(descriptor);
  ::close(descriptor);
}

}  // namespace webhookd::support
