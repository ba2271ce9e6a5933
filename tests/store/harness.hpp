// Asks a store and waits for its answer, the same for every store: the memory store is stepped until it has answered,
// the LMDB store answers from its writer thread. Also the values that the tests of the stores are made of.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
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

  std::vector<Result<store::Accepted>> accept(std::vector<store::AcceptItem> items, Time now) {
    return ask<std::vector<Result<store::Accepted>>>(
               [&](auto done) { store().accept(std::move(items), now, std::move(done)); })
        .value();
  }
  std::vector<store::Settled> settle(std::vector<store::Settlement> settlements) {
    const auto shared = std::make_shared<const std::vector<store::Settlement>>(std::move(settlements));
    return ask<std::vector<store::Settled>>([&](auto done) { store().settle(shared, std::move(done)); }).value();
  }
  store::Settled settle(store::Settlement settlement) {
    return settle(std::vector<store::Settlement>{std::move(settlement)}).at(0);
  }
  store::Settled wait_out(store::WaitedOut input) {
    return ask<std::vector<store::Settled>>([&](auto done) { store().wait_out({input}, std::move(done)); })
        .value()
        .at(0);
  }
  Result<Message> cancel(MessageId id, Time now, domain::Actor actor = {1000, "wrong receiver"}) {
    return ask<Message>([&](auto done) { store().cancel(id, actor, now, std::move(done)); });
  }
  Result<Message> retry(MessageId id, Time now, domain::Actor actor = {1000, "again"}) {
    return ask<Message>([&](auto done) { store().retry(id, actor, now, std::move(done)); });
  }
  Result<domain::Webhook> put_webhook(domain::Webhook webhook, std::uint64_t expected_version = 0) {
    return ask<domain::Webhook>([&](auto done) {
      store().put_webhook({std::move(webhook), expected_version}, std::move(done));
    });
  }
  Result<std::uint64_t> delete_webhook(WebhookId id) {
    return ask<std::uint64_t>([&](auto done) { store().delete_webhook(id, std::move(done)); });
  }
  Result<store::PurgeStep> purge(WebhookId id, std::size_t limit) {
    return ask<store::PurgeStep>([&](auto done) { store().purge_webhook(id, limit, std::move(done)); });
  }
  std::vector<Result<store::Imported>> import_histories(std::vector<domain::EventHistory> histories, Time now) {
    return ask<std::vector<Result<store::Imported>>>(
               [&](auto done) { store().import_histories(std::move(histories), 24h, now, std::move(done)); })
        .value();
  }
  store::HistoryPage histories(store::HistoryQuery query = {}) {
    return ask<store::HistoryPage>([&](auto done) { store().histories(query, std::move(done)); }).value();
  }
  store::Expired expire(store::ExpireStep step) {
    return ask<store::Expired>([&](auto done) { store().expire(step, std::move(done)); }).value();
  }
  Result<domain::EventType> put_type(domain::EventType type) {
    return ask<domain::EventType>([&](auto done) { store().put_type(std::move(type), std::move(done)); });
  }
  Result<std::string> remove_type(std::string name) {
    return ask<std::string>([&](auto done) { store().remove_type(std::move(name), std::move(done)); });
  }
  store::OpenState load() {
    return ask<store::OpenState>([&](auto done) { store().load(std::move(done)); }).value();
  }
  store::DueHeads due_heads(store::DueHeadQuery query) {
    return ask<store::DueHeads>([&](auto done) { store().due_heads(query, std::move(done)); }).value();
  }
  store::Claim claim(store::ClaimQuery query) {
    return ask<store::Claim>([&](auto done) { store().claim_due(query, std::move(done)); }).value();
  }
  store::MessagePage list(store::MessageQuery query) {
    return ask<store::MessagePage>([&](auto done) { store().list_messages(query, std::move(done)); }).value();
  }
  Result<store::BulkTask> begin_bulk(store::BulkTask task) {
    return ask<store::BulkTask>([&](auto done) { store().begin_bulk(task, std::move(done)); });
  }
  Result<store::BulkProgress> step_bulk(store::BulkStep step) {
    return ask<store::BulkProgress>([&](auto done) { store().step_bulk(step, std::move(done)); });
  }
  Result<store::BulkTask> end_bulk(base::TaskId id, Time now) {
    return ask<store::BulkTask>([&](auto done) { store().end_bulk(id, now, std::move(done)); });
  }
  Result<store::BulkTask> bulk_task(base::TaskId id) {
    return ask<store::BulkTask>([&](auto done) { store().bulk_task(id, std::move(done)); });
  }
  std::vector<store::BulkTask> list_bulk_tasks(std::size_t limit) {
    return ask<std::vector<store::BulkTask>>([&](auto done) { store().list_bulk_tasks(limit, std::move(done)); })
        .value();
  }
  store::MessageCount count(store::CountQuery query) {
    return ask<store::MessageCount>([&](auto done) { store().count_messages(query, std::move(done)); }).value();
  }
  Result<store::ChangePage> changes(store::ChangeQuery query) {
    return ask<store::ChangePage>([&](auto done) { store().changes(query, std::move(done)); });
  }
  Result<store::MessageDetail> message(MessageId id) {
    return ask<store::MessageDetail>([&](auto done) { store().message(id, std::move(done)); });
  }
  Result<store::EventDetail> event(EventId id, std::size_t limit = 100) {
    return ask<store::EventDetail>([&](auto done) { store().event(id, limit, std::move(done)); });
  }
  std::vector<MessageId> find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit) {
    return ask<std::vector<MessageId>>([&](auto done) { store().find_messages(low, high, limit, std::move(done)); })
        .value();
  }
  std::vector<EventId> find_events(std::uint64_t low, std::uint64_t high, std::size_t limit) {
    return ask<std::vector<EventId>>([&](auto done) { store().find_events(low, high, limit, std::move(done)); })
        .value();
  }
  std::vector<store::WebhookState> list_webhooks() {
    return ask<std::vector<store::WebhookState>>([&](auto done) { store().list_webhooks(std::move(done)); }).value();
  }
  Result<store::WebhookState> webhook(WebhookId id) {
    return ask<store::WebhookState>([&](auto done) { store().webhook(id, std::move(done)); });
  }
  std::vector<domain::EventType> list_types() {
    return ask<std::vector<domain::EventType>>([&](auto done) { store().list_types(std::move(done)); }).value();
  }
  store::StoreFigures figures() {
    return ask<store::StoreFigures>([&](auto done) { store().figures(std::move(done)); }).value();
  }
  Result<store::StoreCopy> copy() {
    return ask<store::StoreCopy>([&](auto done) { store().copy(std::move(done)); });
  }

  // One event to these webhooks.
  store::Accepted accept_one(store::AcceptItem item, Time now = start_time) {
    return accept({std::move(item)}, now).at(0).value();
  }
};

