#include "batch.hpp"

#include "control/protocol/json_write.hpp"
#include "input.hpp"
#include "line_sender.hpp"
#include "progress_line.hpp"
#include "safe_text.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t warned_lines_shown_max = 5;

class Batch {
 public:
  Batch(Session& session, LineReader lines)
      : session_(session),
        lines_(std::move(lines)),
        sender_(session, "/v1/events", [this](Json answer, std::uint64_t line) { take_answer(answer, line); }),
        progress_(session) {}

  Result<ExitCode> run() {
    for (;;) {
      std::string line;
      const auto got = lines_.next(line);
      if (!got) return stopped(got.error());
      if (*got == LineReader::Line::end) break;
      ++read_;
      if (*got == LineReader::Line::too_long) {
        refuse(read_, "too_large: the line is longer than 32 MiB");
      } else if (!is_blank(line)) {
        auto added = add(line);
        if (!added) return stopped(added.error());
      }
    }
    auto sent = sender_.flush();
    if (!sent) return stopped(sent.error());
    return finish();
  }

 private:
  Result<void> add(const std::string& line) {
    auto added = sender_.add(line, read_);
    if (added && !lines_.is_ready()) added = sender_.flush();
    progress_.show(std::to_string(read_) + " lines");
    return added;
  }

  void take_answer(Json answer, std::uint64_t number) {
    auto& output = session_.output();
    if (output.options().format == Format::jsonl) output.raw_json(answer.raw());
    if (!answer["id"].is_null()) {
      accepted_ += answer["duplicate"].truth() ? 0 : 1;
      duplicates_ += answer["duplicate"].truth() ? 1 : 0;
      if (answer["warnings"].is_array()) warn(answer["warnings"], number);
      if (prints_ids()) session_.console().out.line(safe_line(answer["id"].text()));
      return;
    }
    const auto problem = client::failure_of(400, answer.raw());
    refuse(number, problem.code + ": " + problem.why);
  }

  // On a terminal a hundred thousand ids are noise; for a script they are the data.
  bool prints_ids() const {
    const auto& options = session_.output().options();
    if (session_.output().is_json() || options.format == Format::csv) return false;
    return options.ids_only || options.format == Format::name || !options.is_terminal;
  }

  void refuse(std::uint64_t number, const std::string& why) {
    ++refused_;
    progress_.clear();
    session_.report(failure("invalid_request", "line " + std::to_string(number), why));
  }

  // The first few lines, each with its first warning: a producer that is wrong is wrong in every line.
  void warn(Json warnings, std::uint64_t number) {
    if (++warned_ > warned_lines_shown_max) return;
    const auto all = warnings.elements();
    if (all.empty()) return;
    progress_.clear();
    const std::string more = all.size() > 1 ? " (and " + std::to_string(all.size() - 1) + " more)" : "";
    session_.warn("line " + std::to_string(number) + ": " + all.front()["detail"].text() + more);
  }

  std::string counts_json() const {
    std::string text;
    protocol::JsonWriter json(text);
    json.begin_object().name("lines").number(read_).name("accepted").number(accepted_);
    json.name("duplicates").number(duplicates_).name("refused").number(refused_);
    json.name("warned").number(warned_).end_object();
    return text;
  }

  std::string counts_text() const {
    return std::to_string(accepted_) + " accepted, " + std::to_string(duplicates_) + " duplicates, " +
           std::to_string(refused_) + " refused" +
           (warned_ > 0 ? ", " + std::to_string(warned_) + " with warnings" : "");
  }

  Result<ExitCode> finish() {
    progress_.clear();
    const auto format = session_.output().options().format;
    if (format == Format::json || format == Format::csv) {
      const std::string counts = counts_json();
      const auto printed = session_.output().row(batch_view(), Json(counts));
      if (!printed) return printed.error();
    }
    session_.note(std::to_string(read_) + " lines: " + counts_text());
    return refused_ == 0 ? ExitCode::done : ExitCode::bulk_partial;
  }

  // What was under way when it stopped is not known; everything before it is.
  client::Failure stopped(client::Failure why) {
    progress_.clear();
    session_.note("stopped: " + counts_text());
    if (const auto lost = sender_.unanswered()) {
      session_.note("lines " + std::to_string(lost->first) + " to " + std::to_string(lost->second) + ": no answer");
    }
    return why;
  }

  Session& session_;
  LineReader lines_;
  LineSender sender_;
  ProgressLine progress_;
  std::uint64_t read_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t warned_ = 0;  // of those that went through
};

}  // namespace

Result<ExitCode> emit_batch(Session& session, const std::string& file) {
  auto lines = LineReader::open(file, session.console().in);
  if (!lines) return lines.error();
  return Batch(session, std::move(*lines)).run();
}

}  // namespace webhookd::whctl
