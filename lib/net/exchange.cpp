#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>

#include "base/text.hpp"
#include "domain/limits.hpp"
#include "net/exchange_impl.hpp"
#include "net/loop_world_impl.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using Pieces = std::array<asio::const_buffer, 4>;

constexpr std::string_view phase_words(Phase phase) {
  constexpr std::array<std::string_view, 7> words{"resolving the name",       "connecting",
                                                  "waiting for the proxy",    "in the TLS handshake",
                                                  "sending the request",      "waiting for the response head",
                                                  "reading the response body"};
  return words[static_cast<std::size_t>(phase)];
}

asio::const_buffer buffer_of(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Pieces pieces_of(const WireRequest& request) {
  const auto body = request.body();
  return {buffer_of(request.head()), buffer_of(body[0]), buffer_of(body[1]), buffer_of(body[2])};
}

// What is left of the pieces after their first `sent` bytes.
void skip(Pieces& pieces, std::size_t sent) {
  for (asio::const_buffer& piece : pieces) {
    const std::size_t part = std::min(sent, piece.size());
    piece += part;
    sent -= part;
  }
}

// What was made with one client certificate is not used with another.
std::string endpoint_text(const ExchangePlan& plan) {
  std::string text = (plan.url->is_https() ? "https://" : "http://") + plan.url->authority();
  if (plan.identity) {
    text += " as " + std::to_string(plan.identity->number());
  }
  return text;
}

// Both kinds of RFC 9110 section 10.2.3. A date is measured from the attempt's own time, on whatever clock that was.
std::optional<base::Duration> parse_retry_after(std::string_view text, base::Time attempted_at) {
  constexpr unsigned long long seconds_max = 1'000'000'000;
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    return base::Duration(std::chrono::seconds(base::parse_whole_number(text, seconds_max).value_or(seconds_max)));
  }
  const auto date = base::parse_http_date(text, attempted_at);
  return date && *date > attempted_at ? std::optional(*date - attempted_at) : std::nullopt;
}

bool is_peer_closed(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
         ec == asio::error::connection_aborted || ec == asio::ssl::error::stream_truncated;
}

Awaitable<error_code> converse(std::shared_ptr<Exchange> x) {
  const ConnectionPtr connection = x->connection;
  connection->reader.begin(x->plan.body_kept_bytes);
  x->send();
  x->phase = Phase::awaiting_head;
  error_code ec;
  while (connection->reader.wants_more()) {
    ec = co_await read_some(connection);
    if (ec) {
      break;
    }
    x->phase = connection->reader.is_head_complete() ? Phase::reading_body : Phase::awaiting_head;
  }
  if (ec == asio::error::eof) {
    connection->reader.end();
  }
  co_return ec;
}

Awaitable<void> perform(std::shared_ptr<Exchange> x) {
  x->connection = x->world.pool.take(x->endpoint);
  bool may_resend = true;
  while (true) {
    if (!x->connection) {
      co_await connect(x);
    }
    if (!x->connection || x->is_interrupted()) {
      x->conclude(error_code());
      break;
    }
    const error_code ec = co_await converse(x);
    if (!may_resend || !x->is_stale(ec)) {
      x->conclude(ec);
      break;
    }
    may_resend = false;
    x->connection->close();
    x->connection = nullptr;
  }
  x->finish();
}

}  // namespace

Awaitable<error_code> read_some(ConnectionPtr connection) {
  const std::span<char> room = connection->reader.room();
  const asio::mutable_buffer buffer(room.data(), room.size());
  error_code ec;
  std::size_t count = 0;
  if (connection->tls) {
    count = co_await connection->tls->async_read_some(buffer, asio::redirect_error(use_awaitable, ec));
  } else {
    count = co_await connection->socket.async_read_some(buffer, asio::redirect_error(use_awaitable, ec));
  }
  if (!ec) {
    connection->reader.add(count);
  }
  co_return ec;
}

Exchange::Exchange(ExchangePlan what, LoopWorld& loop, ExchangeDone done)
    : plan(std::move(what)),
      world(loop),
      egress(loop.egress),
      endpoint(endpoint_text(plan)),
      wake(loop.io.get_executor()),
      done_(std::move(done)) {}

Exchange::~Exchange() {
  if (!is_reported_ && !world.is_stopping) {
    fail(OutcomeKind::protocol, "the exchange was given up by an internal fault");
    report_once();
  }
}

void Exchange::start() {
  deadline_ = world.deadlines.add(plan.deadline, shared_from_this());
  asio::co_spawn(world.io, perform(shared_from_this()), [x = shared_from_this()](std::exception_ptr thrown) {
    if (thrown && !x->is_reported_) {
      x->fail(OutcomeKind::protocol, "the exchange was given up by an internal fault");
      x->finish();
    }
  });
}

void Exchange::expire() {
  deadline_.reset();
  interrupt(Interruption::deadline);
}

void Exchange::interrupt(Interruption why) {
  if (is_reported_ || is_interrupted()) {
    return;
  }
  interruption_ = why;
  wake.cancel();
  if (race) {
    race->close_all();
  }
  if (connection) {
    connection->close();
  }
}

