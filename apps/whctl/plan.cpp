#include "plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "control/protocol/json_write.hpp"
#include "safe_text.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Failure;
using client::failure;
using client::Result;
using protocol::JsonWriter;

namespace {

constexpr std::size_t listed_max = 1'000'000;
constexpr std::string_view webhook_kind = "webhook";
constexpr std::string_view type_kind = "type";
constexpr std::string_view secret_field = "secrets";

struct ActionWords {
  Action action;
  std::string_view sign;
  std::string_view word;
  Tone tone;
};
constexpr std::array action_words{ActionWords{Action::create, "+", "create", Tone::good},
                                  ActionWords{Action::edit, "~", "edit", Tone::warning},
                                  ActionWords{Action::remove, "-", "delete", Tone::bad}};

const ActionWords& words_of(Action action) {
  return *std::find_if(action_words.begin(), action_words.end(),
                       [&](const ActionWords& row) { return row.action == action; });
}

// Operational state and credentials: what the document does not say about them stays.
bool stays_when_left_out(std::string_view member) { return is_kept_by_daemon(member) || member == "status"; }

std::string inner_patch(Json current, Json desired) {
  const bool is_other_type = current["type"].raw() != desired["type"].raw();
  if (!current.is_object() || !desired.is_object() || is_other_type) return std::string(desired.raw());
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : desired.members()) json.name(member.name).raw(member.value);
  for (const auto& member : current.members()) {
    if (!desired.has(member.name)) json.name(member.name).null();
  }
  json.end_object();
  return text;
}

std::string joined(Json object, std::string_view more_name, const std::vector<std::string>& texts) {
  std::string list;
  JsonWriter json(list);
  json.begin_array();
  for (const auto& text : texts) json.string(text);
  json.end_array();
  return with_value_at(object.raw(), more_name, list);
}

// The definition with event types that only come to be by this plan taken out, so that it can be checked before.
std::string checkable(const std::string& members, const std::set<std::string>& new_types) {
  const Json object(members);
  std::vector<std::string> known;
  bool names_new = false;
  for (const auto& event : object["events"].elements()) {
    const std::string pattern = event.text();
    const bool is_new = std::any_of(new_types.begin(), new_types.end(), [&](const std::string& type) {
      return pattern == type || pattern == type.substr(0, type.find('.')) + ".*";
    });
    names_new = names_new || is_new;
    if (!is_new) known.push_back(pattern);
  }
  if (!names_new) return members;
  if (known.empty()) known.emplace_back("*");
  return joined(object, "events", known);
}

class Planner {
 public:
  Planner(Session& session, const Manifest& manifest, const PlanOptions& options)
      : session_(session), manifest_(manifest), options_(options) {}

  Result<std::vector<Step>> plan() {
    auto webhooks = session_.list("/v1/webhooks", listed_max);
    if (!webhooks) return webhooks.error();
    auto types = session_.list("/v1/types", listed_max);
    if (!types) return types.error();
    for (const auto& webhook : webhooks->items) webhooks_.emplace(webhook["display_name"].text(), webhook);
    for (const auto& type : types->items) types_.emplace(type["name"].text(), type);
    for (const auto& type : manifest_.types) add_type(type);
    for (const auto& webhook : manifest_.webhooks) add_webhook(webhook);
    if (options_.prunes) prune();
    if (faults_.empty()) return std::move(steps_);
    for (std::size_t i = 0; i + 1 < faults_.size(); ++i) session_.report(faults_[i]);
    return faults_.back();
  }

 private:
  // Runs the daemon's validation; what it would answer.
  std::optional<Document> check(const Step& step, const std::string& body) {
    client::Request request;
    request.method = step.method;
    request.target = step.target + "?dry_run=true";
    request.body = body;
    if (step.method == "PATCH") request.content_type = "application/merge-patch+json";
    auto answer = session_.exchange(request);
    if (answer) return std::move(answer->document);
    faults_.push_back(client::about(options_.place + ": " + step.name, answer.error()));
    return std::nullopt;
  }

