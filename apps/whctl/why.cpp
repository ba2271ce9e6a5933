// why: where a message stands, why, and what happens next and when, in plain words. One table of causes, looked at in
// order: the first that holds is the answer. `cause` in the JSON is its stable name.
#include <array>

#include "control/protocol/json_write.hpp"
#include "domain/endpoint.hpp"
#include "domain/message.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Result;

namespace {

using Sentences = std::vector<std::string>;

struct Facts {
  Json message;
  Json webhook;  // null when it is deleted
  base::Time now{};
  Output& output;

  std::string status() const { return message["status"].text(); }
  std::string reason() const { return message["reason"].text(); }
  bool is_waiting() const { return status() == "created" || status() == "retrying"; }
  std::string name() const { return safe_line(message["webhook"].text()); }
  std::string id() const { return safe_line(message["id"].text()); }
  std::string when(std::string_view member) const { return output.time_text(message[member], true); }
  std::string failure() const {
    const std::string text = message["failure"].plain();
    return text.empty() ? "no reason was kept" : safe_line(text);
  }
  bool is_due() const {
    const auto next = base::parse_time(message["next_attempt_at"].text());
    return !next || *next <= now;
  }
};

std::string counted(std::string_view number, std::string_view noun) {
  return std::string(number) + " " + std::string(noun) + (number == "1" ? "" : "s");
}

std::string so_far(const Facts& facts) {
  const std::string attempts = facts.message["attempts"].plain();
  if (attempts == "0") return "No attempt was made yet.";
  return counted(attempts, "attempt") + " failed, the last one " + facts.when("last_attempt_at") + ": " +
         facts.failure() + ".";
}

std::string until(const Facts& facts) {
  return "It is tried until " + facts.when("deadline") + "; what fails then is Failed.";
}

std::string actor(Json by) {
  std::string text = "by user id " + by["uid"].plain();
  const std::string reason = by["reason"].plain();
  return reason.empty() ? text : text + ", who said \"" + safe_line(reason) + "\"";
}

// ---- the causes
// ------------------------------------------------------------------------------------------------------

struct Cause {
  std::string_view name;
  bool (*holds)(const Facts& facts);
  Sentences (*words)(const Facts& facts);
};

bool is_held(const Facts& facts, std::string_view reason) {
  return facts.is_waiting() && facts.webhook["status"].text() == "inactive" &&
         (facts.webhook["status_reason"].text() == "gone") == (reason == "gone");
}

Sentences held(const Facts& facts, const std::string& because) {
  return {so_far(facts), "No attempt is made, because its webhook " + facts.name() + " is inactive: " + because + ".",
          "Its window goes on: when it still waits at " + facts.when("deadline") + ", it becomes Failed.",
          "`whctl activate " + facts.name() + "` releases it."};
}

bool has_health(const Facts& facts, domain::Health health) {
  return facts.is_waiting() && facts.webhook["health"].text() == domain::to_string(health);
}

Sentences delivered(const Facts& facts) {
  return {"It was delivered " + facts.when("settled_at") + ", by attempt " + facts.message["attempts"].plain() +
              ", answered with " + facts.message["last_code"].plain() + ".",
          "Nothing more happens with it."};
}

Sentences gone(const Facts& facts) {
  return {"The receiver answered 410 Gone " + facts.when("settled_at") + ": it wants no more messages.",
          "That also made its webhook inactive. `whctl retry " + facts.id() + "` sends it again, once that is active."};
}

Sentences expired(const Facts& facts) {
  return {"Its window ended " + facts.when("deadline") + " after " +
              counted(facts.message["attempts"].plain(), "attempt") + "; the last failure: " + facts.failure() + ".",
          "It is tried no more. `whctl retry " + facts.id() + "` starts a new window."};
}

Sentences cancelled(const Facts& facts) {
  const Json by = facts.message["cancelled_by"];
  return {"It was cancelled " + facts.when("settled_at") + (by.is_null() ? "" : " " + actor(by)) + ".",
          "It is tried no more. `whctl retry " + facts.id() + "` starts a new window."};
}

Sentences orphaned(const Facts& facts) {
  return {so_far(facts), "Its webhook is deleted: it is removed with it, and tried no more."};
}

Sentences endpoint_down(const Facts& facts) {
  const std::string next = facts.is_due() ? "It is due, and may be the next probe."
                                          : "It is due for one " + facts.when("next_attempt_at") + ".";
  return {so_far(facts),
          "The endpoint of " + facts.name() +
              " is down: after several failures in a row it gets one attempt at a time, a probe, every few seconds to "
              "minutes. " +
              next,
          "When a probe succeeds, everything that waits there is due at once.", until(facts)};
}

Sentences throttled(const Facts& facts) {
  return {so_far(facts), "The endpoint of " + facts.name() + " asked for fewer requests, and gets fewer for a while.",
          "The next attempt is due " + facts.when("next_attempt_at") + ".", until(facts)};
}

Sentences scheduled(const Facts& facts) {
  return {so_far(facts), "The next attempt is due " + facts.when("next_attempt_at") + ".", until(facts)};
}

Sentences in_turn(const Facts& facts) {
  std::string turn = "It is due now and waits for its turn: " + facts.name() + " gets at most " +
                     facts.webhook["max_in_flight"].plain() + " requests at once";
  if (!facts.webhook["rate"].is_null()) turn += " and " + facts.webhook["rate"].plain() + " a second";
  return {so_far(facts), turn + "; " + counted(facts.webhook["waiting"].plain(), "message") + " wait there.",
          until(facts)};
}

constexpr std::array causes{
    Cause{"delivered", [](const Facts& facts) { return facts.status() == "success"; }, delivered},
    Cause{"cancelled", [](const Facts& facts) { return facts.status() == "cancelled"; }, cancelled},
    Cause{"gone", [](const Facts& facts) { return facts.status() == "failed" && facts.reason() == "gone"; }, gone},
    Cause{"expired", [](const Facts& facts) { return facts.status() == "failed"; }, expired},
    Cause{"webhook_deleted", [](const Facts& facts) { return facts.webhook.is_null(); }, orphaned},
    Cause{"webhook_gone", [](const Facts& facts) { return is_held(facts, "gone"); },
          [](const Facts& facts) { return held(facts, "its endpoint answered 410 Gone"); }},
    Cause{"webhook_inactive", [](const Facts& facts) { return is_held(facts, "manual"); },
          [](const Facts& facts) { return held(facts, "it was deactivated"); }},
    Cause{"endpoint_down", [](const Facts& facts) { return has_health(facts, domain::Health::down); }, endpoint_down},
    Cause{"throttled",
          [](const Facts& facts) { return has_health(facts, domain::Health::throttled) && !facts.is_due(); },
          throttled},
    Cause{"scheduled", [](const Facts& facts) { return !facts.is_due(); }, scheduled},
    Cause{"in_turn", [](const Facts&) { return true; }, in_turn}};

const Cause& cause_of(const Facts& facts) {
  for (const auto& cause : causes) {
    if (cause.holds(facts)) return cause;
  }
  return causes.back();
}

Result<std::string> webhook_of(Session& session, Json message) {
  if (message["webhook"].is_null()) return std::string("null");
  const auto webhook = session.get(path_to("webhooks", message["webhook_id"].text()));
  if (webhook) return webhook->text();
  if (webhook.error().code == client::codes::not_found) return std::string("null");
  return webhook.error();
}

std::string explanation_json(const Facts& facts, const Cause& cause, const Sentences& sentences) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("id").string(facts.message["id"].text()).name("status").string(facts.status());
  json.name("cause").string(cause.name).name("explanation").begin_array();
  for (const auto& sentence : sentences) json.string(sentence);
  json.end_array().end_object();
  return text;
}

std::string capitalised(std::string word) {
  word.front() = static_cast<char>(word.front() - 32);
  return word;
}

}  // namespace

Result<ExitCode> explain_message(Session& session, const Invocation& invocation) {
  const auto& id = invocation.value("MESSAGE");
  const auto message = session.get(path_to("messages", id));
  if (!message) return client::about(id, message.error());
  const auto webhook = webhook_of(session, message->root());
  if (!webhook) return webhook.error();
  auto& output = session.output();
  const Facts facts{message->root(), Json(*webhook), session.now(), output};
  const Cause& cause = cause_of(facts);
  const Sentences sentences = cause.words(facts);
  if (output.is_table() && output.options().fields.empty()) {
    auto& out = session.console().out;
    out.line(facts.id() + (facts.name().empty() ? "" : " to " + facts.name()) + " is " + capitalised(facts.status()) +
             ".");
    for (const auto& sentence : sentences) out.line(sentence);
    return ExitCode::done;
  }
  const std::string text = explanation_json(facts, cause, sentences);
  const auto printed = output.object(explanation_view(), Json(text));
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace webhookd::whctl
