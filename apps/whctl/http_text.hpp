// HTTP/1.1 messages as text, for the receiver of `whctl listen` and for what it hands on: header lines, chunked bodies,
// and the answer of a program on this machine. Bounded, and without a socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhookd::whctl {

inline constexpr std::size_t http_head_bytes_max = 64 * 1024;
inline constexpr std::size_t http_body_bytes_max = std::size_t{32} << 20;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;  // names in lower case

// The value of the first header of that name (lower case); "" when absent.
std::string value_of_header(const HttpHeaders& headers, std::string_view name);
// The header lines of a head, each with its CR LF. False when one is none.
bool read_header_lines(std::string_view lines, HttpHeaders& headers);
// The body of chunks at the start of `bytes`; bytes taken, 0 when there is more to come, nothing when malformed.
std::optional<std::size_t> read_chunks(std::string_view bytes, std::string& body);

struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

enum class AnswerState { incomplete, complete, malformed };

// Reads the answer at the start of `bytes`, behind those that are informational. Its body has a length, or chunks, or
// goes on until the connection is closed.
AnswerState read_answer(std::string_view bytes, bool is_closed, bool answers_head_request, HttpAnswer& answer);

// What is about the message and not about the connection: what a proxy hands on (RFC 9110 section 7.6.1).
HttpHeaders end_to_end(const HttpHeaders& headers);

// An answer as it is sent, with the length of its body.
std::string text_of_answer(const HttpAnswer& answer, bool keeps_connection);

}  // namespace webhookd::whctl
