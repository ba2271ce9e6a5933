// Scenarios in virtual time: the engine with the memory store and receivers that answer as told.
#include "engine/engine.hpp"

#include <doctest/doctest.h>

#include <map>

#include "support/sim_world.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using domain::MessageStatus;

std::vector<Duration> waits(const SimWorld& world) {
  std::vector<Duration> result;
  for (std::size_t i = 1; i < world.attempts().size(); ++i) {
    result.push_back(world.attempts()[i].at - world.attempts()[i - 1].at);
  }
  return result;
}

SimAnswer always(std::uint16_t code) { return {answered(code)}; }

}  // namespace

TEST_CASE("an accepted event is delivered at once to every active webhook that wants it") {
  SimWorld world;
  world.create(sim_webhook("one"));
  world.create(sim_webhook("two"));
  auto other = sim_webhook("other");
  other.events = {"subscription.delete"};
  world.create(other);
  const auto accepted = world.emit("subscription.create", R"({"n": 1})");
  REQUIRE(accepted.has_value());
  CHECK(accepted->message_count == 2);
  world.run_for(1s);
  REQUIRE(world.attempts().size() == 2);
  CHECK(world.attempts()[0].at == sim_start);
  CHECK(world.attempts()[0].data == R"({"n": 1})");
  for (const auto& ref : accepted->messages) {
    CHECK(world.message(ref.message).status == MessageStatus::success);
  }
}

TEST_CASE("an event of an unknown type is refused and leaves nothing behind") {
  SimWorld world;
  world.create(sim_webhook("one"));
  const auto refused = world.emit("subscription.crate");
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == base::ErrorCode::unknown_type);
  CHECK(refused.error().detail.find("subscription.create") != std::string::npos);
  world.run_for(1h);
  CHECK(world.attempts().empty());
}

TEST_CASE("a receiver that always answers 500 is tried about 50 times in ten days, last on the deadline") {
  SimWorld world;
  world.receive = [](const auto&) { return always(500); };
  auto webhook = sim_webhook("dead");
  webhook.retry.jitter = 0;
  world.create(webhook);
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(11 * 24h);
  const domain::Message message = world.message(id);
  CHECK(message.status == MessageStatus::failed);
  CHECK(message.reason == domain::SettleReason::expired);
  CHECK(message.attempts >= 50);
  CHECK(message.attempts <= 54);
  CHECK(world.attempts().back().at == sim_start + 10 * 24h);
  const auto seen = waits(world);
  const Duration answer = 20ms;
  CHECK(seen[0] == 5s + answer);
  CHECK(seen[1] == 10s + answer);
  CHECK(seen[2] == 20s + answer);
  CHECK(seen[20] == 6h + answer);
  CHECK(message.attempts == world.attempts().size());
}

