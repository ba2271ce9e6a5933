// The show command: one screen about a webhook, a message with its attempts and what comes next, or an event.
#include "domain/message.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Result;

namespace {

// The prefix of an id says what it names; anything else is a webhook's name.
struct Kind {
  std::string_view prefix;
  std::string_view collection;
};
constexpr std::array kinds{Kind{base::MessageKind::prefix, "messages"}, Kind{base::EventKind::prefix, "events"}};

void print_plan(Session& session, Json message) {
  auto& output = session.output();
  const Json next = message["next_attempt_at"];
  if (next.is_null()) return;
  const auto number = static_cast<std::int64_t>(message["attempts"].number().value_or(0)) + 1;
  output.heading("Plan");
  const Json deadline = message["deadline"];
  const bool is_last = next.plain() == deadline.plain();
  session.console().out.line("attempt " + std::to_string(number) + " " + output.time_text(next, true) +
                             (is_last ? ", the last one" : ", the last one by " + output.time_text(deadline, true)));
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

Result<ExitCode> print_of(Session& session, std::string_view collection, Json subject) {
  if (collection == "messages") return print_message(session, subject);
  return collection == "events" ? print_event(session, subject) : print_webhook(session, subject);
}

}  // namespace

Result<ExitCode> show_subject(Session& session, const Invocation& invocation) {
  const auto& id = invocation.value("ID");
  std::string_view collection = "webhooks";
  for (const auto& kind : kinds) {
    if (id.starts_with(kind.prefix)) collection = kind.collection;
  }
  auto found = session.get(path_to(collection, id));
  if (!found && found.error().code == client::codes::not_found && collection != "webhooks") {
    // A webhook may be called "msg_router".
    if (auto webhook = session.get(path_to("webhooks", id))) return print_webhook(session, webhook->root());
  }
  if (!found) return client::about(id, found.error());
  return print_of(session, collection, found->root());
}

}  // namespace webhookd::whctl
