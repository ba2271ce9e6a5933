// What every store does, said once and asked of each. The model behind the sentences is the memory store; the LMDB
// store must answer the same.
#include <algorithm>
#include <memory>

#include "store/harness.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

// A store with the webhooks "one" and "two".
struct TwoWebhooks {
  std::unique_ptr<Asker> made = each_store();
  Asker& store = *made;
  WebhookId one = store.put_webhook(webhook_named("one")).value().id;
  WebhookId two = store.put_webhook(webhook_named("two")).value().id;
};

ErrorCode code_of(const auto& result) {
  REQUIRE(!result.has_value());
  CHECK(!result.error().detail.empty());
  return result.error().code;
}

}  // namespace

// ---- accepting ------------------------------------------------------------------------------------------------

TEST_CASE("an accepted event has one waiting message for each subscriber") {
  TwoWebhooks t;
  const auto item = t.store.accept_one(item_for({t.one, t.two}));
  REQUIRE(item.messages.size() == 2);
  CHECK(item.message_count == 2);
  CHECK(!item.duplicate);
  CHECK(item.type == "subscription.create");
  CHECK(item.timestamp == start_time - 5s);
  CHECK(item.messages[0].webhook == t.one);
  CHECK(item.messages[1].message.sequence() == item.messages[0].message.sequence() + 1);

  const Message message = t.store.message(item.messages[0].message).value().message;
  CHECK(message == domain::new_message(item.messages[0].message, t.one, item.event, start_time, 10 * 24h));
}

TEST_CASE("the event keeps its id, key, times and the bytes of its data") {
  TwoWebhooks t;
  auto item = item_for({t.one}, "{\"b\" : 1.00,\"a\":\"\\u00e9\"}", "key-1");
  const auto event = item.event;
  const auto accepted = t.store.accept_one(std::move(item));
  CHECK(event->id == accepted.event);
  CHECK(*t.store.event(accepted.event).value().event == *event);
  CHECK(*t.store.message(accepted.messages[0].message).value().event == *event);
}

TEST_CASE("data of a mebibyte comes back as it was") {
  TwoWebhooks t;
  const std::string data = "\"" + std::string(1024 * 1024, 'x') + "\"";
  const auto accepted = t.store.accept_one(item_for({t.one}, data));
  CHECK(t.store.event(accepted.event).value().event->data == data);
}

TEST_CASE("an event that nobody wants is kept without messages") {
  TwoWebhooks t;
  const auto accepted = t.store.accept_one(item_for({}));
  CHECK(accepted.message_count == 0);
  CHECK(t.store.event(accepted.event).value().messages.empty());
  CHECK(t.store.figures().events == 1);
}

TEST_CASE("events accepted together are answered one by one, in order") {
  TwoWebhooks t;
  const auto answers =
      t.store.accept({item_for({t.one}, "1", "k"), item_for({t.one}, "2", "k"), item_for({t.two}, "3")}, start_time);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].has_value());
  CHECK(code_of(answers[1]) == ErrorCode::idempotency_conflict);
  CHECK(answers[2].value().event.sequence() == answers[0].value().event.sequence() + 1);
  CHECK(t.store.figures().messages == 2);
}

TEST_CASE("a subscriber that does not exist or was deleted gets no message") {
  TwoWebhooks t;
  t.store.delete_webhook(t.two).value();
  const auto accepted = t.store.accept_one(item_for({t.one, t.two, WebhookId{99}}));
  CHECK(accepted.message_count == 1);
  CHECK(t.store.figures().messages == 1);
}

TEST_CASE("the same idempotency key answers with the first event and writes nothing") {
  TwoWebhooks t;
  const auto first = t.store.accept_one(item_for({t.one}, "1", "order-7"));
  auto again_item = item_for({t.one, t.two}, "1", "order-7", start_time + 1h);
  const auto again = t.store.accept_one(std::move(again_item), start_time + 1h);
  CHECK(again.duplicate);
  CHECK(again.event == first.event);
  CHECK(again.timestamp == first.timestamp);
  CHECK(again.message_count == 1);
  REQUIRE(again.messages.size() == 1);
  CHECK(again.messages[0].message == first.messages[0].message);
  CHECK(t.store.figures().events == 1);
  CHECK(t.store.figures().messages == 1);
}

TEST_CASE("the same key inside one batch is a duplicate too") {
  TwoWebhooks t;
  const auto answers = t.store.accept({item_for({t.one}, "1", "k"), item_for({t.one}, "1", "k")}, start_time);
  CHECK(!answers[0].value().duplicate);
  CHECK(answers[1].value().duplicate);
  CHECK(answers[1].value().event == answers[0].value().event);
}

TEST_CASE("the same key with another type or other data is a conflict") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one}, "1", "k"));
  CHECK(code_of(t.store.accept({item_for({t.one}, "2", "k")}, start_time)[0]) == ErrorCode::idempotency_conflict);
  auto other_type = item_for({t.one}, "1", "k");
  other_type.event->type = "subscription.delete";
  CHECK(code_of(t.store.accept({std::move(other_type)}, start_time)[0]) == ErrorCode::idempotency_conflict);
  CHECK(t.store.figures().events == 1);
}

TEST_CASE("a key is forgotten when its window has passed, and then stands for the new event") {
  TwoWebhooks t;
  const auto first = t.store.accept_one(item_for({t.one}, "1", "k"));
  const Time last_moment = start_time + 24h - 1ms;
  CHECK(t.store.accept_one(item_for({t.one}, "1", "k", last_moment), last_moment).duplicate);
  const Time after = start_time + 24h;
  const auto second = t.store.accept_one(item_for({t.one}, "2", "k", after), after);
  CHECK(!second.duplicate);
  CHECK(second.event != first.event);
  CHECK(t.store.accept_one(item_for({t.one}, "2", "k", after + 1h), after + 1h).event == second.event);
}

TEST_CASE("a key of 255 characters is remembered whole") {
  TwoWebhooks t;
  const std::string key(254, 'k');
  t.store.accept_one(item_for({t.one}, "1", key + "a"));
  CHECK(!t.store.accept_one(item_for({t.one}, "1", key + "b")).duplicate);
  CHECK(t.store.accept_one(item_for({t.one}, "1", key + "a")).duplicate);
}

TEST_CASE("an answer for a duplicate names at most a hundred messages and counts all") {
  const auto made = each_store();
  Asker& store = *made;
  std::vector<WebhookId> webhooks;
  for (int i = 0; i < 103; ++i) {
    webhooks.push_back(store.put_webhook(webhook_named("hook " + std::to_string(i))).value().id);
  }
  CHECK(store.accept_one(item_for(webhooks, "1", "k")).messages.size() == 103);
  const auto again = store.accept_one(item_for(webhooks, "1", "k"));
  CHECK(again.messages.size() == 100);
  CHECK(again.message_count == 103);
  const auto detail = store.event(again.event, 10).value();
  CHECK(detail.messages.size() == 10);
  CHECK(detail.message_count == 103);
}

// ---- settling -------------------------------------------------------------------------------------------------

TEST_CASE("a 2xx answer makes the message a success") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto settled = t.store.settle(settlement(id, 1, 204, start_time + 1s));
  CHECK(settled.changed);
  CHECK(settled.message.status == MessageStatus::success);
  CHECK(settled.message.settled_at == start_time + 1s);
  CHECK(t.store.message(id).value().message == settled.message);
  CHECK(t.store.claim(claim_all(t.one)).messages.empty());
}

TEST_CASE("a failed attempt makes the message due again by its policy") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto settled = t.store.settle(settlement(id, 1, 503, start_time));
  CHECK(settled.changed);
  CHECK(settled.message.status == MessageStatus::retrying);
  CHECK(settled.message.next_attempt_at == start_time + 5s);
  CHECK(settled.message.last_code == 503);
  const auto heads = t.store.due_heads(heads_until(start_time + 1h));
  REQUIRE(heads.heads.size() == 1);
  CHECK(heads.heads[0].position.due == start_time + 5s);
}

