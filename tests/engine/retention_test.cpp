// When the engine removes what settled long ago: the decision alone, and in virtual time with a store.
#include "engine/retention.hpp"

#include <doctest/doctest.h>

#include "engine/engine.hpp"
#include "support/sim_world.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using base::Time;
using engine::Retention;
using namespace std::chrono_literals;

const Time noon = base::time_from_ms(1'790'000'000'000);

store::Expired removed(std::uint64_t messages, bool done, std::optional<Time> next = std::nullopt) {
  store::Expired expired;
  expired.messages = messages;
  expired.after = messages;
  expired.done = done;
  expired.next = next;
  return expired;
}

}  // namespace

TEST_CASE("a pass begins at the start, asks for one step at a time, and pauses between two") {
  Retention retention({});
  const auto step = retention.next_step(noon);
  REQUIRE(step.has_value());
  CHECK(step->before == noon - 30 * 24h);
  CHECK(step->limit == 500);
  CHECK(!retention.next_step(noon + 1h).has_value());
  CHECK(!retention.wake().has_value());
  CHECK(!retention.take(removed(500, false), noon));
  CHECK(!retention.next_step(noon).has_value());
  CHECK(retention.wake() > noon);
  CHECK(retention.next_step(*retention.wake())->after == 500);
  CHECK(retention.take(removed(7, true), noon + 1s));
  CHECK(retention.removed().messages == 507);
}

TEST_CASE("a shorter age that is told later counts at once, from the oldest on; the same one starts nothing") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(7, true), noon);
  REQUIRE(retention.wake() > noon + 365 * 24h);
  retention.change(30 * 24h, 365 * 24h, ~std::uint64_t{0}, noon + 1h);
  CHECK(retention.wake() > noon + 365 * 24h);
  retention.change(24h, 365 * 24h, 1000, noon + 1h);
  const auto step = retention.next_step(noon + 1h);
  REQUIRE(step.has_value());
  CHECK(step->before == noon + 1h - 24h);
  CHECK(step->max_bytes == 1000);
  CHECK(step->after == 0);
}

TEST_CASE("with nothing stored and nothing written it sleeps until a line of the audit could be of age") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(0, true), noon);
  CHECK(retention.wake() > noon + 365 * 24h);
  CHECK(retention.wake() < noon + 365 * 24h + 1min);
}

TEST_CASE("lines of the audit go when they are of age, though no event comes and nobody tells of them") {
  engine::RetentionOptions options;
  options.audit_age = 48h;
  Retention retention(options);
  retention.next_step(noon);
  retention.take(removed(0, true), noon);
  const Time written = noon + 1h;  // a line, and retention hears nothing of it
  const Time looked = retention.wake().value();
  CHECK(looked > noon + 48h);
  CHECK(looked < written + 48h);
  REQUIRE(retention.next_step(looked)->audit_before < written);
  store::Expired left = removed(0, true);
  left.next_audit = written;
  retention.take(left, looked);
  REQUIRE(retention.wake() > written + 48h);
  CHECK(retention.wake() < written + 48h + 1min);
  CHECK(retention.next_step(*retention.wake())->audit_before > written);
}

TEST_CASE("it wakes when the oldest that is left comes of age") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(0, true, noon - 24h), noon);
  REQUIRE(retention.wake().has_value());
  CHECK(*retention.wake() > noon + 29 * 24h);
  CHECK(*retention.wake() < noon + 29 * 24h + 1min);
}

TEST_CASE("it looks a while after something was written, once for many writes") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(0, true), noon);
  retention.note_write(noon);
  retention.note_write(noon + 5s);
  CHECK(retention.wake() == noon + 10s);
}

TEST_CASE("it looks at once when an event was refused for lack of room, but not again and again in vain") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(3, true), noon);
  retention.note_full(noon + 2s);
  CHECK(retention.next_step(noon + 2s).has_value());
  retention.take(removed(0, true), noon + 2s);
  retention.note_full(noon + 3s);
  CHECK(retention.wake() == noon + 32s);
}

TEST_CASE("what settles while events are refused makes room soon") {
  Retention retention({});
  retention.next_step(noon);
  retention.take(removed(0, true), noon);
  retention.note_full(noon);
  retention.note_write(noon + 1s);
  CHECK(retention.wake() == noon + 2s);
}

TEST_CASE("a failing store is asked again later") {
  Retention retention({});
  retention.next_step(noon);
  CHECK(!retention.take(base::Error{}, noon));
  CHECK(retention.wake() == noon + 1min);
}

TEST_CASE("delivered messages go after thirty days, those that wait stay") {
  SimWorld world;
  const auto good = world.create(sim_webhook("good"));
  const auto held = world.create(sim_webhook("held"));
  world.receive = [&](const engine::AttemptRequest& request) {
    SimAnswer answer;
    answer.outcome = answered(request.webhook->id == good.id ? 200 : 500);
    return answer;
  };
  const auto event = world.emit("subscription.create").value();
  auto longest = world.webhook(held.id).webhook;
  longest.retry.window = 30 * 24h;
  world.edit(longest);
  world.run_for(25 * 24h);
  const auto later = world.emit("subscription.create").value();
  CHECK(world.exists(event.messages[0].message));
  world.run_for(5 * 24h + 1min);
  CHECK(!world.exists(event.messages[0].message));
  CHECK(world.exists(event.messages[1].message));  // failed just now
  CHECK(world.message(later.messages[1].message).is_waiting());
  CHECK(world.webhook(good.id).counters.success == 2);
  world.run_for(24 * 24h);
  CHECK(world.exists(event.messages[1].message));
  CHECK(world.exists(later.messages[0].message));
  world.run_for(7 * 24h);
  CHECK(!world.exists(event.messages[1].message));
  CHECK(!world.exists(later.messages[0].message));
}

TEST_CASE("what is told to be due next is a message, never the removal of old ones") {
  SimWorld world;
  std::uint16_t code = 200;
  world.receive = [&](const engine::AttemptRequest&) {
    SimAnswer answer;
    answer.outcome = answered(code);
    return answer;
  };
  world.create(sim_webhook("one"));
  world.emit("subscription.create").value();
  world.run_for(1s);
  CHECK(!world.engine().figures().next_due.has_value());
  code = 500;
  const auto event = world.emit("subscription.create").value();
  world.run_for(1s);
  const auto due = world.engine().figures().next_due;
  REQUIRE(due.has_value());
  CHECK(*due <= *world.message(event.messages[0].message).next_attempt_at);
}

TEST_CASE("a thousand settled messages go in steps while others are delivered on time") {
  engine::EngineOptions options;
  options.purge_step = 50;
  SimWorld world(1, options);
  const auto webhook = world.create(sim_webhook("one"));
  for (int i = 0; i < 1000; ++i) {
    world.emit("subscription.create").value();
  }
  world.run_for(30 * 24h + 1s);
  for (int i = 0; i < 20; ++i) {
    const auto accepted = world.emit("subscription.create").value();
    const Time before = world.now();
    world.run_for(100ms);
    CHECK(world.message(accepted.messages.at(0).message).settled_at.value() - before < 100ms);
  }
  world.run_for(1min);
  CHECK(world.webhook(webhook.id).counters.success == 1020);
}
