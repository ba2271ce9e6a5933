// Scenarios of endpoint health in virtual time: probes, recovery, deadlines at dead endpoints, rates, and who gets the
// slots when they are few.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "support/sim_world.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using domain::Health;
using domain::MessageStatus;

SimAnswer refused() { return {failed(domain::OutcomeKind::connect, "connection refused"), 1ms}; }
SimAnswer hung() { return {failed(domain::OutcomeKind::timeout, "no answer within 15s"), 15s}; }
SimAnswer fine() { return {answered(200), 20ms}; }

Health health_of(SimWorld& world, base::WebhookId id) { return world.engine().webhook_figures(id)->health; }

std::vector<base::MessageId> emit(SimWorld& world, int count, const std::string& type = "subscription.create") {
  std::vector<base::MessageId> ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(world.emit(type)->messages[0].message);
  }
  return ids;
}

std::size_t count_of(SimWorld& world, const std::vector<base::MessageId>& ids, MessageStatus status) {
  return static_cast<std::size_t>(
      std::count_if(ids.begin(), ids.end(), [&](auto id) { return world.message(id).status == status; }));
}

}  // namespace

TEST_CASE("a dead endpoint sees one attempt at a time, never more often than 5 s doubling to 5 min") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  const auto id = world.create(sim_webhook("dead")).id;
  emit(world, 100);
  world.run_for(1s);
  CHECK(health_of(world, id) == Health::down);
  const std::size_t before = world.attempts().size();
  world.run_for(2h);
  const auto& attempts = world.attempts();
  Duration least = 5s - 1ms;
  for (std::size_t i = before + 1; i < attempts.size(); ++i) {
    CHECK(attempts[i].at - attempts[i - 1].at >= least);
    least = std::min<Duration>(least * 2, 5min);
  }
  CHECK(attempts.size() - before >= 24);
  CHECK(attempts.size() - before <= 31);
}

TEST_CASE("the age of the queue tells how late we are, not how long a receiver was away") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  world.create(sim_webhook("dead"));
  emit(world, 100);
  world.run_for(1s);
  const auto before_down = world.engine().figures().queue_age;
  world.run_for(2h);  // probes alone
  CHECK(world.engine().figures().queue_age.count() == before_down.count());
  world.receive = [](const auto&) { return fine(); };
  world.run_for(10min);
  const auto figures = world.engine().figures();
  CHECK(figures.settled[static_cast<std::size_t>(domain::SettleReason::delivered)] == 100);
  CHECK(figures.queue_age.count() >= before_down.count() + 99);
  CHECK(figures.queue_age.quantile(1.0) <= 1000);
}

TEST_CASE("what waited while its webhook was inactive was not late") {
  SimWorld world;
  world.receive = [](const auto&) { return SimAnswer{answered(404)}; };
  const auto id = world.create(sim_webhook("held")).id;
  emit(world, 1);
  world.run_for(1s);
  domain::Webhook webhook = world.webhook(id).webhook;
  webhook.status = domain::WebhookStatus::inactive;
  webhook = world.edit(webhook);
  world.run_for(24h);
  webhook.status = domain::WebhookStatus::active;
  world.edit(webhook);
  world.run_for(1s);
  CHECK(world.attempts().size() == 2);
  CHECK(world.engine().figures().queue_age.sum() < 1000);
}

TEST_CASE("the expiry of a receiver's certificate is known from its answers until the URL is edited") {
  SimWorld world;
  const base::Time expiry = sim_start + 240h;
  world.receive = [&](const auto&) {
    SimAnswer answer = fine();
    answer.certificate_expires_at = expiry;
    return answer;
  };
  domain::Webhook webhook = world.create(sim_webhook("secure"));
  CHECK_FALSE(world.engine().webhook_figures(webhook.id)->certificate_expires_at);
  CHECK_FALSE(world.engine().lane_figures().certificate_expires_at);
  emit(world, 1);
  world.run_for(1s);
  CHECK(world.engine().webhook_figures(webhook.id)->certificate_expires_at == expiry);
  CHECK(world.engine().lane_figures().certificate_expires_at == expiry);
  world.receive = [](const auto&) { return refused(); };
  emit(world, 1);
  world.run_for(1s);
  CHECK(world.engine().webhook_figures(webhook.id)->certificate_expires_at == expiry);
  webhook = world.webhook(webhook.id).webhook;
  webhook.url = *domain::Url::parse("https://elsewhere.example/");
  world.edit(webhook);
  CHECK_FALSE(world.engine().webhook_figures(webhook.id)->certificate_expires_at);
}

