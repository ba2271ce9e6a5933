// Commands about the daemon itself: status, clock, api.
#include "base/text.hpp"
#include "control/protocol/json_write.hpp"
#include "input.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 16 &&
         std::all_of(text.begin(), text.end(), [](char c) { return base::is_letter(c); });
}

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<ExitCode> print_clock(Session& session, Json clock) {
  auto& output = session.output();
  if (output.is_table() && output.options().fields.empty()) {
    const bool is_test = clock["test"].truth();
    session.console().out.line(safe_line(clock["now"].text()) +
                               (is_test && output.options().is_terminal ? " (test clock)" : ""));
    return ExitCode::done;
  }
  const auto printed = output.object(clock_view(), clock);
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace

Result<ExitCode> show_status(Session& session, const Invocation&) {
  const auto status = session.get("/v1/status");
  if (!status) return status.error();
  const auto printed = session.output().object(status_view(), status->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> show_stats(Session& session, const Invocation& invocation) {
  Target target("/v1/stats");
  if (invocation.has("since")) {
    const auto since = time_value(invocation, "since", [&] { return session.now(); });
    if (!since) return since.error();
    target.add("since", base::format_time(*since));
  }
  const auto stats = session.get(target.text());
  if (!stats) return stats.error();
  const auto printed = session.output().object(stats_view(), stats->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

// A list of what changed; what needs a restart is said in words as well, because it is easily overlooked.
Result<ExitCode> reload_settings(Session& session, const Invocation& invocation) {
  const bool is_dry = invocation.has("dry-run");
  const auto answer = session.send("POST", is_dry ? "/v1/admin/reload?dry_run=true" : "/v1/admin/reload", "");
  if (!answer) return answer.error();
  std::vector<Json> changes;
  std::string waiting;
  for (const Json& change : answer->root()["changes"].elements()) {
    changes.push_back(change);
    if (change["effect"].text() == "restart") waiting += (waiting.empty() ? "" : ", ") + change["key"].text();
  }
  const auto printed = session.output().list(change_view(), changes);
  if (!printed) return printed.error();
  if (changes.empty()) session.note("the configuration says what the daemon does already");
  if (!waiting.empty()) session.note("needs a restart: " + waiting);
  return ExitCode::done;
}

Result<ExitCode> show_clock(Session& session, const Invocation&) {
  const auto clock = session.get("/v1/clock");
  if (!clock) return clock.error();
  return print_clock(session, clock->root());
}

Result<ExitCode> advance_clock(Session& session, const Invocation& invocation) {
  const auto by = duration_value(invocation, "D");
  if (!by) return by.error();
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object().name("advance").seconds(*by).end_object();
  client::Request request;
  request.method = "POST";
  request.target = "/v1/clock";
  request.body = body;
  request.silence_timeout = std::nullopt;  // it answers when every due attempt was made
  const auto answer = session.exchange(request);
  if (!answer) return answer.error();
  return print_clock(session, answer->document.root());
}

Result<ExitCode> call_api(Session& session, const Invocation& invocation) {
  std::string method = invocation.value("METHOD");
  for (char& c : method) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (!is_token(method)) return failure(client::codes::usage, "METHOD", "is GET, POST, PUT, PATCH or DELETE");
  client::Request request;
  request.method = method;
  request.target = invocation.value("PATH");
  if (!is_target(request.target)) return failure(client::codes::usage, "PATH", "starts with / and has no spaces");
  std::string body;
  if (invocation.has("input")) {
    auto read = read_input(invocation.value("input"), session.console().in);
    if (!read) return read.error();
    body = std::move(*read);
    request.body = body;
  }
  request.silence_timeout = std::nullopt;  // long polls and streams are calls, too
  std::string kept;                        // the start of the answer, to see what kind of failure it states
  constexpr std::size_t kept_max = 64 * 1024;
  const auto head = session.connection().request(request, [&](std::string_view piece) {
    if (kept.size() < kept_max) kept.append(piece.substr(0, kept_max - kept.size()));
    session.console().out.write(session.console().out_is_terminal ? safe_block(piece) : std::string(piece));
    session.console().out.flush();
  });
  if (!head) return head.error();
  if (session.console().out_is_terminal && !kept.empty()) session.console().out.write("\n");
  if (head->status >= 200 && head->status <= 299) return ExitCode::done;
  return client::failure_of(head->status, kept);
}

}  // namespace webhookd::whctl
