#include "http_text.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace webhookd::whctl {

namespace {

// content-length is written anew: what arrived in chunks leaves in one piece.
constexpr std::array<std::string_view, 9> of_the_connection{
    "connection", "keep-alive",         "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",    "proxy-authenticate", "content-length"};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// "200" of "HTTP/1.0 200 OK".
std::optional<int> status_of(std::string_view line) {
  if (!line.starts_with("HTTP/1.") || line.size() < 12) return std::nullopt;
  const auto status = base::parse_whole_number(line.substr(9, 3), 599);
  if (!status || *status < 100) return std::nullopt;
  return static_cast<int>(*status);
}

AnswerState read_body(std::string_view rest, bool is_closed, HttpAnswer& answer) {
  answer.body.clear();
  if (base::equals_ignoring_case(value_of_header(answer.headers, "transfer-encoding"), "chunked")) {
    const auto taken = read_chunks(rest, answer.body);
    if (!taken) return AnswerState::malformed;
    return *taken > 0 ? AnswerState::complete : AnswerState::incomplete;
  }
  const std::string stated = value_of_header(answer.headers, "content-length");
  if (stated.empty()) {
    answer.body = rest;
    return is_closed ? AnswerState::complete : AnswerState::incomplete;
  }
  const auto length = base::parse_whole_number(stated, http_body_bytes_max);
  if (!length) return AnswerState::malformed;
  answer.body = rest.substr(0, static_cast<std::size_t>(*length));
  return rest.size() < *length ? AnswerState::incomplete : AnswerState::complete;
}

}  // namespace

std::string value_of_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

bool read_header_lines(std::string_view lines, HttpHeaders& headers) {
  headers.clear();
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(lines.size(), line.size() + 2));
    const auto colon = line.find(':');
    const bool is_header = colon != std::string_view::npos && colon > 0 && line.find_first_of("\r\n") == line.npos;
    if (!is_header) return false;
    headers.emplace_back(base::to_lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  return true;
}

std::optional<std::size_t> read_chunks(std::string_view bytes, std::string& body) {
  std::size_t at = 0;
  for (;;) {
    const auto end = bytes.find("\r\n", at);
    if (end == std::string_view::npos)
      return bytes.size() - at > http_head_bytes_max ? std::nullopt : std::optional<std::size_t>(0);
    std::size_t size = 0;
    const auto digits = trim(bytes.substr(at, std::min(end, bytes.find(';', at)) - at));
    if (digits.empty() || digits.size() > 8) return std::nullopt;
    for (const char c : digits) {
      const auto value = std::string_view("0123456789abcdef").find(base::to_lower(c));
      if (value == std::string_view::npos) return std::nullopt;
      size = size * 16 + value;
    }
    at = end + 2;
    if (body.size() + size > http_body_bytes_max) return std::nullopt;
    if (size == 0) {
      const bool has_trailer = !bytes.substr(at).starts_with("\r\n");
      const auto close = bytes.find(has_trailer ? "\r\n\r\n" : "\r\n", at);
      return close == std::string_view::npos ? 0 : close + (has_trailer ? 4 : 2);
    }
    if (bytes.size() < at + size + 2) return 0;
    if (bytes.substr(at + size, 2) != "\r\n") return std::nullopt;
    body.append(bytes.substr(at, size));
    at += size + 2;
  }
}

AnswerState read_answer(std::string_view bytes, bool is_closed, bool answers_head_request, HttpAnswer& answer) {
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      return bytes.size() > http_head_bytes_max ? AnswerState::malformed : AnswerState::incomplete;
    }
    const auto head = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    const auto line = head.substr(0, head.find("\r\n"));
    const auto status = status_of(line);
    if (!status || !read_header_lines(head.substr(line.size() + 2), answer.headers)) return AnswerState::malformed;
    if (*status < 200) continue;
    answer.status = *status;
    answer.body.clear();
    if (answers_head_request || has_no_body(*status)) return AnswerState::complete;
    return read_body(bytes, is_closed, answer);
  }
}

HttpHeaders end_to_end(const HttpHeaders& headers) {
  std::vector<std::string> named;  // by the Connection header, as its own
  for (const auto& [name, value] : headers) {
    std::string_view rest = name == "connection" ? std::string_view(value) : std::string_view();
    while (!rest.empty()) {
      const auto word = rest.substr(0, rest.find(','));
      named.push_back(base::to_lower(trim(word)));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
  }
  HttpHeaders kept;
  for (const auto& header : headers) {
    const bool is_own =
        std::find(of_the_connection.begin(), of_the_connection.end(), header.first) != of_the_connection.end() ||
        std::find(named.begin(), named.end(), header.first) != named.end();
    if (!is_own) kept.push_back(header);
  }
  return kept;
}

std::string text_of_answer(const HttpAnswer& answer, bool keeps_connection) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " whctl\r\n";
  for (const auto& [name, value] : answer.headers) text.append(name).append(": ").append(value).append("\r\n");
  if (!has_no_body(answer.status)) text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  text += keeps_connection ? "\r\n" : "Connection: close\r\n\r\n";
  return has_no_body(answer.status) ? text : text + answer.body;
}

}  // namespace webhookd::whctl
