#include "support/sim_world.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace webhookd::support {

domain::Outcome answered(std::uint16_t code) {
  domain::Outcome outcome;
  outcome.kind = code >= 200 && code < 300 ? domain::OutcomeKind::success : domain::OutcomeKind::status;
  outcome.code = code;
  return outcome;
}

domain::Outcome failed(domain::OutcomeKind kind, std::string error) {
  domain::Outcome outcome;
  outcome.kind = kind;
  outcome.error = std::move(error);
  return outcome;
}

domain::Webhook sim_webhook(const std::string& name) {
  domain::Webhook webhook;
  webhook.display_name = name;
  webhook.url = *domain::Url::parse("http://" + name + ".example.com/hook");
  webhook.events = {"subscription.create"};
  webhook.secrets = {{domain::SecretKind::hmac_sha256, std::string(32, 'k'), std::nullopt}};
  return webhook;
}

void CountingLog::write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField> fields) {
  Records& records = records_[std::string(event)];
  ++records.count;
  records.latest.clear();
  for (const base::LogField& field : fields) {
    records.latest.append(records.latest.empty() ? "" : " ").append(field.name).append("=").append(field.value);
  }
}

std::uint64_t CountingLog::count(const std::string& event) const {
  const auto found = records_.find(event);
  return found == records_.end() ? 0 : found->second.count;
}

std::string CountingLog::latest(const std::string& event) const {
  const auto found = records_.find(event);
  return found == records_.end() ? "" : found->second.latest;
}

SimWorld::SimWorld(std::uint64_t seed, engine::EngineOptions options)
    : options_(options), random_(seed), store_(store::MemoryStore::create(base::mix64(seed))) {
  receive = [](const engine::AttemptRequest&) { return SimAnswer{answered(200)}; };
  boot();
}

SimWorld::~SimWorld() = default;

void SimWorld::boot() {
  const std::uint64_t life = ++life_;
  engine_ = std::make_unique<engine::Engine>(options_, *store_, *this, *this, base::Random(random_.next()), log_);
  const auto started = std::make_shared<bool>(false);
  engine_->start([started](base::Result<void> result) { *started = result.has_value(); });
  while (!*started) {
    engine_->turn(now_);  // as the loop does, which runs while the engine starts
    if (!tasks_.empty()) {
      base::Task task = std::move(tasks_.front());
      tasks_.pop();
      task();
      continue;
    }
    base::check(store_->queued_writes() > 0, "the engine starts on a healthy store");
    commit_or_crash();
    if (life != life_) {
      return;  // it died while it started, and the one after it is up
    }
  }
  wake_ = engine_->turn(now_);
}

void SimWorld::crash(bool after_commit) {
  ++crashes_;
  if (after_commit) {
    store_->crash_after_commit();
  } else {
    store_->crash();
  }
  tasks_ = {};
  flights_.clear();
  engine_.reset();
  boot();
}

void SimWorld::post(base::Task task) { tasks_.push(std::move(task)); }

void SimWorld::at(Time time, std::function<void()> task) { later_.push({time, order_++, std::move(task)}); }

void SimWorld::start(std::vector<engine::AttemptRequest> requests) {
  for (engine::AttemptRequest& request : requests) {
    if (on_start) {
      on_start(request);
    }
    attempts_.push_back(
        {request.at, request.message, request.webhook->id, request.webhook->url.text(), request.event->data});
    const engine::AttemptKey key = request.key;
    SimAnswer answer = receive(request);
    at(now_ + answer.latency, [this, key, life = life_] {
      const auto found = flights_.find(key);
      if (life == life_ && found != flights_.end()) {
        const SimAnswer drawn = found->second.answer;
        finish(key, drawn);
      }
    });
    flights_.emplace(key, Flight{std::move(request), std::move(answer)});
  }
}

void SimWorld::abort(engine::AttemptKey key) {
  post([this, key] {
    if (flights_.contains(key)) {
      finish(key, {failed(domain::OutcomeKind::aborted, "aborted")});
    }
  });
}

