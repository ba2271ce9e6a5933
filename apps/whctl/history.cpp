#include "history.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "control/protocol/history_codec.hpp"
#include "control/protocol/json_write.hpp"
#include "input.hpp"
#include "line_sender.hpp"
#include "progress_line.hpp"
#include "safe_text.hpp"
#include "target.hpp"
#include "views.hpp"
#include "whole_file.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view history_path = "/v1/admin/history";
constexpr std::array export_filters{Filter{"webhook", "webhook"}, Filter{"event", "type"}};

// ---- out --------------------------------------------------------------------------------------------------------

// Knows, as the bytes go by, how many lines there were and whether the last one says that it is all.
class Passage {
 public:
  void take(std::string_view bytes) {
    lines_ += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    constexpr std::size_t tail_max = 512;
    tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), tail_max)));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), tail_max));
  }
  std::uint64_t events() const { return lines_ == 0 ? 0 : lines_ - 1; }
  // The last line, when it is whole and says so.
  std::optional<Document> end() const {
    if (!tail_.ends_with('\n')) return std::nullopt;
    const std::string_view whole(tail_.data(), tail_.size() - 1);
    auto document = Document::parse(std::string(whole.substr(whole.rfind('\n') + 1)));
    if (!document || !document->root()["complete"].truth()) return std::nullopt;
    return std::move(*document);
  }

 private:
  std::uint64_t lines_ = 0;
  std::string tail_;
};

// ---- in ---------------------------------------------------------------------------------------------------------

enum class LineKind { head, event, end };

Result<LineKind> kind_of(const std::string& line, const std::string& place) {
  if (line.starts_with(R"({"complete")")) return LineKind::end;
  if (!line.starts_with(R"({"format")")) return LineKind::event;
  const auto head = Document::parse(line);
  const bool is_ours = head && head->root()["format"].text() == protocol::history_format;
  if (!is_ours || head->root()["version"].number() != double{protocol::history_version}) {
    return failure(client::codes::usage, place,
                   "is of another format than version " + std::to_string(protocol::history_version) + " of " +
                       std::string(protocol::history_format));
  }
  return LineKind::head;
}

class Import {
 public:
  Import(Session& session, std::string file, bool is_dry)
      : session_(session),
        file_(std::move(file)),
        sender_(session, std::string(history_path) + (is_dry ? "?dry_run=true" : ""),
                [this](Json answer, std::uint64_t line) { take(answer, line); }),
        progress_(session) {}

  // Every line, to `each`; whether the last one was there.
  template <class Each>
  Result<bool> read(Each each) {
    auto lines = LineReader::open(file_, session_.console().in);
    if (!lines) return lines.error();
    bool is_complete = false;
    bool has_head = false;
    std::string line;
    for (std::uint64_t number = 1;; ++number) {
      const auto got = lines->next(line);
      if (!got) return got.error();
      if (*got == LineReader::Line::end) break;
      const std::string place = file_ + ":" + std::to_string(number);
      if (*got == LineReader::Line::too_long) return failure(client::codes::usage, place, "is longer than 32 MiB");
      if (is_blank(line)) continue;
      const auto kind = kind_of(line, place);
      if (!kind) return kind.error();
      if (!has_head && *kind != LineKind::head) {
        return failure(client::codes::usage, place, "is not how an export of messages begins");
      }
      has_head = true;
      is_complete = *kind == LineKind::end;
      if (*kind != LineKind::event) continue;
      if (auto done = each(line, number); !done) return done.error();
    }
    return is_complete;
  }