  void add_type(const Declared& declared) {
    const auto current = types_.find(declared.name);
    Step step{Action::create,   type_kind, declared.name, {}, "PUT", path_to("types", declared.name),
              declared.members, {}};
    if (current == types_.end()) {
      if (check(step, step.body)) steps_.push_back(std::move(step));
      new_types_.insert(declared.name);
      return;
    }
    if (!options_.edits) return;
    const Json desired(declared.members);
    for (const std::string_view field : {"description", "schema", "example"}) {
      const std::string before = compact_json(current->second[field].raw());
      const std::string after = compact_json(desired[field].raw());
      const bool is_empty_text = field == "description" && before == "\"\"" && after == "null";
      if (before != after && !is_empty_text) step.changes.push_back({std::string(field), before, after});
    }
    if (step.changes.empty()) return;
    step.action = Action::edit;
    if (check(step, step.body)) steps_.push_back(std::move(step));
  }

  void add_webhook(const Declared& declared) {
    const auto current = webhooks_.find(declared.name);
    if (current == webhooks_.end()) {
      create_webhook(declared);
    } else if (options_.edits) {
      edit_webhook(declared, current->second);
    }
  }

  void create_webhook(const Declared& declared) {
    Step step{Action::create,
              webhook_kind,
              declared.name,
              {},
              "POST",
              "/v1/webhooks",
              with_secrets(declared.members, declared),
              {}};
    if (check(step, checkable(step.body, new_types_))) steps_.push_back(std::move(step));
  }

  void edit_webhook(const Declared& declared, Json current) {
    const std::string id = current["id"].text();
    Step step{Action::edit, webhook_kind, declared.name, {}, "PATCH", path_to("webhooks", id), "", ""};
    step.etag = "\"" + current["version"].plain() + "\"";
    const std::string patch = merge_patch(current, Json(declared.members));
    const auto result = check(step, checkable(patch, new_types_));
    if (!result) return;
    const Json desired(declared.members);
    for (const auto& member : result->root().members()) {
      const Json after = member.name == "events" ? desired["events"] : Json(member.value);
      add_change(step, member.name, current[member.name], after);
    }
    const bool has_new_secrets = !declared.secrets.empty() && secrets_of(id) != sorted(declared.secrets);
    if (has_new_secrets) step.changes.push_back({std::string(secret_field), "", ""});
    if (step.changes.empty()) return;
    step.body = has_new_secrets ? with_secrets(patch, declared) : patch;
    steps_.push_back(std::move(step));
  }

  static void add_change(Step& step, const std::string& name, Json before, Json after) {
    if (is_kept_by_daemon(name)) return;
    const std::string old_value = compact_json(before.raw());
    const std::string new_value = compact_json(after.raw());
    if (old_value != new_value) step.changes.push_back({name, old_value, new_value});
  }

  static std::string with_secrets(const std::string& members, const Declared& declared) {
    return declared.secrets.empty() ? members : joined(Json(members), secret_field, declared.secrets);
  }

  static std::vector<std::string> sorted(std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  // Those that do not expire.
  std::vector<std::string> secrets_of(const std::string& id) {
    const auto answer = session_.get(path_to("webhooks", id, "secret"));
    if (!answer) {
      faults_.push_back(client::about(id, answer.error()));
      return {};
    }
    std::vector<std::string> secrets;
    for (const auto& row : answer->root()["secrets"].elements()) {
      if (row["expires_at"].is_null()) secrets.push_back(row["secret"].text());
    }
    return sorted(std::move(secrets));
  }

  template <class List>
  static bool is_declared(const List& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(), [&](const Declared& declared) { return declared.name == name; });
  }

