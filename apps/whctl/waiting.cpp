#include "waiting.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "domain/message.hpp"
#include "safe_text.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr base::Duration poll_span = 30s;     // of one long poll
constexpr base::Duration answer_grace = 15s;  // for the daemon to say that a poll has ended

bool is_event(std::string_view id) { return id.starts_with(base::EventKind::prefix); }

// Whole seconds, at least one: what the route takes.
std::int64_t seconds_of(base::Duration span) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(span).count());
}

constexpr auto away_pause = 100ms;

Result<Document> poll_once(Session& session, const std::string& id, base::Duration span) {
  client::Request request;
  const auto seconds = seconds_of(span);
  request.target = path_to(is_event(id) ? "events" : "messages", id, "wait") + "?timeout=" + std::to_string(seconds);
  request.silence_timeout = std::chrono::seconds(seconds) + answer_grace;
  auto answer = session.exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

bool is_unsettled(const client::Failure& failure) { return failure.code == "wait_timeout"; }

// Within --wait-daemon, counted from when it was first missed.
bool may_come_back(const Session& session, std::optional<Steady::time_point>& away_since) {
  if (!away_since) away_since = Steady::now();
  if (Steady::now() - *away_since >= session.settings().wait_for_daemon) return false;
  std::this_thread::sleep_for(away_pause);
  return true;
}

ExitCode outcome_of_status(std::string_view status) {
  if (status == domain::to_string(domain::MessageStatus::failed)) return ExitCode::delivery_failed;
  if (status == domain::to_string(domain::MessageStatus::cancelled)) return ExitCode::cancelled;
  return ExitCode::done;
}

// An event's answer lists its first messages only; the log knows whether any of the others failed.
Result<ExitCode> outcome_of_unlisted(Session& session, const std::string& event) {
  for (const auto status : {domain::MessageStatus::failed, domain::MessageStatus::cancelled}) {
    const std::string word(domain::to_string(status));
    const auto found = session.list("/v1/messages?event=" + client::percent_encode(event) + "&status=" + word, 1);
    if (!found) return found.error();
    if (!found->items.empty()) return outcome_of_status(word);
  }
  return ExitCode::done;
}

void note_outcome(Session& session, Json message) {
  const std::string status = message["status"].text();
  if (outcome_of_status(status) == ExitCode::done) return;
  const std::string why = message["failure"].plain();
  session.note(safe_line(message["id"].text()) + " " + status + (why.empty() ? "" : ": " + safe_line(why)));
}

}  // namespace

ExitCode worse(ExitCode a, ExitCode b) {
  constexpr std::array order{ExitCode::done, ExitCode::cancelled, ExitCode::bulk_partial, ExitCode::delivery_failed};
  const auto rank = [&](ExitCode code) { return std::find(order.begin(), order.end(), code); };
  return rank(a) < rank(b) ? b : a;
}

Result<Document> wait_until_settled(Session& session, const std::string& id, std::optional<base::Duration> timeout) {
  const auto start = Steady::now();
  std::optional<Steady::time_point> away_since;
  for (;;) {
    base::Duration span = poll_span;
    if (timeout) {
      const auto gone = std::chrono::duration_cast<base::Duration>(Steady::now() - start);
      span = std::min(span, std::max(base::Duration{0}, *timeout - gone));
    }
    auto settled = poll_once(session, id, span);
    if (settled) return settled;
    const bool goes_on = is_away(settled.error()) ? may_come_back(session, away_since) : is_unsettled(settled.error());
    if (!goes_on) return settled;
    if (is_unsettled(settled.error())) away_since.reset();
    const auto gone = Steady::now() - start;
    if (timeout && gone >= *timeout) {
      return failure("wait_timeout", id, "did not settle within " + base::format_duration(*timeout));
    }
  }
}

Result<ExitCode> wait_and_print(Session& session, const Accepted& accepted, std::optional<base::Duration> timeout) {
  auto& output = session.output();
  if (accepted.accepted["message_count"].raw() == "0") {
    session.note("no webhook wants it: there is nothing to wait for");
  } else if (output.is_json()) {
    session.note("waiting for " + safe_line(accepted.id));
  }
  if (!output.is_json()) {
    const auto printed = output.made(accepted.accepted_view, accepted.accepted);
    if (!printed) return printed.error();
    session.console().out.flush();
  }
  const auto settled = wait_until_settled(session, accepted.id, timeout);
  if (output.is_json()) {
    const auto printed = settled ? output.made(accepted.settled_view, settled->root())
                                 : output.made(accepted.accepted_view, accepted.accepted);
    if (!printed) return printed.error();
  }
  if (!settled) return settled.error();
  return print_outcome(session, settled->root());
}

Result<std::optional<base::Duration>> wait_timeout(const Invocation& invocation) {
  if (!invocation.has("timeout")) return std::optional<base::Duration>();
  if (!invocation.has("wait")) return failure(client::codes::usage, "--timeout", "goes with --wait");
  const auto timeout = duration_value(invocation, "timeout");
  if (!timeout) return timeout.error();
  return std::optional<base::Duration>(*timeout);
}

Result<ExitCode> outcome_of(Session& session, Json subject) {
  if (!subject.has("messages")) return outcome_of_status(subject["status"].text());
  ExitCode outcome = ExitCode::done;
  const auto messages = subject["messages"].elements();
  for (const auto& message : messages) outcome = worse(outcome, outcome_of_status(message["status"].text()));
  const auto count = subject["message_count"].number().value_or(0);
  if (count <= static_cast<double>(messages.size())) return outcome;
  const auto unlisted = outcome_of_unlisted(session, subject["id"].text());
  if (!unlisted) return unlisted.error();
  return worse(outcome, *unlisted);
}

Result<ExitCode> print_outcome(Session& session, Json subject) {
  const auto messages = subject["messages"].elements();
  for (const auto& message : messages) note_outcome(session, message);
  if (!subject.has("messages")) note_outcome(session, subject);
  return outcome_of(session, subject);
}

}  // namespace webhookd::whctl
