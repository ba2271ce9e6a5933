#include "base/check.hpp"
#include "base/text.hpp"
#include "control/protocol/openapi.hpp"
#include "control/protocol/status_codec.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using protocol::JsonWriter;

protocol::StoreStatus status_of(const store::StoreFigures& figures) {
  return {.id = figures.store_id,
          .schema = figures.schema,
          .events = figures.events,
          .messages = figures.messages,
          .waiting = figures.waiting,
          .webhooks = figures.webhooks,
          .used_bytes = figures.used_bytes,
          .quota_bytes = figures.quota_bytes,
          .master_key = figures.master_key,
          .directory = figures.directory,
          .disk_free_bytes = figures.disk_free_bytes,
          .disk_reserve_bytes = figures.disk_reserve_bytes,
          .full = figures.full,
          .full_because = figures.full_because,
          .commits = figures.commits,
          .damaged_records = figures.damaged_records};
}

protocol::EngineStatus status_of(const engine::EngineFigures& figures) {
  return {figures.in_flight, figures.ready,    figures.unsettled, figures.attempts,
          figures.successes, figures.failures, figures.accepted,  figures.next_due};
}

protocol::HealthStatus status_of(const engine::LaneFigures& figures) {
  const std::uint64_t troubled = figures.down + figures.throttled;
  return {figures.webhooks - std::min(figures.webhooks, troubled), figures.throttled, figures.down};
}

Answer word_answer(std::string_view word) {
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("status").string(word).end_object();
  return answer;
}

std::string keys_of(const std::vector<protocol::SettingChange>& changes) {
  std::vector<std::string> keys;
  for (const protocol::SettingChange& change : changes) {
    keys.push_back(change.key);
  }
  return base::join(keys, ", ");
}

Answer clock_answer(const Context& context, base::Time now) {
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_clock(json, now, static_cast<bool>(context.options.advance_clock));
  return answer;
}

}  // namespace

asio::awaitable<Result<EngineView>> read_engine_view(Context& context) {
  auto call = [](engine::Engine& engine, base::Time, Completion<EngineView> done) {
    EngineView view;
    view.engine = engine.figures();
    view.lanes = engine.lane_figures();
    done(std::move(view));
  };
  return on_engine<EngineView>(context, std::move(call));
}

asio::awaitable<Result<store::StoreFigures>> read_figures(Context& context) {
  store::Store& store = context.world.store;
  auto measure = [&store](Completion<store::StoreFigures> done) { store.figures(std::move(done)); };
  return ask<store::StoreFigures>(context, std::move(measure));
}

Reply show_status(Context& context, const Request&) {
  const auto stored = co_await read_figures(context);
  if (!stored) {
    co_return stored.error();
  }
  const auto decided = co_await read_engine_view(context);
  if (!decided) {
    co_return decided.error();
  }
  protocol::Status status;
  status.version = WEBHOOKD_VERSION;
  status.started_at = context.options.started_at;
  status.now = context.world.clock.now();
  status.uptime = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - context.started);
  status.test_clock = static_cast<bool>(context.options.advance_clock);
  status.socket = context.options.socket_path;
  status.configuration = context.options.configuration;
  status.master_key_file = context.options.master_key_file;
  status.store = status_of(*stored);
  status.engine = status_of(decided->engine);
  status.health = status_of(decided->lanes);
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_status(json, status);
  co_return answer;
}

Reply healthz(Context&, const Request&) { co_return word_answer("ok"); }

// Ready means that store and engine answer, and that there will be a next request.
Reply readyz(Context& context, const Request&) {
  if (context.draining) {
    co_return refusal(ErrorCode::unavailable, "the daemon is stopping");
  }
  const auto stored = co_await read_figures(context);
  if (!stored) {
    co_return refusal(ErrorCode::unavailable, "the store does not answer: " + stored.error().detail);
  }
  auto call = [](engine::Engine&, base::Time, Completion<void> done) { done(Result<void>()); };
  const auto turned = co_await on_engine<void>(context, std::move(call));
  if (!turned) {
    co_return turned.error();
  }
  co_return word_answer("ready");
}

Reply openapi(Context&, const Request&) {
  Answer answer;
  answer.body = protocol::openapi_document();
  co_return answer;
}

Reply show_clock(Context& context, const Request&) { co_return clock_answer(context, context.world.clock.now()); }

Reply advance_clock(Context& context, const Request& request) {
  const auto by = protocol::read_advance(request.body);
  if (!by) {
    co_return by.error();
  }
  if (!context.options.advance_clock) {
    co_return refusal(ErrorCode::no_test_clock,
                      "the clock is the system's; only webhookd --test-clock can be advanced");
  }
  if (request.dry_run) {
    co_return clock_answer(context, context.world.clock.now() + *by);
  }
  auto advance = [&context, span = *by](Completion<base::Time> done) {
    context.options.advance_clock(span, std::move(done));
  };
  const auto now = co_await ask<base::Time>(context, std::move(advance));
  if (!now) {
    co_return now.error();
  }
  auto audit = audit_of(context, request, {}, base::format_duration(*by));
  const auto noted = co_await note_in_audit(context, std::move(audit));
  if (!noted) {
    co_return noted.error();
  }
  co_return clock_answer(context, *now);
}

Reply reload(Context& context, const Request& request) {
  base::check(static_cast<bool>(context.options.reload), "the server was given somebody who reloads");
  auto begin = [&context, dry_run = request.dry_run](Completion<std::vector<protocol::SettingChange>> done) {
    context.options.reload(dry_run, std::move(done));
  };
  const auto changes = co_await ask<std::vector<protocol::SettingChange>>(context, std::move(begin));
  if (!changes) {
    co_return changes.error();
  }
  if (!request.dry_run) {
    auto audit = audit_of(context, request, {}, keys_of(*changes));
    const auto noted = co_await note_in_audit(context, std::move(audit));
    if (!noted) {
      co_return noted.error();
    }
  }
  Answer answer;
  JsonWriter json(answer.body);
  protocol::write_reload(json, *changes);
  co_return answer;
}

}  // namespace webhookd::server