TEST_CASE("every attempt is logged with what was sent and answered") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  auto first = settlement(id, 1, 503, start_time);
  first.attempt.outcome.error = "HTTP 503";
  first.attempt.outcome.retry_after = 30s;
  first.attempt.outcome.response_truncated = true;
  first.attempt.outcome.response_body = std::string("\0\xff\x1b[31m", 7);
  auto second = settlement(id, 2, 200, start_time + 1min);
  second.attempt.trigger = domain::Trigger::manual;
  t.store.settle(first);
  t.store.settle(second);
  const auto attempts = t.store.message(id).value().attempts;
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0] == first.attempt);
  CHECK(attempts[1] == second.attempt);
}

TEST_CASE("a settlement that comes twice is counted once") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto once = t.store.settle(settlement(id, 1, 500, start_time));
  const auto answers =
      t.store.settle({settlement(id, 1, 500, start_time + 1s), settlement(id, 1, 200, start_time + 2s)});
  CHECK(!answers[0].changed);
  CHECK(answers[0].message == once.message);
  CHECK(!answers[1].changed);
  CHECK(t.store.message(id).value().message == once.message);
  CHECK(t.store.message(id).value().attempts.size() == 1);
}

TEST_CASE("settlements of one batch see each other") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto answers = t.store.settle({settlement(id, 1, 500, start_time), settlement(id, 2, 200, start_time + 5s)});
  CHECK(answers[0].message.status == MessageStatus::retrying);
  CHECK(answers[1].message.status == MessageStatus::success);
  CHECK(answers[1].message.attempts == 2);
}

TEST_CASE("a late outcome of a cancelled message is logged and changes no status") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  t.store.cancel(id, start_time).value();
  const auto settled = t.store.settle(settlement(id, 1, 200, start_time + 1s));
  CHECK(!settled.changed);
  CHECK(settled.message.status == MessageStatus::cancelled);
  CHECK(settled.message.attempts == 1);
  CHECK(t.store.message(id).value().attempts.size() == 1);
  CHECK(t.store.webhook(t.one).value().counters.success == 0);
}

TEST_CASE("an interrupted attempt is logged and leaves the message due") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  auto interrupted = settlement(id, 1, 0, start_time);
  interrupted.attempt.outcome.kind = domain::OutcomeKind::interrupted;
  const auto settled = t.store.settle(interrupted);
  CHECK(!settled.changed);
  CHECK(settled.message.is_waiting());
  CHECK(settled.message.attempts == 1);
  CHECK(ids_of(t.store.claim(claim_all(t.one))) == std::vector{id});
}

TEST_CASE("an answer of 410 fails the message and turns the webhook off") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto settled = t.store.settle(settlement(id, 1, 410, start_time + 3s));
  CHECK(settled.message.status == MessageStatus::failed);
  CHECK(settled.message.reason == domain::SettleReason::gone);
  const auto webhook = t.store.webhook(t.one).value().webhook;
  CHECK(webhook.status == domain::WebhookStatus::inactive);
  CHECK(webhook.status_reason == domain::InactiveReason::gone);
  CHECK(webhook.version == 2);
  CHECK(webhook.updated_at == start_time + 3s);
}

TEST_CASE("a 410 for a message that was cancelled leaves the webhook on") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  t.store.cancel(id, start_time).value();
  t.store.settle(settlement(id, 1, 410, start_time));
  CHECK(t.store.webhook(t.one).value().webhook.is_active());
}

TEST_CASE("a webhook that was turned off by hand keeps that reason at a 410") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.status = domain::WebhookStatus::inactive;
  webhook.status_reason = domain::InactiveReason::manual;
  webhook.version = 2;
  t.store.put_webhook(webhook, 1).value();
  t.store.settle(settlement(id, 1, 410, start_time));
  CHECK(t.store.webhook(t.one).value().webhook == webhook);
}

TEST_CASE("a settlement of an unknown message is answered without an id") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  CHECK(!t.store.settle(settlement(MessageId{id.value ^ 1}, 1, 200, start_time)).message.id.is_set());
  CHECK(!t.store.settle(settlement(MessageId{7}, 1, 200, start_time)).message.id.is_set());
  CHECK(!t.store.settle(settlement(MessageId{base::max_sequence << 20}, 1, 200, start_time)).message.id.is_set());
  CHECK(t.store.message(id).value().message.is_waiting());
}

TEST_CASE("a failure at the deadline ends the message") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto settled = t.store.settle(settlement(id, 1, 500, start_time + 10 * 24h));
  CHECK(settled.message.status == MessageStatus::failed);
  CHECK(settled.message.reason == domain::SettleReason::expired);
  CHECK(t.store.webhook(t.one).value().counters.failed == 1);
}

TEST_CASE("a message that waited out its window fails with the reason that is given") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const Time deadline = start_time + 10 * 24h;
  CHECK(!t.store.wait_out({id, "inactive", deadline - 1ms, 10 * 24h}).changed);
  const auto settled = t.store.wait_out({id, "the webhook was inactive", deadline, 10 * 24h});
  CHECK(settled.changed);
  CHECK(settled.message.status == MessageStatus::failed);
  CHECK(settled.message.failure == "the webhook was inactive");
  CHECK(settled.message.attempts == 0);
  CHECK(!t.store.wait_out({id, "again", deadline, 10 * 24h}).changed);
  CHECK(!t.store.wait_out({MessageId{7}, "unknown", deadline, 10 * 24h}).message.id.is_set());
  CHECK(t.store.claim(claim_all(t.one)).messages.empty());
}

// ---- cancel and retry -----------------------------------------------------------------------------------------

TEST_CASE("a cancelled message is no longer due and says who cancelled it") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto cancelled = t.store.cancel(id, start_time + 1s).value();
  CHECK(cancelled.status == MessageStatus::cancelled);
  CHECK(cancelled.cancelled_by == domain::Actor{1000, "wrong receiver"});
  CHECK(t.store.message(id).value().message == cancelled);
  CHECK(t.store.claim(claim_all(t.one)).messages.empty());
  CHECK(t.store.due_heads(heads_until(start_time + 1h)).heads.empty());
}

TEST_CASE("a settled message cannot be cancelled, and nothing changes") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto settled = t.store.settle(settlement(id, 1, 200, start_time));
  CHECK(code_of(t.store.cancel(id, start_time)) == ErrorCode::already_settled);
  CHECK(t.store.message(id).value().message == settled.message);
}

TEST_CASE("a retry of a settled message opens a new window of its webhook's length") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  t.store.settle(settlement(id, 1, 200, start_time));
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.retry.window = 2h;
  webhook.version = 2;
  t.store.put_webhook(webhook, 1).value();
  const Time later = start_time + 3h;
  const auto retried = t.store.retry(id, later).value();
  CHECK(retried.status == MessageStatus::retrying);
  CHECK(retried.deadline == later + 2h);
  CHECK(retried.next_attempt_at == later);
  CHECK(retried.retried_by == domain::Actor{1000, "again"});
  CHECK(ids_of(t.store.claim(claim_all(t.one))) == std::vector{id});
  CHECK(t.store.webhook(t.one).value().counters.success == 0);
  CHECK(t.store.webhook(t.one).value().counters.waiting == 1);
}

TEST_CASE("a retry of a waiting message makes it due now") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  t.store.settle(settlement(id, 1, 500, start_time));
  t.store.retry(id, start_time + 2s).value();
  const auto claim = t.store.claim(claim_all(t.one));
  REQUIRE(claim.messages.size() == 1);
  CHECK(claim.messages[0].message.next_attempt_at == start_time + 2s);
  CHECK(claim.messages[0].message.planned_at == start_time + 5s);
  CHECK(claim.messages[0].message.is_manually_due());
}

