// One TCP connection to an endpoint, with TLS around it or not, and the reader that keeps what has arrived on it.
// Private to this folder: the only headers of the room that show Asio are the *_impl.hpp ones.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "domain/url.hpp"
#include "net/response_reader.hpp"
#include "net/tls.hpp"

namespace webhookd::net {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Steady = std::chrono::steady_clock;

// The loop's own executor by name: the type-erased one costs allocations on every operation.
using LoopExecutor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, LoopExecutor>;
using Timer = asio::basic_waitable_timer<Steady, asio::wait_traits<Steady>, LoopExecutor>;
using TlsStream = asio::ssl::stream<Socket&>;
template <class T>
using Awaitable = asio::awaitable<T, LoopExecutor>;
inline constexpr asio::use_awaitable_t<LoopExecutor> use_awaitable;

struct Connection {
  Connection(asio::io_context& io, const domain::AddressBytes& to, std::uint16_t to_port)
      : socket(io.get_executor()), address(to), port(to_port) {}
  ~Connection() {
    if (tls) {
      keep_resumable(tls->native_handle());
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void close() {
    error_code ignored;  // the descriptor is gone in any case
    socket.close(ignored);
  }

  Socket socket;
  std::optional<TlsStream> tls;
  ResponseReader reader;
  domain::AddressBytes address;  // checked by egress policy, unless it is the proxy's
  std::uint16_t port;
  std::optional<base::Time> certificate_expires_at;  // the receiver's
  std::string tunnel_to;                             // "hooks.example:443" behind a proxy; empty: none
  bool is_reused = false;
  bool is_request_sent = false;  // the whole of the current one
  Steady::time_point idle_since{};
};
using ConnectionPtr = std::shared_ptr<Connection>;

// Closes a connection on which nothing is under way any more. Over TLS the receiver is told (close_notify), because
// OpenSSL forgets a session that it keeps when its connection ends without; nobody waits for the answer, which may
// never come (traps.md).
void part_with(const ConnectionPtr& connection);

}  // namespace webhookd::net
