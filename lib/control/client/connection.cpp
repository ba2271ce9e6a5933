#include "control/client/connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/check.hpp"

namespace webhookd::client {

namespace {

using Steady = std::chrono::steady_clock;

constexpr Duration daemon_poll_interval{50};
constexpr std::string_view start_hint =
    "start it with `webhookd` (or `systemctl start webhookd`), or name its socket with --socket or WHCTL_SOCKET";

bool has_line_break(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

std::string head_of(const Request& request) {
  std::string head;
  head.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: webhookd\r\n");
  head.append("User-Agent: whctl/" WEBHOOKD_VERSION "\r\nAccept: application/json\r\n");
  const bool has_body = !request.body.empty() || (request.method != "GET" && request.method != "HEAD");
  if (!request.body.empty()) {
    head.append("Content-Type: ").append(request.content_type).append("\r\n");
  }
  if (has_body) {
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  for (const auto& [name, value] : request.headers) {
    base::check(!has_line_break(name) && !has_line_break(value), "a request header has no line break");
    head.append(name).append(": ").append(value).append("\r\n");
  }
  return head.append("\r\n");
}

// How long poll may sleep: until the silence ends, in milliseconds; -1 for ever.
int poll_budget(const std::optional<Steady::time_point>& end) {
  if (!end) return -1;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*end - Steady::now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<long long>(left + 1, 1'000'000));
}

std::optional<Steady::time_point> silence_end(const Request& request) {
  if (!request.silence_timeout) return std::nullopt;
  return Steady::now() + *request.silence_timeout;
}

}  // namespace

void throw_exception_from_error(const Failure& failure, const boost::source_location&) {
  base::fail_check("an unchecked failure: " + failure.why);
}

Connection::Connection(ConnectionOptions options) : options_(std::move(options)) {}

Connection::~Connection() { close(); }

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

// Between two calls nothing may arrive: readable means that the daemon closed, or that it does not keep to HTTP.
bool Connection::peer_has_closed() const {
  pollfd entry{socket_, POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

Result<void> Connection::open() {
  const auto give_up = Steady::now() + options_.wait_for_daemon;
  for (;;) {
    auto opened = open_once();
    if (opened || opened.error().code != codes::unreachable || Steady::now() >= give_up) return opened;
    std::this_thread::sleep_for(daemon_poll_interval);
  }
}

Result<void> Connection::open_once() {
  auto socket = options_.dial ? options_.dial() : connect_to_socket(options_.socket_path, options_.connect_timeout);
  if (!socket) return socket.error();
  socket_ = *socket;
  return {};
}

Result<int> connect_to_socket(const std::string& path, Duration connect_timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    return failure(codes::usage, path, "a socket path has 1 to 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return failure(codes::io, path, std::strerror(errno));

  const auto give_up = Steady::now() + connect_timeout;
  while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && Steady::now() < give_up) {  // the daemon's backlog is full: it lives, and is busy
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    ::close(socket);
    if (error == EAGAIN) return failure(codes::timed_out, path, "the daemon did not take the connection in time");
    if (error == EACCES || error == EPERM) {
      return failure(codes::socket_denied, path, "permission denied",
                     "run as a user that the daemon's [access] lists, or as a member of the socket's group");
    }
    const bool is_absent = error == ENOENT || error == ECONNREFUSED || error == ENOTDIR;
    return failure(codes::unreachable, path, is_absent ? "no daemon is listening there" : std::strerror(error),
                   std::string(start_hint));
  }
  return socket;
}

Result<Response> Connection::request(const Request& request) {
  Response response;
  bool is_too_long = false;
  const BodySink collect = [&](std::string_view piece) {
    is_too_long = is_too_long || response.body.size() + piece.size() > collected_body_max;
    if (!is_too_long) response.body.append(piece);
  };
  auto head = this->request(request, collect);
  if (!head) return head.error();
  if (is_too_long) return failure(codes::bad_answer, request.target, "the answer is too long");
  response.head = std::move(*head);
  return response;
}

Result<ResponseHead> Connection::request(const Request& request, const BodySink& sink) {
  if (socket_ >= 0 && peer_has_closed()) close();
  const bool was_kept = socket_ >= 0;
  auto head = exchange_on_open(request, sink);
  return !head && was_kept && !was_taken_ ? exchange_on_open(request, sink) : head;
}

Result<ResponseHead> Connection::exchange_on_open(const Request& request, const BodySink& sink) {
  was_taken_ = false;
  if (socket_ < 0) {
    auto opened = open();
    if (!opened) return opened.error();
  }
  auto head = exchange(request, head_of(request), sink);
  if (!head) close();
  return head;
}

Failure Connection::lost(const Request& request, std::string why) const {
  const bool changes = was_taken_ && request.method != "GET" && request.method != "HEAD";
  return failure(codes::unreachable, options_.socket_path,
                 std::move(why) + (changes ? "; whether the request took effect is not known" : ""));
}

// Sends and reads at once: a daemon may answer (413, 503) long before it has read everything.
Result<ResponseHead> Connection::exchange(const Request& request, std::string_view head, const BodySink& sink) {
  ResponseReader reader(request.method == "HEAD");
  std::array<std::string_view, 2> unsent{head, request.body};
  auto end = silence_end(request);
  std::vector<char> buffer(64 * 1024);
  while (!reader.is_done()) {
    std::string_view& piece = unsent[0].empty() ? unsent[1] : unsent[0];
    pollfd entry{socket_, static_cast<short>(POLLIN | (piece.empty() ? 0 : POLLOUT)), 0};
    const int ready = ::poll(&entry, 1, poll_budget(end));
    if (ready < 0 && errno != EINTR) return failure(codes::io, options_.socket_path, std::strerror(errno));
    if (ready == 0 && end && Steady::now() >= *end) {
      return failure(codes::timed_out, options_.socket_path, "the daemon did not answer in time");
    }
    if (ready <= 0) continue;
    if ((entry.revents & POLLOUT) != 0) {
      const auto sent = ::send(socket_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent > 0) piece.remove_prefix(static_cast<std::size_t>(sent));
      was_taken_ = was_taken_ || sent > 0;
      if (sent < 0 && errno != EAGAIN && errno != EINTR) unsent = {};  // the answer may still be there to read
      end = silence_end(request);
    }
    if ((entry.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const auto received = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (received <= 0) return lost(request, "the daemon closed the connection before it answered");
    end = silence_end(request);
    if (!reader.feed({buffer.data(), static_cast<std::size_t>(received)}, sink)) {
      return failure(codes::bad_answer, options_.socket_path, reader.fault(), "is it webhookd that listens there?");
    }
    if (!reader.is_done() && reader.has_head() && request.has_enough && request.has_enough()) {
      close();
      return reader.head();
    }
  }
  if (!reader.keeps_connection() || !unsent[0].empty() || !unsent[1].empty()) close();
  return reader.head();
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (unreserved.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return encoded;
}

}  // namespace webhookd::client
