// The receiver, the same for ceilings and subject: one thread, epoll, the least HTTP that a sender accepts. The path
// decides: /hold is not answered until the bench says so, /later fails with a random Retry-After (which spreads due
// times over a day), anything else is 204. Prints its port on loopback.
// usage: bench_receiver BOARD

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/receiver_board.hpp"

namespace {

constexpr std::string_view no_content = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr int release_poll_ms = 20;
constexpr unsigned day_seconds = 86'400;

struct Connection {
  int socket = -1;
  std::string input;
  std::string output;
  bool is_held = false;
};

std::size_t content_length(std::string_view head) {
  const auto at = head.find("ontent-Length: ");
  return at == std::string_view::npos ? 0 : std::strtoul(head.data() + at + 15, nullptr, 10);
}

class Receiver {
 public:
  Receiver(int acceptor, bench::ReceiverBoard& board) : acceptor_(acceptor), epoll_(::epoll_create1(0)), board_(board) {
    watch(acceptor_, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), release_poll_ms);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection == nullptr) {
          accept();
        } else if (!serve(*connection)) {
          ::close(connection->socket);
          connections_.erase(connection);
        }
      }
      if (board_.release_held.load() != 0) {
        release();
      }
    }
  }

 private:
  void watch(int socket, Connection* connection) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  }

  void accept() {
    const int socket = ::accept4(acceptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      return;
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    connection->socket = socket;
    Connection* key = connection.get();
    connections_.emplace(key, std::move(connection));
    watch(socket, key);
  }

  // False when the connection is to be closed.
  bool serve(Connection& connection) {
    std::array<char, 16384> chunk;
    const auto got = ::recv(connection.socket, chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      return got < 0 && errno == EAGAIN;
    }
    connection.input.append(chunk.data(), static_cast<std::size_t>(got));
    while (take_request(connection)) {
    }
    return flush(connection);
  }

  // Answers are tiny: a socket that does not take one at once is no receiver worth measuring.
  static bool flush(Connection& connection) {
    const auto size = static_cast<ssize_t>(connection.output.size());
    const bool sent = size == 0 || ::send(connection.socket, connection.output.data(), connection.output.size(),
                                          MSG_NOSIGNAL) == size;
    connection.output.clear();
    return sent;
  }

  bool take_request(Connection& connection) {
    const auto head_end = connection.input.find("\r\n\r\n");
    if (head_end == std::string::npos) {
      return false;
    }
    const std::string_view head(connection.input.data(), head_end + 2);
    const std::size_t size = head_end + 4 + content_length(head);
    if (connection.input.size() < size) {
      return false;
    }
    answer(connection, head);
    connection.input.erase(0, size);
    return true;
  }

  void answer(Connection& connection, std::string_view head) {
    const std::string_view path = head.substr(std::min(head.find('/'), head.size()));
    if (path.starts_with("/hold") && board_.release_held.load() == 0) {
      connection.is_held = true;
      return;
    }
    if (path.starts_with("/later")) {
      connection.output += "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nRetry-After: " +
                           std::to_string(600 + random_() % (day_seconds - 600)) + "\r\n\r\n";
    } else {
      connection.output += no_content;
    }
    board_.requests.fetch_add(1);
  }

  void release() {
    for (auto& [key, connection] : connections_) {
      if (connection->is_held) {
        connection->is_held = false;
        connection->output += no_content;
        board_.requests.fetch_add(1);
        flush(*connection);
      }
    }
  }

  int acceptor_;
  int epoll_;
  bench::ReceiverBoard& board_;
  std::map<Connection*, std::unique_ptr<Connection>> connections_;
  std::mt19937 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_receiver BOARD\n", stderr);
    return 2;
  }
  const int acceptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(acceptor, generic, size) != 0 || ::listen(acceptor, 4096) != 0 ||
      ::getsockname(acceptor, generic, &size) != 0) {
    std::perror("bench_receiver");
    return 1;
  }
  std::printf("%u\n", static_cast<unsigned>(ntohs(address.sin_port)));
  std::fflush(stdout);
  Receiver(acceptor, *bench::map_board(argv[1])).run();
}
