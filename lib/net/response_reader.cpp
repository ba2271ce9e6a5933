#include "net/response_reader.hpp"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <optional>

#include "base/check.hpp"
#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace limits = domain::limits;
using boost::beast::error_code;
using boost::core::string_view;

constexpr std::size_t buffer_first = 4 * 1024;
constexpr std::size_t buffer_max = 32 * 1024;
constexpr std::size_t retry_after_bytes_max = 64;
constexpr std::string_view protocol_name = "HTTP/1.";
constexpr std::size_t bare_status_line = 12;  // "HTTP/1.1 200"

std::string_view standard(string_view text) { return {text.data(), text.size()}; }

}  // namespace

// Looks at fields as they pass and keeps none but Retry-After.
class ResponseReader::Parser {
 public:
  explicit Parser(ResponseReader& reader) : reader_(reader) {}

  void reset() {
    grammar_.emplace(*this);
    grammar_->eager(true);
    grammar_->body_limit(boost::none);  // ours counts framing too
    grammar_->header_limit(static_cast<std::uint32_t>(limits::response_head_bytes) + 2);
  }
  auto& grammar() { return *grammar_; }
  // Puts what it understands; true when it may go on.
  std::size_t put(std::string_view bytes, error_code& ec) {
    return grammar_->put(asio::const_buffer(bytes.data(), bytes.size()), ec);
  }

 private:
  class Grammar final : public http::basic_parser<false> {
   public:
    explicit Grammar(Parser& owner) : owner_(owner) {}
    std::uint16_t code() const { return code_; }

   private:
    void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int code, string_view, int, error_code&) override {
      code_ = static_cast<std::uint16_t>(code);
    }
    void on_field_impl(http::field name, string_view, string_view value, error_code&) override {
      auto& kept = owner_.reader_.retry_after_;
      if (name == http::field::retry_after && !is_header_done() && value.size() <= retry_after_bytes_max) {
        kept = standard(value);
      }
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view bytes, error_code&) override { return keep(bytes); }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override { return keep(bytes); }
    void on_finish_impl(error_code&) override {}

    std::size_t keep(string_view bytes) {
      owner_.reader_.keep_body(standard(bytes));
      return bytes.size();
    }

    Parser& owner_;
    std::uint16_t code_ = 0;
  };

  ResponseReader& reader_;
  std::optional<Grammar> grammar_;
};

ResponseReader::ResponseReader() = default;
ResponseReader::~ResponseReader() = default;

void ResponseReader::begin(std::size_t body_kept_max) {
  if (!parser_) {
    parser_ = std::make_unique<Parser>(*this);
    buffer_.resize(buffer_first);
  }
  begin_ = end_ = scanned_ = body_bytes_ = 0;
  stage_ = Stage::head;
  has_bytes_ = may_persist_ = is_truncated_ = false;
  body_kept_max_ = body_kept_max;
  informational_ = 0;
  status_ = 0;
  fault_.clear();
  kept_head_.clear();
  kept_body_.clear();
  retry_after_.clear();
}

std::span<char> ResponseReader::room() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    buffer_.resize(std::min(buffer_max, buffer_.size() * 2));
  }
  base::check(end_ < buffer_.size(), "an answer that fills the buffer is not read on");
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void ResponseReader::add(std::size_t count) {
  end_ += count;
  has_bytes_ = has_bytes_ || count > 0;
  if (stage_ == Stage::head) {
    read_heads();
  } else if (stage_ == Stage::body) {
    body_bytes_ += count;
    read_body();
  }
}

void ResponseReader::fail(std::string why) {
  stage_ = Stage::faulty;
  fault_ = std::move(why);
}

// Loops over informational heads, which precede the real one.
void ResponseReader::read_heads() {
  while (stage_ == Stage::head) {
    const std::size_t size = find_head_end();
    if (stage_ != Stage::head || size == 0) {
      return;
    }
    read_head(size);
  }
  if (stage_ == Stage::body) {
    body_bytes_ = end_ - begin_;
    read_body();
  }
}

// The size of the head with its blank line; 0 when it is not there yet.
std::size_t ResponseReader::find_head_end() {
  const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
  const std::string_view start = bytes.substr(0, protocol_name.size());
  if (start != protocol_name.substr(0, start.size())) {
    fail("the answer is not HTTP/1");
    return 0;
  }
  for (std::size_t feed = 0; (feed = bytes.find('\n', scanned_)) != std::string_view::npos;) {
    if (feed == 0 || bytes[feed - 1] != '\r') {
      fail("a line of the response head does not end in CR LF");
      return 0;
    }
    const bool is_blank = feed == scanned_ + 1;
    scanned_ = feed + 1;
    if (is_blank && scanned_ <= limits::response_head_bytes) {
      return scanned_;
    }
  }
  if (bytes.size() >= limits::response_head_bytes) {
    fail("the response head is over " + std::to_string(limits::response_head_bytes / 1024) + " KiB");
  }
  return 0;
}

void ResponseReader::read_head(std::size_t size) {
  const std::string_view head(buffer_.data() + begin_, size);
  begin_ += size;
  scanned_ = 0;
  parser_->reset();
  retry_after_.clear();
  error_code ec;
  if (head.find('\r') == bare_status_line) {
    std::string patched(head);
    patched.insert(bare_status_line, 1, ' ');
    parser_->put(patched, ec);
  } else {
    parser_->put(head, ec);
  }
  auto& grammar = parser_->grammar();
  if ((ec && ec != http::error::need_more) || !grammar.is_header_done()) {
    return fail("the response head is malformed: " + (ec ? ec.message() : "incomplete"));
  }
  if (grammar.code() / 100 == 1) {
    if (++informational_ > limits::informational_heads) {
      fail("more than " + std::to_string(limits::informational_heads) + " informational (1xx) heads");
    }
    return;
  }
  if (grammar.code() < 200) {
    return fail("the status code is below 100");
  }
  status_ = grammar.code();
  kept_head_ = head.substr(0, std::min(size - 4, limits::response_head_kept_bytes));
  is_truncated_ = size - 4 > limits::response_head_kept_bytes;
  const auto length = grammar.content_length();
  may_persist_ = grammar.keep_alive() && (!length || *length <= limits::response_body_read_bytes);
  stage_ = grammar.is_done() ? Stage::done : Stage::body;
}

void ResponseReader::keep_body(std::string_view bytes) {
  const std::size_t space = body_kept_max_ - kept_body_.size();
  kept_body_.append(bytes.substr(0, space));
  is_truncated_ = is_truncated_ || bytes.size() > space;
}

void ResponseReader::read_body() {
  error_code ec;
  if (begin_ < end_) {
    begin_ += parser_->put(std::string_view(buffer_.data() + begin_, end_ - begin_), ec);
  }
  if (parser_->grammar().is_done()) {
    stage_ = Stage::done;
    return;
  }
  const bool is_malformed = ec && ec != http::error::need_more;
  const bool is_past_bounds = body_bytes_ >= limits::response_body_read_bytes || end_ - begin_ >= buffer_max;
  const bool is_of_no_use = !may_persist_ && is_truncated_ && kept_body_.size() == body_kept_max_;
  if (is_malformed || is_past_bounds || is_of_no_use) {
    stage_ = Stage::spent;
    is_truncated_ = true;
  }
}

void ResponseReader::end() {
  if (stage_ != Stage::body) {
    return;
  }
  error_code ec;
  parser_->grammar().put_eof(ec);
  stage_ = ec ? Stage::spent : Stage::done;
  is_truncated_ = is_truncated_ || ec;
  may_persist_ = false;
}

}  // namespace webhookd::net
