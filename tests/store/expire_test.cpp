// Retention inside the store: what goes, in which order, and what stays behind.
#include <doctest/doctest.h>
#include <unistd.h>

#include "store/check.hpp"
#include "store/harness.hpp"

namespace webhookd::store_test {

namespace {

constexpr auto day = 24h;

store::ExpireStep step_at(Time now, base::Duration age = 30 * day) {
  store::ExpireStep step;
  step.now = now;
  step.before = now - age;
  step.remembered_since = now - day;
  step.max_bytes = ~std::uint64_t{0};
  step.limit = 500;
  return step;
}

// The same of both stores.
template <class Test>
void with_each_store(Test test) {
  SUBCASE("in memory") {
    MemoryAsker asker;
    test(asker);
  }
  SUBCASE("in LMDB") {
    LmdbAsker asker;
    test(asker);
    asker.close();
    const auto report = store::check_store_directory(asker.data().string(), [](auto, auto) {});
    for (const auto& finding : report.value().findings) {
      FAIL_CHECK(finding.table << ": " << finding.detail);
    }
  }
}

MessageId settled_message(Asker& asker, WebhookId webhook, Time at, std::string key = {}) {
  const auto message = asker.accept_one(item_for({webhook}, "{}", std::move(key), at), at).messages.at(0).message;
  asker.settle({settlement(message, 1, 200, at)});
  return message;
}

}  // namespace

TEST_CASE("a settled message goes with its attempts and its event when its age has come, and its counters stay") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    const auto old = asker.accept_one(item_for({webhook}));
    asker.settle({settlement(old.messages.at(0).message, 1, 200, start_time)});
    const MessageId young = settled_message(asker, webhook, start_time + day);
    CHECK(asker.expire(step_at(start_time + 30 * day)).messages == 0);
    const auto expired = asker.expire(step_at(start_time + 30 * day + 1ms));
    CHECK(expired.messages == 1);
    CHECK(expired.events == 1);
    CHECK(expired.done);
    CHECK(expired.next == start_time + day);
    CHECK(!asker.message(old.messages.at(0).message).has_value());
    CHECK(!asker.event(old.event).has_value());
    CHECK(asker.message(young).has_value());
    CHECK(asker.webhook(webhook)->counters.success == 2);
    CHECK(asker.figures().messages == 1);
    CHECK(asker.figures().events == 1);
  });
}

TEST_CASE("a message that waits is never removed, and neither is its event") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    const auto other = asker.put_webhook(webhook_named("other")).value().id;
    const auto both = asker.accept_one(item_for({webhook, other}));
    asker.settle({settlement(both.messages.at(0).message, 1, 503, start_time)});
    asker.settle({settlement(both.messages.at(1).message, 1, 200, start_time)});
    const auto expired = asker.expire(step_at(start_time + 100 * day));
    CHECK(expired.messages == 1);
    CHECK(expired.events == 0);
    CHECK(asker.message(both.messages.at(0).message)->event->data == R"({"id":1})");
    asker.cancel(both.messages.at(0).message, start_time + 100 * day).value();
    const auto later = asker.expire(step_at(start_time + 131 * day));
    CHECK(later.messages == 1);
    CHECK(later.events == 1);
  });
}

TEST_CASE("an event that no webhook wanted goes by its own age") {
  with_each_store([](Asker& asker) {
    const auto event = asker.accept_one(item_for({})).event;
    CHECK(asker.expire(step_at(start_time + 30 * day)).events == 0);
    CHECK(asker.expire(step_at(start_time + 31 * day)).events == 1);
    CHECK(!asker.event(event).has_value());
  });
}

TEST_CASE("an event goes after its messages went with their webhook") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    asker.accept_one(item_for({webhook}));
    asker.delete_webhook(webhook).value();
    CHECK(asker.expire(step_at(start_time + 31 * day)).messages == 0);
    while (!asker.purge(webhook, 10).value().done) {
    }
    CHECK(asker.expire(step_at(start_time + 31 * day)).events == 1);
  });
}

TEST_CASE("an idempotency key is remembered for its time, however little room there is") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    settled_message(asker, webhook, start_time, "key");
    auto step = step_at(start_time + 1h, 1ms);
    const auto expired = asker.expire(step);
    CHECK(expired.messages == 1);
    CHECK(expired.events == 0);
    CHECK(asker.accept({item_for({webhook}, "{}", "key")}, start_time + 1h).at(0)->duplicate);
    CHECK(asker.expire(step_at(start_time + 25h, 1ms)).events == 1);
    CHECK(!asker.accept({item_for({webhook}, "{}", "key")}, start_time + 25h).at(0)->duplicate);
  });
}