TEST_CASE("a retry is refused while the webhook is inactive") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  t.store.settle(settlement(id, 1, 410, start_time));
  CHECK(code_of(t.store.retry(id, start_time)) == ErrorCode::webhook_inactive);
  CHECK(t.store.message(id).value().message.status == MessageStatus::failed);
}

TEST_CASE("cancel and retry of an unknown message are not found") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  CHECK(code_of(t.store.cancel(MessageId{id.value ^ 1}, start_time)) == ErrorCode::not_found);
  CHECK(code_of(t.store.retry(MessageId{1}, start_time)) == ErrorCode::not_found);
}

TEST_CASE("cancel, outcome and retry of one message take effect in the order of their calls") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  Result<Message> cancelled = Error{};
  std::vector<store::Settled> settled;
  t.store.store().cancel(id, {}, start_time, [&](Result<Message> answer) { cancelled = std::move(answer); });
  const store::Settlement one = settlement(id, 1, 200, start_time);
  t.store.store().settle(std::make_shared<const std::vector<store::Settlement>>(1, one),
                         [&](Result<std::vector<store::Settled>> answer) { settled = std::move(*answer); });
  const auto retried = t.store.retry(id, start_time + 1s).value();
  CHECK(cancelled.value().status == MessageStatus::cancelled);
  CHECK(!settled.at(0).changed);
  CHECK(retried.status == MessageStatus::retrying);
  CHECK(retried.attempts == 1);
}

// ---- due messages ---------------------------------------------------------------------------------------------

TEST_CASE("messages are claimed in the order they are due") {
  TwoWebhooks t;
  const auto late = t.store.accept_one(item_for({t.one}), start_time + 2h).messages[0].message;
  const auto early = t.store.accept_one(item_for({t.one}), start_time).messages[0].message;
  const auto next = t.store.accept_one(item_for({t.one}), start_time + 1ms).messages[0].message;
  t.store.accept_one(item_for({t.two}), start_time);
  const auto claim = t.store.claim(claim_all(t.one));
  CHECK(ids_of(claim) == std::vector{early, next, late});
  CHECK(!claim.next);
  CHECK(claim.messages[0].event->data == R"({"id":1})");
}

TEST_CASE("a claim ends at its time, its rows or its bytes and says where to go on") {
  TwoWebhooks t;
  std::vector<MessageId> ids;
  for (int i = 0; i < 4; ++i) {
    const Time now = start_time + i * 1h;
    ids.push_back(t.store.accept_one(item_for({t.one}, "1234567890", "", now), now).messages[0].message);
  }
  auto by_time = claim_all(t.one);
  by_time.due_until = start_time + 1h;
  CHECK(ids_of(t.store.claim(by_time)) == std::vector{ids[0], ids[1]});
  CHECK(t.store.claim(by_time).next == store::DuePosition{start_time + 2h, ids[2].sequence()});

  auto by_rows = claim_all(t.one);
  by_rows.rows = 3;
  const auto first = t.store.claim(by_rows);
  CHECK(ids_of(first) == std::vector{ids[0], ids[1], ids[2]});
  by_rows.from = first.next.value();
  CHECK(ids_of(t.store.claim(by_rows)) == std::vector{ids[3]});
  CHECK(!t.store.claim(by_rows).next);

  auto by_bytes = claim_all(t.one);
  by_bytes.bytes = 20;
  CHECK(ids_of(t.store.claim(by_bytes)).size() == 2);
  by_bytes.bytes = 1;
  CHECK(ids_of(t.store.claim(by_bytes)) == std::vector{ids[0]});

  auto by_bucket = claim_all(t.one);
  by_bucket.until_bucket = store::due_bucket(start_time + 1h);
  CHECK(!t.store.claim(by_bucket).next);
}

TEST_CASE("a claim of a webhook that is unknown or deleted is empty") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one}));
  t.store.delete_webhook(t.one).value();
  CHECK(t.store.claim(claim_all(t.one)).messages.empty());
  CHECK(!t.store.claim(claim_all(t.one)).next);
  CHECK(t.store.claim(claim_all(WebhookId{77})).messages.empty());
}

TEST_CASE("the heads are the first due message of each webhook in each bucket") {
  TwoWebhooks t;
  const Time next_bucket = store::due_bucket_start(store::due_bucket(start_time) + 1);
  const Time far = start_time + 3 * 24h;
  const auto two_first = t.store.accept_one(item_for({t.two}), start_time).messages[0].message;
  t.store.accept_one(item_for({t.two}), start_time + 1ms);
  const auto one_first = t.store.accept_one(item_for({t.one}), start_time + 2ms).messages[0].message;
  const auto one_next = t.store.accept_one(item_for({t.one}), next_bucket).messages[0].message;
  t.store.accept_one(item_for({t.one}), far);

  const auto heads = t.store.due_heads(heads_until(next_bucket));
  REQUIRE(heads.heads.size() == 3);
  CHECK(heads.heads[0].webhook == t.one);
  CHECK(heads.heads[0].position == store::DuePosition{start_time + 2ms, one_first.sequence()});
  CHECK(heads.heads[1].webhook == t.two);
  CHECK(heads.heads[1].position == store::DuePosition{start_time, two_first.sequence()});
  CHECK(heads.heads[2].position == store::DuePosition{next_bucket, one_next.sequence()});
  CHECK(heads.complete);
  CHECK(heads.next_bucket == store::due_bucket(far));
}

TEST_CASE("heads are read in parts without losing or repeating one") {
  const auto made = each_store();
  Asker& store = *made;
  std::vector<WebhookId> webhooks;
  for (int i = 0; i < 7; ++i) {
    webhooks.push_back(store.put_webhook(webhook_named("hook " + std::to_string(i))).value().id);
  }
  store.accept_one(item_for(webhooks), start_time);
  store.accept_one(item_for(webhooks), start_time + 1h);
  auto query = heads_until(start_time + 2h, 3);
  std::vector<WebhookId> seen;
  for (int part = 0; part < 10; ++part) {
    const auto heads = store.due_heads(query);
    CHECK(heads.heads.size() <= 3);
    for (const auto& head : heads.heads) {
      seen.push_back(head.webhook);
    }
    if (heads.complete) {
      CHECK(!heads.next_bucket);
      break;
    }
    query.from_bucket = heads.resume_bucket;
    query.after = heads.resume_after;
  }
  auto expected = webhooks;
  expected.insert(expected.end(), webhooks.begin(), webhooks.end());
  CHECK(seen == expected);
}

TEST_CASE("an empty store has no heads and no next bucket") {
  const auto made = each_store();
  Asker& store = *made;
  const auto heads = store.due_heads(heads_until(start_time));
  CHECK(heads.heads.empty());
  CHECK(heads.complete);
  CHECK(!heads.next_bucket);
}

TEST_CASE("a deleted webhook has no heads") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one, t.two}));
  t.store.accept_one(item_for({t.one}), start_time + 24h);
  t.store.delete_webhook(t.one).value();
  const auto heads = t.store.due_heads(heads_until(start_time + 1h));
  REQUIRE(heads.heads.size() == 1);
  CHECK(heads.heads[0].webhook == t.two);
  CHECK(!heads.next_bucket);
}

// ---- lists ----------------------------------------------------------------------------------------------------

