#include "control/daemon_harness.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "base/text.hpp"
#include "store/memory_store.hpp"

namespace control_test {

using namespace webhookd;
using namespace std::chrono_literals;
using base::Completion;

namespace {

constexpr int patience_ms = 10'000;

// The memory store behind a lock, each write applied at once: the control thread reads while the engine's writes.
class LockedStore final : public store::Store {
 public:
  LockedStore() : inner_(store::MemoryStore::create(42)) {}

  void set_full(bool full) {
    const std::lock_guard lock(mutex_);
    inner_->set_full(full);
  }

  void accept(std::vector<store::AcceptItem> items, base::Time now,
              Completion<std::vector<base::Result<store::Accepted>>> done) override {
    write([&] { inner_->accept(std::move(items), now, std::move(done)); });
  }
  void import_histories(std::vector<domain::EventHistory> histories, webhookd::base::Duration idempotency_window,
                        base::Time now, Completion<std::vector<base::Result<store::Imported>>> done) override {
    write([&] { inner_->import_histories(std::move(histories), idempotency_window, now, std::move(done)); });
  }
  void settle(store::Settlements settlements, Completion<std::vector<store::Settled>> done) override {
    write([&] { inner_->settle(std::move(settlements), std::move(done)); });
  }
  void wait_out(std::vector<store::WaitedOut> messages, Completion<std::vector<store::Settled>> done) override {
    write([&] { inner_->wait_out(std::move(messages), std::move(done)); });
  }
  void cancel(base::MessageId id, domain::Actor actor, base::Time now, Completion<domain::Message> done,
              store::Audit audit) override {
    write([&] { inner_->cancel(id, std::move(actor), now, std::move(done), audit); });
  }
  void retry(base::MessageId id, domain::Actor actor, base::Time now, Completion<domain::Message> done,
             store::Audit audit) override {
    write([&] { inner_->retry(id, std::move(actor), now, std::move(done), audit); });
  }
  void begin_bulk(store::BulkTask task, Completion<store::BulkTask> done, store::Audit audit) override {
    write([&] { inner_->begin_bulk(std::move(task), std::move(done), audit); });
  }
  void step_bulk(store::BulkStep step, Completion<store::BulkProgress> done) override {
    write([&] { inner_->step_bulk(std::move(step), std::move(done)); });
  }
  void end_bulk(base::TaskId task, base::Time now, Completion<store::BulkTask> done, store::Audit audit) override {
    write([&] { inner_->end_bulk(task, now, std::move(done), audit); });
  }
  void reseal(store::SealerRef sealer, Completion<store::Resealed> done, store::Audit audit) override {
    write([&] { inner_->reseal(std::move(sealer), std::move(done), audit); });
  }
  void put_webhook(store::WebhookWrite change, Completion<domain::Webhook> done) override {
    write([&] { inner_->put_webhook(std::move(change), std::move(done)); });
  }
  void delete_webhook(base::WebhookId id, Completion<std::uint64_t> done, store::Audit audit) override {
    write([&] { inner_->delete_webhook(id, std::move(done), audit); });
  }
  void purge_webhook(base::WebhookId id, std::size_t limit, Completion<store::PurgeStep> done) override {
    write([&] { inner_->purge_webhook(id, limit, std::move(done)); });
  }
  void expire(store::ExpireStep step, Completion<store::Expired> done) override {
    write([&] { inner_->expire(step, std::move(done)); });
  }
  void put_type(domain::EventType type, Completion<domain::EventType> done, store::Audit audit) override {
    write([&] { inner_->put_type(std::move(type), std::move(done), audit); });
  }
  void remove_type(std::string name, Completion<std::string> done, store::Audit audit) override {
    write([&] { inner_->remove_type(std::move(name), std::move(done), audit); });
  }
  void note_audit(store::Audit audit, Completion<std::uint64_t> done) override {
    write([&] { inner_->note_audit(audit, std::move(done)); });
  }
  void list_audit(store::AuditQuery query, Completion<store::AuditPage> done) override {
    read([&] { inner_->list_audit(std::move(query), std::move(done)); });
  }
  store::FlightSlot note_flight(const store::FlightNote& note) override { return inner_->note_flight(note); }
  void forget_flight(store::FlightSlot slot) override { inner_->forget_flight(slot); }
  void load(Completion<store::OpenState> done) override {
    read([&] { inner_->load(std::move(done)); });
  }
  void due_heads(store::DueHeadQuery query, Completion<store::DueHeads> done) override {
    read([&] { inner_->due_heads(query, std::move(done)); });
  }
  void claim_due(store::ClaimQuery query, Completion<store::Claim> done) override {
    read([&] { inner_->claim_due(query, std::move(done)); });
  }
  void list_messages(store::MessageQuery query, Completion<store::MessagePage> done) override {
    read([&] { inner_->list_messages(std::move(query), std::move(done)); });
  }
  void count_messages(store::CountQuery query, Completion<store::MessageCount> done) override {
    read([&] { inner_->count_messages(std::move(query), std::move(done)); });
  }
  void bulk_task(base::TaskId id, Completion<store::BulkTask> done) override {
    read([&] { inner_->bulk_task(id, std::move(done)); });
  }
  void list_bulk_tasks(std::size_t limit, Completion<std::vector<store::BulkTask>> done) override {
    read([&] { inner_->list_bulk_tasks(limit, std::move(done)); });
  }
  void changes(store::ChangeQuery query, Completion<store::ChangePage> done) override {
    read([&] { inner_->changes(std::move(query), std::move(done)); });
  }
  void next_change(std::uint64_t after, Completion<std::uint64_t> done) override {
    read([&] { inner_->next_change(after, std::move(done)); });
  }
  void histories(store::HistoryQuery query, Completion<store::HistoryPage> done) override {
    const std::lock_guard lock(mutex_);
    inner_->histories(std::move(query), std::move(done));
  }
  void message(base::MessageId id, Completion<store::MessageDetail> done) override {
    read([&] { inner_->message(id, std::move(done)); });
  }
  void event(base::EventId id, std::size_t limit, Completion<store::EventDetail> done) override {
    read([&] { inner_->event(id, limit, std::move(done)); });
  }
  void find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit,
                     Completion<std::vector<base::MessageId>> done) override {
    read([&] { inner_->find_messages(low, high, limit, std::move(done)); });
  }
  void find_events(std::uint64_t low, std::uint64_t high, std::size_t limit,
                   Completion<std::vector<base::EventId>> done) override {
    read([&] { inner_->find_events(low, high, limit, std::move(done)); });
  }
  void list_webhooks(Completion<std::vector<store::WebhookState>> done) override {
    read([&] { inner_->list_webhooks(std::move(done)); });
  }
  void webhook(base::WebhookId id, Completion<store::WebhookState> done) override {
    read([&] { inner_->webhook(id, std::move(done)); });
  }
  void list_types(Completion<std::vector<domain::EventType>> done) override {
    read([&] { inner_->list_types(std::move(done)); });
  }
  void figures(Completion<store::StoreFigures> done) override {
    read([&] { inner_->figures(std::move(done)); });
  }
  void copy(Completion<store::StoreCopy> done) override {
    read([&] { inner_->copy(std::move(done)); });
  }

