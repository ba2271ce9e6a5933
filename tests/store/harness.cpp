#include "store/harness.hpp"

namespace webhookd::store_test {

std::vector<Result<store::Accepted>> Asker::accept(std::vector<store::AcceptItem> items, Time now) {
  return ask<std::vector<Result<store::Accepted>>>(
             [&](auto done) { store().accept(std::move(items), now, std::move(done)); })
      .value();
}

std::vector<store::Settled> Asker::settle(std::vector<store::Settlement> settlements) {
  const auto shared = std::make_shared<const std::vector<store::Settlement>>(std::move(settlements));
  return ask<std::vector<store::Settled>>([&](auto done) { store().settle(shared, std::move(done)); }).value();
}

store::Settled Asker::settle(store::Settlement settlement) {
  return settle(std::vector<store::Settlement>{std::move(settlement)}).at(0);
}

store::Settled Asker::wait_out(store::WaitedOut input) {
  return ask<std::vector<store::Settled>>([&](auto done) { store().wait_out({input}, std::move(done)); }).value().at(0);
}

Result<Message> Asker::cancel(MessageId id, Time now, domain::Actor actor) {
  return ask<Message>([&](auto done) { store().cancel(id, actor, now, std::move(done)); });
}

Result<Message> Asker::retry(MessageId id, Time now, domain::Actor actor) {
  return ask<Message>([&](auto done) { store().retry(id, actor, now, std::move(done)); });
}

Result<domain::Webhook> Asker::put_webhook(domain::Webhook webhook, std::uint64_t expected_version) {
  return ask<domain::Webhook>([&](auto done) {
    store().put_webhook({std::move(webhook), expected_version}, std::move(done));
  });
}

Result<std::uint64_t> Asker::delete_webhook(WebhookId id) {
  return ask<std::uint64_t>([&](auto done) { store().delete_webhook(id, std::move(done)); });
}

Result<store::PurgeStep> Asker::purge(WebhookId id, std::size_t limit) {
  return ask<store::PurgeStep>([&](auto done) { store().purge_webhook(id, limit, std::move(done)); });
}

std::vector<Result<store::Imported>> Asker::import_histories(std::vector<domain::EventHistory> histories, Time now) {
  return ask<std::vector<Result<store::Imported>>>(
             [&](auto done) { store().import_histories(std::move(histories), 24h, now, std::move(done)); })
      .value();
}

store::HistoryPage Asker::histories(store::HistoryQuery query) {
  return ask<store::HistoryPage>([&](auto done) { store().histories(query, std::move(done)); }).value();
}

Result<store::Resealed> Asker::reseal(store::SealerRef sealer) {
  return ask<store::Resealed>([&](auto done) { store().reseal(std::move(sealer), std::move(done)); });
}

store::Expired Asker::expire(store::ExpireStep step) {
  return ask<store::Expired>([&](auto done) { store().expire(step, std::move(done)); }).value();
}

Result<domain::EventType> Asker::put_type(domain::EventType type) {
  return ask<domain::EventType>([&](auto done) { store().put_type(std::move(type), std::move(done)); });
}

Result<std::string> Asker::remove_type(std::string name) {
  return ask<std::string>([&](auto done) { store().remove_type(std::move(name), std::move(done)); });
}

Result<std::uint64_t> Asker::note_audit(store::AuditLine line) {
  return ask<std::uint64_t>([&](auto done) {
    store().note_audit(std::make_shared<const store::AuditLine>(std::move(line)), std::move(done));
  });
}

store::AuditPage Asker::audit(store::AuditQuery query) {
  return ask<store::AuditPage>([&](auto done) { store().list_audit(query, std::move(done)); }).value();
}

store::OpenState Asker::load() {
  return ask<store::OpenState>([&](auto done) { store().load(std::move(done)); }).value();
}

store::DueHeads Asker::due_heads(store::DueHeadQuery query) {
  return ask<store::DueHeads>([&](auto done) { store().due_heads(query, std::move(done)); }).value();
}

store::Claim Asker::claim(store::ClaimQuery query) {
  return ask<store::Claim>([&](auto done) { store().claim_due(query, std::move(done)); }).value();
}

store::MessagePage Asker::list(store::MessageQuery query) {
  return ask<store::MessagePage>([&](auto done) { store().list_messages(query, std::move(done)); }).value();
}

Result<store::BulkTask> Asker::begin_bulk(store::BulkTask task) {
  return ask<store::BulkTask>([&](auto done) { store().begin_bulk(task, std::move(done)); });
}

Result<store::BulkProgress> Asker::step_bulk(store::BulkStep step) {
  return ask<store::BulkProgress>([&](auto done) { store().step_bulk(step, std::move(done)); });
}

Result<store::BulkTask> Asker::end_bulk(base::TaskId id, Time now) {
  return ask<store::BulkTask>([&](auto done) { store().end_bulk(id, now, std::move(done)); });
}

Result<store::BulkTask> Asker::bulk_task(base::TaskId id) {
  return ask<store::BulkTask>([&](auto done) { store().bulk_task(id, std::move(done)); });
}

std::vector<store::BulkTask> Asker::list_bulk_tasks(std::size_t limit) {
  return ask<std::vector<store::BulkTask>>([&](auto done) { store().list_bulk_tasks(limit, std::move(done)); }).value();
}

store::MessageCount Asker::count(store::CountQuery query) {
  return ask<store::MessageCount>([&](auto done) { store().count_messages(query, std::move(done)); }).value();
}

Result<store::ChangePage> Asker::changes(store::ChangeQuery query) {
  return ask<store::ChangePage>([&](auto done) { store().changes(query, std::move(done)); });
}

Result<store::MessageDetail> Asker::message(MessageId id) {
  return ask<store::MessageDetail>([&](auto done) { store().message(id, std::move(done)); });
}

Result<store::EventDetail> Asker::event(EventId id, std::size_t limit) {
  return ask<store::EventDetail>([&](auto done) { store().event(id, limit, std::move(done)); });
}

std::vector<MessageId> Asker::find_messages(std::uint64_t low, std::uint64_t high, std::size_t limit) {
  return ask<std::vector<MessageId>>([&](auto done) { store().find_messages(low, high, limit, std::move(done)); })
      .value();
}

std::vector<EventId> Asker::find_events(std::uint64_t low, std::uint64_t high, std::size_t limit) {
  return ask<std::vector<EventId>>([&](auto done) { store().find_events(low, high, limit, std::move(done)); }).value();
}

std::vector<store::WebhookState> Asker::list_webhooks() {
  return ask<std::vector<store::WebhookState>>([&](auto done) { store().list_webhooks(std::move(done)); }).value();
}

Result<store::WebhookState> Asker::webhook(WebhookId id) {
  return ask<store::WebhookState>([&](auto done) { store().webhook(id, std::move(done)); });
}

std::vector<domain::EventType> Asker::list_types() {
  return ask<std::vector<domain::EventType>>([&](auto done) { store().list_types(std::move(done)); }).value();
}

store::StoreFigures Asker::figures() {
  return ask<store::StoreFigures>([&](auto done) { store().figures(std::move(done)); }).value();
}

Result<store::StoreCopy> Asker::copy() {
  return ask<store::StoreCopy>([&](auto done) { store().copy(std::move(done)); });
}

store::Accepted Asker::accept_one(store::AcceptItem item, Time now) {
  return accept({std::move(item)}, now).at(0).value();
}

// ---- values

std::unique_ptr<Asker> each_store() {
  std::unique_ptr<Asker> made;
  SUBCASE("in memory") { made = std::make_unique<MemoryAsker>(); }
  SUBCASE("in LMDB") { made = std::make_unique<LmdbAsker>(); }
  return made;
}

domain::Webhook webhook_named(std::string name) {
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

store::AcceptItem item_for(std::vector<WebhookId> webhooks, std::string data, std::string key, Time now) {
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

domain::Attempt attempt_of(std::uint32_t number, domain::OutcomeKind kind, std::uint16_t code, Time at) {
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

store::Settlement settlement(MessageId message, std::uint32_t number, std::uint16_t code, Time at) {
  const bool good = code >= 200 && code < 300;
  domain::Attempt attempt =
      attempt_of(number, good ? domain::OutcomeKind::success : domain::OutcomeKind::status, code, at);
  store::Settlement settled;
  settled.message = message;
  settled.attempt = std::move(attempt);
  settled.ended_at = at;
  return settled;
}

store::ClaimQuery claim_all(WebhookId webhook) {
  store::ClaimQuery query;
  query.webhook = webhook;
  query.due_until = start_time + 1000 * 24h;
  query.until_bucket = store::due_bucket(query.due_until) + 1;
  query.rows = 1000;
  query.bytes = 1'000'000;
  return query;
}

store::DueHeadQuery heads_until(Time until, std::size_t limit) {
  store::DueHeadQuery query;
  query.until_bucket = store::due_bucket(until) + 1;
  query.limit = limit;
  return query;
}

std::vector<MessageId> ids_of(const store::MessagePage& page) {
  std::vector<MessageId> ids;
  for (const store::MessageRow& row : page.rows) {
    ids.push_back(row.message.id);
  }
  return ids;
}

std::vector<MessageId> ids_of(const store::Claim& claim) {
  std::vector<MessageId> ids;
  for (const store::ClaimedMessage& claimed : claim.messages) {
    ids.push_back(claimed.message.id);
  }
  return ids;
}

}  // namespace webhookd::store_test
