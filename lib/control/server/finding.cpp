#include <algorithm>

#include "base/text.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

constexpr std::size_t candidates_max = 10;
constexpr std::size_t tasks_searched_max = 10'000;
constexpr std::size_t names_compared_max = 1000;  // for "did you mean"

Error not_found(std::string_view what, std::string_view text) {
  return {ErrorCode::not_found, "there is no " + std::string(what) + " " + std::string(text.substr(0, 256)), {}};
}

// Of more candidates than are listed there is one too many.
Error ambiguous(std::string_view what, std::string_view text, std::vector<std::string> candidates) {
  const bool has_more = candidates.size() > candidates_max;
  candidates.resize(std::min(candidates.size(), candidates_max));
  Error error{ErrorCode::ambiguous_id,
              std::string(text) + " fits several " + std::string(what) + "s: " + base::join(candidates, ", ") +
                  (has_more ? ", and more" : ""),
              {}};
  for (auto& candidate : candidates) {
    error.fields.push_back({"", std::move(candidate)});
  }
  return error;
}

template <class Id>
Result<Id> only_one(std::string_view what, std::string_view text, const Result<std::vector<Id>>& found) {
  if (!found) {
    return found.error();
  }
  if (found->empty()) {
    return not_found(what, text);
  }
  if (found->size() == 1) {
    return found->front();
  }
  std::vector<std::string> candidates;
  for (const Id id : *found) {
    candidates.push_back(base::to_string(id));
  }
  return ambiguous(what, text, std::move(candidates));
}

Error no_such_webhook(const std::string& text, const std::vector<store::WebhookState>& states) {
  std::vector<std::string> names;
  for (const auto& state : states) {
    if (names.size() < names_compared_max) {
      names.push_back(state.webhook.display_name);
    }
  }
  Error error = not_found("webhook", text);
  if (const auto meant = base::closest(text, names)) {
    error.detail += "; did you mean " + *meant + "?";
  }
  return error;
}

// By exact name, else by unique prefix of the id.
Result<store::WebhookState> pick_webhook(const std::string& text, std::vector<store::WebhookState> states) {
  std::vector<std::string> candidates;
  store::WebhookState* chosen = nullptr;
  for (auto& state : states) {
    if (state.webhook.display_name == text) {
      return std::move(state);
    }
    if (text.size() > base::WebhookKind::prefix.size() && base::to_string(state.webhook.id).starts_with(text)) {
      chosen = &state;
      if (candidates.size() <= candidates_max) {
        candidates.push_back(base::to_string(state.webhook.id) + " (" + state.webhook.display_name + ")");
      }
    }
  }
  if (candidates.size() > 1) {
    return ambiguous("webhook", text, std::move(candidates));
  }
  if (chosen == nullptr) {
    return no_such_webhook(text, states);
  }
  return std::move(*chosen);
}

}  // namespace

asio::awaitable<Result<store::WebhookState>> find_webhook(Context& context, std::string text) {
  store::Store& store = context.world.store;
  if (const auto id = base::parse_webhook_id(text)) {
    auto read = [&store, id](Completion<store::WebhookState> done) { store.webhook(*id, std::move(done)); };
    auto state = co_await ask<store::WebhookState>(context, std::move(read));
    if (state && !state->deleting) {
      co_return state;
    }
    if (!state && state.error().code != ErrorCode::not_found) {
      co_return state.error();
    }
  }
  auto list = [&store](Completion<std::vector<store::WebhookState>> done) { store.list_webhooks(std::move(done)); };
  auto states = co_await ask<std::vector<store::WebhookState>>(context, std::move(list));
  if (!states) {
    co_return states.error();
  }
  co_return pick_webhook(text, std::move(*states));
}

asio::awaitable<Result<store::MessageFilter>> resolve_filter(Context& context, protocol::MessageFilter filter) {
  store::MessageFilter resolved;
  if (!filter.webhook.empty()) {
    const auto state = co_await find_webhook(context, filter.webhook);
    if (!state) {
      co_return state.error();
    }
    resolved.webhook = state->webhook.id;
  }
  if (!filter.type.empty()) {
    resolved.type = filter.type;
  }
  resolved.statuses = filter.statuses;
  resolved.since = filter.since;
  resolved.until = filter.until;
  resolved.code_min = filter.code_min;
  resolved.code_max = filter.code_max;
  resolved.text = filter.text;
  co_return resolved;
}

asio::awaitable<Result<base::MessageId>> find_message(Context& context, std::string text) {
  if (const auto id = base::parse_message_id(text)) {
    co_return *id;
  }
  const auto range = base::decode_id_prefix(base::MessageKind::prefix, text);
  if (!range) {
    co_return not_found("message", text);
  }
  store::Store& store = context.world.store;
  auto read = [&store, range](Completion<std::vector<base::MessageId>> done) {
    store.find_messages(range->first, range->second, candidates_max + 1, std::move(done));
  };
  const auto found = co_await ask<std::vector<base::MessageId>>(context, std::move(read));
  co_return only_one("message", text, found);
}

asio::awaitable<Result<base::TaskId>> find_task(Context& context, std::string text) {
  if (const auto id = base::parse_task_id(text)) {
    co_return *id;
  }
  if (text.size() <= base::TaskKind::prefix.size()) {
    co_return not_found("task", text);
  }
  store::Store& store = context.world.store;
  auto list = [&store](Completion<std::vector<store::BulkTask>> done) {
    store.list_bulk_tasks(tasks_searched_max, std::move(done));
  };
  const auto tasks = co_await ask<std::vector<store::BulkTask>>(context, std::move(list));
  if (!tasks) {
    co_return tasks.error();
  }
  std::vector<base::TaskId> found;
  for (const store::BulkTask& task : *tasks) {
    if (found.size() <= candidates_max && base::to_string(task.id).starts_with(text)) {
      found.push_back(task.id);
    }
  }
  co_return only_one<base::TaskId>("task", text, found);
}

asio::awaitable<Result<base::EventId>> find_event(Context& context, std::string text) {
  if (const auto id = base::parse_event_id(text)) {
    co_return *id;
  }
  const auto range = base::decode_id_prefix(base::EventKind::prefix, text);
  if (!range) {
    co_return not_found("event", text);
  }
  store::Store& store = context.world.store;
  auto read = [&store, range](Completion<std::vector<base::EventId>> done) {
    store.find_events(range->first, range->second, candidates_max + 1, std::move(done));
  };
  const auto found = co_await ask<std::vector<base::EventId>>(context, std::move(read));
  co_return only_one("event", text, found);
}

}  // namespace webhookd::server
