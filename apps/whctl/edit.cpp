// The edit command: a merge patch from flags. Adding and removing event types and headers needs what is there, so that
// form reads first and sends what it read as If-Match; when somebody else edited in between it starts over once.
// Without flags on a terminal the definition goes through the user's editor (editor.hpp).
#include <algorithm>

#include "base/text.hpp"
#include "control/protocol/json_write.hpp"
#include "definition.hpp"
#include "editor.hpp"
#include "session.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr int tries = 2;

bool changes_event_list(const Invocation& invocation) {
  return invocation.has("add-event") || invocation.has("remove-event");
}

// Whether it has to be known what is there now.
bool needs_current(const Invocation& invocation) {
  return changes_event_list(invocation) || invocation.has("remove-header");
}

Result<void> check_removed_headers(const Invocation& invocation, Json webhook) {
  std::vector<std::string> names;
  for (const auto& member : webhook["headers"].members()) names.push_back(member.name);
  for (const auto& removed : invocation.all("remove-header")) {
    const auto is_it = [&](const std::string& name) { return base::equals_ignoring_case(name, removed); };
    if (std::none_of(names.begin(), names.end(), is_it)) {
      return unknown_word("--remove-header", "\"" + removed + "\" is not among its headers", removed, names);
    }
  }
  return {};
}

// The list of `webhook` (or the one that --event gives) with the additions and without the removals.
Result<std::string> edited_events(const Invocation& invocation, Json webhook) {
  std::vector<std::string> events = invocation.all("event");
  if (events.empty()) {
    for (const auto& event : webhook["events"].elements()) events.push_back(event.text());
  }
  for (const auto& type : invocation.all("remove-event")) {
    const auto found = std::find(events.begin(), events.end(), type);
    if (found == events.end())
      return unknown_word("--remove-event", "\"" + type + "\" is not among its events", type, events);
    events.erase(found);
  }
  for (const auto& type : invocation.all("add-event")) {
    if (std::find(events.begin(), events.end(), type) == events.end()) events.push_back(type);
  }
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_array();
  for (const auto& event : events) json.string(event);
  json.end_array();
  return text;
}

Result<Document> patch(Session& session, const std::string& id, const std::string& body,
                       std::optional<std::string> etag) {
  client::Request request;
  request.method = "PATCH";
  request.target = path_to("webhooks", id);
  request.body = body;
  request.content_type = "application/merge-patch+json";
  if (etag) request.headers.emplace_back("If-Match", *etag);
  auto answer = session.exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

Result<Document> patch_current(Session& session, const Invocation& invocation, const std::string& members) {
  client::Request read;
  read.target = path_to("webhooks", invocation.value("WEBHOOK"));
  for (int left = tries;; --left) {
    const auto current = session.exchange(read);
    if (!current) return current.error();
    const Json webhook = current->document.root();
    const auto etag = current->head.header("etag");
    if (!etag) return failure(client::codes::bad_answer, read.target, "the daemon gave no ETag");
    const auto checked = check_removed_headers(invocation, webhook);
    if (!checked) return checked.error();
    std::string body = "{" + members + "}";
    if (changes_event_list(invocation)) {
      const auto events = edited_events(invocation, webhook);
      if (!events) return events.error();
      body = with_value_at(body, "events", *events);
    }
    auto changed = patch(session, webhook["id"].text(), body, std::string(*etag));
    if (changed || changed.error().code != "version_mismatch" || left == 1) return changed;
  }
}

}  // namespace

Result<ExitCode> edit_webhook(Session& session, const Invocation& invocation) {
  const auto members = definition_members(invocation, session);
  if (!members) return members.error();
  if (members->empty() && !changes_event_list(invocation)) {
    if (session.console().in_is_terminal && session.console().out_is_terminal && !session.settings().never_asks) {
      return edit_in_editor(session, invocation.value("WEBHOOK"));
    }
    return failure(client::codes::usage, "edit", "no flag says what to change", "`whctl help edit` lists them");
  }
  const auto& name = invocation.value("WEBHOOK");
  auto changed = needs_current(invocation) ? patch_current(session, invocation, *members)
                                           : patch(session, name, "{" + *members + "}", std::nullopt);
  if (!changed) return changed.error();
  const auto printed = session.output().made(webhook_view(), changed->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace webhookd::whctl
