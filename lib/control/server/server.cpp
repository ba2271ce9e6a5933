#include "control/server/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <thread>

#include "base/check.hpp"
#include "control/server/listening.hpp"
#include "control/server/serving_impl.hpp"

namespace webhookd::server {

namespace {

using namespace std::chrono_literals;

// How long sessions have to notice that the server ends; who then still waits for engine or store is left behind.
constexpr auto farewell_time = 500ms;

void run_loop(Context& context) {
  while (!context.io.stopped()) {
    try {
      context.io.run();
    } catch (const std::exception& failure) {
      context.world.log.write(base::LogLevel::error, "control_loop_failed", {{"error", failure.what()}});
    }
  }
}

void close_sessions(Context& context) {
  boost::system::error_code ignored;
  context.closing = true;
  context.acceptor.close(ignored);
  context.scrape_acceptor.close(ignored);
  context.sweep.cancel();
  context.changes.wake_all();
  for (Session* session : context.sessions) {
    session->socket.close(ignored);
  }
  if (context.sessions.empty()) {
    context.io.stop();
    return;
  }
  context.farewell.expires_after(farewell_time);
  context.farewell.async_wait([&context](boost::system::error_code) { context.io.stop(); });
}

class ServerImpl final : public Server {
 public:
  ServerImpl(std::shared_ptr<Context> context, Listening listening)
      : context_(std::move(context)), listening_(listening) {
    asio::co_spawn(context_->io, accept_sessions(*context_), asio::detached);
    asio::co_spawn(context_->io, sweep_sessions(*context_), asio::detached);
    if (context_->scrape_acceptor.is_open()) {
      asio::co_spawn(context_->io, accept_scrapes(*context_), asio::detached);
    }
    thread_ = std::thread([context_pointer = context_.get()] { run_loop(*context_pointer); });
  }

  ~ServerImpl() override {
    asio::post(context_->io, [context = context_.get()] { close_sessions(*context); });
    thread_.join();
    remove_socket(context_->options.socket_path, listening_);
  }

  void drain() override {
    asio::post(context_->io, [context = context_.get()] { drain_sessions(*context); });
  }

  std::size_t sessions() const override { return context_->session_count; }
  bool is_drained() const override { return !context_->is_accepting && context_->session_count == 0; }

  Result<void> change(LiveOptions live, bool dry_run) override {
    auto access = Access::resolve(live.access);
    if (!access) {
      return access.error();
    }
    if (!dry_run) {
      asio::post(context_->io, [context = context_, live = std::move(live), access = std::move(*access)]() mutable {
        context->options.live = std::move(live);
        context->access = std::move(access);
        for (Session* session : context->sessions) {
          session->role = context->access.role_of(session->peer);
        }
      });
    }
    return {};
  }

 private:
  std::shared_ptr<Context> context_;
  Listening listening_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, ServerWorld world) {
  base::check(options.generate_secret && options.public_key_text, "the server was given somebody who makes secrets");
  auto access = Access::resolve(options.live.access);
  if (!access) {
    return access.error();
  }
  const auto listening = options.inherited_socket >= 0 ? Result<Listening>(Listening{options.inherited_socket})
                                                       : listen_on(options.socket_path);
  if (!listening) {
    return listening.error();
  }
  auto context = std::make_shared<Context>(std::move(options), world, std::move(*access));
  if (const auto& place = context->options.metrics_listen) {
    if (auto opened = listen_for_scrapes(*context, *place); !opened) {
      return opened.error();
    }
  }
  context->acceptor.assign(asio::local::stream_protocol(), listening->descriptor);
  return std::unique_ptr<Server>(std::make_unique<ServerImpl>(std::move(context), *listening));
}

}  // namespace webhookd::server
