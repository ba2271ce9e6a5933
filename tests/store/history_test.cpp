// Histories that leave one store and enter another.
#include "domain/history.hpp"

#include "store/check.hpp"
#include "store/harness.hpp"

namespace webhookd::store_test {

namespace {

domain::Attempt attempt_of(std::uint32_t number, domain::OutcomeKind kind, std::uint16_t code) {
  domain::Attempt attempt;
  attempt.number = number;
  attempt.at = start_time + std::chrono::seconds(number);
  attempt.url = "https://receiver.example/";
  attempt.outcome.kind = kind;
  attempt.outcome.code = code;
  attempt.outcome.response_body = "an answer";
  return attempt;
}

domain::MessageHistory waiting_message(WebhookId webhook) {
  return {domain::new_message({}, webhook, {}, start_time, 10 * 24h), {}};
}

domain::MessageHistory delivered_message(WebhookId webhook) {
  auto history = waiting_message(webhook);
  Message& message = history.message;
  message.status = MessageStatus::success;
  message.reason = domain::SettleReason::delivered;
  message.settled_at = start_time + 3s;
  message.next_attempt_at.reset();
  message.attempts = 2;
  message.window_failures = 1;
  message.last_attempt_at = start_time + 2s;
  message.last_code = 200;
  message.last_outcome = domain::OutcomeKind::success;
  history.attempts = {attempt_of(1, domain::OutcomeKind::status, 503),
                      attempt_of(2, domain::OutcomeKind::success, 200)};
  return history;
}

domain::MessageHistory retrying_message(WebhookId webhook) {
  auto history = waiting_message(webhook);
  Message& message = history.message;
  message.status = MessageStatus::retrying;
  message.next_attempt_at = start_time + 1h;
  message.planned_at = start_time + 1h;
  message.attempts = 1;
  message.window_failures = 1;
  message.last_attempt_at = start_time + 1s;
  message.last_code = 503;
  message.last_outcome = domain::OutcomeKind::status;
  message.failure = "HTTP 503";
  history.attempts = {attempt_of(1, domain::OutcomeKind::status, 503)};
  return history;
}

domain::EventHistory history_of(std::vector<domain::MessageHistory> messages, std::uint64_t elsewhere = 77,
                                std::string key = {}) {
  domain::EventHistory history{std::make_shared<domain::Event>(), std::move(messages)};
  history.event->type = "subscription.create";
  history.event->timestamp = start_time - 5s;
  history.event->accepted_at = start_time;
  history.event->idempotency_key = std::move(key);
  history.event->data = R"({"b":1.0, "a":2})";
  history.event->origin = domain::Origin{"elsewhere", EventId{base::id_value(elsewhere, 1)}};
  return history;
}

struct OneWebhook {
  std::unique_ptr<Asker> made = each_store();
  Asker& store = *made;
  WebhookId webhook = store.put_webhook(webhook_named("one")).value().id;
  store::Imported import(domain::EventHistory history) {
    return store.import_histories({std::move(history)}, start_time + 1min).at(0).value();
  }
};

}  // namespace

TEST_CASE("a history that enters leaves again as it came") {
  OneWebhook t;
  const auto imported = t.import(
      history_of({delivered_message(t.webhook), waiting_message(t.webhook), retrying_message(t.webhook)}, 77, "key"));
  CHECK(!imported.known);
  CHECK(imported.messages == 3);
  CHECK(imported.waiting.size() == 2);

  const auto page = t.store.histories();
  CHECK(page.at_end);
  CHECK(page.damaged == 0);
  REQUIRE(page.events.size() == 1);
  const auto& history = page.events[0];
  auto expected =
      history_of({delivered_message(t.webhook), waiting_message(t.webhook), retrying_message(t.webhook)}, 77, "key");
  expected.event->id = imported.event;
  CHECK(*history.event == *expected.event);
  REQUIRE(history.messages.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    expected.messages[i].message.id = history.messages[i].message.id;
    expected.messages[i].message.event = imported.event;
    CHECK(history.messages[i] == expected.messages[i]);
  }
}

TEST_CASE("a history that entered is counted, due, in the log and in the feed") {
  OneWebhook t;
  t.import(history_of({delivered_message(t.webhook), waiting_message(t.webhook), retrying_message(t.webhook)}));
  const auto counters = t.store.load().webhooks.at(0).counters;
  CHECK(counters.waiting == 2);
  CHECK(counters.success == 1);
  CHECK(counters.last_success_at == start_time + 3s);
  CHECK(t.store.figures().messages == 3);
  CHECK(t.store.figures().waiting == 2);
  CHECK(t.store.list({}).rows.size() == 3);

  store::ClaimQuery query;
  query.webhook = t.webhook;
  query.due_until = start_time + 2h;
  query.until_bucket = store::due_bucket(start_time + 2h) + 1;
  query.rows = 10;
  query.bytes = 1 << 20;
  const auto claim = t.store.claim(query);
  REQUIRE(claim.messages.size() == 2);
  CHECK(claim.messages[1].message.failure == "HTTP 503");

  store::ChangeQuery changes;
  changes.limit = 10;
  const auto feed =
      t.store.ask<store::ChangePage>([&](auto done) { t.store.store().changes(changes, std::move(done)); });
  CHECK(feed.value().rows.size() == 3);
  CHECK(feed.value().position == feed.value().newest);
}

TEST_CASE("a history that is known changes nothing") {
  OneWebhook t;
  const auto first = t.import(history_of({delivered_message(t.webhook)}));
  const auto again = t.import(history_of({delivered_message(t.webhook)}));
  CHECK(again.known);
  CHECK(again.event == first.event);
  CHECK(again.messages == 1);
  CHECK(again.waiting.empty());
  CHECK(t.store.figures().events == 1);
  CHECK(!t.import(history_of({delivered_message(t.webhook)}, 78)).known);
}

TEST_CASE("an event that was born here is known when it comes back") {
  OneWebhook t;
  const auto accepted = t.store.accept_one(item_for({t.webhook}));
  auto history = t.store.histories().events.at(0);
  CHECK(!history.event->origin);
  history.event->origin = domain::Origin{t.store.figures().store_id, accepted.event};
  CHECK(t.import(history).known);
  CHECK(t.store.figures().messages == 1);
}

TEST_CASE("an imported event is found by the id that it had") {
  OneWebhook t;
  const auto history = history_of({waiting_message(t.webhook)});
  const EventId elsewhere = history.event->origin->event;
  const auto imported = t.import(history);
  CHECK(t.store.event(elsewhere).value().event->id == imported.event);
}

TEST_CASE("a history with a message of an unknown webhook writes nothing") {
  OneWebhook t;
  const WebhookId unknown{base::id_value(99, 5)};
  const auto answers = t.store.import_histories({history_of({waiting_message(t.webhook), waiting_message(unknown)}),
                                                 history_of({waiting_message(t.webhook)}, 78)},
                                                start_time);
  CHECK(answers.at(0).error().code == ErrorCode::not_found);
  CHECK(answers.at(1).has_value());
  CHECK(t.store.figures().events == 1);
  CHECK(t.store.figures().messages == 1);
}

TEST_CASE("an imported idempotency key stands, but takes no key from another event") {
  OneWebhook t;
  const auto own = t.store.accept_one(item_for({t.webhook}, "1", "taken"));
  t.import(history_of({}, 77, "taken"));
  const auto imported = t.import(history_of({}, 78, "free"));
  CHECK(t.store.accept_one(item_for({t.webhook}, "1", "taken")).event == own.event);
  auto again = item_for({t.webhook}, R"({"b":1.0, "a":2})", "free");
  CHECK(t.store.accept_one(std::move(again)).event == imported.event);
}

TEST_CASE("retention removes what was imported, and its origin with it") {
  OneWebhook t;
  t.import(history_of({delivered_message(t.webhook)}));
  store::ExpireStep step;
  step.before = start_time + 1h;
  step.now = start_time + 2h;
  step.remembered_since = start_time + 1h;
  step.max_bytes = ~std::uint64_t{0};
  step.limit = 10;
  CHECK(t.store.expire(step).messages == 1);
  CHECK(t.store.figures().events == 0);
  CHECK(!t.import(history_of({delivered_message(t.webhook)})).known);
}

TEST_CASE("histories come in pages, up to an event, by webhook, type and time") {
  OneWebhook t;
  const WebhookId two = t.store.put_webhook(webhook_named("two")).value().id;
  t.store.accept_one(item_for({t.webhook, two}));
  t.store.accept_one(item_for({t.webhook}));
  t.store.accept_one(item_for({}));
  store::HistoryQuery query;
  query.limit = 2;
  const auto first = t.store.histories(query);
  CHECK(first.events.size() == 2);
  CHECK(!first.at_end);
  CHECK(first.newest == 3);
  query.after = first.position;
  query.up_to = 2;
  CHECK(t.store.histories(query).events.empty());
  query.up_to = 3;
  CHECK(t.store.histories(query).events.size() == 1);

  store::HistoryQuery of_two;
  of_two.webhook = two;
  REQUIRE(t.store.histories(of_two).events.size() == 1);
  CHECK(t.store.histories(of_two).events[0].messages.size() == 1);
  store::HistoryQuery of_type;
  of_type.type = "api.create";
  CHECK(t.store.histories(of_type).events.empty());
  store::HistoryQuery later;
  later.since = start_time + 1ms;
  CHECK(t.store.histories(later).events.empty());
}

TEST_CASE("a store with imported histories checks clean") {
  LmdbAsker store;
  const WebhookId webhook = store.put_webhook(webhook_named("one")).value().id;
  store.import_histories(
      {history_of({delivered_message(webhook), waiting_message(webhook), retrying_message(webhook)}, 77, "key"),
       history_of({}, 78)},
      start_time + 1min);
  store.accept_one(item_for({webhook}));
  store.close();
  const auto report = store::check_store_directory(store.data().string(), [](std::string_view, std::uint64_t) {});
  REQUIRE(report.has_value());
  CHECK(report->is_clean());
  store.open();
  CHECK(store.histories().events.size() == 3);
}

TEST_CASE("a history that the rules cannot have made is refused by field") {
  const auto pointers = [](const domain::MessageHistory& history) {
    std::string all;
    const auto checked = domain::check_history(history, start_time + 1min);
    if (!checked) {
      for (const auto& field : checked.error().fields) {
        all += field.pointer + " ";
      }
    }
    return all;
  };
  const WebhookId webhook{base::id_value(1, 1)};
  CHECK(pointers(waiting_message(webhook)) == "");
  CHECK(pointers(delivered_message(webhook)) == "");
  CHECK(pointers(retrying_message(webhook)) == "");
  auto history = delivered_message(webhook);
  history.message.settled_at.reset();
  CHECK(pointers(history) == "/settled_at ");
  history = delivered_message(webhook);
  history.message.reason = domain::SettleReason::expired;
  CHECK(pointers(history) == "/reason ");
  history = delivered_message(webhook);
  history.message.attempts = 1;
  CHECK(pointers(history) == "/attempt_log/1/number ");
  history = delivered_message(webhook);
  history.attempts[1].outcome.code = 500;
  CHECK(pointers(history) == "/attempt_log/1/code ");
  history = waiting_message(webhook);
  history.message.next_attempt_at.reset();
  CHECK(pointers(history) == "/next_attempt_at ");
  history = waiting_message(webhook);
  history.message.created_at = start_time + 48h;
  history.message.deadline = start_time + 49h;
  CHECK(pointers(history) == "/created_at ");
}

}  // namespace webhookd::store_test
