#include "net/delivery.hpp"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <thread>
#include <unordered_map>

#include "base/check.hpp"
#include "net/attempt_impl.hpp"
#include "net/deadlines_impl.hpp"
#include "net/loop_world_impl.hpp"
#include "net/tokens_impl.hpp"

namespace webhookd::net {

namespace {

// One thread, its connections and its attempts.
class Loop {
 public:
  Loop(const DeliveryOptions& options, std::shared_ptr<const EgressPolicy> egress, Resolver& resolver, TlsContext& tls,
       ReportSink sink, base::LogSink& log)
      : world_{io_, std::move(egress), options.read_token, resolver, tls, pool_, deadlines_, signer_, tokens_, {}},
        pool_(io_, options.connection_idle_max),
        work_(io_.get_executor()),
        sink_(std::move(sink)),
        log_(log) {
    world_.report = [this](engine::AttemptReport report) { on_report(std::move(report)); };
  }
  ~Loop() { join(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run_in_thread() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void start(std::vector<engine::AttemptRequest> requests) {
    asio::post(io_, [this, requests = std::move(requests)]() mutable {
      for (engine::AttemptRequest& request : requests) {
        start_one(std::move(request));
      }
    });
  }

  void abort(engine::AttemptKey key) {
    asio::post(io_, [this, key] {
      if (const auto found = in_flight_.find(key); found != in_flight_.end()) {
        found->second->abort();
      }
    });
  }

  void set_egress(std::shared_ptr<const EgressPolicy> egress) {
    asio::post(io_, [this, egress = std::move(egress)]() mutable {
      world_.egress = std::move(egress);
      pool_.clear();
    });
  }

  // Attempts in flight are dropped: what still holds them goes with the io_context.
  void join() {
    if (thread_.joinable()) {
      io_.stop();
      thread_.join();
      world_.is_stopping = true;
    }
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), "delivery");
    while (true) {
      try {
        io_.run();
        return;
      } catch (const std::exception& thrown) {
        // The attempt it belonged to was destroyed on the way up and has reported itself.
        log_.write(base::LogLevel::error, "delivery_exception", {{"what", thrown.what()}});
      }
    }
  }

  void start_one(engine::AttemptRequest request) {
    const engine::AttemptKey key = request.key;
    const auto attempt = std::make_shared<Attempt>(std::move(request), world_);
    in_flight_[key] = attempt.get();
    attempt->start();
  }

  // Everything that ends in one turn of the loop leaves in one batch.
  void on_report(engine::AttemptReport report) {
    in_flight_.erase(report.key);
    reports_.push_back(std::move(report));
    if (reports_.size() == 1) {
      asio::post(io_, [this] { sink_(std::exchange(reports_, {})); });
    }
  }

  LoopWorld world_;  // outlives the io_context, whose last handlers look at it
  asio::io_context io_{1};
  ConnectionPool pool_;
  Deadlines deadlines_{io_};
  crypto::Signer signer_;
  Tokens tokens_{world_};
  asio::executor_work_guard<LoopExecutor> work_;
  std::unordered_map<engine::AttemptKey, Attempt*> in_flight_;
  std::vector<engine::AttemptReport> reports_;
  ReportSink sink_;
  base::LogSink& log_;
  std::thread thread_;
};

class LoopedDelivery final : public Delivery {
 public:
  LoopedDelivery(const DeliveryOptions& options, std::unique_ptr<TlsContext> tls, std::vector<ReportSink> sinks,
                 base::LogSink& log)
      : options_(options), tls_(std::move(tls)), resolver_(std::make_unique<Resolver>(resolver_options(), lookup())) {
    const auto egress = std::make_shared<const EgressPolicy>(options.egress);
    for (ReportSink& sink : sinks) {
      loops_.push_back(std::make_unique<Loop>(options_, egress, *resolver_, *tls_, std::move(sink), log));
    }
    for (const auto& loop : loops_) {
      loop->run_in_thread();
    }
  }

  ~LoopedDelivery() override {
    for (const auto& loop : loops_) {
      loop->join();
    }
    resolver_.reset();  // before the loops that its answers are posted to
  }

  void start(std::vector<engine::AttemptRequest> requests) override {
    std::vector<std::vector<engine::AttemptRequest>> shares(loops_.size());
    for (engine::AttemptRequest& request : requests) {
      const std::size_t loop = std::hash<base::WebhookId>{}(request.webhook->id) % loops_.size();
      shares[loop].push_back(std::move(request));
    }
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (!shares[i].empty()) {
        loops_[i]->start(std::move(shares[i]));
      }
    }
  }

  void set_egress(EgressPolicy policy) override {
    const auto egress = std::make_shared<const EgressPolicy>(std::move(policy));
    for (const auto& loop : loops_) {
      loop->set_egress(egress);
    }
  }

  void abort(engine::AttemptKey key) override {
    for (const auto& loop : loops_) {
      loop->abort(key);
    }
  }

 private:
  ResolverOptions resolver_options() const {
    ResolverOptions options;
    options.threads = options_.resolver_threads;
    options.ttl = options_.resolver_ttl;
    return options;
  }
  Lookup lookup() const { return options_.lookup ? options_.lookup : Lookup(system_lookup); }

  const DeliveryOptions options_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<Resolver> resolver_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace

base::Result<std::unique_ptr<Delivery>> Delivery::create(const DeliveryOptions& options, std::vector<ReportSink> sinks,
                                                         base::LogSink& log) {
  base::check(options.threads > 0 && sinks.size() == options.threads, "each delivery thread has its sink");
  auto tls = TlsContext::create(options.ca_file);
  if (!tls) {
    return tls.error();
  }
  return std::unique_ptr<Delivery>(std::make_unique<LoopedDelivery>(options, std::move(*tls), std::move(sinks), log));
}

}  // namespace webhookd::net
