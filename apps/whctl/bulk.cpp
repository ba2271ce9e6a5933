#include "bulk.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/id.hpp"
#include "control/protocol/json_write.hpp"
#include "safe_text.hpp"
#include "stop_signals.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds look_pause = 100ms;
constexpr std::chrono::milliseconds look_pause_max = 500ms;
constexpr auto line_pause = 5s;  // between two lines of progress where there is no terminal
constexpr std::size_t bar_width = 30;

constexpr std::array filter_flags{Filter{"webhook", "webhook"}, Filter{"status", "status"}, Filter{"event", "type"},
                                  Filter{"code", "code"}, Filter{"grep", "q"}};
constexpr std::array<std::string_view, 2> time_flags{"since", "until"};

std::uint64_t count_of(Json value) { return static_cast<std::uint64_t>(value.number().value_or(0)); }

Result<std::string> request_body(Session& session, const Invocation& invocation, bool is_dry) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object().name("filter").begin_object();
  for (const Filter& filter : filter_flags) {
    if (invocation.has(filter.word)) json.name(filter.parameter).string(invocation.value(filter.word));
  }
  for (const std::string_view flag : time_flags) {
    if (!invocation.has(flag)) continue;
    const auto time = time_value(invocation, flag, [&] { return session.now(); });
    if (!time) return time.error();
    json.name(flag).time(*time);
  }
  json.end_object();
  if (invocation.has("rate")) {
    const auto rate = parse_rate("rate", invocation.value("rate"));
    if (!rate) return rate.error();
    json.name("rate").number(*rate);
  }
  if (invocation.has("reason")) json.name("reason").string(invocation.value("reason"));
  json.name("dry_run").boolean(is_dry).end_object();
  return body;
}

std::string messages_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

// How far a task is, as a bar on a terminal, as a line now and then elsewhere.
class Progress {
 public:
  explicit Progress(Session& session) : session_(session) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(Json task) {
    if (session_.settings().is_quiet) return;
    const bool is_counted = !task["total"].is_null();
    const std::uint64_t total = count_of(task["total"]);
    const std::uint64_t handled = count_of(task["done"]) + count_of(task["failed"]);
    if (session_.console().err_is_terminal) {
      session_.console().err.write("\r\x1b[K" + (is_counted ? bar(handled, total) : "counting") + failed_text(task));
      session_.console().err.flush();
      is_shown_ = true;
    } else if (is_counted && Steady::now() >= next_line_) {
      next_line_ = Steady::now() + line_pause;
      session_.note(safe_line(task["id"].text()) + ": " + std::to_string(handled) + " of " + messages_text(total) +
                    failed_text(task));
    }
  }

  void clear() {
    if (is_shown_) session_.console().err.write("\r\x1b[K");
    if (is_shown_) session_.console().err.flush();
    is_shown_ = false;
  }

 private:
  static std::string bar(std::uint64_t handled, std::uint64_t total) {
    const std::uint64_t of = std::max<std::uint64_t>(total, 1);
    const auto filled = static_cast<std::size_t>(std::min(handled, of) * bar_width / of);
    return "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] " + std::to_string(handled) +
           "/" + std::to_string(total);
  }
  static std::string failed_text(Json task) {
    const std::uint64_t failed = count_of(task["failed"]);
    return failed == 0 ? "" : ", " + std::to_string(failed) + " failed";
  }

  Session& session_;
  bool is_shown_ = false;
  Steady::time_point next_line_{};
};

void note_summary(Session& session, Json task) {
  const bool is_retry = task["action"].text() == "retry";
  const std::uint64_t done = count_of(task["done"]);
  const std::uint64_t failed = count_of(task["failed"]);
  const std::uint64_t total = count_of(task["total"]);
  std::string text = (is_retry ? "retried " : "cancelled ") + messages_text(done);
  if (failed > 0) text += ", " + std::to_string(failed) + " failed";
  if (task["state"].text() == "cancelled")
    text += "; the task was stopped";
  else if (done + failed < total)
    text += "; " + std::to_string(total - done - failed) + " changed by themselves";
  session.note(text);
}

ExitCode outcome_of_task(Json task) {
  if (task["state"].text() == "cancelled") return ExitCode::cancelled;
  return count_of(task["failed"]) == 0 ? ExitCode::done : ExitCode::bulk_partial;
}

// True when somebody wants to leave.
bool is_interrupted_within(const StopSignals& signals, std::chrono::milliseconds pause) {
  pollfd entry{signals.descriptor(), POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(pause.count())) == 1;
}

// What is left of a timeout that began then; for ever without one.
std::chrono::milliseconds left_of(std::optional<base::Duration> timeout, Steady::time_point start) {
  if (!timeout) return std::chrono::milliseconds::max();
  return std::chrono::duration_cast<std::chrono::milliseconds>(start + *timeout - Steady::now());
}

