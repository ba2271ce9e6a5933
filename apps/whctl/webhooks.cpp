// Commands about webhooks, but edit (edit.cpp) and show (show.cpp).
#include <array>

#include "control/protocol/json_write.hpp"
#include "definition.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "values.hpp"
#include "views.hpp"
#include "waiting.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view webhooks = "webhooks";
constexpr std::size_t webhooks_max = 1'000'000;

constexpr std::array list_filters{Filter{"status", "status"}, Filter{"event", "event"}, Filter{"search", "search"},
                                  Filter{"sort", "sort"}};

constexpr std::string_view until_settled =
    "waiting until it is delivered, or has failed at the end of the webhook's retry window; --timeout ends it earlier";

// One webhook or several, after a change: a row each, or the object itself when only one was named.
Result<ExitCode> print_changed(Session& session, const View& view, const std::deque<Document>& changed, bool is_single,
                               Result<ExitCode> outcome) {
  std::vector<Json> items;
  for (const auto& document : changed) items.push_back(document.root());
  if (!items.empty()) {
    const auto printed = is_single ? session.output().row(view, items.front()) : session.output().list(view, items);
    if (!printed) return printed.error();
  }
  return outcome;
}

Result<ExitCode> change_status(Session& session, const Invocation& invocation, std::string_view action) {
  std::deque<Document> changed;
  const auto& names = invocation.all("WEBHOOK");
  auto outcome = for_each_name(session, names, [&](const std::string& name) -> Result<void> {
    auto document = session.send("POST", path_to(webhooks, name, action), "");
    if (!document) return document.error();
    changed.push_back(std::move(*document));
    return {};
  });
  return print_changed(session, webhook_view(), changed, names.size() == 1, std::move(outcome));
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::uint64_t count_of(Json number) { return static_cast<std::uint64_t>(number.number().value_or(0)); }

Result<Document> delete_one(Session& session, const std::string& name) {
  std::string target = name;
  if (!session.settings().assumes_yes) {
    const auto found = session.get(path_to(webhooks, name));
    if (!found) return found.error();
    const Json webhook = found->root();
    const auto waiting = count_of(webhook["waiting"]);
    const auto agreed =
        session.confirm("delete " + webhook["display_name"].text() + " (" + webhook["id"].text() + ") with its log? " +
                        counted(waiting, "waiting message") + " will be cancelled");
    if (!agreed) return agreed.error();
    target = webhook["id"].text();  // what was shown is what goes
  }
  return session.send("DELETE", path_to(webhooks, target), "");
}

Result<ExitCode> print_secrets(Session& session, Json answer) {
  auto& output = session.output();
  if (output.options().format == Format::json && output.options().fields.empty()) {
    output.raw_json(answer.raw());
    return ExitCode::done;
  }
  const auto printed = output.list(secret_view(), answer["secrets"].elements());
  if (!printed) return printed.error();
  for (const auto& key : answer["public_keys"].elements()) session.note("public key: " + safe_line(key.text()));
  return ExitCode::done;
}

}  // namespace

Result<ExitCode> create_webhook(Session& session, const Invocation& invocation) {
  const auto& name = invocation.value("NAME");
  const auto members = definition_members(invocation, session);
  if (!members) return members.error();
  std::string body = "{\"display_name\":";
  protocol::append_json_string(body, name);
  body += "," + *members + "}";
  auto made = session.send("POST", "/v1/webhooks", body);
  if (!made && made.error().code == "name_taken" && invocation.has("if-not-exists")) {
    auto existing = session.get(path_to(webhooks, name));
    if (!existing) return existing.error();
    session.note(safe_line(name) + " exists; it is left as it is");
    const auto printed = session.output().made(webhook_view(), existing->root());
    return printed ? Result<ExitCode>(ExitCode::done) : printed.error();
  }
  if (!made) return made.error();
  const auto printed = session.output().made(webhook_view(), made->root());
  if (!printed) return printed.error();
  session.note("signing secret: whctl secret show " + made->root()["id"].text());
  return ExitCode::done;
}

Result<ExitCode> list_webhooks(Session& session, const Invocation& invocation) {
  Target target("/v1/webhooks");
  target.add_given(invocation, list_filters);
  const auto listed = session.list(target.text(), webhooks_max);
  if (!listed) return listed.error();
  const auto printed = session.output().list(webhook_view(), listed->items, listed->next_cursor);
  if (!printed) return printed.error();
  if (listed->items.empty() && session.console().out_is_terminal) session.note("no webhooks");
  return ExitCode::done;
}

Result<ExitCode> activate_webhooks(Session& session, const Invocation& invocation) {
  return change_status(session, invocation, "activate");
}

Result<ExitCode> deactivate_webhooks(Session& session, const Invocation& invocation) {
  return change_status(session, invocation, "deactivate");
}

Result<ExitCode> delete_webhooks(Session& session, const Invocation& invocation) {
  const auto possible = session.can_confirm();
  if (!possible) return possible.error();
  std::deque<Document> deleted;
  const auto& names = invocation.all("WEBHOOK");
  auto outcome = for_each_name(session, names, [&](const std::string& name) -> Result<void> {
    auto document = delete_one(session, name);
    if (!document) return document.error();
    session.note("deleted " + safe_line(name) + ": " +
                 counted(count_of(document->root()["waiting_cancelled"]), "waiting message") + " cancelled");
    deleted.push_back(std::move(*document));
    return {};
  });
  return print_changed(session, deleted_webhook_view(), deleted, names.size() == 1, std::move(outcome));
}

Result<ExitCode> ping_webhook(Session& session, const Invocation& invocation) {
  const auto timeout = wait_timeout(invocation);
  if (!timeout) return timeout.error();
  auto accepted = session.send("POST", path_to(webhooks, invocation.value("WEBHOOK"), "ping"), "");
  if (!accepted) return accepted.error();
  const auto messages = accepted->root()["messages"].elements();
  if (messages.empty()) return failure(client::codes::bad_answer, "ping", "the daemon made no message");
  if (invocation.has("wait")) {
    if (!*timeout) session.note(until_settled);
    const Json message = messages.front();
    return wait_and_print(session, {message_view(), message, message["id"].text(), changed_message_view()}, *timeout);
  }
  const auto printed = session.output().made(message_view(), messages.front());
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> show_secrets(Session& session, const Invocation& invocation) {
  auto answer = session.get(path_to(webhooks, invocation.value("WEBHOOK"), "secret"));
  if (!answer) return answer.error();
  return print_secrets(session, answer->root());
}

Result<ExitCode> rotate_secret(Session& session, const Invocation& invocation) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object();
  if (invocation.has("grace")) {
    const auto grace = span_value(invocation, "grace");
    if (!grace) return grace.error();
    json.name("grace").seconds(*grace);
  }
  json.end_object();
  auto answer = session.send("POST", path_to(webhooks, invocation.value("WEBHOOK"), "secret/rotate"), body);
  if (!answer) return answer.error();
  return print_secrets(session, answer->root());
}

}  // namespace webhookd::whctl
