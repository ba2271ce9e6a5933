#include <algorithm>

#include "base/text.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/message_codec.hpp"
#include "control/server/call_impl.hpp"
#include "control/server/follower_impl.hpp"
#include "control/server/message_answers_impl.hpp"
#include "domain/limits.hpp"
#include "domain/message.hpp"

namespace webhookd::server {

namespace {

using domain::Message;
using protocol::JsonWriter;
using protocol::MessageFilter;

constexpr int scans_per_page = 5;  // of store::MessageQuery::scan_limit rows
constexpr std::size_t event_messages_listed = 20'000;

// ---- lists ----------------------------------------------------------------------------------------------------

struct Page {
  std::vector<store::MessageRow> rows;
  std::uint64_t next = 0;  // the position; 0: the end
};

asio::awaitable<Result<store::MessageQuery>> query_of(Context& context, MessageFilter filter) {
  const bool oldest_first = filter.oldest_first;
  const std::size_t limit = filter.limit;
  auto resolved = co_await resolve_filter(context, std::move(filter));
  if (!resolved) {
    co_return resolved.error();
  }
  store::MessageQuery query;
  static_cast<store::MessageFilter&>(query) = std::move(*resolved);
  query.oldest_first = oldest_first;
  query.limit = limit;
  co_return query;
}

asio::awaitable<Result<Page>> scan_messages(Context& context, store::MessageQuery query) {
  store::Store& store = context.world.store;
  const std::size_t wanted = query.limit;
  Page page;
  for (int scan = 0; scan < scans_per_page; ++scan) {
    query.limit = wanted - page.rows.size();
    auto read = [&store, query](Completion<store::MessagePage> done) { store.list_messages(query, std::move(done)); };
    auto found = co_await ask<store::MessagePage>(context, std::move(read));
    if (!found) {
      co_return found.error();
    }
    std::move(found->rows.begin(), found->rows.end(), std::back_inserter(page.rows));
    page.next = found->next.value_or(0);
    if (page.next == 0 || page.rows.size() >= wanted) {
      break;
    }
    query.after_sequence = page.next;
  }
  co_return page;
}

bool contains_ignoring_case(std::string_view text, std::string_view lowered) {
  return base::to_lower(text).find(lowered) != std::string::npos;
}

// What the store checks in its own scans, for the messages of one event, which are read directly.
bool passes(const Message& message, const std::string& type, const store::MessageQuery& query) {
  const bool after = query.oldest_first ? message.id.sequence() > query.after_sequence
                                        : query.after_sequence == 0 || message.id.sequence() < query.after_sequence;
  const std::string text = base::to_lower(query.text);
  return after && (!query.webhook || message.webhook == *query.webhook) && (!query.type || type == *query.type) &&
         (query.statuses >> static_cast<unsigned>(message.status) & 1) != 0 &&
         (!query.since || message.created_at >= *query.since) && (!query.until || message.created_at < *query.until) &&
         (query.code_max == 0 || (message.last_code >= query.code_min && message.last_code <= query.code_max)) &&
         (text.empty() || contains_ignoring_case(base::to_string(message.id), text) ||
          contains_ignoring_case(type, text) || contains_ignoring_case(message.failure, text));
}

asio::awaitable<Result<Page>> messages_of_event(Context& context, std::string event, store::MessageQuery query) {
  const auto id = co_await find_event(context, std::move(event));
  if (!id) {
    co_return id.error();
  }
  auto detail = co_await read_event_detail(context, *id, event_messages_listed);
  if (!detail) {
    co_return detail.error();
  }
  auto& messages = detail->messages;
  std::sort(messages.begin(), messages.end(),
            [&](const Message& a, const Message& b) { return query.oldest_first ? a.id < b.id : b.id < a.id; });
  Page page;
  for (Message& message : messages) {
    if (!passes(message, detail->event->type, query)) {
      continue;
    }
    if (page.rows.size() == query.limit) {
      page.next = page.rows.back().message.id.sequence();
      break;
    }
    page.rows.push_back({std::move(message), detail->event->type});
  }
  co_return page;
}

asio::awaitable<Result<Answer>> answer_page(Context& context, Page page, std::uint64_t list) {
  std::vector<base::WebhookId> webhooks;
  for (const auto& row : page.rows) {
    webhooks.push_back(row.message.webhook);
  }
  const auto labels = co_await read_labels(context, std::move(webhooks));
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("items").begin_array();
  for (const auto& row : page.rows) {
    protocol::write_message(json, row.message, row.type, labels->at(row.message.webhook));
  }
  json.end_array().name("next_cursor");
  if (page.next == 0) {
    json.null();
  } else {
    json.string(protocol::encode_cursor(list, protocol::number_position(page.next)));
  }
  json.end_object();
  co_return answer;
}

// ---- retry and cancel -----------------------------------------------------------------------------------------

using Change = void (engine::Engine::*)(base::MessageId, domain::Actor, base::Time, Completion<Message>, store::Audit);
// The same rule applied to a copy, for a dry run.
using Rehearsal = Result<void> (*)(Message&, const domain::Actor&, base::Time, const store::WebhookState&);

Result<void> rehearse_cancel(Message& message, const domain::Actor& actor, base::Time now, const store::WebhookState&) {
  return domain::apply_cancel(message, actor, now);
}

Result<void> rehearse_retry(Message& message, const domain::Actor& actor, base::Time now,
                            const store::WebhookState& state) {
  return domain::apply_retry(message, actor, now, state.webhook.retry.window, state.webhook.is_active());
}

asio::awaitable<Result<Message>> rehearse(Context& context, Message message, domain::Actor actor, Rehearsal rule) {
  store::Store& store = context.world.store;
  const auto id = message.webhook;
  auto read = [&store, id](Completion<store::WebhookState> done) { store.webhook(id, std::move(done)); };
  const auto state = co_await ask<store::WebhookState>(context, std::move(read));
  if (!state) {
    co_return state.error();
  }
  const auto allowed = rule(message, actor, context.world.clock.now(), *state);
  if (!allowed) {
    co_return allowed.error();
  }
  co_return message;
}

Reply change_message(Context& context, const Request& original, Change change, Rehearsal rule) {
  Request request = original;
  auto reason = protocol::read_reason(request.body);
  if (!reason) {
    co_return reason.error();
  }
  const auto id = co_await find_message(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  const auto before = co_await read_message(context, *id);
  if (!before) {
    co_return before.error();
  }
  domain::Actor actor;
  actor.uid = request.session->peer.uid;
  request.reason = reason->empty() ? request.reason : std::move(*reason);
  actor.reason = request.reason;
  Result<Message> changed(before->message);
  if (request.dry_run) {
    changed = co_await rehearse(context, before->message, std::move(actor), rule);
  } else {
    auto call = [change, message = *id, actor = std::move(actor),
                 audit = audit_of(context, request, to_string(*id), before->event->type)](
                    engine::Engine& engine, base::Time now, Completion<Message> done) mutable {
      (engine.*change)(message, std::move(actor), now, std::move(done), std::move(audit));
    };
    changed = co_await on_engine<Message>(context, std::move(call));
  }
  if (!changed) {
    co_return changed.error();
  }
  std::vector<base::WebhookId> webhooks(1, changed->webhook);
  const auto labels = co_await read_labels(context, std::move(webhooks));
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_message(json, *changed, before->event->type, labels->at(changed->webhook));
  co_return answer;
}

// ---- waits ----------------------------------------------------------------------------------------------------

// From one look at what is waited for to the next: after a change, or at the end of the wait.
class WaitTurns {
 public:
  WaitTurns(Context& context, const Request& request, base::Duration span)
      : follower_(context, request), end_(std::chrono::steady_clock::now() + span) {}

  // The error says why to stop waiting.
  asio::awaitable<Result<void>> next() {
    if (std::chrono::steady_clock::now() >= end_) {
      co_return refusal(ErrorCode::wait_timeout, "it has not settled yet");
    }
    auto stayed = co_await follower_.next_change(end_);
    co_return stayed;
  }

 private:
  Follower follower_;
  SteadyTime end_;
};

Result<base::Duration> wait_span(const Context& context, const Request& request) {
  const auto room = Follower::check_room(context);
  if (!room) {
    return room.error();
  }
  return protocol::read_wait(request.query);
}

bool any_waiting(const std::vector<Message>& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const Message& message) { return message.is_waiting(); });
}

}  // namespace

