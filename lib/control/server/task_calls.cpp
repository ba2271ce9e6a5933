#include <array>

#include "control/protocol/task_codec.hpp"
#include "control/server/call_impl.hpp"
#include "control/server/message_answers_impl.hpp"
#include "domain/message.hpp"

namespace webhookd::server {

namespace {

using protocol::JsonWriter;
using store::BulkAction;
using store::BulkTask;

constexpr std::uint32_t bit(domain::MessageStatus status) { return 1U << static_cast<unsigned>(status); }
constexpr std::uint32_t waiting = bit(domain::MessageStatus::created) | bit(domain::MessageStatus::retrying);

struct ActionRow {
  BulkAction action;
  std::string_view name;
  std::uint32_t statuses;  // by default
};
constexpr std::array actions = {ActionRow{BulkAction::retry, "retry", bit(domain::MessageStatus::failed)},
                                ActionRow{BulkAction::cancel, "cancel", waiting}};
constexpr std::array<std::string_view, 3> state_names = {"running", "done", "cancelled"};

const ActionRow& row_of(BulkAction action) { return actions[static_cast<std::size_t>(action)]; }

protocol::TaskText text_of(const BulkTask& task, const std::string& webhook_name) {
  protocol::TaskText text;
  text.id = task.id.is_set() ? std::optional(task.id) : std::nullopt;
  text.action = row_of(task.action).name;
  text.state = task.id.is_set() ? state_names[static_cast<std::size_t>(task.state)] : "planned";
  text.webhook = *task.filter.webhook;
  text.webhook_name = webhook_name;
  text.filter.type = task.filter.type.value_or("");
  text.filter.statuses = task.filter.statuses;
  text.filter.since = task.filter.since;
  text.filter.until = task.filter.until;
  text.filter.code_min = task.filter.code_min;
  text.filter.code_max = task.filter.code_max;
  text.filter.text = task.filter.text;
  text.rate = task.rate;
  text.uid = task.actor.uid;
  text.reason = task.actor.reason;
  text.started_at = task.started_at;
  text.ended_at = task.ended_at;
  text.total = task.total;
  text.done = task.done;
  text.failed = task.failed;
  return text;
}

asio::awaitable<Result<Labels>> labels_of(Context& context, const std::vector<BulkTask>& tasks) {
  std::vector<base::WebhookId> webhooks;
  for (const BulkTask& task : tasks) {
    webhooks.push_back(*task.filter.webhook);
  }
  return read_labels(context, std::move(webhooks));
}

asio::awaitable<Result<Answer>> answer_task(Context& context, BulkTask task, unsigned status) {
  std::vector<BulkTask> tasks(1, task);
  const auto labels = co_await labels_of(context, tasks);
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  answer.status = status;
  JsonWriter json(answer.body);
  protocol::write_task(json, text_of(task, labels->at(*task.filter.webhook).name));
  co_return answer;
}

// All that would be touched now, by the same look at the log that the task would take.
asio::awaitable<Result<std::uint64_t>> count(Context& context, store::MessageFilter filter) {
  store::Store& store = context.world.store;
  store::CountQuery query;
  static_cast<store::MessageFilter&>(query) = std::move(filter);
  query.up_to = base::max_sequence;
  std::uint64_t counted = 0;
  for (bool has_more = true; has_more;) {
    auto read = [&store, query](Completion<store::MessageCount> done) { store.count_messages(query, std::move(done)); };
    const auto part = co_await ask<store::MessageCount>(context, std::move(read));
    if (!part) {
      co_return part.error();
    }
    counted += part->count;
    has_more = part->next.has_value();
    query.after = part->next.value_or(0);
  }
  co_return counted;
}

asio::awaitable<Result<Answer>> rehearse(Context& context, BulkTask task) {
  auto call = [task](engine::Engine& engine, base::Time, Completion<void> done) { done(engine.check_bulk(task)); };
  const auto allowed = co_await on_engine<void>(context, std::move(call));
  if (!allowed) {
    co_return allowed.error();
  }
  const auto total = co_await count(context, task.filter);
  if (!total) {
    co_return total.error();
  }
  task.total = *total;
  task.started_at = context.world.clock.now();
  auto answer = co_await answer_task(context, std::move(task), 200);
  co_return answer;
}

asio::awaitable<Result<BulkTask>> read_task(Context& context, base::TaskId id) {
  store::Store& store = context.world.store;
  auto read = [&store, id](Completion<BulkTask> done) { store.bulk_task(id, std::move(done)); };
  return ask<BulkTask>(context, std::move(read));
}

asio::awaitable<Result<Answer>> rehearse_end(Context& context, base::TaskId id) {
  auto task = co_await read_task(context, id);
  if (!task) {
    co_return task.error();
  }
  if (task->state != store::BulkState::running) {
    co_return refusal(ErrorCode::already_settled, "task " + base::to_string(id) + " has ended already");
  }
  auto answer = co_await answer_task(context, std::move(*task), 200);
  co_return answer;
}

Result<void> check_statuses(const ActionRow& row, std::uint32_t statuses) {
  if (row.action == BulkAction::cancel && statuses != protocol::every_status && (statuses & ~waiting) != 0) {
    return base::field_error("/filter/status",
                             "filter.status: only messages that wait can be cancelled: created, retrying");
  }
  return {};
}

Reply begin(Context& context, const Request& request, BulkAction action) {
  const ActionRow& row = row_of(action);
  auto asked = protocol::read_bulk(request.body);
  if (!asked) {
    co_return asked.error();
  }
  if (const auto fit = check_statuses(row, asked->filter.statuses); !fit) {
    co_return fit.error();
  }
  if (asked->filter.statuses == protocol::every_status) {
    asked->filter.statuses = row.statuses;
  }
  auto filter = co_await resolve_filter(context, asked->filter);
  if (!filter) {
    co_return filter.error();
  }
  BulkTask task;
  task.action = action;
  task.filter = std::move(*filter);
  task.actor.uid = request.session->peer.uid;
  task.actor.reason = asked->reason.empty() ? request.reason : std::move(asked->reason);
  task.rate = asked->rate;
  if (asked->dry_run || request.dry_run) {
    auto answer = co_await rehearse(context, std::move(task));
    co_return answer;
  }
  Request noted = request;
  noted.reason = task.actor.reason;
  auto call = [task = std::move(task), audit = audit_of(context, noted, {}, request.body)](
                  engine::Engine& engine, base::Time now, Completion<BulkTask> done) mutable {
    engine.begin_bulk(std::move(task), now, std::move(done), std::move(audit));
  };
  auto begun = co_await on_engine<BulkTask>(context, std::move(call));
  if (!begun) {
    co_return begun.error();
  }
  auto answer = co_await answer_task(context, std::move(*begun), request.route->status);
  co_return answer;
}

}  // namespace

Reply retry_messages(Context& context, const Request& request) { return begin(context, request, BulkAction::retry); }

Reply cancel_messages(Context& context, const Request& request) { return begin(context, request, BulkAction::cancel); }

Reply list_tasks(Context& context, const Request& request) {
  const auto filter = protocol::read_page_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  store::Store& store = context.world.store;
  auto read = [&store, limit = filter->limit](Completion<std::vector<BulkTask>> done) {
    store.list_bulk_tasks(limit, std::move(done));
  };
  const auto tasks = co_await ask<std::vector<BulkTask>>(context, std::move(read));
  if (!tasks) {
    co_return tasks.error();
  }
  const auto labels = co_await labels_of(context, *tasks);
  if (!labels) {
    co_return labels.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("items").begin_array();
  for (const BulkTask& task : *tasks) {
    protocol::write_task(json, text_of(task, labels->at(*task.filter.webhook).name));
  }
  json.end_array().name("next_cursor").null().end_object();
  co_return answer;
}

Reply show_task(Context& context, const Request& request) {
  const auto id = co_await find_task(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  auto task = co_await read_task(context, *id);
  if (!task) {
    co_return task.error();
  }
  auto answer = co_await answer_task(context, std::move(*task), 200);
  co_return answer;
}

Reply cancel_task(Context& context, const Request& request) {
  const auto id = co_await find_task(context, request.argument);
  if (!id) {
    co_return id.error();
  }
  if (request.dry_run) {
    auto answer = co_await rehearse_end(context, *id);
    co_return answer;
  }
  auto call = [task = *id, audit = audit_of(context, request, to_string(*id))](engine::Engine& engine, base::Time now,
                                                                               Completion<BulkTask> done) mutable {
    engine.end_bulk(task, now, std::move(done), std::move(audit));
  };
  auto ended = co_await on_engine<BulkTask>(context, std::move(call));
  if (!ended) {
    co_return ended.error();
  }
  auto answer = co_await answer_task(context, std::move(*ended), 200);
  co_return answer;
}

}  // namespace webhookd::server