class MemoryAsker final : public Asker {
 public:
  Store& store() override { return *store_; }
  void work() override { store_->step(); }
  store::MemoryStore& memory() { return *store_; }

 private:
  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::create(seed);
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

 private:
  std::unique_ptr<TemporaryDirectory> directory_;
  store::LmdbOptions options_;
  base::SilentLog log_;
  std::unique_ptr<Store> store_;
};

// ---- values ---------------------------------------------------------------------------------------------------

inline domain::Webhook webhook_named(std::string name) {
  domain::Webhook webhook;
  webhook.display_name = std::move(name);
  webhook.url = domain::Url::parse("https://receiver.example/hooks?x=1").value();
  webhook.events = {"subscription.create", "api.*"};
  webhook.description = "billing";
  webhook.headers = {{"X-Team", "billing"}};
  webhook.secrets = {{domain::SecretKind::hmac_sha256, std::string(32, 'k'), std::nullopt},
                     {domain::SecretKind::ed25519, std::string(32, '\0'), start_time + 24h}};
  webhook.rate = 2.5;
  webhook.created_at = start_time;
  webhook.updated_at = start_time;
  return webhook;
}

inline store::AcceptItem item_for(std::vector<WebhookId> webhooks, std::string data = R"({"id":1})",
                                  std::string key = {}, Time now = start_time) {
  auto event = std::make_shared<domain::Event>();
  event->type = "subscription.create";
  event->timestamp = now - 5s;
  event->accepted_at = now;
  event->idempotency_key = std::move(key);
  event->data = std::move(data);
  store::AcceptItem item{std::move(event), {}, 24h};
  for (const WebhookId webhook : webhooks) {
    item.subscribers.push_back({webhook, 10 * 24h});
  }
  return item;
}

inline domain::Attempt attempt_of(std::uint32_t number, domain::OutcomeKind kind, std::uint16_t code, Time at) {
  domain::Attempt attempt;
  attempt.number = number;
  attempt.at = at;
  attempt.url = "https://receiver.example/hooks?x=1";
  attempt.outcome.kind = kind;
  attempt.outcome.code = code;
  attempt.outcome.duration = 12ms;
  attempt.outcome.response_headers = "content-type: text/plain\r\n";
  attempt.outcome.response_body = "thanks";
  return attempt;
}

inline store::Settlement settlement(MessageId message, std::uint32_t number, std::uint16_t code, Time at) {
  const bool good = code >= 200 && code < 300;
  domain::Attempt attempt =
      attempt_of(number, good ? domain::OutcomeKind::success : domain::OutcomeKind::status, code, at);
  store::Settlement settled;
  settled.message = message;
  settled.attempt = std::move(attempt);
  settled.ended_at = at;
  return settled;
}

// Every due message of a webhook, whenever due.
inline store::ClaimQuery claim_all(WebhookId webhook) {
  store::ClaimQuery query;
  query.webhook = webhook;
  query.due_until = start_time + 1000 * 24h;
  query.until_bucket = store::due_bucket(query.due_until) + 1;
  query.rows = 1000;
  query.bytes = 1'000'000;
  return query;
}

inline store::DueHeadQuery heads_until(Time until, std::size_t limit = 1000) {
  store::DueHeadQuery query;
  query.until_bucket = store::due_bucket(until) + 1;
  query.limit = limit;
  return query;
}

inline std::vector<MessageId> ids_of(const store::MessagePage& page) {
  std::vector<MessageId> ids;
  for (const store::MessageRow& row : page.rows) {
    ids.push_back(row.message.id);
  }
  return ids;
}

inline std::vector<MessageId> ids_of(const store::Claim& claim) {
  std::vector<MessageId> ids;
  for (const store::ClaimedMessage& claimed : claim.messages) {
    ids.push_back(claimed.message.id);
  }
  return ids;
}

template <class T>
std::vector<T> reversed(std::vector<T> values) {
  return {values.rbegin(), values.rend()};
}

}  // namespace webhookd::store_test
