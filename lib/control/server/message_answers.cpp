#include "control/protocol/event_codec.hpp"
#include "control/server/message_answers_impl.hpp"
#include "domain/limits.hpp"

namespace webhookd::server {

using protocol::JsonWriter;

asio::awaitable<Result<Labels>> read_labels(Context& context, std::vector<base::WebhookId> webhooks) {
  store::Store& store = context.world.store;
  Labels labels;
  for (const auto id : webhooks) {
    if (labels.contains(id)) {
      continue;
    }
    auto read = [&store, id](Completion<store::WebhookState> done) { store.webhook(id, std::move(done)); };
    const auto state = co_await ask<store::WebhookState>(context, std::move(read));
    protocol::WebhookLabel& label = labels[id];
    if (state && !state->deleting) {
      label.name = state->webhook.display_name;
      label.url = state->webhook.url.text();
      label.window = state->webhook.retry.window;
    } else if (!state && state.error().code != ErrorCode::not_found) {
      co_return state.error();
    }
  }
  co_return labels;
}

asio::awaitable<Result<store::MessageDetail>> read_message(Context& context, base::MessageId id) {
  store::Store& store = context.world.store;
  auto read = [&store, id](Completion<store::MessageDetail> done) { store.message(id, std::move(done)); };
  return ask<store::MessageDetail>(context, std::move(read));
}

asio::awaitable<Result<store::EventDetail>> read_event_detail(Context& context, base::EventId id,
                                                              std::size_t message_limit) {
  store::Store& store = context.world.store;
  auto read = [&store, id, message_limit](Completion<store::EventDetail> done) {
    store.event(id, message_limit, std::move(done));
  };
  return ask<store::EventDetail>(context, std::move(read));
}

asio::awaitable<Result<Answer>> answer_message_detail(Context& context, store::MessageDetail detail) {
  std::vector<base::WebhookId> webhooks(1, detail.message.webhook);
  const auto labels = co_await read_labels(context, std::move(webhooks));
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_message_detail(json, detail.message, detail.event->type, labels->at(detail.message.webhook),
                                 detail.event->data, detail.attempts);
  co_return answer;
}

asio::awaitable<Result<Answer>> answer_event(Context& context, store::EventDetail detail) {
  detail.messages.resize(std::min(detail.messages.size(), domain::limits::messages_in_answer));
  std::vector<base::WebhookId> webhooks;
  for (const auto& message : detail.messages) {
    webhooks.push_back(message.webhook);
  }
  const auto labels = co_await read_labels(context, std::move(webhooks));
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::begin_event(json, *detail.event, detail.message_count);
  json.name("messages").begin_array();
  for (const auto& message : detail.messages) {
    protocol::write_message(json, message, detail.event->type, labels->at(message.webhook));
  }
  json.end_array().end_object();
  co_return answer;
}

}  // namespace webhookd::server
