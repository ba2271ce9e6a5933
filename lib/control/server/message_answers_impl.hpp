// Messages and events as answers: reads what a message says of its webhook, once for each webhook in an answer. Private
// to this folder.
#pragma once

#include <map>

#include "control/protocol/message_codec.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

using Labels = std::map<base::WebhookId, protocol::WebhookLabel>;

// Adds the labels that are missing; those of deleted webhooks are empty.
asio::awaitable<Result<Labels>> read_labels(Context& context, std::vector<base::WebhookId> webhooks);

asio::awaitable<Result<store::MessageDetail>> read_message(Context& context, base::MessageId id);
asio::awaitable<Result<store::EventDetail>> read_event_detail(Context& context, base::EventId id,
                                                              std::size_t message_limit);

asio::awaitable<Result<Answer>> answer_message_detail(Context& context, store::MessageDetail detail);
asio::awaitable<Result<Answer>> answer_event(Context& context, store::EventDetail detail);

}  // namespace webhookd::server
