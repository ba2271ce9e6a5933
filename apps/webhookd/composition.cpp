#include "composition.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/check.hpp"
#include "control/protocol/token_codec.hpp"
#include "control/server/access.hpp"
#include "control/server/server.hpp"
#include "crypto/signer.hpp"
#include "engine/engine.hpp"
#include "keeping.hpp"
#include "memory_return.hpp"
#include "net/delivery.hpp"
#include "net/engine_loop.hpp"
#include "net/tls.hpp"
#include "options.hpp"
#include "policies.hpp"
#include "pulse.hpp"
#include "sealing.hpp"
#include "store/lmdb_store.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::Time;
using namespace std::chrono_literals;

// Together less than the 10 s that operators are promised.
constexpr auto attempts_limit = 7s;
constexpr auto sessions_limit = 1500ms;
constexpr auto drain_step = 20ms;
constexpr auto closing_limit = 5s;  // the last sessions and the last commit

Time wall_now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

std::uint64_t steady_microseconds() {
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since_boot).count());
}

std::uint64_t kernel_random() {
  std::uint64_t value = 0;
  base::check(::getrandom(&value, sizeof value, 0) == sizeof value, "the kernel gives random bytes");
  return value;
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

// Without links, dots and slashes that name the same place in another way.
std::filesystem::path plain_directory(const std::string& path) {
  std::error_code failure;
  auto plain = std::filesystem::weakly_canonical(std::filesystem::absolute(path), failure);
  plain = failure ? std::filesystem::path(path) : plain.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

Result<store::LmdbOptions> store_options(const Settings& settings, const Places& places,
                                         std::function<void()> on_writer_lost, base::LogSink& log) {
  store::LmdbOptions options;
  auto keys = read_master_keys(master_key_path(settings));
  if (!keys) {
    return keys.error();
  }
  if (!keys->next_fault.empty()) {
    log.write(base::LogLevel::warning, "master_key_next_unusable", {{"error", keys->next_fault}});
  }
  options.sealers = std::move(keys->sealers);
  options.directory = std::filesystem::absolute(places.data_dir).lexically_normal().string();
  options.quota_bytes = settings.store_quota;
  options.disk_reserve_bytes = settings.store_disk_reserve;
  options.preallocate_bytes = settings.store_preallocate;
  options.seed = kernel_random();
  options.now = wall_now();
  options.stopwatch = steady_microseconds;
  options.on_writer_lost = std::move(on_writer_lost);
  return options;
}

std::uint32_t loop_count(const Settings& settings) {
  const auto wanted = static_cast<std::uint32_t>(settings.delivery_threads);
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

// Everything that runs, in the order in which it must be destroyed (last first).
struct House {
  std::atomic<bool> store_is_lost = false;
  StoreChecks checks;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<net::EngineLoop> loop;
  std::unique_ptr<net::Delivery> delivery;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Reloader> reloader;
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

// The service manager hears of the engine from the engine's own thread: a sign of life proves that it turns.
std::optional<Pulse::Time> tell(Supervisor& supervisor, const Pulse::Beat& beat) {
  if (beat.alive) {
    supervisor.alive();
  }
  if (beat.status) {
    supervisor.status(*beat.status);
  }
  return beat.next;
}

std::optional<Pulse::Time> return_memory(const MemoryReturn::Step& step) {
  if (step.trims) {
    ::malloc_trim(0);
  }
  return step.next;
}

void look_after_turns(net::EngineLoop& loop, const std::unique_ptr<engine::Engine>& engine, Supervisor& supervisor) {
  loop.after_turns(
      [&engine, &supervisor, pulse = Pulse(supervisor.watchdog()), memory = MemoryReturn()](Pulse::Time now) mutable {
        const engine::Progress progress = engine->progress();
        const bool is_busy = progress.in_flight + progress.ready + progress.unsettled > 0;
        const auto by_memory = return_memory(memory.look(now, progress.attempts + progress.accepted, is_busy));
        const auto by_pulse = supervisor.is_listening() ? tell(supervisor, pulse.beat(now, progress)) : std::nullopt;
        return by_memory && by_pulse ? std::min(by_memory, by_pulse) : by_memory ? by_memory : by_pulse;
      });
}

Result<void> start_engine(House& house, const Settings& settings, Supervisor& supervisor, base::LogSink& log) {
  house.engine = std::make_unique<engine::Engine>(engine_options(settings), *house.store, *house.delivery, *house.loop,
                                                  base::Random(kernel_random()), log);
  look_after_turns(*house.loop, house.engine, supervisor);
  std::promise<Result<void>> started;
  auto answer = started.get_future();
  house.loop->post([&] { house.engine->start([&started](Result<void> result) { started.set_value(result); }); });
  house.loop->run(*house.engine);
  return answer.get();
}

// Where clients find us: what the service manager opened comes first.
const std::string& socket_of(const Places& places, const Supervisor& supervisor) {
  return supervisor.inherited_socket() ? supervisor.inherited_socket()->path : places.socket;
}

Result<void> start_server(House& house, const Settings& settings, const Places& places, const Supervisor& supervisor,
                          base::LogSink& log) {
  auto policy = egress_policy(settings);
  if (!policy) {
    return policy.error();
  }
  auto metrics = metrics_place(settings);
  if (!metrics) {
    return metrics.error();
  }
  server::ServerOptions options;
  options.metrics_listen = *metrics;
  options.socket_path = socket_of(places, supervisor);
  if (const auto& inherited = supervisor.inherited_socket()) {
    options.inherited_socket = inherited->descriptor;
  }
  options.live = live_server_options(settings, std::move(*policy));
  options.started_at = house.loop->now();
  options.generate_secret = crypto::generate_secret;
  options.public_key_text = crypto::public_key_text;
  options.next_master_key = [path = master_key_path(settings)] { return read_next_master_key(path); };
  options.configuration = places.configuration;
  options.master_key_file = master_key_path(settings);
  options.last_reload = [&house] { return house.reloader->state(); };
  options.reload = [&house](bool dry_run, auto done) { house.reloader->ask(dry_run, std::move(done)); };
  options.check_copy = [&house](std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done) {
    house.checks.start(std::move(copy), std::move(done));
  };
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

// What a reload changes, first what may refuse.
Result<void> apply_settings(House& house, const Settings& settings, bool dry_run, LogWriter& log) {
  auto policy = egress_policy(settings);
  if (!policy) {
    return policy.error();
  }
  if (auto changed = house.server->change(live_server_options(settings, *policy), dry_run); !changed || dry_run) {
    return changed;
  }
  house.delivery->set_egress(std::move(*policy));
  house.loop->post([&engine = *house.engine, &loop = *house.loop, options = engine_options(settings)] {
    engine.set_limits(options.max_in_flight, options.max_in_flight_per_host);
    engine.set_retention(options.retention_age, options.retention_audit_age, options.retention_max_bytes, loop.now());
  });
  log.set_least(parse_log_level(settings.log_level));
  return {};
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

sigset_t handled_signals() {
  sigset_t signals = stop_signals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

enum class Waited { none_left, too_long, signalled };

template <class Left>
Waited wait_until_none(std::chrono::milliseconds limit, const Left& left) {
  const sigset_t signals = stop_signals();
  const auto give_up = std::chrono::steady_clock::now() + limit;
  const timespec step{0, std::chrono::nanoseconds(drain_step).count()};
  while (left() > 0) {
    if (std::chrono::steady_clock::now() >= give_up) {
      return Waited::too_long;
    }
    if (::sigtimedwait(&signals, nullptr, &step) > 0) {
      return Waited::signalled;
    }
  }
  return Waited::none_left;
}

// Requests in flight may end, then clients. Those are served until the end, so that a restart is short for them.
void drain(House& house, Supervisor& supervisor, base::LogSink& log) {
  supervisor.extend_timeout(attempts_limit + sessions_limit + closing_limit);
  on_engine<bool>(*house.loop, [&house] {
    house.engine->stop_starting();
    return true;
  });
  const auto unsettled = [&house] {
    return on_engine<std::uint64_t>(*house.loop, [&house] {
      const engine::Progress progress = house.engine->progress();
      return progress.in_flight + progress.unsettled;
    });
  };
  Waited waited = wait_until_none(attempts_limit, unsettled);
  if (waited == Waited::too_long) {
    log.write(base::LogLevel::warning, "drain_timeout",
              {{"note", "what was in flight is tried again at the next start"}});
  }
  house.checks.stop();
  house.server->drain();
  if (waited != Waited::signalled) {
    waited = wait_until_none(sessions_limit, [&house] { return house.server->is_drained() ? 0 : 1; });
  }
  if (waited == Waited::signalled) {
    log.write(base::LogLevel::warning, "stop_at_once", {{"in_flight", std::to_string(unsettled())}});
  }
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

Result<void> start_house(House& house, const Settings& settings, const Places& places, Supervisor& supervisor,
                         base::LogSink& log) {
  const auto end = [&house] {
    house.store_is_lost = true;
    ::kill(::getpid(), SIGTERM);  // the main thread waits for a signal
  };
  const auto options = store_options(settings, places, end, log);
  if (!options) {
    return options.error();
  }
  auto store = store::open_lmdb_store(*options, log);
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
  if (auto started = start_engine(house, settings, supervisor, log); !started) {
    return started;
  }
  return start_server(house, settings, places, supervisor, log);
}

// Until a signal ends it.
int serve_signals(House& house, Supervisor& supervisor) {
  const sigset_t signals = handled_signals();
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
    supervisor.reloading();
    house.reloader->serve();
    supervisor.ready();
  }
  return signal;
}

// All that a start asks of the settings and the files that they name, so that --check-config promises a start.
Result<void> check_values(const Settings& settings, const Places& places) {
  if (auto keys = read_master_keys(master_key_path(settings)); !keys) {
    return keys.error();
  }
  if (auto policy = egress_policy(settings); !policy) {
    return policy.error();
  }
  if (!settings.egress_ca_file.empty()) {
    if (auto roots = net::TlsContext::create(settings.egress_ca_file); !roots) {
      return roots.error();
    }
  }
  if (auto metrics = metrics_place(settings); !metrics) {
    return metrics.error();
  }
  if (auto access = server::Access::resolve(access_lists(settings)); !access) {
    return access.error();
  }
  if (places.test_clock && plain_directory(places.data_dir) == plain_directory(system_data_dir)) {
    return Error{
        ErrorCode::invalid_field,
        "--test-clock refuses the system's data directory " + places.data_dir + ": name another with --data-dir",
        {}};
  }
  return {};
}

}  // namespace

Result<void> check_settings(const Settings& settings, const Places& places) {
  auto checked = check_values(settings, places);
  return checked ? checked : placed(checked.error(), settings);
}

namespace {

// The last commit answers to the engine and its loop: they outlive the store.
void close_house(House& house) {
  house.server.reset();
  if (house.loop) {
    house.loop->stop();
  }
  house.delivery.reset();
  house.store.reset();
}

// What is in flight cannot be noted, and nobody can be served. The next start reads what is on the disk.
Error end_without_store(House& house, Supervisor& supervisor, base::LogSink& log) {
  log.write(base::LogLevel::error, "store_writer_lost", {});
  supervisor.stopping();
  house.checks.stop();
  house.reloader->refuse();
  close_house(house);
  return {ErrorCode::internal, "the store can be written no more until it is opened anew: start webhookd again", {}};
}

}  // namespace

Result<void> run_daemon(const Settings& settings, const Places& places, ReadSettings read, Supervisor& supervisor,
                        LogWriter& log) {
  harden_process();
  const sigset_t signals = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread: they inherit it
  House house;
  // Also what needs a restart has to be good, or the next start would fail.
  const auto read_good = [read = std::move(read), &places]() -> Result<Settings> {
    auto next = read();
    const auto checked = next ? check_settings(*next, places) : Result<void>(next.error());
    return checked ? next : Result<Settings>(checked.error());
  };
  house.reloader = std::make_unique<Reloader>(
      settings, read_good,
      [&](const Settings& next, bool dry_run) { return apply_settings(house, next, dry_run, log); }, wall_now, log);
  if (auto started = start_house(house, settings, places, supervisor, log); !started) {
    close_house(house);
    return started;
  }
  log.write(base::LogLevel::info, "ready",
            {{"version", WEBHOOKD_VERSION}, {"socket", socket_of(places, supervisor)}, {"data_dir", places.data_dir}});
  supervisor.ready();
  ::malloc_trim(0);  // what only the start needed
  const int signal = serve_signals(house, supervisor);
  if (house.store_is_lost) {
    return end_without_store(house, supervisor, log);
  }
  log.write(base::LogLevel::info, "stopping", {{"signal", std::to_string(signal)}});
  supervisor.stopping();
  drain(house, supervisor, log);
  house.reloader->refuse();
  close_house(house);
  log.write(base::LogLevel::info, "stopped", {});
  return {};
}

}  // namespace webhookd::daemon