TEST_CASE("a 410 fails the message and makes the webhook inactive, also in the store") {
  SimWorld world;
  world.receive = [](const auto&) { return always(410); };
  const auto webhook = world.create(sim_webhook("gone"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  CHECK(world.message(id).status == MessageStatus::failed);
  CHECK(world.message(id).reason == domain::SettleReason::gone);
  CHECK(world.webhook(webhook.id).webhook.status == domain::WebhookStatus::inactive);
  CHECK(world.webhook(webhook.id).webhook.status_reason == domain::InactiveReason::gone);
  CHECK(world.emit("subscription.create")->message_count == 0);
}

TEST_CASE("an edit of the URL moves the next attempt to the new address") {
  SimWorld world;
  world.receive = [](const auto& request) {
    return always(request.webhook->url.host() == "new.example.com" ? 200 : 500);
  };
  auto webhook = world.create(sim_webhook("old"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1min);
  CHECK(world.message(id).status == MessageStatus::retrying);
  webhook.url = *domain::Url::parse("http://new.example.com/");
  world.edit(webhook);
  world.run_for(10min);
  CHECK(world.message(id).status == MessageStatus::success);
  CHECK(world.attempts().back().url == "http://new.example.com/");
}

TEST_CASE("an edit while the webhook's old version is known is a version conflict") {
  SimWorld world;
  auto webhook = world.create(sim_webhook("one"));
  world.edit(webhook);
  std::optional<base::ErrorCode> code;
  world.engine().edit_webhook(webhook, 1, world.now(), [&](auto result) { code = result.error().code; });
  world.run_for(1s);
  CHECK(code == base::ErrorCode::version_mismatch);
}

TEST_CASE("an inactive webhook gets no new messages and holds the waiting ones until it is activated") {
  SimWorld world;
  bool is_up = false;
  world.receive = [&](const auto&) { return always(is_up ? 200 : 500); };
  auto webhook = world.create(sim_webhook("held"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  webhook.status = domain::WebhookStatus::inactive;
  webhook = world.edit(webhook);
  CHECK(world.emit("subscription.create")->message_count == 0);
  const auto before = world.attempts().size();
  world.run_for(24h);
  CHECK(world.attempts().size() == before);
  CHECK(world.message(id).status == MessageStatus::retrying);
  is_up = true;
  webhook.status = domain::WebhookStatus::active;
  world.edit(webhook);
  world.run_for(1s);
  CHECK(world.message(id).status == MessageStatus::success);
}

TEST_CASE("what waits out its window at an inactive webhook fails as expired, at its deadline") {
  SimWorld world;
  world.receive = [](const auto&) { return always(500); };
  auto webhook = world.create(sim_webhook("held"));
  std::vector<base::MessageId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(world.emit("subscription.create")->messages[0].message);
    world.run_for(1h);
  }
  webhook.status = domain::WebhookStatus::inactive;
  world.edit(webhook);
  world.run_for(11 * 24h);
  for (const auto id : ids) {
    const auto message = world.message(id);
    CHECK(message.status == MessageStatus::failed);
    CHECK(message.reason == domain::SettleReason::expired);
    CHECK(*message.settled_at >= message.deadline);
    CHECK(*message.settled_at <= message.deadline + 1s);
  }
}

TEST_CASE("a cancel of a waiting message stops its attempts; a second cancel is a conflict") {
  SimWorld world;
  world.receive = [](const auto&) { return always(500); };
  world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1min);
  CHECK(world.cancel(id)->status == MessageStatus::cancelled);
  const auto before = world.attempts().size();
  world.run_for(11 * 24h);
  CHECK(world.attempts().size() == before);
  CHECK(world.cancel(id).error().code == base::ErrorCode::already_settled);
}

TEST_CASE("a cancel aborts the exchange in flight, and its late outcome changes nothing") {
  SimWorld world;
  world.receive = [](const auto&) { return SimAnswer{answered(200), 10s}; };
  world.create(sim_webhook("slow"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  REQUIRE(world.attempts().size() == 1);
  CHECK(world.cancel(id)->status == MessageStatus::cancelled);
  world.run_for(1min);
  const auto detail = world.detail(id);
  CHECK(detail.message.status == MessageStatus::cancelled);
  REQUIRE(detail.attempts.size() == 1);
  CHECK(detail.attempts[0].outcome.kind == domain::OutcomeKind::aborted);
}

TEST_CASE("a manual retry tries at once and leaves the automatic plan as it was") {
  SimWorld world;
  world.receive = [](const auto&) { return always(500); };
  auto webhook = sim_webhook("one");
  webhook.retry.jitter = 0;
  webhook.retry.initial = 1h;
  world.create(webhook);
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(10min);
  const Time planned = *world.message(id).next_attempt_at;
  REQUIRE(world.retry(id).has_value());
  world.run_for(1min);
  CHECK(world.attempts().size() == 2);
  CHECK(*world.message(id).next_attempt_at == planned);
  CHECK(world.detail(id).attempts[1].trigger == domain::Trigger::manual);
}

TEST_CASE("a settled message that is retried gets a new window") {
  SimWorld world;
  bool is_up = false;
  world.receive = [&](const auto&) { return always(is_up ? 200 : 500); };
  auto webhook = sim_webhook("one");
  webhook.retry.window = 1min;
  world.create(webhook);
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(10min);
  REQUIRE(world.message(id).status == MessageStatus::failed);
  CHECK(world.retry(id)->status == MessageStatus::retrying);
  world.run_for(30s);
  is_up = true;
  world.run_for(10min);
  CHECK(world.message(id).status == MessageStatus::success);
}

TEST_CASE("a retry while the webhook is inactive is refused") {
  SimWorld world;
  auto webhook = world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  webhook.status = domain::WebhookStatus::inactive;
  world.edit(webhook);
  CHECK(world.retry(id).error().code == base::ErrorCode::webhook_inactive);
}

TEST_CASE("requests in flight never exceed the webhook's window, and the window grows with success") {
  SimWorld world;
  auto webhook = sim_webhook("busy");
  webhook.max_in_flight = 16;
  const auto id = world.create(webhook).id;
  std::size_t most = 0;
  world.receive = [&](const auto&) {
    most = std::max(most, world.in_flight(id) + 1);
    return SimAnswer{answered(200), 1s};
  };
  for (int i = 0; i < 500; ++i) {
    world.emit("subscription.create");
  }
  world.run_for(10s);
  CHECK(most == 16);
  world.run_for(60s);
  CHECK(world.attempts().size() == 500);
}

TEST_CASE("a bound that is raised or lowered while requests are in flight counts from then on") {
  engine::EngineOptions options;
  options.max_in_flight = 16;  // endpoints that never answered take half
  SimWorld world(1, options);
  world.receive = [](const auto&) { return SimAnswer{answered(200), 1s}; };
  std::vector<base::WebhookId> ids;
  for (int i = 0; i < 40; ++i) {
    ids.push_back(world.create(sim_webhook("hook" + std::to_string(i))).id);
  }
  const auto in_flight = [&] {
    std::size_t sum = 0;
    for (const auto id : ids) {
      sum += world.in_flight(id);
    }
    return sum;
  };
  world.emit("subscription.create");
  world.run_for(1ms);
  CHECK(in_flight() == 8);
  world.engine().set_limits(4, 1024);
  world.run_for(1s);
  CHECK(in_flight() == 2);
  world.engine().set_limits(40, 1024);
  world.run_for(1s);
  CHECK(in_flight() == 20);
}

TEST_CASE("the log says once that the store is full and why, and once that it has room again") {
  SimWorld world;
  world.create(sim_webhook("one"));
  world.store().set_full(true);
  for (int i = 0; i < 100; ++i) {
    CHECK(world.emit("subscription.create").error().code == base::ErrorCode::store_full);
    world.run_for(100ms);
  }
  CHECK(world.log().count("store_full") == 1);
  CHECK(world.log().latest("store_full").find("why=new events are refused: ") == 0);
  world.run_for(1h);
  CHECK(world.log().count("store_has_room") == 0);
  world.store().set_full(false);
  world.run_for(6s);  // nobody sends anything
  CHECK(world.log().count("store_has_room") == 1);
  CHECK(world.emit("subscription.create").has_value());
  world.store().set_full(true);
  CHECK(!world.emit("subscription.create").has_value());
  CHECK(world.log().count("store_full") == 2);
}

TEST_CASE("figures count messages as they are created and as they settle, by the reason") {
  const auto settled = [](SimWorld& world, domain::SettleReason reason) {
    return world.engine().figures().settled[static_cast<std::size_t>(reason)];
  };
  SimWorld world;
  const auto good = world.create(sim_webhook("good"));
  const auto bad = world.create(sim_webhook("bad"));
  world.receive = [&](const auto& request) { return SimAnswer{answered(request.webhook->id == good.id ? 200 : 500)}; };
  world.emit("subscription.create").value();
  const auto second = world.emit("subscription.create").value();
  world.run_for(1s);
  CHECK(world.engine().figures().messages_created == 4);
  CHECK(settled(world, domain::SettleReason::delivered) == 2);
  CHECK(settled(world, domain::SettleReason::expired) == 0);
  CHECK(world.cancel(second.messages[1].message).has_value());
  CHECK(!world.cancel(second.messages[1].message).has_value());
  CHECK(settled(world, domain::SettleReason::cancelled) == 1);
  world.run_for(11 * 24h);
  CHECK(settled(world, domain::SettleReason::expired) == 1);
  world.receive = [](const auto&) { return SimAnswer{answered(410)}; };
  world.emit("subscription.create").value();
  world.run_for(1s);
  CHECK(settled(world, domain::SettleReason::gone) == 2);
  CHECK(world.engine().figures().removed.messages == 0);
  world.run_for(40 * 24h);
  CHECK(world.engine().figures().removed.messages == 6);
  CHECK(world.engine().figures().removed.events == 3);
  CHECK(world.webhook(bad.id).counters.failed == 2);
}

TEST_CASE("figures tell outcomes apart and how long messages waited for their turn") {
  engine::EngineOptions options;
  options.max_in_flight = 1;
  SimWorld world(1, options);
  world.receive = [](const auto&) { return SimAnswer{answered(500), 2s}; };
  world.create(sim_webhook("one"));
  world.create(sim_webhook("two"));
  world.emit("subscription.create");
  world.run_for(4s);
  const auto figures = world.engine().figures();
  CHECK(figures.outcomes[static_cast<std::size_t>(domain::OutcomeKind::status)] == 2);
  CHECK(figures.outcomes[static_cast<std::size_t>(domain::OutcomeKind::success)] == 0);
  CHECK(figures.queue_age.count() == 2);
  CHECK(figures.queue_age.sum() == 2000);
  CHECK(figures.delivery_time.count() == 2);
  CHECK(world.engine().lane_figures().webhooks == 2);
  CHECK(world.engine().lane_figures().down == 0);
}

TEST_CASE("webhooks take turns: a large backlog of one does not hold the other") {
  engine::EngineOptions options;
  options.max_in_flight = 4;
  SimWorld world(1, options);
  world.receive = [](const auto&) { return SimAnswer{answered(200), 1s}; };
  auto big = sim_webhook("big");
  big.events = {"subscription.delete"};
  world.create(big);
  world.create(sim_webhook("small"));
  for (int i = 0; i < 1000; ++i) {
    world.emit("subscription.delete");
  }
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(5s);
  CHECK(world.message(id).status == MessageStatus::success);
}

TEST_CASE("webhooks that hang do not slow the others") {
  SimWorld world;
  for (int i = 0; i < 100; ++i) {
    auto webhook = sim_webhook("hang" + std::to_string(i));
    world.create(webhook);
  }
  world.create(sim_webhook("healthy"));
  world.receive = [](const auto& request) {
    return request.webhook->display_name == "healthy"
               ? SimAnswer{answered(200), 10ms}
               : SimAnswer{failed(domain::OutcomeKind::timeout, "no answer"), 15s};
  };
  std::vector<base::MessageId> healthy;
  for (int i = 0; i < 50; ++i) {
    const auto accepted = world.emit("subscription.create");
    healthy.push_back(accepted->messages.back().message);
    world.run_for(100ms);
  }
  for (const auto id : healthy) {
    const auto message = world.message(id);
    CHECK(message.status == MessageStatus::success);
    CHECK(*message.settled_at - message.created_at <= 10ms);
  }
}

TEST_CASE("a shortage on our side is no attempt: the message is tried again within seconds") {
  SimWorld world;
  int shortages = 3;
  world.receive = [&](const auto&) {
    SimAnswer answer{answered(200)};
    answer.shortage = shortages-- > 0;
    return answer;
  };
  world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(10s);
  CHECK(world.message(id).status == MessageStatus::success);
  CHECK(world.message(id).attempts == 1);
}

TEST_CASE("a deleted webhook is gone with its messages, in bounded steps, and its name is free") {
  engine::EngineOptions options;
  options.purge_step = 10;
  SimWorld world(1, options);
  world.receive = [](const auto&) { return always(500); };
  const auto webhook = world.create(sim_webhook("one"));
  std::vector<base::MessageId> ids;
  for (int i = 0; i < 100; ++i) {
    ids.push_back(world.emit("subscription.create")->messages[0].message);
  }
  world.run_for(1s);
  std::optional<std::uint64_t> waited;
  world.engine().delete_webhook(webhook.id, [&](auto waiting) { waited = *waiting; });
  const auto before = world.commits();
  world.run_for(1min);
  CHECK(waited == 100);
  CHECK(world.commits() - before >= 10);
  for (const auto id : ids) {
    CHECK_FALSE(world.exists(id));
  }
  const auto attempts = world.attempts().size();
  CHECK(world.create(sim_webhook("one")).display_name == "one");
  world.run_for(24h);
  CHECK(world.attempts().size() == attempts);
}

TEST_CASE("after a restart everything that waited is tried again, and nothing that had settled") {
  SimWorld world;
  bool is_up = true;
  world.receive = [&](const auto&) { return always(is_up ? 200 : 404); };
  world.create(sim_webhook("one"));
  world.emit("subscription.create");
  world.run_for(1s);
  is_up = false;
  std::vector<base::MessageId> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(world.emit("subscription.create")->messages[0].message);
  }
  world.run_for(1s);
  world.crash();
  is_up = true;
  world.run_for(24h);
  for (const auto id : ids) {
    CHECK(world.message(id).status == MessageStatus::success);
  }
  CHECK(world.message(ids[0]).attempts == 2);
  CHECK(world.attempts().size() == 1 + 20 + 20);
}

TEST_CASE("an attempt that a crash interrupted is in the log, and the message goes on under the same id") {
  SimWorld world;
  world.receive = [](const auto&) { return SimAnswer{answered(200), 10s}; };
  world.create(sim_webhook("slow"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  world.crash();
  world.run_for(1min);
  const auto detail = world.detail(id);
  CHECK(detail.message.status == MessageStatus::success);
  REQUIRE(detail.attempts.size() == 2);
  CHECK(world.attempts().size() == 2);  // no third one that nobody logged
  CHECK(detail.attempts[0].number == 1);
  CHECK(detail.attempts[0].outcome.kind == domain::OutcomeKind::interrupted);
  CHECK(detail.attempts[0].at == sim_start);
  CHECK(detail.attempts[1].number == 2);
  CHECK(detail.attempts[1].outcome.kind == domain::OutcomeKind::success);
}

TEST_CASE("an attempt whose end was durable before the crash is not interrupted") {
  SimWorld world;
  world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1s);
  world.crash();
  world.run_for(1min);
  CHECK(world.detail(id).attempts.size() == 1);
}

TEST_CASE("after a long stop each overdue message still gets its last attempt") {
  SimWorld world;
  world.receive = [](const auto&) { return SimAnswer{failed(domain::OutcomeKind::connect, "refused")}; };
  world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1min);
  SimWorld& later = world;
  later.receive = [](const auto&) { return always(200); };
  // A stopped process: nothing happens for thirty days.
  world.crash();
  world.run_for(30 * 24h);
  CHECK(world.message(id).status == MessageStatus::success);
}

TEST_CASE("a type that a webhook names cannot be removed") {
  SimWorld world;
  auto webhook = sim_webhook("one");
  webhook.events = {"user.lock"};
  world.create(webhook);
  std::optional<base::ErrorCode> code;
  world.engine().remove_type("user.lock", [&](auto result) { code = result.error().code; });
  world.run_for(1s);
  CHECK(code == base::ErrorCode::type_in_use);
}

TEST_CASE("a built-in type cannot be removed, though nobody names it") {
  SimWorld world;
  std::optional<base::ErrorCode> code;
  world.engine().remove_type("subscription.delete", [&](auto result) { code = result.error().code; });
  world.run_for(1s);
  CHECK(code == base::ErrorCode::type_reserved);
}

TEST_CASE("when the last type behind a pattern has gone, its webhook can still be edited, but not given it anew") {
  SimWorld world;
  auto webhook = sim_webhook("one");
  webhook.events = {"credential.*"};
  webhook = world.create(webhook);
  for (const char* type : {"credential.create", "credential.rotate", "credential.revoke"}) {
    world.engine().remove_type(type, [](auto result) { CHECK(result.has_value()); });
  }
  world.run_for(1s);
  webhook.description = "edited";
  CHECK(world.edit(webhook).description == "edited");
  CHECK_FALSE(world.engine().check_events(sim_webhook("two")).has_error());
  auto other = sim_webhook("two");
  other.events = {"credential.*"};
  CHECK(world.engine().check_events(other).has_error());
}

TEST_CASE("a ping goes to its webhook alone, whatever events it names") {
  SimWorld world;
  const auto webhook = world.create(sim_webhook("one"));
  world.create(sim_webhook("two"));
  std::optional<store::Accepted> accepted;
  world.engine().ping(webhook.id, world.now(), [&](auto result) { accepted = *result; });
  world.run_for(1s);
  REQUIRE(accepted.has_value());
  CHECK(accepted->type == "webhook.ping");
  REQUIRE(world.attempts().size() == 1);
  CHECK(world.attempts()[0].webhook == webhook.id);
}

TEST_CASE("an edited window counts for what waits: shorter ends it sooner, longer lets it be tried on") {
  for (const auto window : {base::Duration(2h), base::Duration(20 * 24h)}) {
    SimWorld world;
    world.receive = [](const auto&) { return always(404); };
    auto webhook = world.create(sim_webhook("one"));
    const auto id = world.emit("subscription.create")->messages[0].message;
    world.run_for(1h);
    webhook.retry.window = window;
    world.edit(webhook);
    world.run_for(window - 1h - 1min);
    CHECK(world.message(id).status == MessageStatus::retrying);
    world.run_for(7h);
    CHECK(world.message(id).reason == domain::SettleReason::expired);
    CHECK(world.message(id).deadline == sim_start + window);
  }
}

TEST_CASE("an edited window counts at an inactive webhook as well") {
  SimWorld world;
  world.receive = [](const auto&) { return always(404); };
  auto webhook = world.create(sim_webhook("one"));
  const auto id = world.emit("subscription.create")->messages[0].message;
  world.run_for(1min);
  webhook = world.webhook(webhook.id).webhook;
  webhook.status = domain::WebhookStatus::inactive;
  webhook = world.edit(webhook);
  webhook.retry.window = 1h;
  world.edit(webhook);
  world.run_for(50min);
  CHECK(world.message(id).status == MessageStatus::retrying);
  world.run_for(11min);
  CHECK(world.message(id).status == MessageStatus::failed);
}

TEST_CASE("an outcome that cannot be written holds up no other") {
  SimWorld world;
  world.create(sim_webhook("one"));
  std::vector<engine::EventDraft> drafts(100, {"subscription.create", "1", {}, {}});
  std::vector<base::MessageId> messages;
  world.engine().accept(std::move(drafts), world.now(), [&](auto accepted) {
    for (const auto& one : *accepted) {
      messages.push_back(one->messages[0].message);
    }
    world.store().damage(messages[50]);
  });
  world.run_for(1min);
  REQUIRE(messages.size() == 100);
  const auto delivered = std::count_if(messages.begin(), messages.end(),
                                       [&](auto id) { return world.message(id).status == MessageStatus::success; });
  CHECK(delivered == 99);
  CHECK(world.message(messages[50]).status == MessageStatus::created);
}