TEST_CASE("messages are listed newest first, or oldest first, in pages") {
  TwoWebhooks t;
  std::vector<MessageId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(t.store.accept_one(item_for({i % 2 == 0 ? t.one : t.two})).messages[0].message);
  }
  store::MessageQuery query;
  query.limit = 2;
  auto page = t.store.list(query);
  CHECK(ids_of(page) == std::vector{ids[4], ids[3]});
  CHECK(page.rows[0].type == "subscription.create");
  query.after_sequence = page.next.value();
  page = t.store.list(query);
  CHECK(ids_of(page) == std::vector{ids[2], ids[1]});
  query.after_sequence = page.next.value();
  page = t.store.list(query);
  CHECK(ids_of(page) == std::vector{ids[0]});
  CHECK(!page.next);

  query = {};
  query.oldest_first = true;
  CHECK(ids_of(t.store.list(query)) == ids);
  query.webhook = t.one;
  CHECK(ids_of(t.store.list(query)) == std::vector{ids[0], ids[2], ids[4]});
  query.oldest_first = false;
  query.limit = 2;
  page = t.store.list(query);
  CHECK(ids_of(page) == std::vector{ids[4], ids[2]});
  query.after_sequence = page.next.value();
  CHECK(ids_of(t.store.list(query)) == std::vector{ids[0]});
  query.webhook = WebhookId{5};
  CHECK(t.store.list(query).rows.empty());
}

TEST_CASE("a page goes on where it ended while messages come and go") {
  TwoWebhooks t;
  std::vector<MessageId> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(t.store.accept_one(item_for({i == 2 ? t.two : t.one})).messages[0].message);
  }
  store::MessageQuery query;
  query.limit = 3;
  const auto page = t.store.list(query);
  CHECK(ids_of(page) == std::vector{ids[5], ids[4], ids[3]});
  t.store.accept_one(item_for({t.one}));
  t.store.delete_webhook(t.two).value();
  t.store.settle(settlement(ids[1], 1, 500, start_time));
  query.after_sequence = page.next.value();
  CHECK(ids_of(t.store.list(query)) == std::vector{ids[1], ids[0]});
}

TEST_CASE("a list is filtered by status, type, time, code and text") {
  TwoWebhooks t;
  const auto waiting = t.store.accept_one(item_for({t.one})).messages[0].message;
  const auto good = t.store.accept_one(item_for({t.one}), start_time + 1h).messages[0].message;
  const auto failing = t.store.accept_one(item_for({t.one}), start_time + 2h).messages[0].message;
  auto other = item_for({t.one});
  other.event->type = "api.update";
  const auto typed = t.store.accept_one(std::move(other), start_time + 3h).messages[0].message;
  t.store.settle(settlement(good, 1, 200, start_time + 1h));
  t.store.settle(settlement(failing, 1, 503, start_time + 2h));

  const auto listed = [&](auto change) {
    store::MessageQuery query;
    change(query);
    return ids_of(t.store.list(query));
  };
  using Query = store::MessageQuery;
  CHECK(listed([](Query& q) { q.statuses = 1u << static_cast<unsigned>(MessageStatus::success); }) ==
        std::vector{good});
  CHECK(listed([](Query& q) { q.statuses = 0b00011; }) == std::vector{typed, failing, waiting});
  CHECK(listed([](Query& q) { q.type = "api.update"; }) == std::vector{typed});
  CHECK(listed([](Query& q) { q.since = start_time + 2h; }) == std::vector{typed, failing});
  CHECK(listed([](Query& q) { q.until = start_time + 2h; }) == std::vector{good, waiting});
  CHECK(listed([](Query& q) {
          q.code_min = 500;
          q.code_max = 599;
        }) == std::vector{failing});
  CHECK(listed([](Query& q) { q.text = "http 5"; }) == std::vector{failing});
  CHECK(listed([](Query& q) { q.text = "API.Up"; }) == std::vector{typed});
  CHECK(listed([&](Query& q) { q.text = to_string(waiting).substr(4); }) == std::vector{waiting});
  CHECK(listed([](Query& q) { q.text = "nothing like this"; }).empty());
}

TEST_CASE("a search by time is right also after the clock was set back") {
  TwoWebhooks t;
  const auto future = t.store.accept_one(item_for({t.one}), start_time + 20 * 24h).messages[0].message;
  const auto back = t.store.accept_one(item_for({t.one}), start_time).messages[0].message;
  store::MessageQuery query;
  query.since = start_time + 24h;
  CHECK(ids_of(t.store.list(query)) == std::vector{future});
  query.since.reset();
  query.until = start_time + 24h;
  query.oldest_first = true;
  CHECK(ids_of(t.store.list(query)) == std::vector{back});
}

TEST_CASE("a list that looks for rare rows stops at its scan limit and can go on") {
  TwoWebhooks t;
  const auto rare = t.store.accept_one(item_for({t.two})).messages[0].message;
  t.store.settle(settlement(rare, 1, 200, start_time));
  for (int i = 0; i < 30; ++i) {
    t.store.accept_one(item_for({t.one}));
  }
  store::MessageQuery query;
  query.statuses = 1u << static_cast<unsigned>(MessageStatus::success);
  query.scan_limit = 10;
  std::vector<MessageId> found;
  int pages = 0;
  for (bool more = true; more && pages < 20; ++pages) {
    const auto page = t.store.list(query);
    for (const auto& row : page.rows) {
      found.push_back(row.message.id);
    }
    more = page.next.has_value();
    query.after_sequence = page.next.value_or(0);
  }
  CHECK(found == std::vector{rare});
  CHECK(pages > 1);
}

TEST_CASE("ids are found by the range that a typed prefix means") {
  TwoWebhooks t;
  std::vector<MessageId> messages;
  std::vector<EventId> events;
  for (int i = 0; i < 5; ++i) {
    const auto accepted = t.store.accept_one(item_for({t.one}));
    messages.push_back(accepted.messages[0].message);
    events.push_back(accepted.event);
  }
  CHECK(t.store.find_messages(0, ~std::uint64_t{0}, 10) == messages);
  CHECK(t.store.find_messages(0, ~std::uint64_t{0}, 2) == std::vector{messages[0], messages[1]});
  CHECK(t.store.find_messages(messages[1].value, messages[3].value, 10) ==
        std::vector{messages[1], messages[2], messages[3]});
  CHECK(t.store.find_messages(messages[1].value + 1, messages[2].value - 1, 10).empty());
  CHECK(t.store.find_events(events[4].value, ~std::uint64_t{0}, 10) == std::vector{events[4]});
  const auto range = base::decode_id_prefix("msg_", to_string(messages[2]).substr(0, 4 + 12)).value();
  CHECK(t.store.find_messages(range.first, range.second, 10) == std::vector{messages[2]});
}

TEST_CASE("an event shows those of its messages that still are") {
  TwoWebhooks t;
  const auto accepted = t.store.accept_one(item_for({t.one, t.two}));
  t.store.delete_webhook(t.one).value();
  const auto detail = t.store.event(accepted.event).value();
  REQUIRE(detail.messages.size() == 1);
  CHECK(detail.messages[0].id == accepted.messages[1].message);
  CHECK(detail.message_count == 1);
  CHECK(code_of(t.store.event(EventId{accepted.event.value ^ 1})) == ErrorCode::not_found);
}

TEST_CASE("a message shows its latest two hundred attempts") {
  TwoWebhooks t;
  const auto id = t.store.accept_one(item_for({t.one})).messages[0].message;
  std::vector<store::Settlement> settlements;
  for (std::uint32_t number = 1; number <= 203; ++number) {
    settlements.push_back(settlement(id, number, 500, start_time + number * 1s));
  }
  t.store.settle(std::move(settlements));
  const auto attempts = t.store.message(id).value().attempts;
  REQUIRE(attempts.size() == 200);
  CHECK(attempts.front().number == 4);
  CHECK(attempts.back().number == 203);
}

// ---- counters -------------------------------------------------------------------------------------------------