 private:
  // Completions only post, to the engine's thread or to the control loop, so running them under the lock is safe.
  template <class Call>
  void write(Call call) {
    const std::lock_guard lock(mutex_);
    call();
    while (inner_->step()) {
    }
  }
  template <class Call>
  void read(Call call) {
    const std::lock_guard lock(mutex_);
    call();
  }

  std::recursive_mutex mutex_;
  std::unique_ptr<store::MemoryStore> inner_;
};

class SetClock final : public engine::Clock {
 public:
  base::Time now() const override { return base::time_from_ms(now_ms_); }
  void advance(base::Duration by) { now_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ms_ = 1'790'000'000'000;
};

class EngineThread final : public engine::Executor {
 public:
  explicit EngineThread(const SetClock& clock) : clock_(clock) {}

  void run(engine::Engine& engine) {
    thread_ = std::thread([this, &engine] { loop(engine); });
  }
  void post(base::Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    woken_.notify_one();
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    woken_.notify_one();
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      woken_.notify_one();
    }
    thread_.join();
    tasks_.clear();
  }

 private:
  void loop(engine::Engine& engine) {
    for (;;) {
      std::unique_lock lock(mutex_);
      woken_.wait(lock, [this] { return stopping_ || (!held_ && !tasks_.empty()); });
      if (stopping_) {
        return;
      }
      std::deque<base::Task> batch = std::exchange(tasks_, {});
      lock.unlock();
      for (auto& task : batch) {
        task();
      }
      engine.turn(clock_.now());
    }
  }

