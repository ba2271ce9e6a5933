// What the memory store does beyond being a store: the test decides when a commit becomes durable, and whether the
// process lives to say so.
#include "store/harness.hpp"

namespace webhookd::store_test {

TEST_CASE("a write is neither applied nor answered before its step") {
  MemoryAsker asker;
  bool answered = false;
  asker.store().put_webhook({webhook_named("one"), 0}, [&](auto) { answered = true; });
  CHECK(asker.memory().queued_writes() == 1);
  CHECK(asker.list_webhooks().empty());
  CHECK(asker.memory().step());
  CHECK(answered);
  CHECK(asker.list_webhooks().size() == 1);
  CHECK(!asker.memory().step());
}

TEST_CASE("a crash forgets what was queued and answers nothing") {
  MemoryAsker asker;
  bool answered = false;
  asker.store().put_webhook({webhook_named("one"), 0}, [&](auto) { answered = true; });
  asker.memory().crash();
  CHECK(!asker.memory().step());
  CHECK(!answered);
  CHECK(asker.list_webhooks().empty());
}

TEST_CASE("a crash after the commit keeps the oldest write, unanswered, and forgets the rest") {
  MemoryAsker asker;
  bool answered = false;
  asker.store().put_webhook({webhook_named("one"), 0}, [&](auto) { answered = true; });
  asker.store().put_webhook({webhook_named("two"), 0}, [&](auto) { answered = true; });
  asker.memory().crash_after_commit();
  CHECK(asker.memory().queued_writes() == 0);
  CHECK(!answered);
  REQUIRE(asker.list_webhooks().size() == 1);
  CHECK(asker.list_webhooks()[0].webhook.display_name == "one");
}

TEST_CASE("a full store refuses new events and still answers duplicates, outcomes and cancels") {
  MemoryAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto accepted = asker.accept_one(item_for({webhook}, "1", "k"));
  asker.memory().set_full(true);
  CHECK(asker.accept({item_for({webhook})}, start_time)[0].error().code == ErrorCode::store_full);
  CHECK(asker.accept_one(item_for({webhook}, "1", "k")).duplicate);
  CHECK(asker.settle(settlement(accepted.messages[0].message, 1, 500, start_time)).changed);
  CHECK(asker.cancel(accepted.messages[0].message, start_time).has_value());
  CHECK(asker.figures().full);
  asker.memory().set_full(false);
  CHECK(asker.accept({item_for({webhook})}, start_time)[0].has_value());
}

}  // namespace webhookd::store_test