TEST_CASE("the counters follow every change of status") {
  TwoWebhooks t;
  std::vector<MessageId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(t.store.accept_one(item_for({t.one})).messages[0].message);
  }
  t.store.settle(settlement(ids[0], 1, 200, start_time + 1s));
  t.store.settle(settlement(ids[1], 1, 500, start_time + 2s));
  t.store.settle(settlement(ids[2], 1, 500, start_time + 10 * 24h));
  t.store.cancel(ids[3], start_time).value();
  const auto counters = t.store.webhook(t.one).value().counters;
  CHECK(counters.waiting == 2);
  CHECK(counters.success == 1);
  CHECK(counters.failed == 1);
  CHECK(counters.cancelled == 1);
  CHECK(counters.last_success_at == start_time + 1s);
  const auto figures = t.store.figures();
  CHECK(figures.waiting == 2);
  CHECK(figures.messages == 5);
  CHECK(figures.events == 5);
  CHECK(figures.webhooks == 2);
  CHECK(figures.damaged_records == 0);
  CHECK(!figures.full);
  CHECK(figures.schema == store::schema_version);
  CHECK(!figures.store_id.empty());
  CHECK(t.store.webhook(t.two).value().counters.waiting == 0);
}

// ---- webhooks -------------------------------------------------------------------------------------------------

TEST_CASE("a webhook is kept with every field") {
  const auto made = each_store();
  Asker& store = *made;
  auto webhook = webhook_named("everything");
  webhook.status = domain::WebhookStatus::inactive;
  webhook.status_reason = domain::InactiveReason::manual;
  webhook.signature = domain::SignatureScheme::github;
  webhook.format = domain::PayloadFormat::cloudevents_binary;
  webhook.timeout = 1500ms;
  webhook.max_in_flight = 1024;
  webhook.retry = {1s, 1.5, 2h, 0.25, 72h};
  webhook.version = 9;
  webhook.updated_at = start_time + 1h;
  const auto created = store.put_webhook(webhook).value();
  CHECK(created.id.is_set());
  webhook.id = created.id;
  CHECK(created == webhook);
  CHECK(store.webhook(created.id).value().webhook == webhook);
  CHECK(store.list_webhooks().at(0).webhook == webhook);
  CHECK(store.load().webhooks.at(0).webhook == webhook);
}

TEST_CASE("display names are unique, also long ones") {
  const auto made = each_store();
  Asker& store = *made;
  std::string long_name;
  for (int i = 0; i < 199; ++i) {
    long_name += "\xf0\x9f\x90\x9d";  // 4 bytes each
  }
  store.put_webhook(webhook_named(long_name + "1")).value();
  CHECK(store.put_webhook(webhook_named(long_name + "2")).has_value());
  CHECK(code_of(store.put_webhook(webhook_named(long_name + "1"))) == ErrorCode::name_taken);
  store.put_webhook(webhook_named("short")).value();
  CHECK(code_of(store.put_webhook(webhook_named("short"))) == ErrorCode::name_taken);
  CHECK(store.put_webhook(webhook_named("Short")).has_value());
  CHECK(store.figures().webhooks == 4);
}

TEST_CASE("an edit names the version that it was made from") {
  TwoWebhooks t;
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.description = "edited";
  webhook.version = 2;
  CHECK(t.store.put_webhook(webhook, 1).value() == webhook);
  CHECK(code_of(t.store.put_webhook(webhook, 1)) == ErrorCode::version_mismatch);
  CHECK(t.store.webhook(t.one).value().webhook.description == "edited");
  webhook.id = WebhookId{webhook.id.value ^ 1};
  CHECK(code_of(t.store.put_webhook(webhook, 2)) == ErrorCode::not_found);
}

TEST_CASE("a rename frees the old name and is refused for a name in use") {
  TwoWebhooks t;
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.display_name = "two";
  CHECK(code_of(t.store.put_webhook(webhook, 1)) == ErrorCode::name_taken);
  webhook.display_name = "three";
  t.store.put_webhook(webhook, 1).value();
  CHECK(t.store.put_webhook(webhook_named("one")).has_value());
  CHECK(code_of(t.store.put_webhook(webhook_named("three"))) == ErrorCode::name_taken);
}

TEST_CASE("an edit keeps the counters") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one}));
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.version = 2;
  t.store.put_webhook(webhook, 1).value();
  CHECK(t.store.webhook(t.one).value().counters.waiting == 1);
}

// ---- deleting -------------------------------------------------------------------------------------------------

TEST_CASE("a deleted webhook is gone at once, with its messages and its name") {
  TwoWebhooks t;
  const auto accepted = t.store.accept_one(item_for({t.one, t.two}));
  const auto id = accepted.messages[0].message;
  t.store.accept_one(item_for({t.one}));
  CHECK(t.store.delete_webhook(t.one).value() == 2);

  CHECK(code_of(t.store.webhook(t.one)) == ErrorCode::not_found);
  CHECK(t.store.list_webhooks().size() == 1);
  CHECK(code_of(t.store.message(id)) == ErrorCode::not_found);
  CHECK(t.store.list({}).rows.size() == 1);
  CHECK(t.store.find_messages(0, ~std::uint64_t{0}, 10) == std::vector{accepted.messages[1].message});
  CHECK(code_of(t.store.cancel(id, start_time)) == ErrorCode::not_found);
  CHECK(code_of(t.store.retry(id, start_time)) == ErrorCode::not_found);
  CHECK(!t.store.settle(settlement(id, 1, 200, start_time)).message.id.is_set());
  CHECK(!t.store.wait_out({id, "inactive", start_time + 1000 * 24h, 10 * 24h}).message.id.is_set());
  CHECK(code_of(t.store.delete_webhook(t.one)) == ErrorCode::not_found);
  CHECK(code_of(t.store.put_webhook(webhook_named("two"))) == ErrorCode::name_taken);
  CHECK(t.store.put_webhook(webhook_named("one")).has_value());
  CHECK(t.store.figures().waiting == 1);
  CHECK(t.store.figures().webhooks == 2);
}

TEST_CASE("a deleting webhook is loaded as such until it is purged, its waiting messages cancelled") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one}));
  t.store.delete_webhook(t.one).value();
  auto loaded = t.store.load().webhooks;
  REQUIRE(loaded.size() == 2);
  CHECK(loaded[0].deleting);
  CHECK(loaded[0].webhook.id == t.one);
  CHECK(loaded[0].counters.cancelled == 1);
  CHECK(loaded[0].counters.waiting == 0);
  CHECK(!loaded[1].deleting);
  CHECK(t.store.purge(t.one, 10).value().done);
  loaded = t.store.load().webhooks;
  REQUIRE(loaded.size() == 1);
  CHECK(loaded[0].webhook.id == t.two);
}

TEST_CASE("a purge removes at most its limit in one step, and at the end everything") {
  TwoWebhooks t;
  for (int i = 0; i < 5; ++i) {
    const auto accepted = t.store.accept_one(item_for({t.one, t.two}));
    t.store.settle(settlement(accepted.messages[0].message, 1, i < 2 ? 200 : 500, start_time));
  }
  t.store.delete_webhook(t.one).value();
  auto step = t.store.purge(t.one, 2).value();
  CHECK(step.removed == 2);
  CHECK(!step.done);
  CHECK(t.store.figures().messages == 8);
  step = t.store.purge(t.one, 3).value();
  CHECK(step.removed == 3);
  CHECK(step.done);
  CHECK(t.store.figures().messages == 5);
  CHECK(t.store.figures().events == 5);
  CHECK(t.store.purge(t.one, 3).value().done);
  CHECK(t.store.claim(claim_all(t.two)).messages.size() == 5);
  const auto heads = t.store.due_heads(heads_until(start_time + 24h));
  CHECK(heads.heads.size() == 1);
  CHECK(!heads.next_bucket);
}

TEST_CASE("a webhook that is not deleted is not purged") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one}));
  CHECK(code_of(t.store.purge(t.one, 10)) == ErrorCode::not_found);
  CHECK(t.store.figures().messages == 1);
  CHECK(t.store.purge(WebhookId{3}, 10).value().done);
}

