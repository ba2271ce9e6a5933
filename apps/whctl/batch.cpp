#include "batch.hpp"

#include <chrono>

#include "control/protocol/json_write.hpp"
#include "input.hpp"
#include "safe_text.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t chunk_lines_max = 1000;
constexpr std::size_t chunk_bytes_max = 1024 * 1024;  // a longer line goes alone
constexpr auto progress_interval = std::chrono::milliseconds(200);

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

class Batch {
 public:
  Batch(Session& session, LineReader lines) : session_(session), lines_(std::move(lines)) {}

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
    auto sent = send();
    if (!sent) return stopped(sent.error());
    return finish();
  }

 private:
  Result<void> add(const std::string& line) {
    if (body_.size() + line.size() > chunk_bytes_max) {
      auto sent = send();
      if (!sent) return sent;
    }
    body_.append(line).append("\n");
    numbers_.push_back(read_);
    const bool is_full = numbers_.size() == chunk_lines_max;
    return is_full || !lines_.is_ready() ? send() : Result<void>{};
  }

  Result<void> send() {
    if (numbers_.empty()) return {};
    client::Request request;
    request.method = "POST";
    request.target = "/v1/events";
    request.body = body_;
    request.content_type = "application/x-ndjson";
    auto response = session_.connection().request(request);
    if (!response) return response.error();
    if (response->head.status != 200 && response->head.status != 201) {
      return client::failure_of(response->head.status, response->body);
    }
    auto taken = take_answers(response->body);
    body_.clear();
    numbers_.clear();
    show_progress();
    return taken;
  }

  Result<void> take_answers(std::string_view answers) {
    std::size_t count = 0;
    while (!answers.empty()) {
      const auto line = answers.substr(0, answers.find('\n'));
      answers.remove_prefix(std::min(answers.size(), line.size() + 1));
      if (is_blank(line)) continue;
      const auto answer = Document::parse(std::string(line));
      if (!answer || count == numbers_.size()) break;
      take_answer(answer->root(), numbers_[count]);
      ++count;
    }
    if (count == numbers_.size()) return {};
    return failure(client::codes::bad_answer, "batch", "the daemon did not answer each line");
  }

  void take_answer(Json answer, std::uint64_t number) {
    auto& output = session_.output();
    if (output.options().format == Format::jsonl) output.raw_json(answer.raw());
    if (!answer["id"].is_null()) {
      accepted_ += answer["duplicate"].truth() ? 0 : 1;
      duplicates_ += answer["duplicate"].truth() ? 1 : 0;
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
    session_.report(failure("invalid_request", "line " + std::to_string(number), why));
  }

  void show_progress() {
    const auto now = std::chrono::steady_clock::now();
    if (!session_.console().err_is_terminal || session_.settings().is_quiet || now - shown_at_ < progress_interval)
      return;
    shown_at_ = now;
    has_progress_ = true;
    session_.console().err.write("\r\x1b[K" + std::to_string(read_) + " lines");
    session_.console().err.flush();
  }

  void end_progress() {
    if (has_progress_) session_.console().err.write("\r\x1b[K");
    has_progress_ = false;
  }

  std::string counts_json() const {
    std::string text;
    protocol::JsonWriter json(text);
    json.begin_object().name("lines").number(read_).name("accepted").number(accepted_);
    json.name("duplicates").number(duplicates_).name("refused").number(refused_).end_object();
    return text;
  }

  std::string counts_text() const {
    return std::to_string(accepted_) + " accepted, " + std::to_string(duplicates_) + " duplicates, " +
           std::to_string(refused_) + " refused";
  }

  Result<ExitCode> finish() {
    end_progress();
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
    end_progress();
    session_.note("stopped: " + counts_text());
    if (!numbers_.empty()) {
      session_.note("lines " + std::to_string(numbers_.front()) + " to " + std::to_string(numbers_.back()) +
                    ": no answer");
    }
    return why;
  }

  Session& session_;
  LineReader lines_;
  std::string body_;
  std::vector<std::uint64_t> numbers_;  // of the lines in body_
  std::uint64_t read_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t refused_ = 0;
  bool has_progress_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace

Result<ExitCode> emit_batch(Session& session, const std::string& file) {
  auto lines = LineReader::open(file, session.console().in);
  if (!lines) return lines.error();
  return Batch(session, std::move(*lines)).run();
}

}  // namespace webhookd::whctl
