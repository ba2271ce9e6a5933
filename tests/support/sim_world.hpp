// A world in virtual time around the real engine and the memory store: receivers that answer as told, a network with
// latency, commits that become durable when the world steps them, crashes between any two of them. Nothing waits; ten
// days pass in milliseconds; one seed gives one run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "engine/engine.hpp"
#include "store/memory_store.hpp"

namespace webhookd::support {

using base::Duration;
using base::Time;
using namespace std::chrono_literals;

inline constexpr Time sim_start = base::time_from_ms(1'800'000'000'000);

struct SimAnswer {
  domain::Outcome outcome;
  Duration latency{20};
  bool shortage = false;
  std::optional<Time> certificate_expires_at = std::nullopt;
};

// One attempt as the world saw it.
struct SimAttempt {
  Time at{};
  base::MessageId message;
  base::WebhookId webhook;
  std::string url;
  std::string data;
};

domain::Outcome answered(std::uint16_t code);
domain::Outcome failed(domain::OutcomeKind kind, std::string error);

// How often each record was written, and the fields of the latest, as "name=value name=value".
class CountingLog final : public base::LogSink {
 public:
  void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField> fields) override;
  std::uint64_t count(const std::string& event) const;
  std::string latest(const std::string& event) const;

 private:
  struct Records {
    std::uint64_t count = 0;
    std::string latest;
  };
  std::map<std::string, Records> records_;
};

class SimWorld final : public engine::Transport, public engine::Executor {
 public:
  explicit SimWorld(std::uint64_t seed = 1, engine::EngineOptions options = {});
  ~SimWorld() override;

  // How receivers answer; the default answers 200 after 20 ms.
  std::function<SimAnswer(const engine::AttemptRequest&)> receive;
  // Called at each start, before the answer is drawn.
  std::function<void(const engine::AttemptRequest&)> on_start;
  // Called before each commit; true crashes the process there (before the commit, or after it when `after_commit`).
  std::function<bool(bool& after_commit)> crash_now;

  Time now() const { return now_; }
  engine::Engine& engine() { return *engine_; }
  store::MemoryStore& store() { return *store_; }
  base::Random& random() { return random_; }

  // Lets everything happen up to and including `until`.
  void run_until(Time until);
  void run_for(Duration duration) { run_until(now_ + duration); }
  // The clock is set: what had its time in between has not happened.
  void jump(Duration by);
  // Runs `task` at a virtual time.
  void at(Time time, std::function<void()> task);
  // The process dies and starts again on the same store.
  void crash(bool after_commit = false);
  std::uint64_t crashes() const { return crashes_; }

  // Conveniences that run the world until the answer is there.
  domain::Webhook create(domain::Webhook webhook);
  domain::Webhook edit(domain::Webhook webhook);
  base::Result<store::Accepted> emit(const std::string& type, const std::string& data = "{}");
  base::Result<domain::Message> cancel(base::MessageId message);
  base::Result<domain::Message> retry(base::MessageId message);
  domain::Message message(base::MessageId id);
  store::MessageDetail detail(base::MessageId id);
  store::WebhookState webhook(base::WebhookId id);
  bool exists(base::MessageId id);

  const std::vector<SimAttempt>& attempts() const { return attempts_; }
  std::size_t in_flight(base::WebhookId webhook) const;
  std::uint64_t commits() const { return commits_; }
  const CountingLog& log() const { return log_; }

  // Transport, Executor.
  void start(std::vector<engine::AttemptRequest> requests) override;
  void abort(engine::AttemptKey key) override;
  void post(base::Task task) override;

 private:
  struct Flight {
    engine::AttemptRequest request;
    SimAnswer answer;
  };
  struct Later {
    Time time;
    std::uint64_t order;
    std::function<void()> task;
    bool operator>(const Later& other) const { return std::tie(time, order) > std::tie(other.time, other.order); }
  };
  void boot();
  void finish(engine::AttemptKey key, const SimAnswer& answer);
  bool step_once();
  void commit_or_crash();
  template <class T>
  base::Result<T> await(std::function<void(base::Completion<T>)> call);

  engine::EngineOptions options_;
  base::Random random_;
  CountingLog log_;
  Time now_ = sim_start;
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<engine::Engine> engine_;
  std::queue<base::Task> tasks_;
  std::priority_queue<Later, std::vector<Later>, std::greater<>> later_;
  std::map<engine::AttemptKey, Flight> flights_;
  std::optional<Time> wake_;
  std::vector<SimAttempt> attempts_;
  std::uint64_t order_ = 0;
  std::uint64_t life_ = 0;  // counts processes: answers to a dead one are dropped
  std::uint64_t crashes_ = 0;
  std::uint64_t commits_ = 0;
};

// An active webhook for "subscription.create" with the defaults, and a URL of its own.
domain::Webhook sim_webhook(const std::string& name);

}  // namespace webhookd::support