void SimWorld::finish(engine::AttemptKey key, const SimAnswer& answer) {
  flights_.erase(key);
  engine_->report({{key, answer.shortage, answer.outcome, answer.certificate_expires_at}}, now_);
}

std::size_t SimWorld::in_flight(base::WebhookId webhook) const {
  return static_cast<std::size_t>(std::count_if(flights_.begin(), flights_.end(), [webhook](const auto& flight) {
    return flight.second.request.webhook->id == webhook;
  }));
}

// One thing that can happen now: a task, a commit, or the engine's turn. False when only time can bring more.
bool SimWorld::step_once() {
  if (!tasks_.empty()) {
    base::Task task = std::move(tasks_.front());
    tasks_.pop();
    task();
    wake_ = now_;
    return true;
  }
  if (wake_ && *wake_ <= now_) {
    wake_ = engine_->turn(now_);
    return true;
  }
  if (store_->queued_writes() > 0) {
    commit_or_crash();
    return true;
  }
  return false;
}

void SimWorld::commit_or_crash() {
  bool after_commit = false;
  if (crash_now && crash_now(after_commit)) {
    crash(after_commit);
    return;
  }
  ++commits_;
  store_->step();
}

void SimWorld::run_until(Time until) {
  for (;;) {
    while (step_once()) {
    }
    Time next = until;
    if (!later_.empty()) {
      next = std::min(next, later_.top().time);
    }
    if (wake_) {
      next = std::min(next, *wake_);
    }
    now_ = std::max(now_, next);
    bool ran = false;
    while (!later_.empty() && later_.top().time <= now_) {
      const auto task = later_.top().task;
      later_.pop();
      task();
      wake_ = now_;
      ran = true;
    }
    if (!ran && now_ >= until && !(wake_ && *wake_ <= now_)) {
      return;
    }
  }
}

void SimWorld::jump(Duration by) {
  now_ += by;
  wake_ = now_;
  run_for({});
}

template <class T>
base::Result<T> SimWorld::await(std::function<void(base::Completion<T>)> call) {
  auto answer = std::make_shared<std::optional<base::Result<T>>>();
  call([answer](base::Result<T> result) { *answer = std::move(result); });
  wake_ = now_;
  while (!*answer && step_once()) {
  }
  base::check(answer->has_value(), "every call is answered without waiting for time");
  return std::move(**answer);
}

domain::Webhook SimWorld::create(domain::Webhook webhook) {
  return *await<domain::Webhook>(
      [&](auto done) { engine_->create_webhook(std::move(webhook), now_, std::move(done)); });
}

domain::Webhook SimWorld::edit(domain::Webhook webhook) {
  const std::uint64_t version = webhook.version;
  return *await<domain::Webhook>(
      [&](auto done) { engine_->edit_webhook(std::move(webhook), version, now_, std::move(done)); });
}

base::Result<store::Accepted> SimWorld::emit(const std::string& type, const std::string& data) {
  using Results = std::vector<base::Result<store::Accepted>>;
  return (*await<Results>([&](auto done) { engine_->accept({{type, data, {}, {}}}, now_, std::move(done)); }))[0];
}

base::Result<domain::Message> SimWorld::cancel(base::MessageId message) {
  return await<domain::Message>([&](auto done) { engine_->cancel(message, {0, "test"}, now_, std::move(done)); });
}

base::Result<domain::Message> SimWorld::retry(base::MessageId message) {
  return await<domain::Message>([&](auto done) { engine_->retry(message, {0, "test"}, now_, std::move(done)); });
}

store::MessageDetail SimWorld::detail(base::MessageId id) {
  store::MessageDetail detail;
  store_->message(id, [&detail](auto found) { detail = std::move(*found); });
  return detail;
}

domain::Message SimWorld::message(base::MessageId id) { return detail(id).message; }

bool SimWorld::exists(base::MessageId id) {
  bool is_there = false;
  store_->message(id, [&is_there](auto found) { is_there = found.has_value(); });
  return is_there;
}

store::WebhookState SimWorld::webhook(base::WebhookId id) {
  store::WebhookState state;
  store_->webhook(id, [&state](auto found) { state = std::move(*found); });
  return state;
}

}  // namespace webhookd::support