TEST_CASE("the key of an event that goes is not taken from a younger one") {
  with_each_store([](Asker& asker) {
    settled_message(asker, asker.put_webhook(webhook_named("one")).value().id, start_time, "key");
    const auto again = asker.accept({item_for({}, "{}", "key", start_time + 30 * day)}, start_time + 30 * day).at(0);
    CHECK(asker.expire(step_at(start_time + 31 * day)).events == 1);
    CHECK(asker.accept({item_for({}, "{}", "key")}, start_time + 30 * day + 1h).at(0)->event == again->event);
  });
}

TEST_CASE("removal goes in steps, oldest settlement first, and goes on where it was") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    std::vector<MessageId> settled;
    for (int i = 0; i < 10; ++i) {
      settled.push_back(settled_message(asker, webhook, start_time + i * 1min));
    }
    auto step = step_at(start_time + 31 * day);
    step.limit = 4;
    for (const std::uint64_t removed : {4, 4, 2}) {
      const auto expired = asker.expire(step);
      CHECK(expired.messages == removed);
      CHECK(expired.done == (removed == 2));
      step.after = expired.after;
      step.after_event = expired.after_event;
    }
    CHECK(ids_of(asker.list({})).empty());
  });
}

TEST_CASE("what settled in the future waits for its time and holds up nothing") {
  with_each_store([](Asker& asker) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    const MessageId future = settled_message(asker, webhook, start_time + 1000 * day);
    const MessageId old = settled_message(asker, webhook, start_time);
    CHECK(asker.expire(step_at(start_time + 31 * day)).messages == 1);
    CHECK(asker.message(future).has_value());
    CHECK(!asker.message(old).has_value());
  });
}

TEST_CASE("above the bytes that are allowed the oldest go whatever their age, until it is enough") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  std::vector<MessageId> messages;
  for (int i = 0; i < 400; ++i) {
    const Time at = start_time + i * 1s;
    const auto accepted = asker.accept_one(item_for({webhook}, "\"" + std::string(20'000, 'x') + "\"", {}, at), at);
    messages.push_back(accepted.messages.at(0).message);
    asker.settle({settlement(messages.back(), 1, 200, at)});
  }
  auto step = step_at(start_time + 1h);
  step.max_bytes = std::uint64_t{4} << 20;
  step.limit = 20;
  std::uint64_t removed = 0;
  while (asker.figures().used_bytes > step.max_bytes) {
    const auto expired = asker.expire(step);
    REQUIRE(expired.messages > 0);
    removed += expired.messages;
    step.after = expired.after;
  }
  CHECK(removed < 400);
  CHECK(!asker.message(messages.front()).has_value());
  CHECK(asker.message(messages.back()).has_value());
  CHECK(asker.expire(step).messages == 0);
}

TEST_CASE("no more goes than what is above the bytes that are allowed, however many a step may take") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  constexpr std::size_t data_bytes = 1'000'000;
  for (int i = 0; i < 20; ++i) {
    const Time at = start_time + i * 1s;
    const auto accepted = asker.accept_one(item_for({webhook}, "\"" + std::string(data_bytes, 'x') + "\"", {}, at), at);
    asker.settle({settlement(accepted.messages.at(0).message, 1, 200, at)});
  }
  auto step = step_at(start_time + 1h);
  step.max_bytes = std::uint64_t{12} << 20;
  for (bool is_done = false; !is_done;) {
    const auto expired = asker.expire(step);
    step.after = expired.after;
    step.after_event = expired.after_event;
    is_done = expired.done;
  }
  CHECK(asker.figures().used_bytes <= step.max_bytes);
  CHECK(asker.figures().used_bytes > step.max_bytes - 2 * data_bytes);
}

TEST_CASE("lines of the audit go by their own age, in steps, and what is ahead of the clock waits") {
  with_each_store([](Asker& asker) {
    for (int i = 0; i < 6; ++i) {
      store::AuditLine line;
      line.at = i == 2 ? start_time + 900 * day : start_time + i * day;
      line.operation = "webhook.edit";
      asker.note_audit(line).value();
    }
    auto step = step_at(start_time + 365 * day);
    step.limit = 2;
    step.audit_before = start_time + 4 * day;
    auto expired = asker.expire(step);
    CHECK(expired.audit_lines == 2);
    CHECK(!expired.done);
    expired = asker.expire(step);
    CHECK(expired.audit_lines == 1);
    CHECK(expired.done);
    CHECK(expired.next_audit == start_time + 4 * day);
    CHECK(asker.audit().lines.size() == 3);
  });
}

}  // namespace webhookd::store_test
