#include <algorithm>

#include "domain/limits.hpp"
#include "store/lmdb_reads_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

std::vector<WebhookState> all_webhooks(Rows& rows, bool with_deleting) {
  std::vector<WebhookState> webhooks;
  const auto cursor = rows.view().cursor(Table::webhooks);
  for (bool more = cursor->first(); more; more = cursor->next()) {
    const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(0);
    const bool deleting = rows.is_deleting(sequence);
    if (deleting && !with_deleting) {
      continue;
    }
    auto webhook = decode_webhook(sequence, rows.tag_keys(), cursor->value(), &rows.seals());
    if (!webhook) {
      rows.damage().add(webhook.error());
      continue;
    }
    const auto counters = rows.counters(sequence);
    webhooks.push_back(
        {std::move(*webhook), counters ? counters->value_or(WebhookCounters{}) : WebhookCounters{}, deleting});
  }
  return webhooks;
}

base::Error missing_event(const domain::Message& message) {
  return {base::ErrorCode::internal,
          "the event " + to_string(message.event) + " of message " + to_string(message.id) + " is missing in the store",
          {}};
}

}  // namespace

std::vector<domain::Attempt> latest_attempts(Rows& rows, std::uint64_t message) {
  std::vector<domain::Attempt> attempts;
  const Key message_key = sequence_key(message);
  const auto cursor = rows.view().cursor(Table::attempts);
  bool more = cursor->seek_back(attempt_key(message, 0xffffffff).view());
  for (; more && cursor->key().starts_with(message_key.view()) && attempts.size() < domain::limits::attempts_in_history;
       more = cursor->previous()) {
    auto attempt = decode_attempt(message, cursor->key(), cursor->value());
    if (attempt) {
      attempts.push_back(std::move(*attempt));
    } else {
      rows.damage().add(attempt.error());
    }
  }
  std::reverse(attempts.begin(), attempts.end());
  return attempts;
}

std::uint64_t event_known_elsewhere(Rows& rows, EventId elsewhere) {
  const std::string prefix = origin_prefix(elsewhere);
  const auto cursor = rows.view().cursor(Table::idempotency);
  if (!cursor->seek(prefix) || !cursor->key().starts_with(prefix)) {
    return 0;
  }
  const auto sequence = decode_number(Table::idempotency, cursor->key(), cursor->value());
  if (!sequence) {
    rows.damage().add(sequence.error());
  }
  return sequence ? *sequence : 0;
}

OpenState read_open_state(Rows& rows) {
  OpenState state{all_webhooks(rows, true), read_types(rows), read_tasks(rows, ended_tasks_kept * 2), {}};
  std::erase_if(state.tasks, [](const BulkTask& task) { return task.state != BulkState::running; });
  return state;
}

Result<BulkTask> read_task(Rows& rows, TaskId id) {
  auto task = rows.task(id);
  if (!task) {
    return task.error();
  }
  if (!*task) {
    return no_such_task(id);
  }
  return std::move(**task);
}

std::vector<BulkTask> read_tasks(Rows& rows, std::size_t limit) {
  std::vector<BulkTask> tasks;
  const auto cursor = rows.view().cursor(Table::tasks);
  for (bool more = cursor->last(); more && tasks.size() < limit; more = cursor->previous()) {
    auto task = decode_task(parse_sequence_key(cursor->key()).value_or(0), rows.tag_keys(), cursor->value());
    if (task) {
      tasks.push_back(std::move(*task));
    } else {
      rows.damage().add(task.error());
    }
  }
  return tasks;
}

std::vector<WebhookState> read_webhooks(Rows& rows) { return all_webhooks(rows, false); }

Result<WebhookState> read_webhook(Rows& rows, WebhookId id) {
  if (!rows.is_ours(id) || rows.is_deleting(id.sequence())) {
    return no_such_webhook(id);
  }
  auto webhook = rows.webhook(id.sequence());
  if (!webhook) {
    return webhook.error();
  }
  if (!*webhook) {
    return no_such_webhook(id);
  }
  const auto counters = rows.counters(id.sequence());
  if (!counters) {
    return counters.error();
  }
  return WebhookState{std::move(**webhook), counters->value_or(WebhookCounters{}), false};
}

std::vector<domain::EventType> read_types(Rows& rows) {
  std::vector<domain::EventType> types;
  const auto cursor = rows.view().cursor(Table::types);
  for (bool more = cursor->first(); more; more = cursor->next()) {
    auto type = decode_type(cursor->key(), cursor->value());
    if (type) {
      types.push_back(std::move(*type));
    } else {
      rows.damage().add(type.error());
    }
  }
  return types;
}

Result<MessageDetail> read_message(Rows& rows, MessageId id) {
  auto record = rows.message(id);
  if (!record) {
    return record.error();
  }
  if (!*record) {
    return no_such_message(id);
  }
  domain::Message& message = (*record)->message;
  auto event = rows.event(message.event.sequence());
  if (!event) {
    return event.error();
  }
  if (!*event) {
    return rows.damaged(missing_event(message));
  }
  return MessageDetail{std::move(message), std::move(**event), latest_attempts(rows, id.sequence())};
}

Result<EventDetail> read_event(Rows& rows, EventId id, std::size_t message_limit) {
  const std::uint64_t sequence = rows.is_ours(id) ? id.sequence() : event_known_elsewhere(rows, id);
  auto header = rows.event_header(sequence);
  auto event = rows.event(sequence);
  if (!header || !event) {
    return header ? event.error() : header.error();
  }
  if (!*event) {
    return no_such_event(id);
  }
  auto messages = rows.messages_of(**header, message_limit);
  return EventDetail{std::move(**event), std::move(messages.first), messages.count};
}

}  // namespace webhookd::store
