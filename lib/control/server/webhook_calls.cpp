#include <algorithm>
#include <functional>

#include "base/text.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/status_codec.hpp"
#include "control/protocol/webhook_codec.hpp"
#include "control/server/call_impl.hpp"
#include "domain/limits.hpp"

namespace webhookd::server {

namespace {

using domain::Webhook;
using protocol::JsonWriter;
using protocol::WebhookLive;
using Figures = std::vector<std::optional<engine::WebhookFigures>>;

constexpr int edit_rounds = 5;  // against edits by others, when the caller did not ask for a version

// ---- answers --------------------------------------------------------------------------------------------------

asio::awaitable<Result<Figures>> figures_of(Context& context, std::vector<base::WebhookId> ids) {
  auto call = [ids = std::move(ids)](engine::Engine& engine, base::Time, Completion<Figures> done) {
    Figures figures;
    for (const auto id : ids) {
      figures.push_back(engine.webhook_figures(id));
    }
    done(std::move(figures));
  };
  return on_engine<Figures>(context, std::move(call));
}

WebhookLive live_of(const std::optional<engine::WebhookFigures>& figures, const store::WebhookCounters& counters) {
  WebhookLive live;
  live.waiting = counters.waiting;
  live.last_success_at = counters.last_success_at;
  if (figures) {
    live.health = figures->health;
    live.failed_last_day = figures->failed_last_day;
    live.certificate_expires_at = figures->certificate_expires_at;
  }
  return live;
}

Answer webhook_answer(unsigned status, const Webhook& webhook, const WebhookLive& live) {
  Answer answer;
  answer.status = status;
  answer.headers = "ETag: \"" + std::to_string(webhook.version) + "\"\r\n";
  JsonWriter json(answer.body);
  protocol::write_webhook(json, webhook, live);
  return answer;
}

asio::awaitable<Result<Answer>> answer_webhook(Context& context, Webhook webhook, store::WebhookCounters counters) {
  std::vector<base::WebhookId> ids(1, webhook.id);
  const auto figures = co_await figures_of(context, std::move(ids));
  if (!figures) {
    co_return figures.error();
  }
  const WebhookLive live = live_of(figures->front(), counters);
  co_return webhook_answer(200, webhook, live);
}

// ---- rules that need the world --------------------------------------------------------------------------------

Result<void> check_url(const Context& context, const Webhook& webhook) {
  const auto& refusal = context.options.live.url_refusal;
  if (!refusal) {
    return {};
  }
  if (const auto why = refusal(webhook.url)) {
    return base::field_error("/url", "url: " + *why);
  }
  const auto* oauth2 = std::get_if<domain::Oauth2>(&webhook.auth);
  if (const auto why = oauth2 == nullptr ? std::nullopt : refusal(oauth2->token_url)) {
    return base::field_error("/auth/token_url", "auth.token_url: " + *why);
  }
  return {};
}

// RFC 9110 section 13.1.1; weak tags never match.
bool matches(std::string_view if_match, std::uint64_t version) {
  const std::string tag = "\"" + std::to_string(version) + "\"";
  while (!if_match.empty()) {
    std::string_view one = if_match.substr(0, if_match.find(','));
    if_match.remove_prefix(std::min(one.size() + 1, if_match.size()));
    const std::size_t first = std::min(one.find_first_not_of(" \t"), one.size());
    one = one.substr(first, one.find_last_not_of(" \t") + 1 - first);
    if (one == "*" || one == tag) {
      return true;
    }
  }
  return false;
}

Result<void> check_version(const Request& request, const Webhook& webhook) {
  if (request.if_match.empty() || matches(request.if_match, webhook.version)) {
    return {};
  }
  return Error{ErrorCode::version_mismatch,
               "If-Match names " + request.if_match.substr(0, 64) + ", but the webhook is at version \"" +
                   std::to_string(webhook.version) + "\"",
               {}};
}

// What create and edit would refuse beyond the definition itself.
asio::awaitable<Result<void>> rehearse(Context& context, Webhook webhook) {
  auto call = [webhook](engine::Engine& engine, base::Time, Completion<void> done) {
    done(engine.check_events(webhook));
  };
  auto events = co_await on_engine<void>(context, std::move(call));
  if (!events) {
    co_return events;
  }
  store::Store& store = context.world.store;
  auto list = [&store](Completion<std::vector<store::WebhookState>> done) { store.list_webhooks(std::move(done)); };
  const auto states = co_await ask<std::vector<store::WebhookState>>(context, std::move(list));
  if (!states) {
    co_return states.error();
  }
  const bool taken = std::any_of(states->begin(), states->end(), [&](const store::WebhookState& state) {
    return state.webhook.display_name == webhook.display_name && state.webhook.id != webhook.id;
  });
  if (taken) {
    Error error = base::field_error("/display_name", "display_name: another webhook has this name");
    error.code = ErrorCode::name_taken;
    co_return error;
  }
  co_return Result<void>();
}

// ---- edits ----------------------------------------------------------------------------------------------------

// The names of the members that a patch names; empty for other edits, whose operation says all.
std::string edited_members(const Request& request) {
  std::vector<std::string> names;
  if (request.route->operation == protocol::Operation::patch_webhook) {
    const auto members = protocol::scan_object(request.body, domain::limits::json_depth);
    for (std::size_t i = 0; members && i < members->size(); ++i) {
      names.push_back((*members)[i].name);
    }
  }
  return base::join(names, ", ");
}

// The next definition, from the current one.
using Edit = std::function<Result<Webhook>(const Webhook&)>;

struct Edited {
  Webhook webhook;
  store::WebhookCounters counters;
};

asio::awaitable<Result<Edited>> edit_once(Context& context, const Request& request, const Edit& edit) {
  auto state = co_await find_webhook(context, request.argument);
  if (!state) {
    co_return state.error();
  }
  const Webhook& current = state->webhook;
  Edited edited;
  edited.counters = state->counters;
  const auto version = check_version(request, current);
  if (!version) {
    co_return version.error();
  }
  auto next = edit(current);
  if (!next) {
    co_return next.error();
  }
  const auto url = next->url == current.url ? Result<void>() : check_url(context, *next);
  if (!url) {
    co_return url.error();
  }
  if (*next == current) {
    edited.webhook = current;
    co_return edited;
  }
  if (request.dry_run) {
    const auto allowed = co_await rehearse(context, *next);
    if (!allowed) {
      co_return allowed.error();
    }
    edited.webhook = std::move(*next);
    co_return edited;
  }
  const std::uint64_t expected = current.version;
  auto audit = audit_of(context, request, to_string(current.id), edited_members(request));
  auto call = [next = std::move(*next), expected, audit = std::move(audit)](engine::Engine& engine, base::Time now,
                                                                            Completion<Webhook> done) mutable {
    engine.edit_webhook(std::move(next), expected, now, std::move(done), std::move(audit));
  };
  auto stored = co_await on_engine<Webhook>(context, std::move(call));
  if (!stored) {
    co_return stored.error();
  }
  edited.webhook = std::move(*stored);
  co_return edited;
}

asio::awaitable<Result<Edited>> edit_webhook(Context& context, const Request& request, Edit edit) {
  auto edited = co_await edit_once(context, request, edit);
  for (int round = 1;
       round < edit_rounds && request.if_match.empty() && !edited && edited.error().code == ErrorCode::version_mismatch;
       ++round) {
    edited = co_await edit_once(context, request, edit);
  }
  co_return edited;
}

asio::awaitable<Result<Answer>> edit_and_answer(Context& context, const Request& request, Edit edit) {
  auto edited = co_await edit_webhook(context, request, std::move(edit));
  if (!edited) {
    co_return edited.error();
  }
  auto answer = co_await answer_webhook(context, std::move(edited->webhook), edited->counters);
  co_return answer;
}

Reply change_status(Context& context, const Request& request, domain::WebhookStatus status) {
  Edit edit = [status](const Webhook& current) {
    Webhook next = current;
    protocol::set_status(next, status);
    return Result<Webhook>(std::move(next));
  };
  return edit_and_answer(context, request, std::move(edit));
}

// ---- lists ----------------------------------------------------------------------------------------------------

bool contains_ignoring_case(std::string_view text, const std::string& lowered) {
  return base::to_lower(text).find(lowered) != std::string::npos;
}

bool passes(const Webhook& webhook, const protocol::WebhookFilter& filter, const std::string& search) {
  return (!filter.status || webhook.status == *filter.status) &&
         (filter.event.empty() || webhook.wants(filter.event)) &&
         (search.empty() || contains_ignoring_case(webhook.display_name, search) ||
          contains_ignoring_case(webhook.url.text(), search) || contains_ignoring_case(webhook.description, search) ||
          contains_ignoring_case(base::to_string(webhook.id), search));
}

// Orders the list, and is the position in its cursor; unique by the name or the id.
std::string sort_key(const Webhook& webhook, protocol::WebhookOrder order) {
  const std::string name = base::to_lower(webhook.display_name) + '\0' + webhook.display_name;
  switch (order) {
    case protocol::WebhookOrder::created:
      return protocol::number_position(webhook.id.value);
    case protocol::WebhookOrder::name:
      return name;
    case protocol::WebhookOrder::status:
      return std::string(1, webhook.is_active() ? 'a' : 'i') + name;
  }
  return name;
}

struct Page {
  std::vector<store::WebhookState> states;
  std::string next_cursor;
};

Result<Page> page_of(std::vector<store::WebhookState> states, const protocol::WebhookFilter& filter,
                     std::uint64_t list) {
  std::string after;
  if (!filter.cursor.empty()) {
    auto position = protocol::decode_cursor(list, filter.cursor);
    if (!position) {
      return position.error();
    }
    after = std::move(*position);
  }
  const std::string search = base::to_lower(filter.search);
  std::vector<std::pair<std::string, store::WebhookState*>> keyed;
  for (auto& state : states) {
    if (!state.deleting && passes(state.webhook, filter, search)) {
      keyed.emplace_back(sort_key(state.webhook, filter.order), &state);
    }
  }
  std::sort(keyed.begin(), keyed.end());
  Page page;
  for (auto& [key, state] : keyed) {
    if (!after.empty() && key <= after) {
      continue;
    }
    if (page.states.size() == filter.limit) {
      page.next_cursor = protocol::encode_cursor(list, sort_key(page.states.back().webhook, filter.order));
      break;
    }
    page.states.push_back(std::move(*state));
  }
  return page;
}

// ---- secrets --------------------------------------------------------------------------------------------------

// Those that sign now.
std::vector<domain::Secret> valid_secrets(std::vector<domain::Secret> secrets, base::Time now) {
  std::erase_if(secrets, [&](const domain::Secret& secret) { return secret.expires_at && *secret.expires_at <= now; });
  return secrets;
}

Answer secrets_answer(const Context& context, const Webhook& webhook) {
  const auto secrets = valid_secrets(webhook.secrets, context.world.clock.now());
  std::vector<std::string> public_keys;
  for (const auto& secret : secrets) {
    if (secret.kind == domain::SecretKind::ed25519) {
      public_keys.push_back(context.options.public_key_text(secret));
    }
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_secrets(json, secrets, public_keys);
  return answer;
}

Result<Webhook> with_new_secret(const Webhook& current, domain::Secret fresh, base::Time now, base::Duration grace) {
  Webhook next = current;
  next.secrets = valid_secrets(std::move(next.secrets), now);
  for (auto& secret : next.secrets) {
    secret.expires_at = std::min(secret.expires_at.value_or(now + grace), now + grace);
  }
  if (grace.count() == 0) {
    next.secrets.clear();
  }
  next.secrets.insert(next.secrets.begin(), std::move(fresh));
  if (auto rules = domain::check_webhook(next); !rules) {
    return rules.error();
  }
  return next;
}

}  // namespace

Reply list_webhooks(Context& context, const Request& request) {
  const auto filter = protocol::read_webhook_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  store::Store& store = context.world.store;
  auto list = [&store](Completion<std::vector<store::WebhookState>> done) { store.list_webhooks(std::move(done)); };
  auto states = co_await ask<std::vector<store::WebhookState>>(context, std::move(list));
  if (!states) {
    co_return states.error();
  }
  const std::uint64_t list_name = protocol::fingerprint(request.query.list_fingerprint(), request.route->pattern);
  const auto page = page_of(std::move(*states), *filter, list_name);
  if (!page) {
    co_return page.error();
  }
  std::vector<base::WebhookId> ids;
  for (const auto& state : page->states) {
    ids.push_back(state.webhook.id);
  }
  const auto figures = co_await figures_of(context, std::move(ids));
  if (!figures) {
    co_return figures.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("items").begin_array();
  for (std::size_t i = 0; i < page->states.size(); ++i) {
    const auto& state = page->states[i];
    protocol::write_webhook(json, state.webhook, live_of((*figures)[i], state.counters));
  }
  json.end_array().name("next_cursor").text_or_null(page->next_cursor).end_object();
  co_return answer;
}

Reply create_webhook(Context& context, const Request& request) {
  auto webhook = protocol::read_webhook(request.body, context.options.live.defaults);
  if (!webhook) {
    co_return webhook.error();
  }
  const auto url = check_url(context, *webhook);
  if (!url) {
    co_return url.error();
  }
  if (request.dry_run) {
    const auto allowed = co_await rehearse(context, *webhook);
    if (!allowed) {
      co_return allowed.error();
    }
    const WebhookLive live;
    webhook->created_at = context.world.clock.now();
    webhook->updated_at = webhook->created_at;
    co_return webhook_answer(200, *webhook, live);
  }
  if (webhook->secrets.empty()) {
    webhook->secrets.push_back(context.options.generate_secret(domain::SecretKind::hmac_sha256));
  }
  auto call = [webhook = std::move(*webhook), audit = audit_of(context, request)](
                  engine::Engine& engine, base::Time now, Completion<Webhook> done) mutable {
    engine.create_webhook(std::move(webhook), now, std::move(done), std::move(audit));
  };
  const auto created = co_await on_engine<Webhook>(context, std::move(call));
  if (!created) {
    co_return created.error();
  }
  WebhookLive live;
  live.health = domain::Health::up;
  live.waiting = 0;
  live.failed_last_day = 0;
  Answer answer = webhook_answer(request.route->status, *created, live);
  answer.body.clear();
  JsonWriter json(answer.body);
  protocol::write_created_webhook(json, *created, live);
  co_return answer;
}

Reply show_webhook(Context& context, const Request& request) {
  auto state = co_await find_webhook(context, request.argument);
  if (!state) {
    co_return state.error();
  }
  auto answer = co_await answer_webhook(context, std::move(state->webhook), state->counters);
  co_return answer;
}

Reply patch_webhook(Context& context, const Request& request) {
  Edit edit = [&context, &request](const Webhook& current) {
    return protocol::patch_webhook(request.body, current, context.options.live.defaults);
  };
  return edit_and_answer(context, request, std::move(edit));
}

Reply activate_webhook(Context& context, const Request& request) {
  return change_status(context, request, domain::WebhookStatus::active);
}

Reply deactivate_webhook(Context& context, const Request& request) {
  return change_status(context, request, domain::WebhookStatus::inactive);
}

Reply delete_webhook(Context& context, const Request& request) {
  const auto state = co_await find_webhook(context, request.argument);
  if (!state) {
    co_return state.error();
  }
  const auto version = check_version(request, state->webhook);
  if (!version) {
    co_return version.error();
  }
  const auto id = state->webhook.id;
  std::uint64_t waiting = state->counters.waiting;
  if (!request.dry_run) {
    auto call = [id, audit = audit_of(context, request, to_string(id), {}, state->webhook.display_name)](
                    engine::Engine& engine, base::Time, Completion<std::uint64_t> done) mutable {
      engine.delete_webhook(id, std::move(done), std::move(audit));
    };
    const auto cancelled = co_await on_engine<std::uint64_t>(context, std::move(call));
    if (!cancelled) {
      co_return cancelled.error();
    }
    waiting = *cancelled;
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_deleted(json, id, waiting);
  co_return answer;
}

Reply show_secrets(Context& context, const Request& request) {
  const auto state = co_await find_webhook(context, request.argument);
  if (!state) {
    co_return state.error();
  }
  if (!request.dry_run) {
    auto audit = audit_of(context, request, to_string(state->webhook.id), {}, state->webhook.display_name);
    const auto noted = co_await note_in_audit(context, std::move(audit));
    if (!noted) {
      co_return noted.error();
    }
  }
  co_return secrets_answer(context, state->webhook);
}

Reply rotate_secret(Context& context, const Request& request) {
  const auto grace = protocol::read_rotation(request.body);
  if (!grace) {
    co_return grace.error();
  }
  const base::Time now = context.world.clock.now();
  Edit edit = [&context, now, span = *grace](const Webhook& current) {
    const auto kind = current.secrets.empty() ? domain::SecretKind::hmac_sha256 : current.secrets.front().kind;
    return with_new_secret(current, context.options.generate_secret(kind), now, span);
  };
  const auto edited = co_await edit_webhook(context, request, std::move(edit));
  if (!edited) {
    co_return edited.error();
  }
  if (request.dry_run) {
    auto unchanged = co_await show_secrets(context, request);
    co_return unchanged;
  }
  co_return secrets_answer(context, edited->webhook);
}

}  // namespace webhookd::server
