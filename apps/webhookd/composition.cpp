#include "composition.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/check.hpp"
#include "base/text.hpp"
#include "control/protocol/token_codec.hpp"
#include "control/server/server.hpp"
#include "crypto/signer.hpp"
#include "engine/engine.hpp"
#include "keeping.hpp"
#include "net/delivery.hpp"
#include "net/engine_loop.hpp"
#include "options.hpp"
#include "store/lmdb_store.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::Time;
using namespace std::chrono_literals;

constexpr auto drain_limit = 8s;
constexpr auto drain_step = 20ms;

Time wall_now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

std::uint64_t kernel_random() {
  std::uint64_t value = 0;
  base::check(::getrandom(&value, sizeof value, 0) == sizeof value, "the kernel gives random bytes");
  return value;
}

Result<std::vector<net::Cidr>> parse_ranges(const Strings& texts, const std::string& key) {
  std::vector<net::Cidr> ranges;
  for (const std::string& text : texts) {
    auto range = net::Cidr::parse(text);
    if (!range) {
      return Error{ErrorCode::invalid_field, key + ": \"" + text + "\": " + range.error().detail, {}};
    }
    ranges.push_back(*range);
  }
  return ranges;
}

Result<net::EgressPolicy> egress_policy(const Settings& settings) {
  net::EgressPolicy policy;
  auto allow = parse_ranges(settings.egress_allow, "egress.allow");
  if (!allow) {
    return allow.error();
  }
  auto deny = parse_ranges(settings.egress_deny, "egress.deny");
  if (!deny) {
    return deny.error();
  }
  policy.allow = std::move(*allow);
  policy.deny = std::move(*deny);
  policy.require_https = settings.egress_require_https;
  for (const std::string& text : settings.egress_ports) {
    const auto port = base::parse_whole_number(text, 65535);
    if (!port || *port == 0) {
      return Error{ErrorCode::invalid_field, "egress.ports: \"" + text + "\": a port is from 1 to 65535", {}};
    }
    policy.ports.push_back(static_cast<std::uint16_t>(*port));
  }
  if (!settings.egress_proxy.empty()) {
    auto proxy = net::EgressPolicy::parse_proxy(settings.egress_proxy);
    if (!proxy) {
      return Error{ErrorCode::invalid_field, "egress.proxy: " + proxy.error().detail, {}};
    }
    policy.proxy = std::move(*proxy);
  }
  policy.own_addresses = net::interface_addresses();
  return policy;
}

// A test clock goes on from where it stood, also after a kill.
std::string clock_file(const Places& places) { return places.data_dir + "/test-clock"; }

net::EngineLoop::TestClock make_test_clock(const Places& places) {
  net::EngineLoop::TestClock clock;
  clock.start = wall_now();
  std::ifstream file(clock_file(places));
  std::int64_t stored_ms = 0;
  if (file >> stored_ms) {
    clock.start = std::max(clock.start, base::time_from_ms(stored_ms));
  }
  clock.moved = [path = clock_file(places)](Time now) { std::ofstream(path, std::ios::trunc) << base::to_ms(now); };
  return clock;
}

store::LmdbOptions store_options(const Settings& settings, const Places& places) {
  store::LmdbOptions options;
  options.directory = places.data_dir;
  options.quota_bytes = settings.store_quota;
  options.disk_reserve_bytes = settings.store_disk_reserve;
  options.preallocate_bytes = settings.store_preallocate;
  options.seed = kernel_random();
  options.now = wall_now();
  return options;
}

std::uint32_t loop_count(const Settings& settings) {
  const auto wanted = static_cast<std::uint32_t>(settings.delivery_threads);
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

engine::EngineOptions engine_options(const Settings& settings) {
  engine::EngineOptions options;
  options.max_in_flight = static_cast<std::uint32_t>(settings.delivery_max_in_flight);
  options.max_in_flight_per_host = static_cast<std::uint32_t>(settings.delivery_max_in_flight_per_host);
  options.idempotency_window = settings.events_idempotency_window;
  options.retention_age = settings.retention_age;
  options.retention_max_bytes =
      settings.retention_max_bytes != 0 ? settings.retention_max_bytes : settings.store_quota / 10 * 9;
  return options;
}

domain::Webhook webhook_defaults(const Settings& settings) {
  domain::Webhook webhook;
  webhook.timeout = settings.delivery_timeout;
  webhook.retry = {settings.retry_initial, settings.retry_factor, settings.retry_max, settings.retry_jitter,
                   settings.retry_window};
  return webhook;
}

// Everything that runs, in the order in which it must be destroyed (last first).
struct House {
  StoreChecks checks;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<net::EngineLoop> loop;
  std::unique_ptr<net::Delivery> delivery;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<server::Server> server;
};

// Runs `work` on the engine's thread and waits for its answer; only while starting and stopping.
template <class T, class F>
T on_engine(net::EngineLoop& loop, F work) {
  std::promise<T> promise;
  auto answer = promise.get_future();
  loop.post([&promise, &work] { promise.set_value(work()); });
  return answer.get();
}

Result<void> start_delivery(House& house, const Settings& settings, base::LogSink& log) {
  net::DeliveryOptions options;
  auto policy = egress_policy(settings);
  if (!policy) {
    return policy.error();
  }
  options.egress = std::move(*policy);
  options.threads = loop_count(settings);
  options.ca_file = settings.egress_ca_file;
  options.read_token = protocol::read_access_token;
  options.resolver_threads = static_cast<std::uint32_t>(settings.resolver_threads);
  options.resolver_ttl = settings.resolver_ttl;
  std::vector<net::ReportSink> sinks;
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    // `house.engine` is set before the first attempt can start.
    sinks.emplace_back([&house](std::vector<engine::AttemptReport> reports) {
      house.loop->post([&house, reports = std::move(reports)]() mutable {
        house.engine->report(std::move(reports), house.loop->now());
      });
    });
  }
  auto delivery = net::Delivery::create(options, std::move(sinks), log);
  if (!delivery) {
    return delivery.error();
  }
  house.delivery = std::move(*delivery);
  return {};
}

