// A large batch: all delivered once, while the log answers at once.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;

std::size_t event_count() {
  const char* wanted = std::getenv("WEBHOOKD_TEST_EVENTS");
  return wanted ? std::stoul(wanted) : 100'000;
}

}  // namespace

TEST_CASE("a hundred thousand events emitted as a batch are all delivered once, while the log answers at once") {
  Daemon daemon;
  CountingReceiver receiver;
  daemon.tell({"create", "orders", "--url", receiver.url(), "-e", "*", "--max-in-flight", "64"});
  std::string lines;
  for (std::size_t i = 0; i < event_count(); ++i) {
    lines += R"({"type":"subscription.create","data":{"n":)" + std::to_string(i) + "}}\n";
  }
  const std::string file = daemon.directory().write("batch.ndjson", lines);
  Ran emitted;
  std::thread producer([&] { emitted = daemon.whctl({"emit", "--batch", file, "-q"}); });
  std::chrono::milliseconds slowest{0};
  int asked = 0;
  while (receiver.distinct_successes() < event_count() && asked < 3000) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(daemon.whctl({"logs", "orders", "-n", "50"}).exit_code == 0);
    slowest = std::max(slowest,
                       std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start));
    ++asked;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  producer.join();
  CHECK(emitted.exit_code == 0);
  CHECK(receiver.distinct_successes() == event_count());
  CHECK(receiver.requests() == event_count());
  MESSAGE("logs asked " << asked << " times, slowest " << slowest.count() << " ms");
  CHECK(slowest < std::chrono::seconds(1));
}