  const SetClock& clock_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::deque<base::Task> tasks_;
  bool held_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

struct Receiver {
  std::string_view path;
  domain::OutcomeKind kind;
  std::uint16_t code;
};
constexpr Receiver receivers[] = {{"/ok", domain::OutcomeKind::success, 200},
                                  {"/500", domain::OutcomeKind::status, 500},
                                  {"/gone", domain::OutcomeKind::status, 410}};

class PathTransport final : public engine::Transport {
 public:
  PathTransport(EngineThread& thread, const SetClock& clock) : thread_(thread), clock_(clock) {}
  void attach(engine::Engine& engine) { engine_ = &engine; }

  void start(std::vector<engine::AttemptRequest> requests) override {
    for (const auto& request : requests) {
      for (const Receiver& receiver : receivers) {
        if (request.webhook->url.target() == receiver.path) {
          report(request.key, receiver.kind, receiver.code);
        }
      }
    }
  }
  void abort(engine::AttemptKey key) override { report(key, domain::OutcomeKind::aborted, 0); }

 private:
  void report(engine::AttemptKey key, domain::OutcomeKind kind, std::uint16_t code) {
    engine::AttemptReport one;
    one.key = key;
    one.outcome.kind = kind;
    one.outcome.code = code;
    one.outcome.error = code >= 300 ? "HTTP " + std::to_string(code) : "";
    one.outcome.response_body = "answer\x1b[31m";
    thread_.post([this, one]() mutable {
      std::vector<engine::AttemptReport> reports;
      reports.push_back(std::move(one));
      engine_->report(std::move(reports), clock_.now());
    });
  }

  EngineThread& thread_;
  const SetClock& clock_;
  engine::Engine* engine_ = nullptr;
};

std::string new_directory() {
  std::string path = (std::filesystem::temp_directory_path() / "control-test-XXXXXX").string();
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  return path;
}

domain::Secret numbered_secret(domain::SecretKind kind) {
  static std::atomic<int> count = 0;
  domain::Secret secret;
  secret.kind = kind;
  secret.key = std::string(32, static_cast<char>('A' + ++count % 26));
  return secret;
}

std::size_t content_length(const Response& response) {
  const std::string text = response.header("content-length");
  return text.empty() ? 0 : std::stoul(text);
}

}  // namespace

// ---- the client -----------------------------------------------------------------------------------------------

std::string Response::header(std::string_view name) const {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos && at + 2 < head.size();
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && base::equals_ignoring_case(line.substr(0, colon), name)) {
      return std::string(line.substr(colon + 2));
    }
  }
  return {};
}

