// The show command: one screen about a webhook, a message with its attempts and what comes next, or an event.
#include <algorithm>
#include <array>
#include <cmath>

#include "domain/backoff.hpp"
#include "domain/message.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Result;

namespace {

// The policy of the message's webhook; nothing when that cannot be had: the plan is then shorter.
std::optional<domain::RetryPolicy> policy_of(Json webhook) {
  const Json retry = webhook["retry"];
  if (!retry.is_object()) return std::nullopt;
  const auto span = [&](std::string_view name) {
    return base::Duration{std::llround(retry[name].number().value_or(0) * 1000)};
  };
  domain::RetryPolicy policy;
  policy.initial = span("initial");
  policy.factor = retry["factor"].number().value_or(policy.factor);
  policy.max = span("max");
  return policy;
}

// The attempts that follow when each fails, without jitter, the last on the deadline.
std::vector<base::Time> planned_attempts(const domain::RetryPolicy& policy, std::uint32_t made, base::Time next,
                                         base::Time deadline) {
  constexpr std::size_t attempts_max = 10'000;
  std::vector<base::Time> times{next};
  while (times.back() < deadline && times.size() < attempts_max) {
    const auto wait = domain::backoff_wait(policy, made + static_cast<std::uint32_t>(times.size()), 0);
    times.push_back(std::min(deadline, times.back() + std::max(wait, base::Duration{1000})));
  }
  return times;
}

void print_plan(Session& session, Json message) {
  constexpr std::size_t shown_max = 4;
  auto& output = session.output();
  const auto next = base::parse_time(message["next_attempt_at"].text());
  const auto deadline = base::parse_time(message["deadline"].text());
  if (!next || !deadline) return;
  const auto webhook = session.get(path_to("webhooks", message["webhook_id"].text()));
  const Json definition = webhook ? webhook->root() : Json();
  auto& out = session.console().out;
  output.heading("Plan");
  if (definition["status"].text() == domain::to_string(domain::WebhookStatus::inactive)) {
    out.line("held: its webhook is inactive; when it still waits " + output.time_text(message["deadline"], true) +
             ", it becomes Failed");
    return;
  }
  const auto made = static_cast<std::uint32_t>(message["attempts"].number().value_or(0));
  const auto policy = policy_of(definition);
  const auto times = policy ? planned_attempts(*policy, made, *next, *deadline) : std::vector<base::Time>{*next};
  for (std::size_t i = 0; i < std::min(times.size(), shown_max); ++i) {
    out.line("attempt " + std::to_string(made + 1 + i) + " " + output.time_text(times[i], true));
  }
  if (times.size() > shown_max) {
    out.line("and " + std::to_string(times.size() - shown_max) + " more while it fails, the last one " +
             output.time_text(message["deadline"], true));
  } else if (times.back() < *deadline) {
    out.line("the last one " + output.time_text(message["deadline"], true));
  }
}

Result<ExitCode> print_message(Session& session, Json message) {
  auto& output = session.output();
  const auto printed = output.object(message_view(), message);
  if (!printed) return printed.error();
  if (!output.is_table() || !output.options().fields.empty()) return ExitCode::done;
  print_plan(session, message);
  const auto attempts = message["attempt_log"].elements();
  if (!attempts.empty()) {
    output.heading("Attempts");
    output.table(attempt_view().columns, attempts);
  }
  if (message.has("payload")) {
    output.heading("Payload");
    output.json_block(message["payload"]);
  }
  return ExitCode::done;
}

Result<ExitCode> print_event(Session& session, Json event) {
  auto& output = session.output();
  const auto printed = output.object(event_view(), event);
  if (!printed) return printed.error();
  if (!output.is_table() || !output.options().fields.empty()) return ExitCode::done;
  const auto messages = event["messages"].elements();
  if (!messages.empty()) {
    output.heading("Messages");
    std::vector<Column> columns = changed_message_view().columns;
    columns.insert(columns.begin() + 1, {"WEBHOOK", "webhook", Look::text, true});
    output.table(columns, messages);
  }
  for (const auto* part : {"data", "payload"}) {
    if (!event.has(part)) continue;
    output.heading("Data");
    output.json_block(event[part]);
  }
  return ExitCode::done;
}

Result<ExitCode> print_webhook(Session& session, Json webhook) {
  const auto printed = session.output().object(webhook_view(), webhook);
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> print_task(Session& session, Json task) {
  const auto printed = session.output().object(task_view(), task);
  if (!printed) return printed.error();
  return ExitCode::done;
}

// The prefix of an id says what it names; anything else is a webhook's name.
struct Kind {
  std::string_view prefix;
  std::string_view collection;
  Result<ExitCode> (*print)(Session& session, Json subject);
};
constexpr Kind webhook_kind{base::WebhookKind::prefix, "webhooks", print_webhook};
constexpr std::array kinds{Kind{base::MessageKind::prefix, "messages", print_message},
                           Kind{base::EventKind::prefix, "events", print_event},
                           Kind{base::TaskKind::prefix, "tasks", print_task}};

}  // namespace

Result<ExitCode> show_subject(Session& session, const Invocation& invocation) {
  const auto& id = invocation.value("ID");
  const auto* found_kind =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& row) { return id.starts_with(row.prefix); });
  const Kind& kind = found_kind == kinds.end() ? webhook_kind : *found_kind;
  auto found = session.get(path_to(kind.collection, id));
  if (!found && found.error().code == client::codes::not_found && &kind != &webhook_kind) {
    // A webhook may be called "msg_router".
    if (auto webhook = session.get(path_to(webhook_kind.collection, id))) {
      return print_webhook(session, webhook->root());
    }
  }
  if (!found) return client::about(id, found.error());
  return kind.print(session, found->root());
}

}  // namespace webhookd::whctl
