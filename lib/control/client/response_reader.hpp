// Reads one HTTP/1.1 answer from bytes as they arrive: strict, bounded, without a socket, so that tests and fuzzers
// feed it directly. Only what our daemon sends is understood: Content-Length or chunked, never "until close"; anything
// else is a fault, because a tool that guesses where an answer ends acts on half an answer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhookd::client {

struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case

  // The first header of that name (lower case), or nothing.
  std::optional<std::string_view> header(std::string_view name) const;
};

// Takes the body in pieces, in order.
using BodySink = std::function<void(std::string_view piece)>;

class ResponseReader {
 public:
  static constexpr std::size_t head_bytes_max = 64 * 1024;
  static constexpr std::size_t line_bytes_max = 16 * 1024;
  static constexpr int informational_heads_max = 8;

  // The answer to a HEAD request has no body whatever its head says.
  explicit ResponseReader(bool answers_head_request = false) : answers_head_request_(answers_head_request) {}

  // False when the bytes break a rule; fault() says which.
  bool feed(std::string_view bytes, const BodySink& sink);

  bool is_done() const { return state_ == State::done; }
  bool has_head() const { return state_ != State::status_line && state_ != State::header_line; }
  const ResponseHead& head() const { return head_; }
  // Another request may follow on the connection. Only meaningful when done.
  bool keeps_connection() const { return keeps_connection_; }
  const std::string& fault() const { return fault_; }

 private:
  enum class State { status_line, header_line, fixed_body, chunk_size, chunk_data, chunk_end, trailer, done };

  bool fail(std::string why);
  bool take_line(std::string_view& bytes);
  bool on_line(std::string_view line);
  bool on_status_line(std::string_view line);
  bool on_header_line(std::string_view line);
  bool on_head_complete();
  bool on_chunk_size(std::string_view line);
  void take_body(std::string_view& bytes, const BodySink& sink);

  bool answers_head_request_;
  State state_ = State::status_line;
  std::string line_;
  std::size_t head_bytes_ = 0;
  int informational_heads_ = 0;
  std::uint64_t remaining_ = 0;  // of the body or of the chunk
  bool keeps_connection_ = true;
  ResponseHead head_;
  std::string fault_;
};

}  // namespace webhookd::client
