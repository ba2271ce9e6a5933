// Ceiling P: a bare Beast keep-alive POST loop, one thread, to the same receiver: what sending alone costs.
// usage: ceiling_posts PORT CONNECTIONS SECONDS; prints operations, seconds and CPU microseconds.

#include <sys/resource.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t body_bytes = 580;  // 512 bytes of data in their envelope

struct Counter {
  unsigned long long done = 0;
  std::chrono::steady_clock::time_point end;
};

http::request<http::string_body> make_request() {
  http::request<http::string_body> request(http::verb::post, "/ok", 11);
  request.set(http::field::host, "127.0.0.1");
  request.set(http::field::user_agent, "bench");
  request.set(http::field::content_type, "application/json");
  request.set("webhook-id", "msg_0000000000000");
  request.set("webhook-timestamp", "1800000000");
  request.set("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=");
  request.body() = std::string(body_bytes, 'x');
  request.prepare_payload();
  return request;
}

asio::awaitable<void> post_until(unsigned short port, Counter& counter) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  const tcp::endpoint receiver(asio::ip::address_v4::loopback(), port);
  co_await socket.async_connect(receiver, asio::use_awaitable);
  socket.set_option(tcp::no_delay(true));
  auto request = make_request();
  beast::flat_buffer buffer;
  while (std::chrono::steady_clock::now() < counter.end) {
    co_await http::async_write(socket, request, asio::use_awaitable);
    http::response<http::string_body> response;
    co_await http::async_read(socket, buffer, response, asio::use_awaitable);
    ++counter.done;
  }
}

double cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto total = [](timeval t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: ceiling_posts PORT CONNECTIONS SECONDS\n", stderr);
    return 2;
  }
  asio::io_context io(1);
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> span(std::atof(argv[3]));
  Counter counter{0, start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(span)};
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    asio::co_spawn(io, post_until(static_cast<unsigned short>(std::atoi(argv[1])), counter), asio::detached);
  }
  io.run();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  std::printf("%llu %.6f %.0f\n", counter.done, passed.count(), cpu_microseconds());
}
