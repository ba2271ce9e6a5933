// What a daemon costs that has nothing to do: memory, the time it takes to start, and wake-ups.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/time.hpp"
#include "support/api.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using namespace std::chrono_literals;
namespace base = webhookd::base;

constexpr std::size_t resident_max = std::size_t{15} << 20;
constexpr base::Duration start_max = 100ms;

// How often each thread has gone to sleep, which is one more than how often it was woken.
std::map<std::string, std::uint64_t> sleeps_of(pid_t process) {
  std::map<std::string, std::uint64_t> sleeps;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream status(task.path() / "status");
    std::string name;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Name:")) {
        name = line.substr(6) + " " + task.path().filename().string();
      } else if (line.starts_with("voluntary_ctxt_switches:")) {
        sleeps[name] = std::stoull(line.substr(line.find_first_of("0123456789")));
      }
    }
  }
  return sleeps;
}

// By the daemon's own log.
base::Time ready_at(const Daemon& daemon) {
  const std::string log = daemon.log();
  const std::size_t line = log.rfind('\n', log.rfind(" info ready ")) + 1;
  return *base::parse_time(log.substr(line, log.find(' ', line) - line));
}

void add_webhooks(Api& api, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    api.create_webhook({{"display_name", "hook " + number},
                        {"url", "http://127.0.0.1:1/hooks/" + number},
                        {"events", {"subscription.create"}}});
  }
}

}  // namespace

TEST_CASE("an idle daemon with a thousand webhooks takes at most 15 MiB, and starts within 100 ms") {
  Daemon daemon;
  {
    Api api(daemon.socket());
    add_webhooks(api, 1000);
  }
  // A machine that does other things, too, may be slow once, but not each time.
  auto fastest = base::Duration::max();
  for (int i = 0; i < 10 && fastest >= start_max; ++i) {
    REQUIRE(daemon.stop() == 0);
    const auto begun = std::chrono::system_clock::now();
    daemon.start();
    fastest = std::min(fastest, std::chrono::floor<base::Duration>(ready_at(daemon) - begun));
  }
  if (!is_sanitized) {
    CHECK(eventually([&] { return resident_bytes(daemon.pid()) <= resident_max; }, 5s));
    CHECK(fastest < start_max);
  }
  MESSAGE((resident_bytes(daemon.pid()) / 1024) << " KiB resident, ready after " << fastest.count() << " ms");
}

TEST_CASE("a daemon without work sleeps: no thread wakes up") {
  if (is_thread_sanitized) {
    MESSAGE("ThreadSanitizer has a thread of its own, which wakes up");
    return;
  }
  Daemon daemon;
  {
    Api api(daemon.socket());
    add_webhooks(api, 10);
  }
  constexpr auto quiet = 3s;
  auto before = sleeps_of(daemon.pid());
  auto since = std::chrono::steady_clock::now();
  std::string woken;
  const bool is_quiet = eventually(
      [&] {
        const auto now = sleeps_of(daemon.pid());
        if (now != before) {
          for (const auto& [thread, count] : now) {
            woken += before[thread] == count ? "" : thread + "; ";
          }
          before = now;
          since = std::chrono::steady_clock::now();
        }
        return std::chrono::steady_clock::now() - since >= quiet;
      },
      20s);
  CAPTURE(woken);
  CHECK(is_quiet);
}
