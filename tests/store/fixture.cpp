#include "store/fixture.hpp"

#include <sstream>

namespace webhookd::store_test {

void fill_fixture(Asker& asker) {
  const auto orders = asker.put_webhook(webhook_named("orders")).value();
  const auto audit = asker.put_webhook(webhook_named("audit")).value();
  const auto gone = asker.put_webhook(webhook_named("gone")).value();
  const auto first = asker.accept_one(item_for({orders.id, audit.id, gone.id}, R"({"subscription": {"id" : 7}})", "k"));
  asker.settle({settlement(first.messages[0].message, 1, 200, start_time + 1s)});
  asker.settle({settlement(first.messages[1].message, 1, 503, start_time + 1s)});
  const auto second = asker.accept_one(item_for({orders.id}, "1e400", {}, start_time + 1min), start_time + 1min);
  asker.cancel(second.messages[0].message, start_time + 2min).value();
  asker.accept_one(item_for({}, "null", {}, start_time + 3min), start_time + 3min);
  asker.accept_one(item_for({orders.id}, "\"waits\"", {}, start_time + 4min), start_time + 4min);
  asker.put_type({"own.made", "of a user", R"({"type":"object"})", "{}", domain::TypeOrigin::user, start_time}).value();
  asker.delete_webhook(gone.id).value();
}

std::string say_fixture(Asker& asker) {
  std::ostringstream text;
  for (const auto& state : asker.list_webhooks()) {
    text << state.webhook.display_name << " " << state.webhook.url.text() << " " << state.webhook.secrets.size() << " "
         << state.counters.waiting << " " << state.counters.success << " " << state.counters.cancelled << "\n";
  }
  for (const auto& row : asker.list({}).rows) {
    const auto detail = asker.message(row.message.id).value();
    text << row.type << " " << domain::to_string(row.message.status) << " " << base::format_time(row.message.created_at)
         << " " << detail.event->data << " " << detail.event->idempotency_key << " " << row.message.failure;
    for (const auto& attempt : detail.attempts) {
      text << " [" << attempt.number << " " << attempt.outcome.code << " " << attempt.outcome.response_body << "]";
    }
    text << "\n";
  }
  for (const auto& row : asker.changes({}).value().rows) {
    text << row.number << " " << domain::to_string(row.message.status) << "\n";
  }
  const auto figures = asker.figures();
  text << figures.events << " events, " << figures.messages << " messages, " << figures.waiting << " waiting, "
       << asker.list_types().size() << " types\n";
  return text.str();
}

std::string fixture_path(std::uint32_t schema) {
  return WEBHOOKD_SOURCE_DIR "/tests/fixtures/store-" + std::to_string(schema) + ".gz";
}

}  // namespace webhookd::store_test