TEST_CASE("a duplicate of an event whose webhook was deleted names what is left") {
  TwoWebhooks t;
  t.store.accept_one(item_for({t.one, t.two}, "1", "k"));
  t.store.delete_webhook(t.one).value();
  const auto again = t.store.accept_one(item_for({t.two}, "1", "k"));
  CHECK(again.duplicate);
  CHECK(again.message_count == 1);
  CHECK(t.store.purge(t.one, 10).value().done);
  CHECK(t.store.accept_one(item_for({t.two}, "1", "k")).message_count == 1);
}

// ---- types ----------------------------------------------------------------------------------------------------

TEST_CASE("a new store has the shipped catalogue") {
  const auto made = each_store();
  Asker& store = *made;
  std::vector<std::string> shipped;
  for (const auto& type : domain::shipped_catalogue()) {
    shipped.push_back(type.name);
  }
  std::sort(shipped.begin(), shipped.end());
  std::vector<std::string> stored;
  for (const auto& type : store.list_types()) {
    stored.push_back(type.name);
  }
  CHECK(stored == shipped);
  CHECK(store.load().types == store.list_types());
}

TEST_CASE("types are put, replaced and removed by name") {
  const auto made = each_store();
  Asker& store = *made;
  const std::size_t shipped = store.list_types().size();
  domain::EventType type{"invoice.paid", "An invoice was paid",    R"({"type":"object"})",
                         R"({"id":1})",  domain::TypeOrigin::user, start_time};
  CHECK(store.put_type(type).value() == type);
  type.description = "paid in full";
  CHECK(store.put_type(type).value() == type);
  const auto types = store.list_types();
  CHECK(types.size() == shipped + 1);
  CHECK(std::find(types.begin(), types.end(), type) != types.end());
  CHECK(store.remove_type("invoice.paid").value() == "invoice.paid");
  CHECK(code_of(store.remove_type("invoice.paid")) == ErrorCode::not_found);
  CHECK(store.list_types().size() == shipped);
}

// ---- the feed of changes --------------------------------------------------------------------------------------

namespace {

store::ChangeQuery behind(std::uint64_t after, std::size_t limit = 50) {
  store::ChangeQuery query;
  query.after = after;
  query.limit = limit;
  return query;
}

std::vector<MessageId> ids_of(const store::ChangePage& page) {
  std::vector<MessageId> ids;
  for (const store::ChangeRow& row : page.rows) {
    ids.push_back(row.message.id);
  }
  return ids;
}

// The messages of five events, one to webhook "one" each.
std::vector<MessageId> five_messages(TwoWebhooks& t) {
  std::vector<MessageId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(t.store.accept_one(item_for({t.one})).messages[0].message);
  }
  return ids;
}

}  // namespace

TEST_CASE("the feed of an empty store is empty and at its end") {
  TwoWebhooks t;
  const auto page = t.store.changes(behind(0)).value();
  CHECK(page.rows.empty());
  CHECK(page.at_end);
  CHECK(page.position == 0);
  CHECK(page.newest == 0);
  CHECK(page.store != 0);
}

TEST_CASE("the feed shows each message once, as it now stands, in the order of their latest changes") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  t.store.settle(settlement(ids[1], 1, 503, start_time));
  t.store.settle(settlement(ids[0], 1, 200, start_time));
  t.store.cancel(ids[1], start_time).value();
  const auto page = t.store.changes(behind(0)).value();
  CHECK(ids_of(page) == std::vector{ids[2], ids[3], ids[4], ids[0], ids[1]});
  CHECK(page.at_end);
  CHECK(page.position == page.newest);
  CHECK(page.rows[4].number == page.newest);
  CHECK(page.rows[4].message.status == MessageStatus::cancelled);
  CHECK(page.rows[4].message == t.store.message(ids[1]).value().message);
  CHECK(page.rows[4].type == "subscription.create");
  CHECK(page.rows[0].number == ids[2].sequence());
}

TEST_CASE("behind a position the feed shows what changed since, and nothing when nothing did") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  const std::uint64_t before = t.store.changes(behind(0)).value().position;
  CHECK(t.store.changes(behind(before)).value().rows.empty());
  t.store.settle(settlement(ids[3], 1, 503, start_time));
  const auto created = t.store.accept_one(item_for({t.two})).messages[0].message;
  const auto page = t.store.changes(behind(before)).value();
  CHECK(ids_of(page) == std::vector{ids[3], created});
  CHECK(t.store.changes(behind(page.position)).value().rows.empty());
}

TEST_CASE("every recorded change moves a message to the end of the feed, a refused one does not") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  std::uint64_t newest = t.store.changes(behind(0)).value().newest;
  const auto moved = [&] {
    const auto page = t.store.changes(behind(newest)).value();
    newest = page.newest;
    return ids_of(page);
  };
  t.store.settle(settlement(ids[0], 1, 503, start_time));
  CHECK(moved() == std::vector{ids[0]});
  t.store.settle(settlement(ids[0], 1, 503, start_time));  // repeated
  CHECK(moved().empty());
  t.store.retry(ids[0], start_time).value();
  CHECK(moved() == std::vector{ids[0]});
  t.store.cancel(ids[0], start_time).value();
  CHECK(moved() == std::vector{ids[0]});
  CHECK(!t.store.cancel(ids[0], start_time).has_value());
  CHECK(moved().empty());
  t.store.settle(settlement(ids[0], 2, 200, start_time));  // late, and logged
  CHECK(moved() == std::vector{ids[0]});
  t.store.wait_out({ids[1], "inactive", start_time + 11 * 24h, 10 * 24h});
  CHECK(moved() == std::vector{ids[1]});
  t.store.wait_out({ids[1], "inactive", start_time + 11 * 24h, 10 * 24h});
  CHECK(moved().empty());
}

TEST_CASE("the feed is read in pages, by rows or by what was looked at, without losing or repeating one") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  t.store.settle(settlement(ids[1], 1, 200, start_time));
  t.store.settle(settlement(ids[3], 1, 200, start_time));
  const std::vector expected{ids[0], ids[2], ids[4], ids[1], ids[3]};
  for (const bool by_rows : {true, false}) {
    std::vector<MessageId> seen;
    store::ChangeQuery query = behind(0, by_rows ? 2 : 100);
    query.scan_limit = by_rows ? 100 : 1;
    for (bool at_end = false; !at_end;) {
      const auto page = t.store.changes(query).value();
      const auto part = ids_of(page);
      seen.insert(seen.end(), part.begin(), part.end());
      at_end = page.at_end;
      query.after = page.position;
    }
    CHECK(seen == expected);
  }
}

TEST_CASE("up to a number, the feed leaves out what has changed behind it") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  store::ChangeQuery query = behind(0);
  query.up_to = t.store.changes(behind(0)).value().newest;
  t.store.settle(settlement(ids[1], 1, 200, start_time));
  const auto page = t.store.changes(query).value();
  CHECK(ids_of(page) == std::vector{ids[0], ids[2], ids[3], ids[4]});
  CHECK(page.at_end);
  CHECK(page.position == *query.up_to);
  CHECK(ids_of(t.store.changes(behind(page.position)).value()) == std::vector{ids[1]});
}

TEST_CASE("the feed is filtered like a list") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  const auto other = t.store.accept_one(item_for({t.two})).messages[0].message;
  t.store.settle(settlement(ids[1], 1, 503, start_time));
  t.store.settle(settlement(other, 1, 503, start_time));
  const auto shown = [&](auto set) {
    store::ChangeQuery query = behind(0);
    set(query);
    return ids_of(t.store.changes(query).value());
  };
  CHECK(shown([&](auto& query) { query.webhook = t.two; }) == std::vector{other});
  CHECK(shown([](auto& query) { query.code_min = 500, query.code_max = 599; }) == std::vector{ids[1], other});
  CHECK(shown([](auto& query) { query.statuses = 1; }) == std::vector{ids[0], ids[2], ids[3], ids[4]});
  CHECK(shown([](auto& query) { query.type = "api.update"; }).empty());
  CHECK(shown([&](auto& query) { query.text = to_string(ids[2]); }) == std::vector{ids[2]});
  CHECK(shown([](auto& query) { query.until = start_time; }).empty());
}

