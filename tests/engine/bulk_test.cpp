// Bulk tasks in virtual time: what they touch, how fast, over crashes, and that nothing is lost on the way.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/tasks.hpp"
#include "support/sim_world.hpp"

using namespace webhookd;
using namespace webhookd::support;

namespace {

constexpr std::uint32_t bit(domain::MessageStatus status) { return 1U << static_cast<unsigned>(status); }

store::BulkTask bulk(base::WebhookId webhook, store::BulkAction action, std::uint32_t statuses) {
  store::BulkTask task;
  task.action = action;
  task.filter.webhook = webhook;
  task.filter.statuses = statuses;
  task.actor = {1000, "repaired"};
  return task;
}

base::Result<store::BulkTask> begin(SimWorld& world, store::BulkTask task) {
  base::Result<store::BulkTask> begun = base::Error{};
  world.engine().begin_bulk(std::move(task), world.now(), [&](auto answer) { begun = std::move(answer); });
  world.run_for(0ms);
  return begun;
}

store::BulkTask task_of(SimWorld& world, base::TaskId id) {
  base::Result<store::BulkTask> found = base::Error{};
  world.store().bulk_task(id, [&](auto answer) { found = std::move(answer); });
  return found.value();
}

std::vector<base::MessageId> emit_many(SimWorld& world, std::size_t count) {
  std::vector<base::MessageId> messages;
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(world.emit("subscription.create").value().messages.at(0).message);
  }
  return messages;
}

std::size_t with_status(SimWorld& world, const std::vector<base::MessageId>& messages, domain::MessageStatus status) {
  return static_cast<std::size_t>(std::count_if(
      messages.begin(), messages.end(), [&](base::MessageId id) { return world.message(id).status == status; }));
}

// A webhook whose receiver failed everything that was sent so far, and is repaired now.
struct Repaired {
  explicit Repaired(std::size_t count, std::uint64_t seed = 1) : world(seed) {
    auto definition = sim_webhook("orders");
    definition.retry.window = 10s;
    world.receive = [](const auto&) { return SimAnswer{answered(500)}; };
    webhook = world.create(definition).id;
    messages = emit_many(world, count);
    world.run_for(1h);
    REQUIRE(with_status(world, messages, domain::MessageStatus::failed) == count);
    world.receive = [](const auto&) { return SimAnswer{answered(200)}; };
  }
  SimWorld world;
  base::WebhookId webhook;
  std::vector<base::MessageId> messages;
};

}  // namespace

TEST_CASE("a bulk retry delivers everything that had failed, and counts it") {
  Repaired repaired(1000);
  const auto begun =
      begin(repaired.world, bulk(repaired.webhook, store::BulkAction::retry, bit(domain::MessageStatus::failed)));
  REQUIRE(begun.has_value());
  repaired.world.run_for(5min);
  const auto task = task_of(repaired.world, begun->id);
  CHECK(task.state == store::BulkState::done);
  CHECK(task.total == 1000);
  CHECK(task.done == 1000);
  CHECK(task.failed == 0);
  CHECK(with_status(repaired.world, repaired.messages, domain::MessageStatus::success) == 1000);
  CHECK(repaired.world.message(repaired.messages[7]).retried_by == domain::Actor{1000, "repaired"});
}

TEST_CASE("a task touches only messages that existed when it began, each once") {
  Repaired repaired(300);
  auto draft = bulk(repaired.webhook, store::BulkAction::retry, bit(domain::MessageStatus::failed));
  draft.rate = 10;
  repaired.world.receive = [](const auto&) { return SimAnswer{answered(410)}; };  // whatever is retried fails again
  const auto begun = begin(repaired.world, draft);
  repaired.world.run_for(1h);
  const auto task = task_of(repaired.world, begun->id);
  CHECK(task.state == store::BulkState::done);
  // The first 410 turned the webhook off: what came after it was refused, and nothing was touched twice.
  CHECK(task.done + task.failed == 300);
  CHECK(task.done >= 1);
  for (const auto id : repaired.messages) {
    CHECK(repaired.world.message(id).attempts <= 5);
  }
}

TEST_CASE("a task over any crash goes on where it was, and does every message once") {
  std::uint64_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Repaired repaired(450, seed);
    int commits = 0;
    repaired.world.crash_now = [&](bool& after_commit) {
      after_commit = repaired.world.random().below(2) == 0;
      return ++commits < 200 && repaired.world.random().below(10) == 0;
    };
    std::optional<base::TaskId> id;
    while (!id) {
      const auto begun =
          begin(repaired.world, bulk(repaired.webhook, store::BulkAction::retry, bit(domain::MessageStatus::failed)));
      std::vector<store::BulkTask> known;
      repaired.world.store().list_bulk_tasks(10, [&](auto tasks) { known = std::move(*tasks); });
      id = known.empty() ? std::nullopt : std::optional(known.back().id);  // the crash may have come after its commit
    }
    repaired.world.run_for(1h);
    const auto task = task_of(repaired.world, *id);
    CHECK(task.state == store::BulkState::done);
    CHECK(task.done == 450);
    crashes += repaired.world.crashes();
    CHECK(with_status(repaired.world, repaired.messages, domain::MessageStatus::success) == 450);
  }
  CHECK(crashes > 20);
}