Result<Document> until_ended(Session& session, const std::string& id, std::optional<base::Duration> timeout,
                             bool& is_interrupted) {
  const auto start = Steady::now();
  const StopSignals signals;
  Progress progress(session);
  bool has_been_there = false;
  bool is_told = false;
  for (auto pause = look_pause;; pause = std::min(pause * 2, look_pause_max)) {
    auto task = session.get(path_to("tasks", id));
    if (!task && (!has_been_there || !is_away(task.error()))) return task;
    if (task) {
      has_been_there = true;
      is_told = false;
      if (task->root()["state"].text() != "running") return task;
      progress.show(task->root());
    } else if (!is_told) {
      is_told = true;
      progress.clear();
      session.note("whctl: the daemon went away; the task goes on when it is back");
    }
    const auto left = left_of(timeout, start);
    if (left.count() <= 0) return failure("wait_timeout", id, "did not end within " + base::format_duration(*timeout));
    is_interrupted = is_interrupted_within(signals, std::min(pause, left));
    if (is_interrupted) return task;
  }
}

Result<void> print_plan(Session& session, const Invocation& invocation, std::string_view action) {
  const auto body = request_body(session, invocation, true);
  if (!body) return body.error();
  const auto planned = session.send("POST", "/v1/messages/" + std::string(action), *body);
  if (!planned) return planned.error();
  session.note("dry run: would " + std::string(action) + " " + messages_text(count_of(planned->root()["total"])));
  return session.output().row(task_view(), planned->root());
}

Result<void> confirm_cancel(Session& session, const Invocation& invocation) {
  if (session.settings().assumes_yes) return {};
  const auto possible = session.can_confirm();
  if (!possible) return possible;
  const auto body = request_body(session, invocation, true);
  if (!body) return body.error();
  const auto planned = session.send("POST", "/v1/messages/cancel", *body);
  if (!planned) return planned.error();
  return session.confirm("Cancel " + messages_text(count_of(planned->root()["total"])) + " of " +
                         planned->root()["webhook"].text() + "?");
}

}  // namespace

bool is_task(std::string_view id) { return id.starts_with(base::TaskKind::prefix); }

bool chooses_by_filter(const Invocation& invocation) {
  const auto is_given = [&](std::string_view name) { return invocation.has(name); };
  return is_given("rate") || is_given("dry-run") ||
         std::any_of(filter_flags.begin(), filter_flags.end(),
                     [&](const Filter& filter) { return is_given(filter.word); }) ||
         std::any_of(time_flags.begin(), time_flags.end(), is_given);
}

Result<ExitCode> act_in_bulk(Session& session, const Invocation& invocation, std::string_view action) {
  if (invocation.has("MESSAGE")) {
    return failure(client::codes::usage, "MESSAGE", "either messages are named or they are chosen by flags, not both");
  }
  if (!invocation.has("webhook")) {
    return failure(client::codes::usage, "--webhook", "is needed to choose messages by flags");
  }
  if (invocation.has("dry-run")) {
    const auto printed = print_plan(session, invocation, action);
    if (!printed) return printed.error();
    return ExitCode::done;
  }
  if (action == "cancel") {
    const auto confirmed = confirm_cancel(session, invocation);
    if (!confirmed) return confirmed.error();
  }
  const auto body = request_body(session, invocation, false);
  if (!body) return body.error();
  const auto begun = session.send("POST", "/v1/messages/" + std::string(action), *body);
  if (!begun) return begun.error();
  return watch_task(session, begun->root()["id"].text());
}

Result<ExitCode> watch_task(Session& session, const std::string& id, std::optional<base::Duration> timeout) {
  bool is_interrupted = false;
  const auto task = until_ended(session, id, timeout, is_interrupted);
  if (is_interrupted) {
    session.note("the task goes on; `whctl wait " + safe_line(id) + "` watches it again, `whctl cancel " +
                 safe_line(id) + "` stops it");
    return ExitCode::interrupted;
  }
  if (!task) return task.error();
  note_summary(session, task->root());
  const auto printed = session.output().made(task_view(), task->root());
  if (!printed) return printed.error();
  return outcome_of_task(task->root());
}

Result<ExitCode> cancel_tasks(Session& session, const std::vector<std::string>& ids) {
  return for_each_name(session, ids, [&](const std::string& id) -> Result<void> {
    if (!is_task(id)) return failure(client::codes::usage, id, "tasks and messages are cancelled apart");
    auto task = session.send("POST", path_to("tasks", id, "cancel"));
    if (!task) return task.error();
    return session.output().row(task_view(), task->root());
  });
}

}  // namespace webhookd::whctl