TEST_CASE("a lone message to a dead receiver still sees its own waits") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  auto webhook = sim_webhook("dead");
  webhook.retry.jitter = 0;
  world.create(webhook);
  world.emit("subscription.create");
  world.run_for(24h);
  Duration wait = 5s;
  for (std::size_t i = 1; i < world.attempts().size(); ++i) {
    const Duration seen = world.attempts()[i].at - world.attempts()[i - 1].at;
    CHECK(seen >= wait - wait / 100);  // waits are quantised
    CHECK(seen <= wait + wait / 100 + 1ms);
    wait = std::min<Duration>(wait * 2, 6h);
  }
}

TEST_CASE("attempts at an endpoint that is down are probes in the log, a person's are manual") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  world.create(sim_webhook("dead"));
  const auto id = emit(world, 1)[0];
  world.run_for(10min);
  REQUIRE(world.retry(id).has_value());
  world.run_for(1s);
  const auto attempts = world.detail(id).attempts;
  CHECK(attempts.front().trigger == domain::Trigger::automatic);
  CHECK(attempts[5].trigger == domain::Trigger::probe);
  CHECK(attempts.back().trigger == domain::Trigger::manual);
}

TEST_CASE("a person's retry of any message at a dead endpoint is tried at once, before its backlog") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  world.create(sim_webhook("dead"));
  const auto ids = emit(world, 500);
  world.run_for(7min);
  REQUIRE(world.retry(ids[250]).has_value());
  const std::size_t before = world.attempts().size();
  world.run_for(1s);
  REQUIRE(world.attempts().size() == before + 1);
  CHECK(world.attempts().back().message == ids[250]);
}

TEST_CASE("probes are made with the newest message that was never tried, else with the one due longest") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  world.create(sim_webhook("dead"));
  emit(world, 20);
  world.run_for(1s);
  const auto newest = emit(world, 3)[2];
  const std::size_t before = world.attempts().size();
  world.run_for(6s);
  REQUIRE(world.attempts().size() == before + 1);
  CHECK(world.attempts().back().message == newest);
}

TEST_CASE("after an hour down ten thousand messages leave within minutes of the first success, never as a herd") {
  SimWorld world;
  const Time repaired = sim_start + 1h;
  auto webhook = sim_webhook("back");
  webhook.max_in_flight = 16;
  const auto id = world.create(webhook).id;
  std::size_t most = 0;
  std::optional<Time> first;
  world.receive = [&](const auto& request) {
    if (request.at < repaired) {
      return refused();
    }
    first = first.value_or(request.at);
    most = std::max(most, world.in_flight(id) + 1);
    return fine();
  };
  std::vector<base::MessageId> ids;
  for (int i = 0; i < 100; ++i) {
    const auto some = emit(world, 100);
    ids.insert(ids.end(), some.begin(), some.end());
    world.run_for(36s);
  }
  world.run_until(repaired + 5min + 1s);
  REQUIRE(first.has_value());
  CHECK(*first - repaired <= 5min);
  const auto fresh = emit(world, 1)[0];
  world.run_for(1s);
  CHECK(world.message(fresh).status == MessageStatus::success);
  world.run_for(1min);
  CHECK(count_of(world, ids, MessageStatus::success) == ids.size());
  CHECK(most <= 16);
}

