// Asks a store and waits for its answer, the same for every store: the memory store is stepped until it has answered,
// the LMDB store answers from its writer thread. Also the values that the tests of the stores are made of.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "store/lmdb_store.hpp"
#include "store/memory_store.hpp"
#include "store/store.hpp"

namespace webhookd::store_test {

using namespace std::chrono_literals;
using base::Error;
using base::ErrorCode;
using base::EventId;
using base::MessageId;
using base::Result;
using base::Time;
using base::WebhookId;
using domain::Message;
using domain::MessageStatus;
using store::Store;

inline constexpr std::uint64_t seed = 42;
inline const Time start_time = base::time_from_ms(1'790'000'000'000);

// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "webhookd-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;  // a leftover in the temporary directory is no failure of the test
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The questions of a Store, answered when they return.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual Store& store() = 0;
  // Lets the store work until it may have answered something.
  virtual void work() = 0;

  template <class T, class Question>
  Result<T> ask(Question question) {
    const auto promise = std::make_shared<std::promise<Result<T>>>();
    auto answer = promise->get_future();
    question(base::Completion<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (answer.wait_for(0s) != std::future_status::ready) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      work();
    }
    return answer.get();
  }

  std::vector<Result<store::Accepted>> accept(std::vector<store::AcceptItem> items, Time now);
  std::vector<store::Settled> settle(std::vector<store::Settlement> settlements);
  store::Settled settle(store::Settlement settlement);
  store::Settled wait_out(store::WaitedOut input);
  Result<Message> cancel(MessageId id, Time now, domain::Actor actor = {1000, "wrong receiver"});
  Result<Message> retry(MessageId id, Time now, domain::Actor actor = {1000, "again"});
  Result<domain::Webhook> put_webhook(domain::Webhook webhook, std::uint64_t expected_version = 0);
  Result<std::uint64_t> delete_webhook(WebhookId id);
  Result<store::PurgeStep> purge(WebhookId id, std::size_t limit);
  std::vector<Result<store::Imported>> import_histories(std::vector<domain::EventHistory> histories, Time now);
  store::HistoryPage histories(store::HistoryQuery query = {});
  Result<store::Resealed> reseal(store::SealerRef sealer);
  store::Expired expire(store::ExpireStep step);
  Result<domain::EventType> put_type(domain::EventType type);
  Result<std::string> remove_type(std::string name);
  Result<std::uint64_t> note_audit(store::AuditLine line);
  store::AuditPage audit(store::AuditQuery query = {});
  store::OpenState load();
  store::DueHeads due_heads(store::DueHeadQuery query);
  store::Claim claim(store::ClaimQuery query);
  store::MessagePage list(store::MessageQuery query);
  Result<store::BulkTask> begin_bulk(store::BulkTask task);
  Result<store::BulkProgress> step_bulk(store::BulkStep step);
  Result<store::BulkTask> end_bulk(base::TaskId id, Time now);
  Result<store::BulkTask> bulk_task(base::TaskId id);
  std::vector<store::BulkTask> list_bulk_tasks(std::size_t limit);
  store::MessageCount count(store::CountQuery query);
  Result<store::ChangePage> changes(store::ChangeQuery query);
  Result<store::MessageDetail> message(MessageId id);
  Result<store::EventDetail> event(EventId id, std::size_t limit = 100);
  std::vector<MessageId> find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit);
  std::vector<EventId> find_events(std::uint64_t low, std::uint64_t high, std::size_t limit);
  std::vector<store::WebhookState> list_webhooks();
  Result<store::WebhookState> webhook(WebhookId id);
  std::vector<domain::EventType> list_types();
  store::StoreFigures figures();
  Result<store::StoreCopy> copy();

  // One event to these webhooks.
  store::Accepted accept_one(store::AcceptItem item, Time now = start_time);
};

class MemoryAsker final : public Asker {
 public:
  Store& store() override { return *store_; }
  void work() override { store_->step(); }
  store::MemoryStore& memory() { return *store_; }

 private:
  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::create(seed);
};

// Which events were written, in order.
class ListedLog final : public base::LogSink {
 public:
  void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField>) override {
    const std::lock_guard lock(mutex_);
    events_.emplace_back(event);
  }
  std::size_t count(std::string_view event) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> events_;
};

class LmdbAsker final : public Asker {
 public:
  LmdbAsker() : directory_(std::make_unique<TemporaryDirectory>()) {
    options_.directory = (directory_->path() / "data").string();
    options_.quota_bytes = std::uint64_t{256} << 20;
    options_.disk_reserve_bytes = 0;
    options_.seed = seed;
    options_.now = start_time;
    open();
  }
  explicit LmdbAsker(store::LmdbOptions options) : options_(std::move(options)) { open(); }

  Store& store() override { return *store_; }
  void work() override { std::this_thread::sleep_for(50us); }  // the writer thread works by itself

  void close() { store_.reset(); }
  void open() {
    auto opened = store::open_lmdb_store(options_, log_);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
    store_ = std::move(*opened);
  }
  void reopen() {
    close();
    open();
  }
  store::LmdbOptions& options() { return options_; }
  std::filesystem::path data() const { return options_.directory; }
  const ListedLog& log() const { return log_; }

 private:
  std::unique_ptr<TemporaryDirectory> directory_;
  store::LmdbOptions options_;
  ListedLog log_;
  std::unique_ptr<Store> store_;
};

// A store of every kind: doctest runs a test case that calls it once for each.
std::unique_ptr<Asker> each_store();

// ---- values ---------------------------------------------------------------------------------------------------

domain::Webhook webhook_named(std::string name);

store::AcceptItem item_for(std::vector<WebhookId> webhooks, std::string data = R"({"id":1})", std::string key = {},
                           Time now = start_time);

domain::Attempt attempt_of(std::uint32_t number, domain::OutcomeKind kind, std::uint16_t code, Time at);

store::Settlement settlement(MessageId message, std::uint32_t number, std::uint16_t code, Time at);

// Every due message of a webhook, whenever due.
store::ClaimQuery claim_all(WebhookId webhook);

store::DueHeadQuery heads_until(Time until, std::size_t limit = 1000);

std::vector<MessageId> ids_of(const store::MessagePage& page);

std::vector<MessageId> ids_of(const store::Claim& claim);

template <class T>
std::vector<T> reversed(std::vector<T> values) {
  return {values.rbegin(), values.rend()};
}

}  // namespace webhookd::store_test
