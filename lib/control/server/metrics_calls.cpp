// GET /metrics on the socket, and alone on a loopback port for collectors that cannot speak to Unix sockets: one
// request a connection, a few at a time, and nothing else of the API is there. Everybody on this machine may read that
// port, and metrics name no webhook; so it is off unless metrics.listen says otherwise.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <exception>

#include "control/server/metrics.hpp"
#include "control/server/serving_impl.hpp"

namespace webhookd::server {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using namespace std::chrono_literals;
using TcpSocket = asio::ip::tcp::socket;

constexpr auto scrape_time = 10s;
constexpr auto scrape_accept_pause = 150ms;
constexpr std::size_t scrapes_max = 8;
constexpr std::size_t scrape_head_bytes_max = 8 * 1024;

asio::awaitable<Result<std::string>> read_metrics(Context& context) {
  auto stored = co_await read_figures(context);
  if (!stored) {
    co_return stored.error();
  }
  const auto decided = co_await read_engine_view(context);
  if (!decided) {
    co_return decided.error();
  }
  MetricFigures figures;
  figures.store = std::move(*stored);
  figures.engine = decided->engine;
  figures.lanes = decided->lanes;
  figures.process = read_process_figures();
  figures.sessions = context.sessions.size();
  figures.process.started_at = context.process_started_at;
  figures.tally = context.tally;
  if (context.options.last_reload) {
    figures.reload = context.options.last_reload();
  }
  figures.mismatches_accepted = context.schema_mismatches.accepted;
  figures.mismatches_refused = context.schema_mismatches.refused;
  co_return metrics_text(figures);
}

// What one scrape holds; its deadline closes the connection, whoever still looks at it.
class Scrape {
 public:
  Scrape(Context& context, TcpSocket socket)
      : context_(context), socket_(std::make_shared<TcpSocket>(std::move(socket))), deadline_(context.io) {
    ++context_.scrapes;
    deadline_.expires_after(scrape_time);
    deadline_.async_wait([kept = socket_](boost::system::error_code cancelled) {
      boost::system::error_code ignored;
      if (!cancelled) {
        kept->close(ignored);
      }
    });
  }
  ~Scrape() { --context_.scrapes; }
  Scrape(const Scrape&) = delete;
  Scrape& operator=(const Scrape&) = delete;
  TcpSocket& socket() { return *socket_; }

 private:
  Context& context_;
  std::shared_ptr<TcpSocket> socket_;
  asio::steady_timer deadline_;
};

asio::awaitable<Answer> answer_scrape(Context& context, bool is_known) {
  Answer answer;
  answer.media_type = metrics_media_type;
  if (!is_known) {
    answer.status = 404;
    answer.body = "only GET /metrics is here\n";
    co_return answer;
  }
  auto text = co_await read_metrics(context);
  answer.status = text ? 200 : 503;
  answer.body = text ? std::move(*text) : text.error().detail + "\n";
  co_return answer;
}

asio::awaitable<void> serve_scrape(Context& context, TcpSocket socket) {
  Scrape scrape(context, std::move(socket));
  beast::flat_buffer buffer(scrape_head_bytes_max);
  http::request_parser<http::empty_body> parser;
  parser.header_limit(scrape_head_bytes_max);
  const auto [error, bytes] = co_await http::async_read_header(scrape.socket(), buffer, parser, as_values);
  if (error) {
    co_return;
  }
  const bool is_known = parser.get().method() == http::verb::get && parser.get().target() == "/metrics";
  const Answer answer = co_await answer_scrape(context, is_known);
  const std::string text = answer_head(answer.status, answer.media_type) +
                           "Connection: close\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" +
                           answer.body;
  const auto piece = asio::buffer(text);
  co_await asio::async_write(scrape.socket(), piece, as_values);
}

void log_scrape_failure(Context& context, const std::exception_ptr& thrown) {
  try {
    if (thrown) {
      std::rethrow_exception(thrown);
    }
  } catch (const std::exception& failure) {
    context.world.log.write(base::LogLevel::error, "session_failed", {{"error", failure.what()}});
  }
}

}  // namespace

Result<void> listen_for_scrapes(Context& context, const MetricsPlace& place) {
  using Address = asio::ip::address;
  asio::ip::address_v4::bytes_type four{};
  std::copy_n(place.address.bytes.begin(), four.size(), four.begin());
  const Address address =
      place.address.is_v6 ? Address(asio::ip::address_v6(place.address.bytes)) : Address(asio::ip::address_v4(four));
  const asio::ip::tcp::endpoint endpoint(address, place.port);
  boost::system::error_code error;
  context.scrape_acceptor.open(endpoint.protocol(), error);
  if (!error) {
    context.scrape_acceptor.set_option(asio::socket_base::reuse_address(true), error);
    context.scrape_acceptor.bind(endpoint, error);
  }
  if (!error) {
    context.scrape_acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return refusal(ErrorCode::internal, "metrics.listen: cannot listen on " + address.to_string() + " port " +
                                            std::to_string(place.port) + ": " + error.message());
  }
  return {};
}

asio::awaitable<void> accept_scrapes(Context& context) {
  asio::steady_timer pause(context.io);
  while (!context.closing) {
    auto [error, socket] = co_await context.scrape_acceptor.async_accept(as_values);
    if (context.closing) {
      break;
    }
    if (error) {
      note_failed_accept(context, error.message());
      pause.expires_after(scrape_accept_pause);
      co_await pause.async_wait(as_values);
    } else if (context.scrapes < scrapes_max) {
      auto report = [&context](const std::exception_ptr& thrown) { log_scrape_failure(context, thrown); };
      asio::co_spawn(context.io, serve_scrape(context, std::move(socket)), std::move(report));
    }
  }
}

Reply show_metrics(Context& context, const Request&) {
  auto text = co_await read_metrics(context);
  if (!text) {
    co_return text.error();
  }
  Answer answer;
  answer.media_type = metrics_media_type;
  answer.body = std::move(*text);
  co_return answer;
}

}  // namespace webhookd::server
