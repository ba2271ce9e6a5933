// kill -9 under load: no answered event may be missing at the receiver at the end.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/random.hpp"
#include "control/client/connection.hpp"
#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using nlohmann::json;

int kill_count() {
  const char* wanted = std::getenv("WEBHOOKD_TEST_KILLS");
  return wanted ? std::atoi(wanted) : 50;
}

// Producers that emit as fast as they are answered, on their own connections, and remember what was answered.
class Producers {
 public:
  explicit Producers(std::string socket) : socket_(std::move(socket)) {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this] { produce(); });
    }
  }
  ~Producers() {
    stopping_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  std::size_t answered() const {
    const std::lock_guard lock(mutex_);
    return messages_.size();
  }
  std::set<std::string> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

 private:
  void produce() {
    client::Connection connection(client::ConnectionOptions{.socket_path = socket_});
    while (!stopping_) {
      client::Request request;
      request.method = "POST";
      request.target = "/v1/events";
      request.content_type = "application/json";
      request.body = R"({"type":"subscription.create","data":{"n":1}})";
      const auto answer = connection.request(request);
      if (!answer || answer->head.status != 201) {
        std::this_thread::yield();
        continue;
      }
      const json event = json::parse(answer->body);
      const std::lock_guard lock(mutex_);
      for (const json& message : event["messages"]) {
        messages_.insert(message["id"].get<std::string>());
      }
    }
  }

  std::string socket_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::set<std::string> messages_;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("kill -9 again and again under load loses no answered event") {
  base::Random random(7);
  std::atomic<int> number{0};
  // One in twenty is told to come again.
  CountingReceiver receiver([&](const auto&) { return ++number % 20 == 0 ? 503 : 200; });
  Daemon daemon;
  daemon.tell(
      {"create", "orders", "--url", receiver.url(), "-e", "*", "--retry-initial", "1s", "--max-in-flight", "64"});
  std::set<std::string> answered;
  {
    Producers producers(daemon.socket());
    for (int i = 0; i < kill_count(); ++i) {
      const std::size_t before = producers.answered();
      const std::size_t wanted = before + 20 + random.below(400);
      REQUIRE(eventually([&] { return producers.answered() >= wanted; }));
      daemon.kill();
      daemon.start();
    }
    answered = producers.messages();
  }
  CHECK(answered.size() > static_cast<std::size_t>(kill_count()) * 20);
  std::size_t missing = 0;
  const bool all = eventually(
      [&] {
        const auto successes = receiver.successes();
        missing = 0;
        for (const std::string& id : answered) {
          missing += successes.contains(id) ? 0 : 1;
        }
        return missing == 0;
      },
      std::chrono::seconds(120));
  CHECK(all);
  CHECK(missing == 0);
  std::size_t repeated = 0;
  for (const auto& [id, count] : receiver.successes()) {
    repeated += count > 1 ? 1 : 0;
  }
  MESSAGE(kill_count() << " kills, " << answered.size() << " answered messages, " << missing << " missing, " << repeated
                       << " delivered more than once");
  // Only what was in flight or not yet settled at a kill may come twice.
  CHECK(repeated <= static_cast<std::size_t>(kill_count()) * 1100);
}

TEST_CASE("an attempt that a kill cut short is in the log as interrupted, and the message goes on under its id") {
  std::atomic<int> requests{0};
  CountingReceiver receiver([&](const auto&) -> ReceiverAnswer {
    if (++requests == 1) {
      return {200, "", std::chrono::minutes(10)};  // held until the daemon is gone
    }
    return 200;
  });
  Daemon daemon;
  std::string message;
  {
    Api api(daemon.socket());
    api.create_webhook({{"display_name", "held"}, {"url", receiver.url()}, {"events", {"subscription.create"}}});
    message = api.emit("subscription.create").at(0);
  }
  REQUIRE(eventually([&] { return requests == 1; }));
  daemon.kill();
  daemon.start();
  Api api(daemon.socket());
  REQUIRE(eventually([&] { return api.message(message)["status"] == "success"; }));

  const json detail = api.message(message);
  REQUIRE(detail["attempt_log"].size() == 2);
  CHECK(detail["attempts"] == 2);
  CHECK(detail["attempt_log"][0]["outcome"] == "interrupted");
  CHECK(detail["attempt_log"][0]["code"] == nullptr);
  CHECK(detail["attempt_log"][1]["outcome"] == "success");
  const auto received = receiver.received();
  REQUIRE(received.size() == 2);
  CHECK(received[0].header("webhook-id") == message);
  CHECK(received[1].header("webhook-id") == message);
}
