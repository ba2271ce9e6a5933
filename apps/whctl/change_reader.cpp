#include "change_reader.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

// Twice the pause between two signs of life of a quiet stream, and some more.
constexpr base::Duration silence_max{40'000};
constexpr std::size_t line_bytes_max = std::size_t{1} << 20;

class LineSplitter {
 public:
  // The whole lines that end in `piece`.
  ChangeLines feed(std::string_view piece) {
    ChangeLines lines;
    while (!piece.empty() && !is_broken_) {
      const auto end = piece.find('\n');
      partial_.append(piece.substr(0, end));
      is_broken_ = partial_.size() > line_bytes_max;
      if (end == std::string_view::npos) break;
      piece.remove_prefix(end + 1);
      if (partial_.empty()) continue;  // a sign of life
      auto line = Document::parse(std::move(partial_));
      partial_.clear();
      is_broken_ = is_broken_ || !line;
      if (line) lines.push_back(std::move(*line));
    }
    return lines;
  }

  bool is_broken() const { return is_broken_; }
  // What follows the last line: of a refusal, the problem.
  const std::string& rest() const { return partial_; }

 private:
  std::string partial_;
  bool is_broken_ = false;
};

}  // namespace

Result<void> read_changes(Session& session, const ChangeRequest& request,
                          const std::function<bool(const ChangeLines&)>& take) {
  Target target = request.target;
  if (!request.after.empty()) target.add("after", request.after);
  if (!request.follows) target.add("follow", "false");
  if (request.lines) target.add("limit", std::to_string(*request.lines));

  LineSplitter splitter;
  bool goes_on = true;
  client::Request call;
  call.target = target.text();
  call.silence_timeout = silence_max;
  call.has_enough = [&] { return !goes_on || splitter.is_broken(); };
  const auto head = session.connection().request(call, [&](std::string_view piece) {
    const ChangeLines lines = splitter.feed(piece);
    if (!lines.empty() && goes_on) goes_on = take(lines);
  });
  if (!head) return head.error();
  if (head->status != 200) return client::failure_of(head->status, splitter.rest());
  if (splitter.is_broken())
    return failure(client::codes::bad_answer, target.text(), "a line of the stream is not JSON");
  return {};
}

}  // namespace webhookd::whctl
