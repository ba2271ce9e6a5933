// logs: messages as a list, newest first; or as changes, oldest first, from a cursor on; or followed.
//
// A line goes out once. The cursor file is written after the lines before it were taken by the operating system, so a
// tool that is killed in between repeats lines rather than losing them; a daemon that goes away neither repeats nor
// loses one.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <thread>

#include "change_reader.hpp"
#include "input.hpp"
#include "output_file.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t lines_default = 50;
constexpr auto retry_pause = std::chrono::milliseconds(100);
constexpr auto retry_pause_max = std::chrono::milliseconds(1000);
constexpr std::string_view log_start = "start";
constexpr mode_t private_file = 0600;

constexpr std::array log_filters{Filter{"WEBHOOK", "webhook"}, Filter{"event", "type"}, Filter{"status", "status"},
                                 Filter{"code", "code"}, Filter{"grep", "q"}};

// The path with the filters that were given.
Result<Target> filtered(Session& session, const Invocation& invocation, std::string path) {
  Target target(std::move(path));
  target.add_given(invocation, log_filters);
  if (const auto added = target.add_times(invocation, [&] { return session.now(); }); !added) return added.error();
  return target;
}

// ---- a list ---------------------------------------------------------------------------------------------------

Result<ExitCode> list_messages(Session& session, const Invocation& invocation) {
  const auto lines = line_count(invocation, 1);
  if (!lines) return lines.error();
  auto target = filtered(session, invocation, "/v1/messages");
  if (!target) return target.error();
  if (invocation.has("reverse")) target->add("order", "asc");
  const auto listed = session.list(target->text(), static_cast<std::size_t>(lines->value_or(lines_default)));
  if (!listed) return listed.error();
  const auto printed = session.output().list(message_view(), listed->items, listed->next_cursor);
  if (!printed) return printed.error();
  if (listed->items.empty() && session.console().out_is_terminal) session.note("no messages");
  return ExitCode::done;
}

// ---- changes --------------------------------------------------------------------------------------------------

// Where the next call goes on. A file that is missing or empty begins at the beginning of the log.
class CursorFile {
 public:
  explicit CursorFile(std::string path) : path_(std::move(path)) {}

  Result<std::string> read() const {
    struct stat found {};
    if (path_.empty()) return std::string();
    if (::stat(path_.c_str(), &found) != 0) {
      return errno == ENOENT ? Result<std::string>(std::string(log_start))
                             : failure(client::codes::io, path_, "cannot be read");
    }
    if (!S_ISREG(found.st_mode)) return failure(client::codes::usage, path_, "is no file that could be replaced");
    auto text = read_input(path_, -1);
    if (!text) return text;
    text->erase(text->find_last_not_of(" \t\r\n") + 1);
    return text->empty() ? std::string(log_start) : *text;
  }
  Result<void> write(const std::string& cursor) const {
    return path_.empty() ? Result<void>() : write_whole_file(path_, cursor + "\n", private_file);
  }

 private:
  std::string path_;
};

class ChangeLog {
 public:
  ChangeLog(Session& session, const Invocation& invocation)
      : session_(session), invocation_(invocation), file_(invocation.value("cursor-file")) {
    request_.follows = invocation.has("follow");
  }

  Result<ExitCode> run() {
    auto ready = prepare();
    if (!ready) return ready.error();
    auto ended = request_.follows ? follow() : read_changes(session_, request_, taker());
    if (ended && fault_) ended = *fault_;
    // What has come so far stands, also when the rest did not.
    if (!request_.follows && collects_) {
      const auto printed = print_collected();
      if (!printed) return printed.error();
    }
    if (!ended) return about_file(ended.error());
    return ExitCode::done;
  }

 private:
  // What is wrong with a cursor is wrong with the file that it is from.
  client::Failure about_file(client::Failure failure) const {
    const bool is_cursor = std::any_of(failure.fields.begin(), failure.fields.end(),
                                       [](const auto& field) { return field.pointer == "?after"; });
    return is_cursor && invocation_.has("cursor-file") && !invocation_.has("after-cursor")
               ? client::about(invocation_.value("cursor-file"), std::move(failure))
               : failure;
  }

  // Everything that can be wrong before the first line.
  Result<void> prepare() {
    const bool has_cursor = invocation_.has("after-cursor") || invocation_.has("cursor-file");
    if (invocation_.has("reverse")) return failure(client::codes::usage, "--reverse", "changes have one order");
    if (request_.follows && has_cursor && invocation_.has("number")) {
      return failure(client::codes::usage, "--number", "with a cursor everything behind it is shown");
    }
    const auto lines = line_count(invocation_, request_.follows ? 0 : 1);
    if (!lines) return lines.error();
    auto target = filtered(session_, invocation_, "/v1/stream");
    if (!target) return target.error();
    request_.target = std::move(*target);
    collects_ = !request_.follows && session_.output().is_json() &&
                session_.output().options().format != Format::jsonl && !session_.output().options().ids_only;
    if (!collects_) {
      auto growing = session_.output().begin_growing_list();
      if (!growing) return growing;
    }
    if (!has_cursor) return show_latest(lines->value_or(lines_default));
    request_.lines = *lines;
    const auto stored = file_.read();
    if (!stored) return stored.error();
    request_.after = invocation_.has("after-cursor") ? invocation_.value("after-cursor") : *stored;
    return {};
  }

