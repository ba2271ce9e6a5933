#include "line_sender.hpp"

namespace webhookd::whctl {

using client::Result;

namespace {

constexpr std::size_t chunk_lines_max = 1000;
constexpr std::size_t chunk_bytes_max = 1024 * 1024;  // a longer line goes alone

}  // namespace

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

Result<void> LineSender::add(std::string_view line, std::uint64_t number) {
  if (body_.size() + line.size() > chunk_bytes_max) {
    auto sent = flush();
    if (!sent) return sent;
  }
  body_.append(line).append("\n");
  numbers_.push_back(number);
  return numbers_.size() == chunk_lines_max ? flush() : Result<void>{};
}

Result<void> LineSender::flush() {
  if (numbers_.empty()) return {};
  client::Request request;
  request.method = "POST";
  request.target = target_;
  request.body = body_;
  request.content_type = "application/x-ndjson";
  auto response = session_.ask(request);
  if (!response) return response.error();
  if (response->head.status != 200 && response->head.status != 201) {
    return client::failure_of(response->head.status, response->body);
  }
  auto taken = take_answers(response->body);
  body_.clear();
  numbers_.clear();
  return taken;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> LineSender::unanswered() const {
  return numbers_.empty() ? std::nullopt : std::optional(std::pair(numbers_.front(), numbers_.back()));
}

Result<void> LineSender::take_answers(std::string_view answers) {
  std::size_t count = 0;
  while (!answers.empty()) {
    const auto line = answers.substr(0, answers.find('\n'));
    answers.remove_prefix(std::min(answers.size(), line.size() + 1));
    if (is_blank(line)) continue;
    const auto answer = Document::parse(std::string(line));
    if (!answer || count == numbers_.size()) break;
    take_(answer->root(), numbers_[count]);
    ++count;
  }
  if (count == numbers_.size()) return {};
  return client::failure(client::codes::bad_answer, target_, "the daemon did not answer each line");
}

}  // namespace webhookd::whctl
