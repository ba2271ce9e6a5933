#include "bench/load.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// The size of the answer at the start of `input`, once it is complete.
std::optional<std::size_t> complete_answer(const std::string& input) {
  const auto head_end = input.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    return std::nullopt;
  }
  const std::string head = lowered(std::string_view(input).substr(0, head_end));
  if (const auto at = head.find("content-length: "); at != std::string::npos) {
    const std::size_t size = head_end + 4 + std::strtoul(head.c_str() + at + 16, nullptr, 10);
    return input.size() >= size ? std::optional(size) : std::nullopt;
  }
  if (head.find("transfer-encoding: chunked") != std::string::npos) {
    return input.ends_with("\r\n0\r\n\r\n") ? std::optional(input.size()) : std::nullopt;
  }
  return head_end + 4;
}

int status_of(const std::string& input) { return input.size() < 12 ? 0 : std::atoi(input.c_str() + 9); }

class Connection {
 public:
  explicit Connection(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect to " + path);
    }
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_; }
  Clock::time_point sent_at() const { return sent_at_; }
  const std::string& input() const { return input_; }

  void send(const std::string& request) {
    sent_at_ = Clock::now();
    input_.clear();
    for (std::size_t sent = 0; sent < request.size();) {
      const auto count = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) {
        throw std::runtime_error("the connection was closed while sending");
      }
      sent += static_cast<std::size_t>(count);
    }
  }

  // Reads what there is; true when the answer is complete.
  bool receive() {
    std::array<char, 65536> chunk;
    const auto got = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      throw std::runtime_error("the connection was closed before an answer: " + input_);
    }
    input_.append(chunk.data(), static_cast<std::size_t>(got));
    return complete_answer(input_).has_value();
  }

 private:
  int socket_;
  Clock::time_point sent_at_;
  std::string input_;
};

double at_fraction(std::vector<float>& sorted, double fraction) {
  return sorted.empty() ? 0 : sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * fraction)];
}

class Driver {
 public:
  explicit Driver(const Load& load) : load_(load), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (unsigned i = 0; i < load.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(load.socket));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connections_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->socket(), &event);
    }
  }
  ~Driver() { ::close(epoll_); }

  LoadResult run() {
    const auto start = Clock::now();
    end_ = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(load_.seconds));
    for (auto& connection : connections_) {
      send_next(*connection);
    }
    std::array<epoll_event, 256> events;
    while (under_way_ > 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 60'000);
      if (count <= 0) {
        throw std::runtime_error("no answer within a minute");
      }
      for (int i = 0; i < count; ++i) {
        take(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
    LoadResult result;
    result.requests = latencies_.size();
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::sort(latencies_.begin(), latencies_.end());
    result.p50_microseconds = at_fraction(latencies_, 0.5);
    result.p99_microseconds = at_fraction(latencies_, 0.99);
    return result;
  }

 private:
  bool may_send() const { return load_.count != 0 ? sent_ < load_.count : Clock::now() < end_; }

  void send_next(Connection& connection) {
    if (may_send()) {
      connection.send(load_.requests[sent_++ % load_.requests.size()]);
      ++under_way_;
    }
  }

  void take(Connection& connection) {
    if (!connection.receive()) {
      return;
    }
    --under_way_;
    if (status_of(connection.input()) / 100 != 2) {
      throw std::runtime_error("refused: " + connection.input());
    }
    latencies_.push_back(std::chrono::duration<float, std::micro>(Clock::now() - connection.sent_at()).count());
    send_next(connection);
  }

  const Load& load_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Clock::time_point end_;
  std::uint64_t sent_ = 0;
  std::uint64_t under_way_ = 0;
  std::vector<float> latencies_;
};

}  // namespace

LoadResult drive(const Load& load) { return Driver(load).run(); }

Answer call(const std::string& socket, const std::string& request) {
  Connection connection(socket);
  connection.send(request);
  while (!connection.receive()) {
  }
  const std::string& input = connection.input();
  return {status_of(input), input.substr(std::min(input.find("\r\n\r\n") + 4, input.size()))};
}

std::string http_request(const std::string& method, const std::string& path, const std::string& media,
                         const std::string& body) {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
         (media.empty() ? "" : "Content-Type: " + media + "\r\n") + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace bench