Reply list_messages(Context& context, const Request& request) {
  const auto filter = protocol::read_message_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  const std::uint64_t list = protocol::fingerprint(request.query.list_fingerprint(), request.route->pattern);
  auto query = co_await query_of(context, *filter);
  if (!query) {
    co_return query.error();
  }
  if (!filter->cursor.empty()) {
    const auto position = protocol::decode_cursor(list, filter->cursor);
    if (!position) {
      co_return position.error();
    }
    query->after_sequence = protocol::position_number(*position);
  }
  Result<Page> page{Page()};
  if (filter->event.empty()) {
    page = co_await scan_messages(context, std::move(*query));
  } else {
    page = co_await messages_of_event(context, filter->event, std::move(*query));
  }
  if (!page) {
    co_return page.error();
  }
  auto answer = co_await answer_page(context, std::move(*page), list);
  co_return answer;
}

Reply show_message(Context& context, const Request& request) {
  const auto id = co_await find_message(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  auto detail = co_await read_message(context, *id);
  if (!detail) {
    co_return detail.error();
  }
  auto answer = co_await answer_message_detail(context, std::move(*detail));
  co_return answer;
}

Reply retry_message(Context& context, const Request& request) {
  return change_message(context, request, &engine::Engine::retry, rehearse_retry);
}

Reply cancel_message(Context& context, const Request& request) {
  return change_message(context, request, &engine::Engine::cancel, rehearse_cancel);
}

Reply wait_message(Context& context, const Request& request) {
  const auto span = wait_span(context, request);
  if (!span) {
    co_return span.error();
  }
  const auto id = co_await find_message(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  WaitTurns turns(context, request, *span);
  for (;;) {
    auto detail = co_await read_message(context, *id);
    if (!detail) {
      co_return detail.error();
    }
    if (!detail->message.is_waiting()) {
      auto answer = co_await answer_message_detail(context, std::move(*detail));
      co_return answer;
    }
    const auto go_on = co_await turns.next();
    if (!go_on) {
      co_return go_on.error();
    }
  }
}

Reply show_event(Context& context, const Request& request) {
  const auto id = co_await find_event(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  auto detail = co_await read_event_detail(context, *id, domain::limits::messages_in_answer);
  if (!detail) {
    co_return detail.error();
  }
  auto answer = co_await answer_event(context, std::move(*detail));
  co_return answer;
}

Reply wait_event(Context& context, const Request& request) {
  const auto span = wait_span(context, request);
  if (!span) {
    co_return span.error();
  }
  const auto id = co_await find_event(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  WaitTurns turns(context, request, *span);
  std::size_t looked_at = domain::limits::messages_in_answer;
  for (;;) {
    auto detail = co_await read_event_detail(context, *id, looked_at);
    if (!detail) {
      co_return detail.error();
    }
    const bool complete = detail->message_count <= looked_at;
    const bool waiting = any_waiting(detail->messages);
    if (complete && !waiting) {
      auto answer = co_await answer_event(context, std::move(*detail));
      co_return answer;
    }
    // The first hundred have settled: only now is it worth reading all of them.
    looked_at = waiting ? looked_at : static_cast<std::size_t>(detail->message_count);
    if (waiting) {
      const auto go_on = co_await turns.next();
      if (!go_on) {
        co_return go_on.error();
      }
    }
  }
}

}  // namespace webhookd::server