TEST_CASE("a recovery releases what waited for hours, but not what failed again since") {
  SimWorld world;
  bool is_up = false;
  base::MessageId stubborn;
  auto webhook = sim_webhook("back");
  webhook.retry.jitter = 0;
  webhook.retry.initial = 1h;
  world.create(webhook);
  world.receive = [&](const auto& request) {
    return !is_up ? refused() : request.message == stubborn ? SimAnswer{answered(400)} : fine();
  };
  const auto ids = emit(world, 40);
  stubborn = ids[7];
  world.run_for(20h);
  is_up = true;
  const std::size_t before = world.attempts().size();
  emit(world, 1);  // due now, as its own turn comes; the others wait for hours
  world.run_for(20min);
  CHECK(count_of(world, ids, MessageStatus::success) == 39);
  const auto tries = std::count_if(world.attempts().begin() + static_cast<std::ptrdiff_t>(before),
                                   world.attempts().end(), [&](const auto& a) { return a.message == stubborn; });
  CHECK(tries >= 1);
  CHECK(tries <= 2);
  CHECK(*world.message(stubborn).next_attempt_at > world.now() + 10min);
}

TEST_CASE("what waits out its window at a freshly probed dead endpoint fails with the probe's failure") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  auto webhook = sim_webhook("dead");
  webhook.retry.window = 6h;
  world.create(webhook);
  const auto ids = emit(world, 1000);
  world.run_for(6h + 5min + 2s);
  CHECK(count_of(world, ids, MessageStatus::failed) == ids.size());
  for (const auto id : ids) {
    const auto message = world.message(id);
    CHECK(message.reason == domain::SettleReason::expired);
    CHECK(*message.settled_at >= message.deadline);
    CHECK(message.failure.find("refused") != std::string::npos);
  }
  CHECK(world.attempts().size() < 200);
}

TEST_CASE("after a jump of the clock endpoints count as up: each overdue message gets its last attempt") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  world.create(sim_webhook("dead"));
  const auto ids = emit(world, 50);
  world.run_for(1h);
  world.receive = [](const auto&) { return fine(); };
  world.jump(20 * 24h);
  world.run_for(1min);
  CHECK(count_of(world, ids, MessageStatus::success) == ids.size());
}

TEST_CASE("after a long stop each overdue message gets its last attempt, however dead its endpoint is") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  auto webhook = sim_webhook("dead");
  webhook.retry.window = 8s;
  webhook.retry.jitter = 0;
  world.create(webhook);
  const auto ids = emit(world, 12);
  world.run_for(1s);
  REQUIRE(count_of(world, ids, MessageStatus::created) > 0);  // it went down before these had their turn
  world.jump(45s);
  world.crash();
  const base::Time back = world.now();
  const auto has_late_attempt = [&](base::MessageId id) {
    return std::any_of(world.attempts().begin(), world.attempts().end(),
                       [&](const auto& attempt) { return attempt.message == id && attempt.at >= back; });
  };
  world.run_for(1h);
  for (const auto id : ids) {
    CHECK(world.message(id).status == MessageStatus::failed);
    CHECK(has_late_attempt(id));
  }
}

TEST_CASE("what becomes overdue after the long stop still waits out its window at a dead endpoint") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  auto webhook = sim_webhook("dead");
  webhook.retry.window = 1h;
  world.create(webhook);
  world.jump(24h);
  world.crash();
  const auto ids = emit(world, 100);
  world.run_for(1h + 5min + 2s);
  CHECK(count_of(world, ids, MessageStatus::failed) == ids.size());
  CHECK(world.attempts().size() < 60);
}

TEST_CASE("a clock that is set back leaves nothing stuck") {
  SimWorld world;
  world.receive = [](const auto&) { return refused(); };
  const auto id = world.create(sim_webhook("dead")).id;
  emit(world, 20);
  world.run_for(1h);
  world.jump(-30min);
  CHECK(health_of(world, id) == Health::up);
  world.receive = [](const auto&) { return fine(); };
  const auto fresh = emit(world, 1)[0];
  world.run_for(1s);
  CHECK(world.message(fresh).status == MessageStatus::success);
}

TEST_CASE("an edited URL or an activation makes an endpoint count as up, and its first success releases the backlog") {
  SimWorld world;
  world.receive = [](const auto& request) {
    return request.webhook->url.host() == "new.example.com" ? fine() : refused();
  };
  auto webhook = world.create(sim_webhook("dead"));
  const auto ids = emit(world, 50);
  world.run_for(10h);
  webhook.url = *domain::Url::parse("http://new.example.com/");
  world.edit(webhook);
  CHECK(health_of(world, webhook.id) == Health::up);
  emit(world, 1);
  world.run_for(10s);
  CHECK(count_of(world, ids, MessageStatus::success) == ids.size());
}

