#include <algorithm>

#include "control/protocol/status_codec.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using namespace std::chrono_literals;
using WebhookStates = std::vector<store::WebhookState>;

constexpr base::Duration span_default = 1h;

void add_recent(protocol::Stats& stats, const engine::RecentFigures& recent) {
  stats.accepted = recent.accepted;
  for (std::size_t i = 0; i < recent.outcomes.size(); ++i) {
    stats.outcomes.emplace_back(to_string(static_cast<domain::OutcomeKind>(i)), recent.outcomes[i]);
  }
  stats.p50_ms = recent.delivery_time.quantile(0.5);
  stats.p90_ms = recent.delivery_time.quantile(0.9);
  stats.p99_ms = recent.delivery_time.quantile(0.99);
}

void add_kept(protocol::Stats& stats, const store::StoreFigures& figures, const WebhookStates& states) {
  stats.kept_events = figures.events;
  stats.kept_messages = figures.messages;
  stats.kept_waiting = figures.waiting;
  for (const store::WebhookState& state : states) {
    stats.kept_success += state.counters.success;
    stats.kept_failed += state.counters.failed;
    stats.kept_cancelled += state.counters.cancelled;
  }
}

// To the minute, because that is how it is counted.
base::Time beginning(const Context& context, std::optional<base::Time> asked, base::Time now) {
  const base::Time earliest = std::max(context.options.started_at, now - engine::RecentMinutes::span);
  const base::Time since = std::chrono::floor<std::chrono::minutes>(asked.value_or(now - span_default));
  return std::min(std::max(since, earliest), now);
}

}  // namespace

Reply show_stats(Context& context, const Request& request) {
  const auto asked = protocol::read_since(request.query);
  if (!asked) {
    co_return asked.error();
  }
  protocol::Stats stats;
  stats.until = context.world.clock.now();
  stats.since = beginning(context, *asked, stats.until);
  auto call = [since = stats.since](engine::Engine& engine, base::Time, Completion<engine::RecentFigures> done) {
    done(engine.recent(since));
  };
  const auto recent = co_await on_engine<engine::RecentFigures>(context, std::move(call));
  const auto stored = co_await read_figures(context);
  store::Store& store = context.world.store;
  auto list = [&store](Completion<WebhookStates> done) { store.list_webhooks(std::move(done)); };
  const auto states = co_await ask<WebhookStates>(context, std::move(list));
  if (!recent || !stored || !states) {
    co_return !recent ? recent.error() : !stored ? stored.error() : states.error();
  }
  add_recent(stats, *recent);
  add_kept(stats, *stored, *states);
  Answer answer;
  protocol::JsonWriter json(answer.body);
  protocol::write_stats(json, stats);
  co_return answer;
}

}  // namespace webhookd::server