Result<void> start_engine(House& house, const Settings& settings, base::LogSink& log) {
  house.engine = std::make_unique<engine::Engine>(engine_options(settings), *house.store, *house.delivery, *house.loop,
                                                  base::Random(kernel_random()), log);
  std::promise<Result<void>> started;
  auto answer = started.get_future();
  house.loop->post([&] { house.engine->start([&started](Result<void> result) { started.set_value(result); }); });
  house.loop->run(*house.engine);
  return answer.get();
}

Result<void> start_server(House& house, const Settings& settings, const Places& places, base::LogSink& log) {
  server::ServerOptions options;
  options.socket_path = places.socket;
  options.access = {settings.access_read, settings.access_emit, settings.access_operate, settings.access_admin};
  options.event_data_bytes_max = settings.events_max_size;
  options.defaults = webhook_defaults(settings);
  options.started_at = house.loop->now();
  options.generate_secret = crypto::generate_secret;
  options.public_key_text = crypto::public_key_text;
  options.check_copy = [&house](std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done) {
    house.checks.start(std::move(copy), std::move(done));
  };
  auto policy = egress_policy(settings);
  if (!policy) {
    return policy.error();
  }
  options.url_refusal = [policy = std::move(*policy)](const domain::Url& url) { return policy.refusal(url); };
  if (places.test_clock) {
    options.advance_clock = [&house](Duration by, base::Completion<Time> done) {
      house.loop->advance(by, std::move(done));
    };
  }
  auto started =
      server::Server::start(std::move(options), {*house.engine, *house.loop, *house.loop, *house.store, log});
  if (!started) {
    return started.error();
  }
  house.server = std::move(*started);
  return {};
}

// systemd's readiness protocol (sd_notify(3)): one datagram; nothing when nobody asks.
void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (!path || std::strlen(path) >= sizeof address.sun_path) {
    return;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket >= 0) {
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    // Nobody listening is nothing to act on.
    [[maybe_unused]] const auto sent =
        ::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
    ::close(socket);
  }
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

void drain(House& house, base::LogSink& log) {
  const sigset_t signals = stop_signals();
  house.server->stop_accepting();
  house.checks.stop();
  on_engine<bool>(*house.loop, [&house] {
    house.engine->stop_starting();
    return true;
  });
  const auto deadline = std::chrono::steady_clock::now() + drain_limit;
  const timespec step{0, std::chrono::nanoseconds(drain_step).count()};
  while (std::chrono::steady_clock::now() < deadline) {
    const auto left = on_engine<std::uint64_t>(*house.loop, [&house] {
      const engine::EngineFigures figures = house.engine->figures();
      return figures.in_flight + figures.unsettled;
    });
    if (left == 0) {
      return;
    }
    if (::sigtimedwait(&signals, nullptr, &step) > 0) {
      log.write(base::LogLevel::warning, "stop_at_once", {{"in_flight", std::to_string(left)}});
      return;
    }
  }
  log.write(base::LogLevel::warning, "drain_timeout",
            {{"note", "what was in flight is tried again at the next start"}});
}

void harden_process() {
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(0077);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;  // one descriptor for each request in flight
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

Result<void> start_house(House& house, const Settings& settings, const Places& places, base::LogSink& log) {
  auto store = store::open_lmdb_store(store_options(settings, places), log);
  if (!store) {
    return store.error();
  }
  house.store = std::move(*store);
  std::optional<net::EngineLoop::TestClock> test_clock;
  if (places.test_clock) {
    test_clock = make_test_clock(places);
  }
  house.loop = std::make_unique<net::EngineLoop>(std::move(test_clock));
  if (auto started = start_delivery(house, settings, log); !started) {
    return started;
  }
  if (auto started = start_engine(house, settings, log); !started) {
    return started;
  }
  return start_server(house, settings, places, log);
}

}  // namespace

Result<void> check_settings(const Settings& settings, const Places& places) {
  if (auto policy = egress_policy(settings); !policy) {
    return policy.error();
  }
  if (places.test_clock && places.data_dir == system_data_dir) {
    return Error{
        ErrorCode::invalid_field,
        "--test-clock refuses the system's data directory " + places.data_dir + ": name another with --data-dir",
        {}};
  }
  return {};
}

Result<void> run_daemon(const Settings& settings, const Places& places, base::LogSink& log) {
  harden_process();
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread: they inherit it
  House house;
  if (auto started = start_house(house, settings, places, log); !started) {
    if (house.loop) {
      house.loop->stop();
    }
    return started;
  }
  log.write(base::LogLevel::info, "ready",
            {{"version", WEBHOOKD_VERSION}, {"socket", places.socket}, {"data_dir", places.data_dir}});
  notify_service_manager("READY=1");
  int signal = 0;
  ::sigwait(&signals, &signal);
  log.write(base::LogLevel::info, "stopping", {{"signal", std::to_string(signal)}});
  notify_service_manager("STOPPING=1");
  drain(house, log);
  house.server.reset();
  house.loop->stop();
  house.delivery.reset();
  house.store.reset();  // the last commit
  log.write(base::LogLevel::info, "stopped", {});
  return {};
}

}  // namespace webhookd::daemon
