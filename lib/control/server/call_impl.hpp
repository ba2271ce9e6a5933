// What one request is for the code that answers it, and how that code waits. Private to this folder: it is the only
// header here that knows Asio.
//
// `ask` turns a Completion into something to co_await: the completion may come at once or from any thread, and the
// coroutine always goes on in the control loop. Everything that a coroutine awaits is bound to a named local first
// (shared/traps.md: g++ 12 destroys temporaries of the awaiting expression twice).
//
// Life and death: sessions hold plain references to Context; whoever may still call back after the server is gone (a
// completion inside engine or store) holds the Context itself, so a late answer is posted to a loop that has stopped,
// and the session's frame is unwound with it. Hence the order of members below.
#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "control/protocol/cloudevent_codec.hpp"
#include "control/protocol/json_write.hpp"
#include "control/protocol/routes.hpp"
#include "control/server/access.hpp"
#include "control/server/change_signal_impl.hpp"
#include "control/server/process_figures.hpp"
#include "control/server/server.hpp"
#include "control/server/tally.hpp"
#include "control/server/type_schemas.hpp"

namespace webhookd::server {

using base::Completion;
using base::Error;
using base::ErrorCode;
using base::Result;
using Socket = asio::local::stream_protocol::socket;

inline constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

// One connection, as the sweep sees it: past its deadline it is closed.
struct Session {
  explicit Session(Socket peer_socket) : socket(std::move(peer_socket)) {}
  void expire_in(std::chrono::steady_clock::duration span) { deadline = std::chrono::steady_clock::now() + span; }
  void never_expire() { deadline = SteadyTime::max(); }

  Socket socket;
  Peer peer;
  protocol::Role role = protocol::Role::none;
  SteadyTime deadline = SteadyTime::max();
  bool is_waiting = false;  // for the first byte of a request
  bool was_served = false;
};

// Events since the start whose data did not match, by the mode that they met.
struct SchemaMismatches {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
};

struct Context : std::enable_shared_from_this<Context> {
  Context(ServerOptions server_options, ServerWorld server_world, Access resolved)
      : options(std::move(server_options)), world(server_world), access(std::move(resolved)) {}

  ServerOptions options;
  ServerWorld world;
  Access access;
  SteadyTime started = std::chrono::steady_clock::now();
  bool draining = false;  // nobody is let in, who is in is served once more
  bool closing = false;
  std::list<Session*> sessions;
  std::atomic<bool> is_accepting = true;       // somebody may still come in
  std::atomic<std::size_t> session_count = 0;  // the same, for other threads
  std::size_t strangers = 0;                   // sessions of users without a role
  std::size_t scrapes = 0;                     // of metrics, on the loopback port
  std::size_t waiters = 0;                     // long polls and streams
  std::size_t body_bytes = 0;                  // of requests in memory
  ChangeSignal changes;
  TypeSchemas schemas;
  SchemaMismatches schema_mismatches;
  Tally tally;
  Seldom failed_accepts{std::chrono::seconds(10)};
  SeldomByUser forbidden;
  std::optional<double> process_started_at = read_process_start();  // unix seconds

  asio::io_context io{1};
  asio::local::stream_protocol::acceptor acceptor{io};
  asio::ip::tcp::acceptor scrape_acceptor{io};
  asio::steady_timer sweep{io};
  asio::steady_timer farewell{io};
};

struct Request {
  const protocol::Route* route = nullptr;
  std::string argument;
  protocol::Query query;
  bool dry_run = false;
  std::string_view media_type;  // of the body, one of the route's
  std::string body;
  std::optional<protocol::CloudEventHeaders> cloud_event;  // in binary mode
  std::string if_match;
  std::string reason;  // Webhookd-Reason, or the body's
  bool chunks = true;  // the peer understands chunked answers (HTTP/1.1)
  Session* session = nullptr;
};

struct Answer {
  unsigned status = 200;
  std::string body;
  std::string_view media_type = protocol::media::json;
  std::string headers;    // further ones, each with CR LF
  bool streamed = false;  // the body has been written already
};

using Reply = asio::awaitable<Result<Answer>>;

template <class T, class Handler>
struct Resume {
  Handler handler;
  Result<T> result;
  void operator()() { handler(std::move(result)); }
};

template <class T, class Handler>
struct Deliver {
  std::shared_ptr<Context> keep;  // outlives the handler
  Handler handler;
  void operator()(Result<T> result) {
    const auto executor = asio::get_associated_executor(handler);
    asio::post(executor, Resume<T, Handler>{std::move(handler), std::move(result)});
  }
};

// Awaits what `start(Completion<T>)` completes.
template <class T, class Start>
asio::awaitable<Result<T>> ask(Context& context, Start start) {
  auto initiate = [](auto handler, std::shared_ptr<Context> keep, Start begin) {
    using Handler = decltype(handler);
    begin(Completion<T>(Deliver<T, Handler>{std::move(keep), std::move(handler)}));
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Result<T>)>(
      std::move(initiate), asio::use_awaitable, context.shared_from_this(), std::move(start));
}

// Awaits `call(engine, now, Completion<T>)` run on the engine's thread.
template <class T, class Call>
asio::awaitable<Result<T>> on_engine(Context& context, Call call) {
  ServerWorld& world = context.world;
  auto start = [&world, call = std::move(call)](Completion<T> done) mutable {
    world.executor.post([&world, call = std::move(call), done = std::move(done)]() mutable {
      call(world.engine, world.clock.now(), std::move(done));
    });
  };
  return ask<T>(context, std::move(start));
}

// Writes a piece of a streamed answer; false when the peer is gone. The first piece brings the head.
class StreamedAnswer {
 public:
  StreamedAnswer(const Request& request, std::string_view media_type);
  asio::awaitable<bool> write(std::string piece);
  asio::awaitable<bool> finish();