Client::Client(const std::string& socket_path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

Client::~Client() { ::close(descriptor_); }

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(sent > 0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Client::send_what_goes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Client::read_more() {
  pollfd readable{descriptor_, POLLIN, 0};
  REQUIRE(::poll(&readable, 1, patience_ms) == 1);
  char piece[16384];
  const ssize_t got = ::recv(descriptor_, piece, sizeof piece, 0);
  if (got <= 0) {
    return false;
  }
  unread_.append(piece, static_cast<std::size_t>(got));
  return true;
}

Response Client::receive() {
  Response response;
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    REQUIRE(read_more());
  }
  response.head = unread_.substr(0, end + 2);
  unread_.erase(0, end + 4);
  REQUIRE(response.head.starts_with("HTTP/1.1 "));
  response.status = std::stoi(response.head.substr(9, 3));
  if (response.header("transfer-encoding") != "chunked") {
    const std::size_t length = content_length(response);
    while (unread_.size() < length) {
      REQUIRE(read_more());
    }
    response.body = unread_.substr(0, length);
    unread_.erase(0, length);
    return response;
  }
  for (std::size_t size = 1; size > 0;) {
    std::size_t line = 0;
    while ((line = unread_.find("\r\n")) == std::string::npos) {
      REQUIRE(read_more());
    }
    size = std::stoul(unread_.substr(0, line), nullptr, 16);
    while (unread_.size() < line + 2 + size + 2) {
      REQUIRE(read_more());
    }
    response.body += unread_.substr(line + 2, size);
    unread_.erase(0, line + 2 + size + 2);
  }
  return response;
}

bool Client::is_closed_by_peer() {
  while (read_more()) {
  }
  return true;
}

Response Client::call(std::string_view method, std::string_view target, std::string_view body,
                      std::string_view headers) {
  std::string request =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers);
  if (!body.empty()) {
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  send(request + "\r\n" + std::string(body));
  return receive();
}

// ---- the daemon -----------------------------------------------------------------------------------------------

struct Daemon::Parts {
  explicit Parts(const DaemonSettings& settings) : directory(new_directory()), path(directory + "/s") {
    transport.attach(engine);
    std::promise<void> loaded;
    engine.start([&loaded](base::Result<void>) { loaded.set_value(); });
    executor.run(engine);
    REQUIRE(loaded.get_future().wait_for(10s) == std::future_status::ready);
    auto made = server::Server::start(options(settings), {engine, executor, clock, store, log});
    REQUIRE_MESSAGE(made.has_value(), made.error().detail);
    server = std::move(*made);
  }
  ~Parts() {
    server.reset();
    executor.stop();
    std::filesystem::remove_all(directory);
  }

  server::ServerOptions options(const DaemonSettings& settings) {
    server::ServerOptions chosen;
    chosen.socket_path = path;
    chosen.live.access = settings.access;
    chosen.live.event_data_bytes_max = settings.event_data_bytes_max;
    chosen.live.schema_mode = settings.schema_mode;
    chosen.sessions_max = settings.sessions_max;
    chosen.started_at = clock.now();
    chosen.live.url_refusal = [](const domain::Url& url) {
      return url.host() == "10.0.0.1" ? std::optional<std::string>("10.0.0.1 is denied by egress.deny") : std::nullopt;
    };
    chosen.generate_secret = numbered_secret;
    chosen.next_master_key = []() -> base::Result<store::SealerRef> {
      return base::Error{base::ErrorCode::no_master_key, "put the next key there first", {}};
    };
    chosen.public_key_text = [](const domain::Secret&) { return std::string("whpk_test"); };
    if (settings.test_clock) {
      chosen.advance_clock = [this](base::Duration by, Completion<base::Time> done) {
        clock.advance(by);
        executor.post([this, done = std::move(done)]() mutable { done(clock.now()); });
      };
    }
    return chosen;
  }

  std::string directory;
  std::string path;
  SetClock clock;
  LockedStore store;
  base::SilentLog log;
  EngineThread executor{clock};
  PathTransport transport{executor, clock};
  engine::Engine engine{engine::EngineOptions{}, store, transport, executor, base::Random(7), log};
  std::unique_ptr<server::Server> server;
};

Daemon::Daemon(DaemonSettings settings) : parts_(std::make_unique<Parts>(settings)) {}
Daemon::~Daemon() = default;

const std::string& Daemon::socket_path() const { return parts_->path; }
server::Server& Daemon::server() { return *parts_->server; }
void Daemon::stop_server() { parts_->server.reset(); }
void Daemon::set_full(bool full) { parts_->store.set_full(full); }
void Daemon::hold_engine(bool held) { parts_->executor.hold(held); }

Response Daemon::call(std::string_view method, std::string_view target, std::string_view body,
                      std::string_view headers) const {
  Client client(parts_->path);
  return client.call(method, target, body, headers);
}

std::string Daemon::add_webhook(std::string_view name, std::string_view path) const {
  const Json body = {
      {"display_name", name}, {"url", "http://receiver.example.com" + std::string(path)}, {"events", {"*"}}};
  const Response made = call("POST", "/v1/webhooks", body.dump());
  REQUIRE_MESSAGE(made.status == 201, made.body);
  return made.json()["id"];
}

Json Daemon::emit(std::string_view data) const {
  const Response made =
      call("POST", "/v1/events", R"({"type":"subscription.create","data":)" + std::string(data) + "}");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  return made.json();
}

Json Daemon::message_when(const std::string& id, std::string_view status) const {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  for (;;) {
    Json message = call("GET", "/v1/messages/" + id).json();
    if (message["status"] == status || std::chrono::steady_clock::now() > deadline) {
      CHECK(message["status"] == status);
      return message;
    }
    std::this_thread::sleep_for(2ms);
  }
}

}  // namespace control_test

TEST_CASE("a daemon of the tests starts, answers and stops") {
  const control_test::Daemon daemon;
  CHECK(daemon.call("GET", "/healthz").status == 200);
}
