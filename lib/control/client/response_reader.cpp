#include "control/client/response_reader.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace webhookd::client {

namespace {

constexpr std::uint64_t body_bytes_max = std::uint64_t{1} << 40;  // a length, not a buffer: bodies go to the sink

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = base::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "200" of "HTTP/1.1 200 OK"; 0 when the line is anything else.
int parse_status_line(std::string_view line) {
  constexpr std::string_view version = "HTTP/1.1 ";
  if (!line.starts_with(version) || line.size() < version.size() + 3) return 0;
  line.remove_prefix(version.size());
  int status = 0;
  for (const char c : line.substr(0, 3)) {
    if (!base::is_digit(c)) return 0;
    status = status * 10 + (c - '0');
  }
  const bool ends_well = line.size() == 3 || line[3] == ' ';
  return ends_well && status >= 100 && status <= 599 ? status : 0;
}

bool has_no_body(int status) { return status == 204 || status == 304; }

}  // namespace

std::optional<std::string_view> ResponseHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool ResponseReader::fail(std::string why) {
  fault_ = std::move(why);
  return false;
}

bool ResponseReader::feed(std::string_view bytes, const BodySink& sink) {
  if (!fault_.empty()) return false;
  while (!bytes.empty()) {
    if (state_ == State::done) return fail("bytes follow the answer");
    if (state_ == State::fixed_body || state_ == State::chunk_data) {
      take_body(bytes, sink);
    } else if (!take_line(bytes)) {
      return false;
    }
  }
  return true;
}

// Moves bytes into line_ up to a line feed, and handles the line when it is whole.
bool ResponseReader::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  const auto part = bytes.substr(0, end == std::string_view::npos ? bytes.size() : end + 1);
  if (line_.size() + part.size() > line_bytes_max) return fail("a line of the answer is too long");
  line_.append(part);
  bytes.remove_prefix(part.size());
  if (end == std::string_view::npos) return true;
  if (!line_.ends_with("\r\n")) return fail("a line of the answer does not end in CR LF");
  const std::string line = line_.substr(0, line_.size() - 2);
  head_bytes_ += line_.size();
  line_.clear();
  return on_line(line);
}

bool ResponseReader::on_line(std::string_view line) {
  switch (state_) {
    case State::status_line:
      return on_status_line(line);
    case State::header_line:
      return line.empty() ? on_head_complete() : on_header_line(line);
    case State::chunk_size:
      return on_chunk_size(line);
    case State::chunk_end:
      state_ = State::chunk_size;
      return line.empty() || fail("a chunk is longer than it says");
    case State::trailer:
      if (line.empty()) state_ = State::done;
      return head_bytes_ <= head_bytes_max || fail("the trailer is too long");
    case State::fixed_body:
    case State::chunk_data:
    case State::done:
      break;
  }
  return fail("unexpected line");
}

bool ResponseReader::on_status_line(std::string_view line) {
  head_ = {};
  head_.status = parse_status_line(line);
  state_ = State::header_line;
  return head_.status != 0 || fail("the answer is not HTTP/1.1");
}

bool ResponseReader::on_header_line(std::string_view line) {
  if (head_bytes_ > head_bytes_max) return fail("the head of the answer is too long");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return fail("a header of the answer has no name");
  head_.headers.emplace_back(base::to_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  return true;
}

bool ResponseReader::on_head_complete() {
  if (head_.status < 200) {
    state_ = State::status_line;
    return ++informational_heads_ <= informational_heads_max || fail("too many informational answers");
  }
  const auto length = head_.header("content-length");
  const auto coding = head_.header("transfer-encoding");
  keeps_connection_ = !base::equals_ignoring_case(head_.header("connection").value_or(""), "close");
  if (answers_head_request_ || has_no_body(head_.status)) {
    state_ = State::done;
    return true;
  }
  if (coding) {
    head_bytes_ = 0;
    state_ = State::chunk_size;
    const bool is_clear = !length && base::equals_ignoring_case(*coding, "chunked");
    return is_clear || fail("the framing of the answer is not understood");
  }
  if (!length) return fail("the answer does not say how long it is");
  const auto bytes = base::parse_whole_number(*length, body_bytes_max);
  if (!bytes) return fail("the length of the answer is no number");
  remaining_ = *bytes;
  state_ = remaining_ == 0 ? State::done : State::fixed_body;
  return true;
}

bool ResponseReader::on_chunk_size(std::string_view line) {
  head_bytes_ = 0;
  const auto digits = line.substr(0, line.find(';'));
  std::uint64_t size = 0;
  for (const char c : trim(digits)) {
    const int value = hex_value(c);
    if (value < 0 || size > body_bytes_max) return fail("the size of a chunk is no number");
    size = size * 16 + static_cast<std::uint64_t>(value);
  }
  if (trim(digits).empty()) return fail("the size of a chunk is missing");
  remaining_ = size;
  state_ = size == 0 ? State::trailer : State::chunk_data;
  return true;
}

void ResponseReader::take_body(std::string_view& bytes, const BodySink& sink) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), remaining_));
  sink(bytes.substr(0, size));
  bytes.remove_prefix(size);
  remaining_ -= size;
  if (remaining_ == 0) state_ = state_ == State::fixed_body ? State::done : State::chunk_end;
}

}  // namespace webhookd::client