  Result<ExitCode> run() {
    // A file is looked at whole before anything of it is sent.
    struct stat status {};
    if (file_ != "-" && ::stat(file_.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      const auto whole = read([](const std::string&, std::uint64_t) { return Result<void>{}; });
      if (!whole) return whole.error();
      if (!*whole) return cut_off("nothing of it was sent");
    }
    const auto sent = read([this](const std::string& line, std::uint64_t number) {
      progress_.show(std::to_string(taken_ + known_ + refused_) + " events");
      return sender_.add(line, number);
    });
    const auto flushed = sent ? sender_.flush() : Result<void>{};
    if (!sent || !flushed) return stopped(sent ? flushed.error() : sent.error());
    const auto printed = print();
    if (!printed) return printed.error();
    if (!*sent) return cut_off("what came was taken; run it again with the whole");
    return refused_ == 0 ? ExitCode::done : ExitCode::bulk_partial;
  }

 private:
  client::Failure cut_off(const std::string& so) const {
    return failure(client::codes::io, file_, "was cut off: its last line is missing; " + so);
  }

  void take(Json answer, std::uint64_t line) {
    if (answer["messages"].is_null()) {
      ++refused_;
      progress_.clear();
      const auto problem = client::failure_of(400, answer.raw());
      session_.report(failure("invalid_request", file_ + ":" + std::to_string(line), problem.why));
    } else if (answer["known"].truth()) {
      ++known_;
    } else {
      ++taken_;
      messages_ += static_cast<std::uint64_t>(answer["messages"].number().value_or(0));
      waiting_ += static_cast<std::uint64_t>(answer["waiting"].number().value_or(0));
    }
  }

  client::Failure stopped(client::Failure why) {
    progress_.clear();
    session_.note("stopped: " + std::to_string(taken_) + " events taken; run it again to take the rest");
    return why;
  }

  Result<void> print() {
    progress_.clear();
    std::string text;
    protocol::JsonWriter json(text);
    json.begin_object().name("taken").number(taken_).name("messages").number(messages_);
    json.name("waiting").number(waiting_).name("known").number(known_).name("refused").number(refused_).end_object();
    return session_.output().row(import_view(), Json(text));
  }

  Session& session_;
  std::string file_;
  LineSender sender_;
  ProgressLine progress_;
  std::uint64_t taken_ = 0;     // events
  std::uint64_t messages_ = 0;  // of those
  std::uint64_t waiting_ = 0;   // of those messages
  std::uint64_t known_ = 0;     // events that were there already
  std::uint64_t refused_ = 0;   // lines
};

}  // namespace

Result<ExitCode> export_history(Session& session, const Invocation& invocation) {
  Target target{std::string(history_path)};
  target.add_given(invocation, export_filters);
  if (const auto added = target.add_times(invocation, [&] { return session.now(); }); !added) return added.error();
  const std::string& name = invocation.value("file");
  std::optional<WholeFile> file;
  if (invocation.has("file") && name != "-") {
    file.emplace(name);
    if (auto opened = file->open(); !opened) return opened.error();
  }
  client::Request request;
  request.target = target.text();
  Passage passage;
  std::string kept;  // the start of the answer, when it is a problem
  ProgressLine line(session);
  const auto head = session.ask(request, [&](std::string_view piece) {
    constexpr std::size_t kept_max = 64 * 1024;
    kept.append(piece.substr(0, kept_max - std::min(kept.size(), kept_max)));
    passage.take(piece);
    file ? file->write(piece) : session.console().out.write(piece);
    if (file) line.show(std::to_string(passage.events()) + " events");
  });
  if (!head) return head.error();
  if (head->status != 200) return client::failure_of(head->status, kept);
  const auto end = passage.end();
  if (!end) return failure(client::codes::bad_answer, "export", "it was cut off: the log of the daemon says why");
  if (file) {
    if (auto finished = file->finish(); !finished) return finished.error();
  }
  line.clear();
  session.note((file ? "wrote " + safe_line(name) + ": " : "") + "events: " + end->root()["events"].plain() +
               ", messages: " + end->root()["messages"].plain());
  return ExitCode::done;
}

Result<ExitCode> import_history(Session& session, const Invocation& invocation) {
  return Import(session, invocation.value("FILE"), invocation.has("dry-run")).run();
}

}  // namespace webhookd::whctl