TEST_CASE("429 with Retry-After pauses the whole endpoint, and it goes on afterwards") {
  SimWorld world;
  bool is_busy = true;
  world.receive = [&](const auto&) {
    SimAnswer answer{answered(is_busy ? 429 : 200)};
    if (is_busy) {
      answer.outcome.retry_after = 60s;
    }
    is_busy = false;
    return answer;
  };
  auto webhook = sim_webhook("busy");
  webhook.max_in_flight = 1;
  const auto id = world.create(webhook).id;
  const auto ids = emit(world, 10);
  world.run_for(1s);
  CHECK(health_of(world, id) == Health::throttled);
  world.run_for(58s);
  CHECK(world.attempts().size() == 1);
  world.run_for(20s);
  CHECK(count_of(world, ids, MessageStatus::success) == 10);
}

TEST_CASE("a webhook with a rate is served evenly at that rate") {
  SimWorld world;
  auto webhook = sim_webhook("slow");
  webhook.rate = 20;
  webhook.max_in_flight = 100;
  world.create(webhook);
  emit(world, 200);
  world.run_for(60s);
  const auto& attempts = world.attempts();
  REQUIRE(attempts.size() == 200);
  CHECK(attempts.back().at - attempts.front().at >= 9900ms);
  CHECK(attempts.back().at - attempts.front().at <= 10s);
  for (std::size_t i = 4; i < attempts.size(); ++i) {
    CHECK(attempts[i].at - attempts[i - 4].at >= 140ms);
  }
}

TEST_CASE("a thousand endpoints that hang do not take the slots of a healthy one") {
  engine::EngineOptions options;
  options.max_in_flight = 256;
  options.max_in_flight_per_host = 256;
  SimWorld world(1, options);
  auto healthy = sim_webhook("healthy");
  healthy.events = {"subscription.delete"};
  world.create(healthy);
  emit(world, 1, "subscription.delete");
  world.run_for(1s);
  for (int i = 0; i < 1000; ++i) {
    world.create(sim_webhook("hang" + std::to_string(i)));
  }
  world.receive = [](const auto& request) { return request.webhook->display_name == "healthy" ? fine() : hung(); };
  for (int i = 0; i < 4; ++i) {
    world.emit("subscription.create");
  }
  for (int i = 0; i < 300; ++i) {
    const auto id = emit(world, 1, "subscription.delete")[0];
    world.run_for(100ms);
    const auto message = world.message(id);
    REQUIRE(message.status == MessageStatus::success);
    CHECK(*message.settled_at - message.created_at <= 20ms);
  }
}

TEST_CASE("endpoints that time out together do not go on in step") {
  SimWorld world;
  world.receive = [](const auto&) { return hung(); };
  constexpr int endpoints = 200;
  for (int i = 0; i < endpoints; ++i) {
    world.create(sim_webhook("hung-" + std::to_string(i)));
  }
  for (int i = 0; i < 10; ++i) {
    world.emit("subscription.create");
  }
  world.run_for(15s + 1ms);  // the first windows have timed out, all at one instant
  std::map<Time, int> starts;
  const std::size_t before = world.attempts().size();
  world.run_for(1s);
  for (std::size_t i = before; i < world.attempts().size(); ++i) {
    ++starts[world.attempts()[i].at];
  }
  CHECK(world.attempts().size() - before >= endpoints * 3 / 4);
  const auto most = std::max_element(starts.begin(), starts.end(),
                                     [](const auto& one, const auto& other) { return one.second < other.second; });
  CHECK(most->second <= endpoints / 10);
}

TEST_CASE("a busy healthy webhook beside hanging ones never waits for their timeouts") {
  engine::EngineOptions options;
  options.max_in_flight = 256;
  options.max_in_flight_per_host = 256;
  SimWorld world(1, options);
  auto healthy = sim_webhook("healthy");
  healthy.events = {"subscription.delete"};
  world.create(healthy);
  world.receive = [](const auto& request) { return request.webhook->display_name == "healthy" ? fine() : hung(); };
  emit(world, 20, "subscription.delete");
  world.run_for(1s);
  for (int i = 0; i < 1000; ++i) {
    world.create(sim_webhook("hang" + std::to_string(i)));
  }
  world.emit("subscription.create");
  for (int i = 0; i < 100; ++i) {
    const auto ids = emit(world, 8, "subscription.delete");
    world.run_for(100ms);
    for (const auto id : ids) {
      const auto message = world.message(id);
      REQUIRE(message.status == MessageStatus::success);
      CHECK(*message.settled_at - message.created_at <= 20ms);
    }
  }
}