TEST_CASE("a position that the store has not reached is refused") {
  TwoWebhooks t;
  five_messages(t);
  const std::uint64_t newest = t.store.changes(behind(0)).value().newest;
  CHECK(t.store.changes(behind(newest)).has_value());
  CHECK(code_of(t.store.changes(behind(newest + 1))) == ErrorCode::invalid_request);
}

TEST_CASE("messages of a deleted webhook leave the feed at once, and others stay") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  const auto other = t.store.accept_one(item_for({t.two})).messages[0].message;
  t.store.settle(settlement(ids[1], 1, 503, start_time));
  t.store.delete_webhook(t.one).value();
  CHECK(ids_of(t.store.changes(behind(0)).value()) == std::vector{other});
  while (!t.store.purge(t.one, 2).value().done) {
  }
  CHECK(ids_of(t.store.changes(behind(0)).value()) == std::vector{other});
  CHECK(t.store.figures().damaged_records == 0);
}

TEST_CASE("the next change is told once it is there, and at once when it is already") {
  TwoWebhooks t;
  std::promise<std::uint64_t> told;
  auto number = told.get_future();
  t.store.store().next_change(0, [&](Result<std::uint64_t> newest) { told.set_value(newest.value()); });
  t.store.put_type({"own.type", "", "", "1", domain::TypeOrigin::user, start_time}).value();  // no message changes
  CHECK(number.wait_for(0s) != std::future_status::ready);
  const auto accepted = t.store.accept_one(item_for({t.one, t.two}));
  REQUIRE(number.wait_for(10s) == std::future_status::ready);
  CHECK(number.get() == accepted.messages[1].message.sequence());
  const auto at_once = t.store.ask<std::uint64_t>([&](auto done) { t.store.store().next_change(1, std::move(done)); });
  CHECK(at_once.value() == 2);
}

TEST_CASE("who waits for a change when the store closes is told so") {
  std::promise<ErrorCode> told;
  auto code = told.get_future();
  {
    const auto made = each_store();
    Asker& store = *made;
    store.store().next_change(0, [&](Result<std::uint64_t> newest) { told.set_value(newest.error().code); });
  }
  REQUIRE(code.wait_for(10s) == std::future_status::ready);
  CHECK(code.get() == ErrorCode::unavailable);
}

// ---- bulk tasks -----------------------------------------------------------------------------------------------

namespace {

store::BulkTask bulk_of(WebhookId webhook, store::BulkAction action, MessageStatus status) {
  store::BulkTask task;
  task.action = action;
  task.filter.webhook = webhook;
  task.filter.statuses = 1U << static_cast<unsigned>(status);
  task.actor = {1000, "receiver repaired"};
  task.rate = 2.5;
  task.started_at = start_time;
  return task;
}

bool are_equal(const store::BulkTask& a, const store::BulkTask& b) {
  std::string one;
  std::string other;
  store::encode_task(a, one);
  store::encode_task(b, other);
  return a.id == b.id && one == other;
}

}  // namespace

TEST_CASE("a bulk task is kept with every field, and found by its id") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  auto draft = bulk_of(t.one, store::BulkAction::cancel, MessageStatus::created);
  draft.filter.type = "subscription.create";
  draft.filter.since = start_time - 1h;
  draft.filter.until = start_time + 1h;
  draft.filter.code_min = 500;
  draft.filter.code_max = 599;
  draft.filter.text = "x";
  const auto task = t.store.begin_bulk(draft).value();
  CHECK(task.id.is_set());
  CHECK(task.up_to > ids.back().sequence());
  CHECK(task.state == store::BulkState::running);
  draft.id = task.id;
  draft.up_to = task.up_to;
  CHECK(are_equal(task, draft));
  CHECK(are_equal(t.store.bulk_task(task.id).value(), draft));
  CHECK(code_of(t.store.bulk_task(base::TaskId{task.id.value + 1})) == ErrorCode::not_found);
  CHECK(t.store.load().tasks.size() == 1);
}

TEST_CASE("a step changes what still matches, counts what is refused, and goes no step twice") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  const auto task = t.store.begin_bulk(bulk_of(t.one, store::BulkAction::cancel, MessageStatus::created)).value();
  t.store.settle(settlement(ids[1], 1, 200, start_time));  // matched when it was read, and has settled since
  const store::BulkStep step{task.id, 0, ids[2].sequence(), {ids[0], ids[1], ids[2]}, 5, start_time + 1s};
  const auto first = t.store.step_bulk(step).value();
  REQUIRE(first.changed.size() == 2);
  CHECK(first.changed[1].id == ids[2]);
  CHECK(first.task.done == 2);
  CHECK(first.task.failed == 0);
  CHECK(first.task.total == 5);
  CHECK(first.task.position == ids[2].sequence());
  CHECK(first.task.state == store::BulkState::running);
  CHECK(t.store.message(ids[0]).value().message.cancelled_by == domain::Actor{1000, "receiver repaired"});

  const auto again = t.store.step_bulk(step).value();
  CHECK(again.changed.empty());
  CHECK(are_equal(again.task, first.task));

  const auto last = t.store.step_bulk({task.id, ids[2].sequence(), task.up_to, {ids[3], ids[4]}, {}, start_time + 2s});
  CHECK(last.value().task.done == 4);
  CHECK(last.value().task.state == store::BulkState::done);
  CHECK(last.value().task.ended_at == start_time + 2s);
  CHECK(t.store.load().tasks.empty());
  CHECK(code_of(t.store.end_bulk(task.id, start_time)) == ErrorCode::already_settled);
}

TEST_CASE("a bulk retry opens new windows, and what an inactive webhook refuses has failed") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  for (const MessageId id : ids) {
    t.store.cancel(id, start_time).value();
  }
  const auto task = t.store.begin_bulk(bulk_of(t.one, store::BulkAction::retry, MessageStatus::cancelled)).value();
  const auto first = t.store.step_bulk({task.id, 0, ids[1].sequence(), {ids[0], ids[1]}, {}, start_time + 1h}).value();
  CHECK(first.changed[0].status == MessageStatus::retrying);
  CHECK(first.changed[0].next_attempt_at == start_time + 1h);
  auto webhook = t.store.webhook(t.one).value().webhook;
  webhook.status = domain::WebhookStatus::inactive;
  t.store.put_webhook(webhook, webhook.version).value();
  const auto rest =
      t.store.step_bulk({task.id, ids[1].sequence(), task.up_to, {ids[2], ids[3], ids[4]}, {}, start_time}).value();
  CHECK(rest.task.done == 2);
  CHECK(rest.task.failed == 3);
  CHECK(rest.task.state == store::BulkState::done);
}

TEST_CASE("a stopped task makes no further step") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  const auto task = t.store.begin_bulk(bulk_of(t.one, store::BulkAction::cancel, MessageStatus::created)).value();
  const auto ended = t.store.end_bulk(task.id, start_time + 3s).value();
  CHECK(ended.state == store::BulkState::cancelled);
  CHECK(ended.ended_at == start_time + 3s);
  CHECK(t.store.step_bulk({task.id, 0, task.up_to, ids, {}, start_time}).value().changed.empty());
  CHECK(t.store.message(ids[0]).value().message.status == MessageStatus::created);
}