void Exchange::fail(OutcomeKind kind, std::string error) {
  has_outcome_ = true;
  result_.outcome.kind = kind;
  result_.outcome.error = std::move(error);
}

void Exchange::fail_for_shortage(std::string what) {
  result_.shortage = true;
  fail(OutcomeKind::connect, std::move(what));
}

const domain::Url& Exchange::next_hop() const { return egress->proxy ? *egress->proxy : url(); }

// A small request on a plain connection leaves in one system call, without a trip through the loop. What does not fit
// is written beside the reading, because a receiver may answer (and stop reading) before it has everything.
void Exchange::send() {
  phase = Phase::sending;
  connection->is_request_sent = false;
  Pieces pieces = pieces_of(plan.request);
  const std::size_t size = asio::buffer_size(pieces);
  if (!connection->tls) {
    error_code ec;
    const std::size_t sent = connection->socket.write_some(pieces, ec);
    connection->is_request_sent = !ec && sent == size;
    if (is_shortage(ec)) {
      fail_for_shortage("cannot send to " + peer_text(*connection) + ": " + ec.message());
      connection->close();
    }
    if (connection->is_request_sent || (ec && ec != asio::error::would_block)) {
      return;  // a dead connection says so, and what it still has for us, when it is read
    }
    skip(pieces, sent);
  }
  // The request and the connection live until the last byte is written or refused.
  auto written = [x = shared_from_this(), to = connection](error_code ec, std::size_t) { to->is_request_sent = !ec; };
  if (connection->tls) {
    asio::async_write(*connection->tls, pieces, std::move(written));
  } else {
    asio::async_write(connection->socket, pieces, std::move(written));
  }
}

bool Exchange::is_stale(const error_code& read_error) const {
  return connection->is_reused && !connection->reader.has_bytes() && !is_interrupted() && !has_outcome_ &&
         is_peer_closed(read_error);
}

void Exchange::conclude_interrupted() {
  if (interruption_ == Interruption::abort) {
    return fail(OutcomeKind::aborted, "cancelled while in flight");
  }
  fail(OutcomeKind::timeout,
       "no answer within " + base::format_duration(plan.timeout) + " (while " + std::string(phase_words(phase)) + ")");
}

void Exchange::conclude_answer() {
  ResponseReader& reader = connection->reader;
  result_.certificate_expires_at = connection->certificate_expires_at;
  domain::Outcome& outcome = result_.outcome;
  outcome.code = reader.status();
  outcome.response_headers = std::move(reader.kept_head());
  outcome.response_body = std::move(reader.kept_body());
  outcome.response_truncated = reader.is_truncated();
  if (outcome.code / 100 == 2) {
    has_outcome_ = true;
    outcome.kind = OutcomeKind::success;
    outcome.error.clear();
    return;
  }
  fail(OutcomeKind::status, "HTTP " + std::to_string(outcome.code));
  outcome.retry_after = parse_retry_after(reader.retry_after(), plan.at);
}

// In this order: a complete head decides whatever came after it; then who ended the exchange; then what was wrong.
void Exchange::conclude(const error_code& read_error) {
  if (connection && connection->reader.is_head_complete()) {
    result_.shortage = false;
    return conclude_answer();
  }
  if (is_interrupted()) {
    return conclude_interrupted();
  }
  if (has_outcome_) {
    return;
  }
  const std::string peer = peer_text(*connection);
  if (!connection->reader.fault().empty()) {
    return fail(OutcomeKind::protocol, connection->reader.fault());
  }
  if (is_shortage(read_error)) {
    return fail_for_shortage("cannot read from " + peer + ": " + read_error.message());
  }
  if (read_error.category() == asio::error::get_ssl_category()) {
    return fail(OutcomeKind::tls, "TLS failed: " + tls_words(read_error));
  }
  const std::string_view stage =
      connection->reader.has_bytes() ? " in the middle of the response head" : " before it answered";
  const bool is_end = read_error == asio::error::eof || read_error == asio::ssl::error::stream_truncated;
  const std::string what = is_end ? peer + " closed the connection"
                           : read_error == asio::error::connection_reset || read_error == asio::error::broken_pipe
                               ? peer + " reset the connection"
                               : "the connection to " + peer + " failed (" + read_error.message() + ")";
  fail(OutcomeKind::reset, what + std::string(stage));
}

void Exchange::finish() {
  if (deadline_) {
    world.deadlines.remove(*std::exchange(deadline_, std::nullopt));
  }
  if (connection) {
    const bool is_allowed_still = egress == world.egress;
    if (is_allowed_still && connection->reader.allows_reuse() && connection->is_request_sent && !is_interrupted()) {
      world.pool.put(endpoint, std::move(connection));
    } else if (connection->reader.is_head_complete() && connection->is_request_sent && !is_interrupted()) {
      part_with(connection);
    } else {
      connection->close();
    }
    connection = nullptr;
  }
  if (result_.shortage) {
    world.pool.clear();  // idle connections hold descriptors that attempts want
  }
  report_once();
}

void Exchange::report_once() {
  is_reported_ = true;
  ExchangeDone done = std::move(done_);  // it may hold whoever asked
  done(std::move(result_));
}

}  // namespace webhookd::net
