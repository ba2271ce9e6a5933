#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <exception>

#include "base/check.hpp"
#include "base/text.hpp"
#include "control/protocol/audit_codec.hpp"
#include "control/protocol/problems.hpp"
#include "control/server/serving_impl.hpp"
#include "domain/limits.hpp"

namespace webhookd::server {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using namespace std::chrono_literals;
using protocol::Role;
using Parser = http::request_parser<http::string_body>;

constexpr auto idle_time = 75s;
constexpr auto last_request_time = 1s;  // for the first request of a session, while draining
constexpr auto request_time = 30s;
// Who has no role may hear so, and not keep others from being heard.
constexpr auto stranger_time = 5s;  // for the request that is refused
constexpr std::size_t strangers_max = 32;
constexpr auto sweep_pause = 1s;
constexpr auto accept_pause = 150ms;  // when descriptors or memory are short
constexpr auto linger_time = 5s;
constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr std::size_t buffer_bytes_max = 32 * 1024;
constexpr std::size_t read_piece = 8 * 1024;
constexpr std::size_t event_envelope_bytes = 64 * 1024;
constexpr std::size_t batch_bytes_max = std::size_t{64} << 20;
constexpr std::size_t bodies_bytes_max = std::size_t{256} << 20;  // of all sessions at once
constexpr std::size_t other_body_bytes_max = std::size_t{1} << 20;
constexpr std::size_t linger_bytes_max = std::size_t{128} << 20;

// ---- answers --------------------------------------------------------------------------------------------------

Answer problem_answer(const Error& error) {
  Answer answer;
  answer.status = protocol::problem_kind(error.code).status;
  answer.media_type = protocol::problem_media_type;
  protocol::append_problem(answer.body, error);
  return answer;
}

asio::awaitable<bool> write_answer(Context& context, Session& session, Answer answer, bool keep_alive) {
  context.tally.count_request(answer.status);
  std::string head = answer_head(answer.status, answer.media_type);
  head += answer.headers;
  head += keep_alive ? "Content-Length: " : "Connection: close\r\nContent-Length: ";
  head += std::to_string(answer.body.size());
  head += "\r\n\r\n";
  const bool written = co_await write_all(session, std::move(head), std::move(answer.body));
  co_return written;
}

// After a refusal that comes before the body has been read: a peer that is still sending would lose the answer to a
// reset if we just closed.
asio::awaitable<void> linger(Session& session) {
  session.expire_in(linger_time);
  boost::system::error_code ignored;
  session.socket.shutdown(Socket::shutdown_send, ignored);
  std::string scrap(buffer_bytes_max, '\0');
  for (std::size_t drained = 0; drained < linger_bytes_max;) {
    const auto [error, bytes] = co_await session.socket.async_read_some(asio::buffer(scrap), as_values);
    if (error) {
      break;
    }
    drained += bytes;
  }
}

// ---- from head to request -------------------------------------------------------------------------------------

Error no_route(const protocol::Match& match, std::string_view method, std::string_view path) {
  if (!match.allowed.empty()) {
    return refusal(ErrorCode::method_not_allowed, std::string(path.substr(0, 256)) + " takes " + match.allowed +
                                                      ", not " + std::string(method.substr(0, 32)));
  }
  return refusal(ErrorCode::not_found,
                 "there is no route " + std::string(path.substr(0, 256)) + "; GET /v1/openapi.json lists them");
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string media_types_of(const protocol::Route& route) {
  std::string types;
  for (const auto& body : route.requests) {
    types += (types.empty() ? "" : " or ") + std::string(body.media_type);
  }
  return types;
}

Result<void> read_media_type(const protocol::Route& route, std::string_view content_type, Request& request) {
  if (route.requests.empty()) {
    return {};
  }
  const protocol::Body* body = protocol::match_body(route, content_type);
  if (body == nullptr) {
    return refusal(ErrorCode::unsupported_media, "Content-Type: must be " + media_types_of(route) + ", not " +
                                                     std::string(content_type.substr(0, 128)));
  }
  request.media_type = body->media_type;
  return {};
}

// The attributes of a CloudEvent in binary mode (HTTP binding, section 3.1): headers that begin with ce-.
std::optional<protocol::CloudEventHeaders> cloud_event_headers(const Parser& parser) {
  const auto& head = parser.get();
  if (head.find("ce-specversion") == head.end()) {
    return std::nullopt;
  }
  protocol::CloudEventHeaders headers;
  for (const auto& field : head) {
    constexpr std::size_t prefix_bytes = 3;
    const std::string name = base::to_lower(view(field.name_string()));
    if (name.starts_with("ce-")) {
      headers.emplace_back(name.substr(prefix_bytes), view(field.value()));
    }
  }
  return headers;
}

// Everything that can be said before the body is read; `allowed` is for the Allow header of a 405.
Result<Request> read_head(Session& session, const Parser& parser, std::string& allowed) {
  const auto& head = parser.get();
  const std::string_view target = view(head.target());
  const std::string_view path = target.substr(0, target.find('?'));
  protocol::Match match = protocol::match_route(view(head.method_string()), path);
  if (session.role == Role::none) {
    return refusal(ErrorCode::forbidden, "user " + std::to_string(session.peer.uid) +
                                             " has no role here; [access] in the configuration gives one");
  }
  if (match.route == nullptr) {
    allowed = match.allowed;
    return no_route(match, view(head.method_string()), path);
  }
  if (session.role < match.route->role) {
    return refusal(ErrorCode::forbidden, "this needs the role " + std::string(to_string(match.route->role)) +
                                             "; user " + std::to_string(session.peer.uid) + " has " +
                                             std::string(to_string(session.role)));
  }
  Request request;
  request.route = match.route;
  request.argument = std::move(match.argument);
  request.if_match = view(head[http::field::if_match]);
  request.chunks = head.version() >= 11;
  request.session = &session;
  auto query = protocol::Query::parse(target.substr(std::min(path.size() + 1, target.size())), match.route->query);
  if (!query) {
    return query.error();
  }
  request.query = std::move(*query);
  const auto dry_run = protocol::read_dry_run(request.query);
  if (!dry_run) {
    return dry_run.error();
  }
  request.dry_run = *dry_run;
  auto reason = protocol::read_reason_header(view(head["Webhookd-Reason"]));
  if (!reason) {
    return reason.error();
  }
  request.reason = std::move(*reason);
  const auto media_type = read_media_type(*match.route, view(head[http::field::content_type]), request);
  if (!media_type) {
    return media_type.error();
  }
  if (match.route->operation == protocol::Operation::accept_events && request.media_type == protocol::media::json) {
    request.cloud_event = cloud_event_headers(parser);
  }
  return request;
}

// ---- bodies ---------------------------------------------------------------------------------------------------

bool is_event(const Request& request) { return request.route->operation == protocol::Operation::accept_events; }

std::size_t body_bound(const Context& context, const Request& request) {
  if (request.media_type == protocol::media::ndjson) {
    return batch_bytes_max;
  }
  return is_event(request) ? context.options.live.event_data_bytes_max + event_envelope_bytes : other_body_bytes_max;
}

Error body_too_large(const Context& context, const Request& request, std::size_t bound) {
  if (is_event(request) && request.media_type != protocol::media::ndjson) {
    Error error = refusal(ErrorCode::too_large, "data: the request has more than " + std::to_string(bound) +
                                                    " bytes; data may have at most " +
                                                    std::to_string(context.options.live.event_data_bytes_max));
    error.fields.push_back({"/data", error.detail});
    return error;
  }
  return refusal(ErrorCode::too_large, "the request has more than " + std::to_string(bound) + " bytes");
}

// A body counts against the memory of all bodies while it is here.
class BodyRoom {
 public:
  BodyRoom(Context& context, std::size_t bytes) : context_(context), bytes_(bytes) { context_.body_bytes += bytes_; }
  ~BodyRoom() { context_.body_bytes -= bytes_; }
  BodyRoom(const BodyRoom&) = delete;
  BodyRoom& operator=(const BodyRoom&) = delete;

 private:
  Context& context_;
  std::size_t bytes_;
};

// What the body may take: what the head says, or the bound when it comes in chunks.
std::size_t room_needed(const Parser& parser, std::size_t bound) {
  return parser.is_done() ? 0 : static_cast<std::size_t>(parser.content_length().value_or(bound));
}

// Refused by what the head says of the body.
Result<void> check_body_size(const Context& context, const Request& request, const Parser& parser) {
  const std::size_t bound = body_bound(context, request);
  if (parser.content_length().value_or(0) > bound) {
    return body_too_large(context, request, bound);
  }
  if (context.body_bytes + room_needed(parser, bound) > bodies_bytes_max) {
    return refusal(ErrorCode::unavailable, "too many large requests at once; try again in a moment");
  }
  return {};
}

enum class ReadEnd { done, gone, too_large, malformed };

std::string not_http(const boost::system::error_code& error) { return "this is no HTTP request: " + error.message(); }

// Bytes that break the grammar, as opposed to bytes that never came.
bool is_malformed(const boost::system::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

// `fault` is what to answer when it is malformed.
asio::awaitable<ReadEnd> read_body(Session& session, beast::flat_buffer& buffer, Parser& parser, std::size_t bound,
                                   std::string& fault) {
  if (parser.is_done()) {
    co_return ReadEnd::done;
  }
  parser.body_limit(bound);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    std::string head = "HTTP/1.1 100 Continue\r\n\r\n";
    std::string nothing;
    const bool written = co_await write_all(session, std::move(head), std::move(nothing));
    if (!written) {
      co_return ReadEnd::gone;
    }
  }
  session.expire_in(request_time);
  const auto [error, bytes] = co_await http::async_read(session.socket, buffer, parser, as_values);
  session.never_expire();
  if (error == http::error::body_limit) {
    co_return ReadEnd::too_large;
  }
  if (is_malformed(error)) {
    fault = not_http(error);
    co_return ReadEnd::malformed;
  }
  co_return error ? ReadEnd::gone : ReadEnd::done;
}

// ---- one request ----------------------------------------------------------------------------------------------

// Waits for the first bytes of a request, then for its head. `fault` is what to answer when it is none.
asio::awaitable<ReadEnd> read_request_head(const Context& context, Session& session, beast::flat_buffer& buffer,
                                           Parser& parser, std::string& fault) {
  if (buffer.size() == 0) {
    session.expire_in(context.draining ? last_request_time : session.role == Role::none ? stranger_time : idle_time);
    session.is_waiting = true;
    const auto space = buffer.prepare(read_piece);
    const auto [error, bytes] = co_await session.socket.async_read_some(space, as_values);
    session.is_waiting = false;
    if (error) {
      co_return ReadEnd::gone;
    }
    buffer.commit(bytes);
  }
  session.expire_in(request_time);
  const auto [error, bytes] = co_await http::async_read_header(session.socket, buffer, parser, as_values);
  session.never_expire();
  if (!error) {
    co_return ReadEnd::done;
  }
  if (!is_malformed(error)) {
    co_return ReadEnd::gone;
  }
  fault = error == http::error::header_limit || error == http::error::buffer_overflow
              ? "the head of the request has more than " + std::to_string(head_bytes_max) + " bytes"
              : not_http(error);
  co_return ReadEnd::malformed;
}

// Answers before the body has been read, and ends the session if there is one.
asio::awaitable<bool> refuse(Context& context, Session& session, const Parser& parser, Error error,
                             std::string allowed) {
  const bool is_head = parser.get().method() == http::verb::head;
  const bool keep_alive = parser.is_done() && parser.get().keep_alive() && !is_head && session.role != Role::none;
  Answer answer = problem_answer(error);
  if (is_head) {
    answer.body.clear();  // RFC 9110 section 9.3.2
  }
  if (!allowed.empty()) {
    answer.headers = "Allow: " + allowed + "\r\n";
  }
  const bool written = co_await write_answer(context, session, std::move(answer), keep_alive);
  if (written && !keep_alive) {
    co_await linger(session);
  }
  co_return written&& keep_alive;
}

// What was refused before anybody handled it: an event is counted, and a user without the role for it is told of.
void note_refusal(Context& context, const Session& session, const Result<Request>& request, const Error& error) {
  if (request && is_event(*request)) {
    context.tally.count_refused_event(error.code);
  }
  if (error.code != ErrorCode::forbidden) {
    return;
  }
  if (const auto count = context.forbidden.note(session.peer.uid, std::chrono::steady_clock::now())) {
    context.world.log.write(
        base::LogLevel::warning, "access_refused",
        {{"uid", std::to_string(session.peer.uid)}, {"count", std::to_string(*count)}, {"detail", error.detail}});
  }
}

// A handler may throw for want of memory only; the session then answers, and lives.
asio::awaitable<Result<Answer>> handle(Context& context, const Request& request) {
  std::string what;
  try {
    auto answer = co_await handler_of(request.route->operation)(context, request);
    co_return answer;
  } catch (const std::exception& failure) {
    what = failure.what();
  }
  context.world.log.write(base::LogLevel::error, "request_failed",
                          {{"route", std::string(request.route->pattern)}, {"error", what}});
  co_return refusal(ErrorCode::internal, "the request failed: " + what);
}

// False ends the session.
asio::awaitable<bool> serve_request(Context& context, Session& session, beast::flat_buffer& buffer) {
  Parser parser;
  parser.header_limit(head_bytes_max);
  parser.body_limit(boost::none);
  std::string fault;
  const ReadEnd head = co_await read_request_head(context, session, buffer, parser, fault);
  if (head == ReadEnd::gone) {
    co_return false;
  }
  std::string allowed;
  if (head == ReadEnd::malformed) {
    Error error = refusal(ErrorCode::invalid_request, fault);
    co_await refuse(context, session, parser, std::move(error), std::move(allowed));
    co_return false;
  }
  auto request = read_head(session, parser, allowed);
  auto size = request ? check_body_size(context, *request, parser) : Result<void>(request.error());
  if (!size) {
    note_refusal(context, session, request, size.error());
    const bool go_on = co_await refuse(context, session, parser, size.error(), std::move(allowed));
    co_return go_on;
  }
  const std::size_t bound = body_bound(context, *request);
  const BodyRoom room(context, room_needed(parser, bound));
  const ReadEnd body = co_await read_body(session, buffer, parser, bound, fault);
  if (body == ReadEnd::gone) {
    co_return false;
  }
  if (body != ReadEnd::done) {
    Error error = body == ReadEnd::too_large ? body_too_large(context, *request, bound)
                                             : refusal(ErrorCode::invalid_request, fault);
    note_refusal(context, session, request, error);
    co_await refuse(context, session, parser, std::move(error), std::move(allowed));
    co_return false;
  }
  const bool keep_alive = parser.get().keep_alive();
  request->body = std::move(parser.get().body());
  Result<Answer> result(Answer{});
  if (request->body.empty() && request->route->body_required) {
    result = refusal(ErrorCode::invalid_request, "a body is required: " + media_types_of(*request->route));
  } else {
    result = co_await handle(context, *request);
  }
  if (result && result->streamed) {
    context.tally.count_request(result->status);
    co_return keep_alive && request->chunks;
  }
  Answer answer = result ? std::move(*result) : problem_answer(result.error());
  const bool goes_on = keep_alive && !context.draining;
  const bool written = co_await write_answer(context, session, std::move(answer), goes_on);
  co_return written&& goes_on;
}

// ---- sessions -------------------------------------------------------------------------------------------------

class Listed {
 public:
  Listed(Context& context, Session& session)
      : context_(context), place_(context.sessions.insert(context.sessions.end(), &session)) {
    context.session_count = context.sessions.size();
    if (context.sessions.size() == 1) {
      context.sweep.cancel();  // it sleeps while there is nobody to watch
    }
  }
  ~Listed() {
    context_.sessions.erase(place_);
    context_.session_count = context_.sessions.size();
  }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  Context& context_;
  std::list<Session*>::iterator place_;
};

bool identify(Context& context, Session& session) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(session.socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return false;
  }
  session.peer.uid = credentials.uid;
  session.peer.gid = credentials.gid;
  session.role = context.access.role_of(session.peer);
  return true;
}

// One try, without waiting: whoever floods us may miss the words.
void turn_away(Socket& socket) {
  const Answer answer = problem_answer(refusal(ErrorCode::unavailable, "too many connections"));
  const std::string text = answer_head(answer.status, answer.media_type) +
                           "Connection: close\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" +
                           answer.body;
  ::send(socket.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// A user without a role has one answer, and few have it at once.
class StrangerCount {
 public:
  StrangerCount(Context& context, const Session& session)
      : context_(context), is_stranger_(session.role == Role::none) {
    context_.strangers += is_stranger_;
  }
  ~StrangerCount() { context_.strangers -= is_stranger_; }
  StrangerCount(const StrangerCount&) = delete;
  StrangerCount& operator=(const StrangerCount&) = delete;
  bool is_stranger() const { return is_stranger_; }
  bool is_one_too_many() const { return is_stranger_ && context_.strangers > strangers_max; }

 private:
  Context& context_;
  bool is_stranger_;
};

asio::awaitable<void> serve_requests(Context& context, Socket socket) {
  Session session(std::move(socket));
  const Listed listed(context, session);
  beast::flat_buffer buffer(buffer_bytes_max);
  try {
    bool go_on = identify(context, session);
    const StrangerCount count(context, session);
    if (count.is_one_too_many()) {
      context.tally.count_request(503);
      turn_away(session.socket);
      go_on = false;
    }
    while (go_on && !context.closing) {
      go_on = co_await serve_request(context, session, buffer);
      go_on = go_on && !context.draining && !count.is_stranger();
      session.was_served = true;
    }
  } catch (const std::exception& failure) {
    context.world.log.write(base::LogLevel::error, "session_failed", {{"error", failure.what()}});
  }
}

asio::awaitable<void> serve_session(Context& context, Socket socket) {
  co_await serve_requests(context, std::move(socket));
  if (context.closing && context.sessions.empty()) {
    context.io.stop();
  }
}

}  // namespace

void note_failed_accept(Context& context, const std::string& error) {
  if (const auto count = context.failed_accepts.note(std::chrono::steady_clock::now())) {
    context.world.log.write(base::LogLevel::warning, "accept_failed",
                            {{"error", error}, {"count", std::to_string(*count)}});
  }
}

asio::awaitable<void> accept_sessions(Context& context) {
  asio::steady_timer pause(context.io);
  while (!context.closing) {
    auto [error, socket] = co_await context.acceptor.async_accept(as_values);
    if (context.closing || (error && context.draining)) {
      break;
    }
    if (error) {
      note_failed_accept(context, error.message());
      pause.expires_after(accept_pause);
      co_await pause.async_wait(as_values);
    } else if (context.sessions.size() >= context.options.sessions_max) {
      context.tally.count_request(503);
      turn_away(socket);
    } else {
      asio::co_spawn(context.io, serve_session(context, std::move(socket)), asio::detached);
    }
  }
  context.is_accepting = false;
}

void drain_sessions(Context& context) {
  boost::system::error_code ignored;
  context.draining = true;
  context.acceptor.close(ignored);
  context.changes.wake_all();
  for (Session* session : context.sessions) {
    if (session->is_waiting && session->was_served) {
      // What has arrived is still read; what comes later, its sender hears, was not taken (EPIPE).
      session->socket.shutdown(Socket::shutdown_receive, ignored);
    } else if (session->is_waiting) {
      session->expire_in(last_request_time);
    }
  }
}

asio::awaitable<void> sweep_sessions(Context& context) {
  while (!context.closing) {
    if (context.sessions.empty()) {
      context.sweep.expires_at(SteadyTime::max());
    } else {
      context.sweep.expires_after(sweep_pause);
    }
    co_await context.sweep.async_wait(as_values);
    const auto now = std::chrono::steady_clock::now();
    for (Session* session : context.sessions) {
      if (session->deadline < now) {
        boost::system::error_code ignored;
        session->socket.close(ignored);
      }
    }
  }
}

}  // namespace webhookd::server