TEST_CASE("tasks are listed newest first, and of those that ended a thousand are kept") {
  TwoWebhooks t;
  const auto draft = bulk_of(t.one, store::BulkAction::cancel, MessageStatus::created);
  const auto kept = t.store.begin_bulk(draft).value();
  for (int i = 0; i < 1005; ++i) {
    t.store.end_bulk(t.store.begin_bulk(draft).value().id, start_time).value();
  }
  const auto newest = t.store.begin_bulk(draft).value();
  const auto tasks = t.store.list_bulk_tasks(5000);
  CHECK(tasks.size() == 1000);
  CHECK(tasks.front().id == newest.id);
  CHECK(tasks.back().id == kept.id);
  CHECK(t.store.list_bulk_tasks(3).size() == 3);
  // The first number of the store was a task's: times of messages are known all the same.
  const auto message = t.store.accept_one(item_for({t.one})).messages[0].message;
  store::MessageQuery since;
  since.since = start_time;
  CHECK(ids_of(t.store.list(since)) == std::vector{message});
}

TEST_CASE("messages of a stretch of the log are counted by a filter, part by part") {
  TwoWebhooks t;
  const auto ids = five_messages(t);
  t.store.accept_one(item_for({t.two}));
  t.store.settle(settlement(ids[1], 1, 200, start_time));
  store::CountQuery query;
  query.webhook = t.one;
  query.up_to = ids[3].sequence();
  CHECK(t.store.count(query).count == 4);
  CHECK(!t.store.count(query).next);
  query.statuses = 1;
  query.scan_limit = 1;
  std::uint64_t count = 0;
  int parts = 0;
  for (std::optional<std::uint64_t> next = 0; next; ++parts) {
    query.after = *next;
    const auto part = t.store.count(query);
    count += part.count;
    next = part.next;
  }
  CHECK(count == 3);
  CHECK(parts > 3);
}

// ---- audit ----------------------------------------------------------------------------------------------------

namespace {

store::AuditLine line_of(std::string operation, Time at = start_time) {
  store::AuditLine line;
  line.at = at;
  line.uid = 1000;
  line.user = "somebody";
  line.role = "admin";
  line.operation = std::move(operation);
  line.detail = "url, timeout";
  line.reason = "moved";
  return line;
}

store::Audit audit_of(std::string operation) {
  return std::make_shared<const store::AuditLine>(line_of(std::move(operation)));
}

std::vector<std::string> operations_of(const store::AuditPage& page) {
  std::vector<std::string> operations;
  for (const auto& line : page.lines) {
    operations.push_back(line.operation);
  }
  return operations;
}

}  // namespace

TEST_CASE("each change has its line in the audit, newest first, and a refused one has none") {
  TwoWebhooks t;
  const auto ask = [&]<class T>(T, auto call) { return t.store.ask<T>(call); };
  const auto made =
      ask(domain::Webhook{}, [&](auto done) {
        t.store.store().put_webhook({webhook_named("three"), 0, audit_of("webhook.create")}, std::move(done));
      }).value();
  const auto refused = ask(domain::Webhook{}, [&](auto done) {
    t.store.store().put_webhook({webhook_named("three"), 0, audit_of("webhook.create")}, std::move(done));
  });
  CHECK(code_of(refused) == ErrorCode::name_taken);
  const auto message = t.store.accept_one(item_for({made.id})).messages.at(0).message;
  for (int i = 0; i < 2; ++i) {
    ask(Message{}, [&](auto done) {
      t.store.store().cancel(message, {1000, "moved"}, start_time, std::move(done), audit_of("message.cancel"));
    });
  }
  ask(Message{}, [&](auto done) {
    t.store.store().retry(message, {1000, "moved"}, start_time, std::move(done), audit_of("message.retry"));
  });
  const auto task = ask(store::BulkTask{}, [&](auto done) {
                      t.store.store().begin_bulk(bulk_of(made.id, store::BulkAction::cancel, MessageStatus::created),
                                                 std::move(done), audit_of("task.begin"));
                    }).value();
  for (int i = 0; i < 2; ++i) {
    ask(store::BulkTask{},
        [&](auto done) { t.store.store().end_bulk(task.id, start_time, std::move(done), audit_of("task.end")); });
  }
  ask(domain::EventType{}, [&](auto done) {
    t.store.store().put_type({"own.made", "", "{}", "{}", domain::TypeOrigin::user, start_time}, std::move(done),
                             audit_of("type.put"));
  });
  for (int i = 0; i < 2; ++i) {
    ask(std::string(),
        [&](auto done) { t.store.store().remove_type("own.made", std::move(done), audit_of("type.remove")); });
    ask(std::uint64_t{},
        [&](auto done) { t.store.store().delete_webhook(made.id, std::move(done), audit_of("webhook.delete")); });
  }
  const auto page = t.store.audit();
  CHECK(operations_of(page) == std::vector<std::string>{"webhook.delete", "type.remove", "type.put", "task.end",
                                                        "task.begin", "message.retry", "message.cancel",
                                                        "webhook.create"});
  const auto& first = page.lines.back();
  CHECK(first.object == to_string(made.id));
  CHECK(first.name == "three");
  CHECK(first.uid == 1000);
  CHECK(first.user == "somebody");
  CHECK(first.role == "admin");
  CHECK(first.detail == "url, timeout");
  CHECK(first.reason == "moved");
  CHECK(first.at == start_time);
  CHECK(page.lines.at(4).object == to_string(task.id));
}

TEST_CASE("a webhook that a 410 turns off has a line by webhookd itself") {
  TwoWebhooks t;
  const auto message = t.store.accept_one(item_for({t.one})).messages.at(0).message;
  t.store.settle(settlement(message, 1, 410, start_time + 1s));
  const auto page = t.store.audit();
  REQUIRE(page.lines.size() == 1);
  CHECK(!page.lines[0].uid);
  CHECK(page.lines[0].user == "webhookd");
  CHECK(page.lines[0].operation == "deactivateWebhook");
  CHECK(page.lines[0].name == "one");
  CHECK(page.lines[0].object == to_string(t.one));
}

TEST_CASE("the audit is read by filter and page by page") {
  const auto made = each_store();
  Asker& asker = *made;
  for (int i = 0; i < 10; ++i) {
    auto line = line_of(i % 2 == 0 ? "webhook.edit" : "type.put", start_time + i * 1s);
    line.object = "wh_" + std::to_string(i);
    line.name = "number " + std::to_string(i);
    line.uid = i < 5 ? 1000 : 1001;
    line.user = i < 5 ? "somebody" : "";
    CHECK(asker.note_audit(line).value() > 0);
  }
  const auto count = [&](auto set) {
    store::AuditQuery query;
    set(query);
    return asker.audit(query).lines.size();
  };
  CHECK(count([](auto& query) { query.user = "somebody"; }) == 5);
  CHECK(count([](auto& query) { query.user = "1001"; }) == 5);
  CHECK(count([](auto& query) { query.operation = "webhook.edit"; }) == 5);
  CHECK(count([](auto& query) { query.operation = "webhook"; }) == 0);
  CHECK(count([](auto& query) { query.object = "wh_3"; }) == 1);
  CHECK(count([](auto& query) { query.object = "number 4"; }) == 1);
  CHECK(count([](auto& query) {
          query.since = start_time + 2s;
          query.until = start_time + 5s;
        }) == 3);
  store::AuditQuery query;
  query.limit = 3;
  query.scan_limit = 2;
  std::vector<std::string> objects;
  for (std::optional<std::uint64_t> next = 0; next;) {
    query.before = *next;
    const auto page = asker.audit(query);
    for (const auto& line : page.lines) {
      objects.push_back(line.object);
    }
    next = page.next;
  }
  REQUIRE(objects.size() == 10);
  CHECK(objects.front() == "wh_9");
  CHECK(objects.back() == "wh_0");
  CHECK(std::is_sorted(objects.rbegin(), objects.rend()));
}

}  // namespace webhookd::store_test
