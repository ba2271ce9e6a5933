// Commands about messages: retry, cancel, wait. (logs is in logs.cpp, show in show.cpp.)
#include <algorithm>
#include <chrono>

#include "bulk.hpp"
#include "control/protocol/json_write.hpp"
#include "session.hpp"
#include "target.hpp"
#include "values.hpp"
#include "views.hpp"
#include "waiting.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

Result<ExitCode> act_on_messages(Session& session, const Invocation& invocation, std::string_view action) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object();
  if (invocation.has("reason")) json.name("reason").string(invocation.value("reason"));
  json.end_object();
  std::deque<Document> changed;
  const auto& ids = invocation.all("MESSAGE");
  if (ids.empty()) {
    return failure(client::codes::usage, "MESSAGE", "name messages, or choose them with --webhook and its flags");
  }
  auto outcome = for_each_name(session, ids, [&](const std::string& id) -> Result<void> {
    auto document = session.send("POST", path_to("messages", id, action), body);
    if (!document) return document.error();
    changed.push_back(std::move(*document));
    return {};
  });
  std::vector<Json> items;
  for (const auto& document : changed) items.push_back(document.root());
  if (items.empty()) return outcome;
  auto& output = session.output();
  const auto printed =
      ids.size() == 1 ? output.row(changed_message_view(), items.front()) : output.list(changed_message_view(), items);
  if (!printed) return printed.error();
  return outcome;
}

// The messages themselves, also those inside events.
std::vector<Json> messages_of(const std::deque<Document>& subjects) {
  std::vector<Json> messages;
  for (const auto& subject : subjects) {
    const Json root = subject.root();
    if (!root.has("messages")) {
      messages.push_back(root);
      continue;
    }
    for (const auto& message : root["messages"].elements()) messages.push_back(message);
  }
  return messages;
}

Result<void> print_settled(Session& session, const std::deque<Document>& settled) {
  auto& output = session.output();
  if (settled.size() == 1 && output.is_json()) {
    const Json root = settled.front().root();
    return output.row(root.has("messages") ? event_view() : changed_message_view(), root);
  }
  return output.list(changed_message_view(), messages_of(settled));
}

}  // namespace

Result<ExitCode> retry_messages(Session& session, const Invocation& invocation) {
  if (chooses_by_filter(invocation)) return act_in_bulk(session, invocation, "retry");
  return act_on_messages(session, invocation, "retry");
}

Result<ExitCode> cancel_messages(Session& session, const Invocation& invocation) {
  if (chooses_by_filter(invocation)) return act_in_bulk(session, invocation, "cancel");
  const auto& ids = invocation.all("MESSAGE");
  if (std::any_of(ids.begin(), ids.end(), is_task)) return cancel_tasks(session, ids);
  return act_on_messages(session, invocation, "cancel");
}

Result<ExitCode> wait_for_subjects(Session& session, const Invocation& invocation) {
  std::optional<base::Duration> timeout;
  if (invocation.has("timeout")) {
    const auto given = duration_value(invocation, "timeout");
    if (!given) return given.error();
    timeout = *given;
  }
  const auto start = std::chrono::steady_clock::now();
  std::deque<Document> settled;
  ExitCode outcome = ExitCode::done;
  for (const auto& id : invocation.all("ID")) {
    std::optional<base::Duration> left = timeout;
    if (timeout) {
      const auto gone = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - start);
      left = std::max(base::Duration{1}, *timeout - gone);
    }
    if (is_task(id)) {
      const auto watched = watch_task(session, id, left);
      if (!watched || *watched == ExitCode::interrupted) return watched;
      outcome = worse(outcome, *watched);
      continue;
    }
    auto document = wait_until_settled(session, id, left);
    if (!document) {
      const auto printed = print_settled(session, settled);
      return printed ? client::about(id, document.error()) : printed.error();
    }
    settled.push_back(std::move(*document));
    const auto ended = outcome_of(session, settled.back().root());
    if (!ended) return ended.error();
    outcome = worse(outcome, *ended);
  }
  const auto printed = print_settled(session, settled);
  if (!printed) return printed.error();
  return outcome;
}

}  // namespace webhookd::whctl