  void prune() {
    for (const auto& [name, webhook] : webhooks_) {
      if (is_declared(manifest_.webhooks, name)) continue;
      const std::string id = webhook["id"].text();
      steps_.push_back({Action::remove, webhook_kind, name, {}, "DELETE", path_to("webhooks", id), "", ""});
    }
    for (const auto& [name, type] : types_) {
      const bool is_own = type["origin"].text() == "user";
      if (!is_own || is_declared(manifest_.types, name)) continue;
      if (is_wanted(name)) {
        faults_.push_back(failure("type_in_use", options_.place + ": " + name,
                                  "a declared webhook names this type, which is not declared"));
        continue;
      }
      steps_.push_back({Action::remove, type_kind, name, {}, "DELETE", path_to("types", name), "", ""});
    }
  }

  bool is_wanted(const std::string& type) const {
    return std::any_of(manifest_.webhooks.begin(), manifest_.webhooks.end(), [&](const Declared& webhook) {
      const auto events = Json(webhook.members)["events"].elements();
      return std::any_of(events.begin(), events.end(), [&](Json event) { return event.text() == type; });
    });
  }

  Session& session_;
  const Manifest& manifest_;
  const PlanOptions& options_;
  std::map<std::string, Json> webhooks_;  // what the daemon has, by name
  std::map<std::string, Json> types_;
  std::set<std::string> new_types_;
  std::vector<Step> steps_;
  std::vector<Failure> faults_;
};

std::string change_text(const Change& change) {
  if (change.field == secret_field) return change.field + ": as in the file";
  return change.field + ": " + change.before + " -> " + change.after;
}

std::string step_json(const Step& step) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().name("action").string(words_of(step.action).word).name("kind").string(step.kind);
  json.name("name").string(step.name).name("changes").begin_array();
  for (const auto& change : step.changes) {
    json.begin_object().name("field").string(change.field);
    json.name("before").raw(change.before.empty() ? "null" : change.before);
    json.name("after").raw(change.after.empty() ? "null" : change.after).end_object();
  }
  json.end_array().end_object();
  return text;
}

}  // namespace

std::string merge_patch(Json current, Json desired) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& member : desired.members()) {
    json.name(member.name).raw(inner_patch(current[member.name], Json(member.value)));
  }
  for (const auto& member : current.members()) {
    if (!desired.has(member.name) && !stays_when_left_out(member.name)) json.name(member.name).null();
  }
  json.end_object();
  return text;
}

Result<std::vector<Step>> make_plan(Session& session, const Manifest& manifest, const PlanOptions& options) {
  return Planner(session, manifest, options).plan();
}

Result<void> print_plan(Session& session, const std::vector<Step>& steps) {
  auto& output = session.output();
  if (!output.is_table() || !output.options().fields.empty()) {
    std::vector<std::string> texts;
    for (const auto& step : steps) texts.push_back(step_json(step));
    const std::vector<Json> items(texts.begin(), texts.end());
    return output.list(plan_view(), items);
  }
  for (const auto& step : steps) {
    const auto& words = words_of(step.action);
    const std::string line = std::string(words.sign) + " " + std::string(words.word) + " " + std::string(step.kind) +
                             " " + safe_line(step.name);
    std::vector<std::string> lines{line};
    if (!step.changes.empty()) lines.clear();
    for (const auto& change : step.changes) lines.push_back(line + " " + safe_line(change_text(change)));
    for (const auto& text : lines) session.console().out.line(in_tone(text, words.tone, output.options().has_color));
  }
  return {};
}

Result<void> carry_out(Session& session, const std::vector<Step>& steps) {
  std::size_t done = 0;
  for (const auto& step : steps) {
    client::Request request;
    request.method = step.method;
    request.target = step.target;
    request.body = step.body;
    if (step.method == "PATCH") request.content_type = "application/merge-patch+json";
    if (!step.etag.empty()) request.headers.emplace_back("If-Match", step.etag);
    const auto answer = session.exchange(request);
    if (!answer) {
      session.note(std::to_string(done) + " of " + std::to_string(steps.size()) + " steps were done; run it again");
      return client::about(step.name, answer.error());
    }
    ++done;
  }
  return {};
}

}  // namespace webhookd::whctl
