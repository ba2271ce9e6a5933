// A small blocking HTTP/1.1 client over a Unix stream socket: one connection, kept alive between calls, opened at the
// first one. Plain POSIX rather than Asio, because a tool that people run a thousand times a day has to start within a
// few milliseconds and makes one call at a time: there is nothing to run concurrently, and this compiles in a second.
//
// Bounds: the head and each line of an answer (response_reader.hpp), the whole of a body that is collected
// (collected_body_max), and the time without any progress. A request never arrives twice: when the connection dies
// under a call the outcome is unknown, and the failure says so. Only one of which not a byte was taken, because the
// daemon closed the connection between two calls (it is being restarted), is sent again on a new one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "control/client/failure.hpp"
#include "control/client/response_reader.hpp"

namespace webhookd::client {

using base::Duration;

struct ConnectionOptions {
  std::string socket_path;  // what failures name
  Duration connect_timeout{5000};
  Duration wait_for_daemon{0};  // how long a missing daemon may take to appear
  // Another way to a daemon than a socket of this machine: gives a connected stream socket.
  std::function<Result<int>()> dial = nullptr;
};

// A connected socket, not blocking, that the caller owns.
Result<int> connect_to_socket(const std::string& path, Duration connect_timeout);

struct Request {
  std::string_view method = "GET";
  std::string target;  // path and query, already encoded
  std::string_view body;
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;    // names and values without CR or LF
  std::optional<Duration> silence_timeout = Duration{60'000};  // without a byte either way; nothing: for ever
  // Asked after each piece of a body that goes to a sink: true ends the call there, and the connection.
  std::function<bool()> has_enough = nullptr;
};

struct Response {
  ResponseHead head;
  std::string body;
};

class Connection {
 public:
  static constexpr std::size_t collected_body_max = std::size_t{256} << 20;

  explicit Connection(ConnectionOptions options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Any status is a response; failures are of the transport. The body is collected.
  Result<Response> request(const Request& request);
  // The body goes to `sink` as it arrives, for answers without an end or too long to hold.
  Result<ResponseHead> request(const Request& request, const BodySink& sink);

  const ConnectionOptions& options() const { return options_; }

 private:
  Result<void> open();
  Result<void> open_once();
  bool peer_has_closed() const;
  void close();
  Result<ResponseHead> exchange_on_open(const Request& request, const BodySink& sink);
  Result<ResponseHead> exchange(const Request& request, std::string_view head, const BodySink& sink);
  Failure lost(const Request& request, std::string why) const;

  ConnectionOptions options_;
  int socket_ = -1;
  bool was_taken_ = false;  // some of the present request
};

// %XX for everything but RFC 3986 unreserved characters: safe as one path segment or query value.
std::string percent_encode(std::string_view text);

// What a problem document (RFC 9457) says; of an answer that is none, what its status says.
Failure failure_of(int status, std::string_view body);

}  // namespace webhookd::client
