// Ceiling H: a bare Beast server on a Unix socket that answers every POST with 201 and a small body: what being asked
// over HTTP costs before anything is done. Driven by the same load as the daemon.
// usage: ceiling_echo SOCKET; prints a line when it listens, and serves until it is ended.

#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <string>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Local = asio::local::stream_protocol;

constexpr const char* answer =
    R"({"id":"evt_0000000000000","type":"bench.event","timestamp":"2026-01-01T00:00:00.000Z","duplicate":false,)"
    R"("message_count":1,"messages":[{"id":"msg_0000000000000","webhook_id":"wh_0000000000000"}]})";

asio::awaitable<void> serve(Local::socket socket) {
  beast::flat_buffer buffer;
  beast::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  while (!error) {
    http::request<http::string_body> request;
    co_await http::async_read(socket, buffer, request, token);
    if (error) {
      break;
    }
    http::response<http::string_body> response(http::status::created, 11);
    response.set(http::field::content_type, "application/json");
    response.body() = answer;
    response.prepare_payload();
    co_await http::async_write(socket, response, token);
  }
}

asio::awaitable<void> accept_all(Local::acceptor acceptor) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    Local::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: ceiling_echo SOCKET\n", stderr);
    return 2;
  }
  ::unlink(argv[1]);
  asio::io_context io(1);
  Local::acceptor acceptor(io, Local::endpoint(argv[1]));
  std::puts("ready");
  std::fflush(stdout);
  asio::co_spawn(io, accept_all(std::move(acceptor)), asio::detached);
  io.run();
}