TEST_CASE("a rate paces a task") {
  Repaired repaired(100);
  auto draft = bulk(repaired.webhook, store::BulkAction::retry, bit(domain::MessageStatus::failed));
  draft.rate = 5;
  const auto begun = begin(repaired.world, draft);
  repaired.world.run_for(10s);
  const auto half = task_of(repaired.world, begun->id);
  CHECK(half.done >= 48);
  CHECK(half.done <= 52);
  repaired.world.run_for(11s);
  CHECK(task_of(repaired.world, begun->id).state == store::BulkState::done);
}

TEST_CASE("a bulk cancel aborts what is in flight, and nothing of it is tried again") {
  SimWorld world;
  world.receive = [](const auto&) { return SimAnswer{answered(200), 10s}; };
  const auto webhook = world.create(sim_webhook("slow")).id;
  const auto messages = emit_many(world, 500);
  const auto begun = begin(world, bulk(webhook, store::BulkAction::cancel,
                                       bit(domain::MessageStatus::created) | bit(domain::MessageStatus::retrying)));
  world.run_for(1s);
  const auto task = task_of(world, begun->id);
  CHECK(task.state == store::BulkState::done);
  CHECK(task.done == 500);
  CHECK(with_status(world, messages, domain::MessageStatus::cancelled) == 500);
  const std::size_t attempts = world.attempts().size();
  world.run_for(24h);
  CHECK(world.attempts().size() == attempts);
  CHECK(world.webhook(webhook).counters.cancelled == 500);
}

TEST_CASE("what a cancel looked at and let be is delivered all the same") {
  SimWorld world;
  world.receive = [](const auto& request) {
    return SimAnswer{request.event->data == "1" ? answered(500) : answered(200), 3s};
  };
  const auto webhook = world.create(sim_webhook("mixed")).id;
  std::vector<base::MessageId> messages;
  for (int i = 0; i < 200; ++i) {
    messages.push_back(world.emit("subscription.create", i % 2 == 0 ? "1" : "2").value().messages.at(0).message);
  }
  auto draft = bulk(webhook, store::BulkAction::cancel, bit(domain::MessageStatus::created));
  draft.rate = 20;
  begin(world, draft);
  world.receive = [](const auto&) { return SimAnswer{answered(200)}; };
  world.run_for(11 * 24h);
  CHECK(with_status(world, messages, domain::MessageStatus::cancelled) +
            with_status(world, messages, domain::MessageStatus::success) ==
        200);
}

TEST_CASE("a task is refused for an inactive webhook's retries, and when too many run") {
  SimWorld world;
  auto webhook = world.create(sim_webhook("orders"));
  webhook.status = domain::WebhookStatus::inactive;
  webhook = world.edit(webhook);
  const auto retry = bulk(webhook.id, store::BulkAction::retry, bit(domain::MessageStatus::failed));
  CHECK(begin(world, retry).error().code == base::ErrorCode::webhook_inactive);
  CHECK(world.engine().check_bulk(retry).error().code == base::ErrorCode::webhook_inactive);
  CHECK(begin(world, bulk(base::WebhookId{99}, store::BulkAction::cancel, 1)).error().code ==
        base::ErrorCode::not_found);
  webhook.status = domain::WebhookStatus::active;
  webhook = world.edit(webhook);
  emit_many(world, 200);
  world.run_for(1min);
  auto slow = bulk(webhook.id, store::BulkAction::retry, bit(domain::MessageStatus::success));
  slow.rate = 0.001;
  for (std::size_t i = 0; i < engine::Tasks::running_max; ++i) {
    const auto begun = begin(world, slow);
    REQUIRE(begun.has_value());
    world.run_for(1s);
    CHECK(task_of(world, begun->id).state == store::BulkState::running);
  }
  const auto one_more = begin(world, slow);
  REQUIRE(one_more.has_error());
  CHECK(one_more.error().code == base::ErrorCode::unavailable);
}

TEST_CASE("a task that is stopped stays where it is, also over a restart") {
  Repaired repaired(100);
  auto draft = bulk(repaired.webhook, store::BulkAction::retry, bit(domain::MessageStatus::failed));
  draft.rate = 5;
  const auto begun = begin(repaired.world, draft);
  repaired.world.run_for(2s);
  bool is_ended = false;
  repaired.world.engine().end_bulk(begun->id, repaired.world.now(), [&](auto ended) { is_ended = ended.has_value(); });
  repaired.world.run_for(1s);
  CHECK(is_ended);
  const auto stopped = task_of(repaired.world, begun->id);
  CHECK(stopped.state == store::BulkState::cancelled);
  CHECK(stopped.done < 20);
  repaired.world.crash();
  repaired.world.run_for(1h);
  CHECK(task_of(repaired.world, begun->id).done == stopped.done);
}
