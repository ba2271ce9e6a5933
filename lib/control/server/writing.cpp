#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>

#include "control/protocol/problems.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using namespace std::chrono_literals;

constexpr auto write_time = 30s;

// Statuses that are no problem's.
std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    default:
      return status < 500 ? "Refused" : "Failed";
  }
}

std::string chunk_head(std::size_t bytes) {
  std::array<char, 20> digits;
  const auto [end, fault] = std::to_chars(digits.data(), digits.data() + digits.size(), bytes, 16);
  return std::string(digits.data(), end) + "\r\n";
}

}  // namespace

std::string answer_head(unsigned status, std::string_view media_type) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += reason_phrase(status);
  head += "\r\nWebhookd-Version: " WEBHOOKD_VERSION "\r\nContent-Type: ";
  head += media_type;
  head += "\r\n";
  return head;
}

asio::awaitable<bool> write_all(Session& session, std::string head, std::string body) {
  session.expire_in(write_time);
  const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head), asio::buffer(body)};
  const auto [error, bytes] = co_await asio::async_write(session.socket, pieces, as_values);
  session.never_expire();
  co_return !error;
}

StreamedAnswer::StreamedAnswer(const Request& request, std::string_view media_type)
    : session_(*request.session), chunks_(request.chunks), head_(answer_head(200, media_type)) {
  head_ += chunks_ ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n";
}

asio::awaitable<bool> StreamedAnswer::write(std::string piece) {
  if (piece.empty()) {
    co_return true;  // an empty chunk would be the end
  }
  std::string head = std::move(head_);
  head_.clear();
  if (chunks_) {
    head += chunk_head(piece.size());
    piece += "\r\n";
  }
  const bool written = co_await write_all(session_, std::move(head), std::move(piece));
  co_return written;
}

asio::awaitable<bool> StreamedAnswer::finish() {
  std::string head = std::move(head_);
  head_.clear();
  std::string end = chunks_ ? "0\r\n\r\n" : "";
  const bool written = co_await write_all(session_, std::move(head), std::move(end));
  co_return written;
}

}  // namespace webhookd::server