TEST_CASE("retries take at most half of the slots beside one webhook whose fresh messages cannot use the rest") {
  engine::EngineOptions options;
  options.max_in_flight = 64;
  SimWorld world(1, options);
  std::size_t retries = 0;
  std::size_t most = 0;
  bool is_measuring = false;
  std::map<std::string, Duration> latencies;  // apart, so that slots become free one by one
  world.receive = [&](const auto& request) {
    const bool is_old = request.event->data == "\"old\"";
    return SimAnswer{answered(is_old ? 404 : 200), is_old ? latencies[request.webhook->url.text()] : 290ms};
  };
  for (int i = 0; i < 10; ++i) {
    auto webhook = sim_webhook("old" + std::to_string(i));
    webhook.events = {"subscription.create"};
    webhook.retry = {1s, 1, 1s, 0.5, 24h};
    latencies[world.create(webhook).url.text()] = 251ms + i * 13ms;
  }
  auto busy = sim_webhook("fresh");
  busy.events = {"subscription.delete"};
  busy.max_in_flight = 64;
  world.create(busy);
  for (int i = 0; i < 100; ++i) {
    world.emit("subscription.create", "\"old\"");
  }
  world.run_for(1min);
  world.on_start = [&](const engine::AttemptRequest& request) {
    if (request.event->data == "\"old\"") {
      ++retries;
      most = is_measuring ? std::max(most, retries) : most;
      world.at(world.now() + latencies[request.webhook->url.text()], [&] { --retries; });
    }
  };
  std::vector<engine::EventDraft> drafts(2000, {"subscription.delete", "\"new\"", {}, {}});
  world.engine().accept(std::move(drafts), world.now(), [](auto) {});
  world.run_for(1s);
  is_measuring = true;
  world.run_for(5s);
  CHECK(most > 0);
  CHECK(most <= 32);
}

TEST_CASE("retries take at most half of the slots while fresh messages wait, and all of them when none do") {
  engine::EngineOptions options;
  options.max_in_flight = 40;
  SimWorld world(1, options);
  std::map<std::string, std::size_t> in_flight;
  const auto ending = [](std::uint16_t code) { return SimAnswer{answered(code), 1s}; };
  world.receive = [&](const auto& request) { return ending(request.event->data == "\"old\"" ? 404 : 200); };
  for (int i = 0; i < 40; ++i) {
    auto webhook = sim_webhook("w" + std::to_string(i));
    webhook.retry.jitter = 0;
    webhook.retry.initial = 1h;
    world.create(webhook);
  }
  for (int i = 0; i < 10; ++i) {
    world.emit("subscription.create", "\"old\"");
  }
  world.run_for(59min);  // 400 retries fall due together at the full hour, on endpoints that are proven
  std::size_t retries_at_once = 0;
  std::size_t most_beside_fresh = 0;
  std::size_t most_alone = 0;
  std::uint64_t fresh_left = 400;
  world.on_start = [&](const engine::AttemptRequest& request) {
    if (request.event->data == "\"old\"") {
      ++retries_at_once;
      (fresh_left > 0 ? most_beside_fresh : most_alone) =
          std::max(fresh_left > 0 ? most_beside_fresh : most_alone, retries_at_once);
      world.at(world.now() + 1s, [&] { --retries_at_once; });
    } else {
      --fresh_left;
    }
  };
  world.at(sim_start + 1h - 1ms, [&] {
    std::vector<engine::EventDraft> drafts(10, {"subscription.create", "\"new\"", {}, {}});
    world.engine().accept(std::move(drafts), world.now(), [](auto) {});
  });
  world.run_for(10min);
  CHECK(fresh_left == 0);
  CHECK(most_beside_fresh <= 20);
  CHECK(most_alone > 20);
}