  // The latest messages first. The position is asked for before them, so nothing is lost in between; what changed in
  // between comes again, and is not shown again when it says nothing new.
  Result<void> show_latest(std::uint64_t count) {
    ChangeRequest now;
    auto asked = read_changes(session_, now, [this](const ChangeLines& lines) {
      request_.after = lines.back().root()["cursor"].text();
      return true;
    });
    if (!asked || count == 0) return asked;
    const auto target = filtered(session_, invocation_, "/v1/messages");
    if (!target) return target.error();
    const auto listed = session_.list(target->text(), static_cast<std::size_t>(count));
    if (!listed) return listed.error();
    std::deque<std::string> texts;  // with the position that they stand at, where whoever reads them goes on
    std::vector<Json> oldest_first;
    for (auto message = listed->items.rbegin(); message != listed->items.rend(); ++message) {
      shown_[(*message)["id"].text()] = message->raw();
      texts.push_back(with_value_at(message->raw(), "cursor", "\"" + request_.after + "\""));
      oldest_first.emplace_back(texts.back());
    }
    auto printed = session_.output().list(message_view(), oldest_first);
    session_.console().out.flush();
    return printed;
  }

  std::function<bool(const ChangeLines&)> taker() {
    return [this](const ChangeLines& lines) {
      auto taken = take(lines);
      if (!taken) fault_ = taken.error();
      return taken && session_.console().out.fault() == 0;
    };
  }

  Result<void> take(const ChangeLines& lines) {
    std::vector<Json> messages;
    for (const Document& line : lines) {
      if (line.root().has("id") && is_news(line)) messages.push_back(line.root());
    }
    request_.after = lines.back().root()["cursor"].text();
    if (collects_) {
      for (const Json& message : messages) collected_.push_back(std::string(message.raw()));
      return {};
    }
    if (!messages.empty()) {
      auto printed = session_.output().list(message_view(), messages);
      if (!printed) return printed;
      session_.console().out.flush();
    }
    return session_.console().out.fault() == 0 ? file_.write(request_.after) : Result<void>();
  }

  // Not what was listed at the beginning and has come once more as it was.
  bool is_news(const Document& line) {
    if (shown_.empty()) return true;
    const auto listed = shown_.find(line.root()["id"].text());
    if (listed == shown_.end()) return true;
    const std::string_view text = line.text();
    const bool is_same = text.starts_with(std::string_view(listed->second).substr(0, listed->second.size() - 1)) &&
                         text.substr(listed->second.size() - 1).starts_with(R"(,"cursor":)");
    shown_.erase(listed);
    return !is_same;
  }

  // For ever, over restarts of the daemon; only a refusal ends it.
  Result<void> follow() {
    auto pause = retry_pause;
    bool has_been_there =
        !request_.after.empty() && !invocation_.has("after-cursor") && !invocation_.has("cursor-file");
    for (bool is_told = false;;) {
      auto ended = read_changes(session_, request_, [&, take_lines = taker()](const ChangeLines& lines) {
        has_been_there = true;
        is_told = false;
        pause = retry_pause;
        return take_lines(lines);
      });
      if (fault_ || session_.console().out.fault() != 0) return {};
      if (!ended && (!is_away(ended.error()) || !has_been_there)) return ended;
      if (!is_told) session_.note("whctl: the daemon went away; going on when it is back");
      is_told = true;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, retry_pause_max);
    }
  }

  Result<void> print_collected() {
    std::vector<Json> messages;
    for (const std::string& text : collected_) messages.emplace_back(text);
    const std::string cursor = "\"" + request_.after + "\"";
    auto printed = session_.output().list(message_view(), messages, Json(cursor));
    if (!printed) return printed;
    session_.console().out.flush();
    return session_.console().out.fault() == 0 ? file_.write(request_.after) : Result<void>();
  }

  Session& session_;
  const Invocation& invocation_;
  CursorFile file_;
  ChangeRequest request_;
  bool collects_ = false;  // for one document
  std::vector<std::string> collected_;
  std::map<std::string, std::string> shown_;  // listed at the beginning: id and JSON
  std::optional<client::Failure> fault_;
};

}  // namespace

Result<ExitCode> show_logs(Session& session, const Invocation& invocation) {
  for (const std::string_view flag : {"follow", "after-cursor", "cursor-file"}) {
    if (invocation.has(flag)) return ChangeLog(session, invocation).run();
  }
  return list_messages(session, invocation);
}

}  // namespace webhookd::whctl