 private:
  Session& session_;
  bool chunks_;
  std::string head_;  // until it is written
};

// The status line and the headers that every answer has.
std::string answer_head(unsigned status, std::string_view media_type);
// The whole of it, within the time that a peer has to read; false when the peer is gone.
asio::awaitable<bool> write_all(Session& session, std::string head, std::string body);

// The whole catalogue.
asio::awaitable<Result<std::vector<domain::EventType>>> read_types(Context& context);

// What the store says of itself.
asio::awaitable<Result<store::StoreFigures>> read_figures(Context& context);
// What the engine says of itself and of its lanes.
struct EngineView {
  engine::EngineFigures engine;
  engine::LaneFigures lanes;
};
asio::awaitable<Result<EngineView>> read_engine_view(Context& context);

inline Error refusal(ErrorCode code, std::string detail) { return {code, std::move(detail), {}}; }

// ---- finding what a path names --------------------------------------------------------------------------------

asio::awaitable<Result<store::WebhookState>> find_webhook(Context& context, std::string text);
asio::awaitable<Result<base::MessageId>> find_message(Context& context, std::string text);
asio::awaitable<Result<base::EventId>> find_event(Context& context, std::string text);
asio::awaitable<Result<base::TaskId>> find_task(Context& context, std::string text);
// The filter as the store takes it: its webhook is looked up.
asio::awaitable<Result<store::MessageFilter>> resolve_filter(Context& context, protocol::MessageFilter filter);

// ---- audit ------------------------------------------------------------------------------------------------------

// Who asks for what. It goes with the write that it tells of, to be stored in the same transaction; the store names
// what a create has made. `detail` never holds a secret.
store::Audit audit_of(const Context& context, const Request& request, std::string object = {}, std::string detail = {},
                      std::string name = {});
// The same for what writes nothing else: durable when it completes.
asio::awaitable<Result<std::uint64_t>> note_in_audit(Context& context, store::Audit audit);

// ---- the calls, by operation ----------------------------------------------------------------------------------

using Handler = Reply (*)(Context&, const Request&);
Handler handler_of(protocol::Operation operation);

Reply accept_events(Context& context, const Request& request);
Reply list_webhooks(Context& context, const Request& request);
Reply create_webhook(Context& context, const Request& request);
Reply show_webhook(Context& context, const Request& request);
Reply patch_webhook(Context& context, const Request& request);
Reply delete_webhook(Context& context, const Request& request);
Reply activate_webhook(Context& context, const Request& request);
Reply deactivate_webhook(Context& context, const Request& request);
Reply ping_webhook(Context& context, const Request& request);
Reply show_secrets(Context& context, const Request& request);
Reply rotate_secret(Context& context, const Request& request);
Reply list_types(Context& context, const Request& request);
Reply create_type(Context& context, const Request& request);
Reply show_type(Context& context, const Request& request);
Reply put_type(Context& context, const Request& request);
Reply delete_type(Context& context, const Request& request);
Reply show_event(Context& context, const Request& request);
Reply wait_event(Context& context, const Request& request);
Reply list_messages(Context& context, const Request& request);
Reply stream_changes(Context& context, const Request& request);
Reply show_message(Context& context, const Request& request);
Reply retry_message(Context& context, const Request& request);
Reply cancel_message(Context& context, const Request& request);
Reply wait_message(Context& context, const Request& request);
Reply retry_messages(Context& context, const Request& request);
Reply cancel_messages(Context& context, const Request& request);
Reply list_tasks(Context& context, const Request& request);
Reply show_task(Context& context, const Request& request);
Reply cancel_task(Context& context, const Request& request);
Reply show_status(Context& context, const Request& request);
Reply show_stats(Context& context, const Request& request);
Reply healthz(Context& context, const Request& request);
Reply readyz(Context& context, const Request& request);
Reply openapi(Context& context, const Request& request);
Reply show_clock(Context& context, const Request& request);
Reply advance_clock(Context& context, const Request& request);
Reply reload(Context& context, const Request& request);
Reply show_metrics(Context& context, const Request& request);
Reply back_up(Context& context, const Request& request);
Reply export_history(Context& context, const Request& request);
Reply import_history(Context& context, const Request& request);
Reply list_audit(Context& context, const Request& request);
Reply check_store(Context& context, const Request& request);
Reply rotate_master_key(Context& context, const Request& request);

}  // namespace webhookd::server
