// Reads one answer from the bytes of a connection, within the bounds of behaviour.md section 5: heads of at most 16
// KiB, at most 8 informational ones before the real one, at most 64 KiB of body of which 4 KiB are kept. It knows no
// socket, so every hostile answer can be tested and fuzzed byte by byte. Once the real head is complete the answer has
// a status, and nothing that the body does can take it back: a body past its bounds only makes the connection unusable.
//
// Beast's parser does the grammar; what it gets wrong is done here (traps.md): a status line without the space after
// the code, answers that are plainly not HTTP (it would wait for a blank line), and memory (fields are looked at, not
// stored).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/limits.hpp"

namespace webhookd::net {

class ResponseReader {
 public:
  ResponseReader();
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;  // its parser points back at it
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Forgets the last answer; its buffer is kept for the next, of whose body `body_kept_max` bytes are kept.
  void begin(std::size_t body_kept_max = domain::limits::response_body_kept_bytes);
  bool wants_more() const { return stage_ == Stage::head || stage_ == Stage::body; }
  // Where the next bytes go; not empty while wants_more().
  std::span<char> room();
  void add(std::size_t count);
  // The peer ended the stream.
  void end();

  bool has_bytes() const { return has_bytes_; }
  bool is_head_complete() const { return status_ != 0; }
  std::uint16_t status() const { return status_; }
  // Why this is no answer; empty when nothing is wrong so far.
  const std::string& fault() const { return fault_; }
  // The answer ended within its bounds, nothing followed it, and the peer keeps the connection open.
  bool allows_reuse() const { return stage_ == Stage::done && may_persist_ && begin_ == end_; }

  std::string& kept_head() { return kept_head_; }
  std::string& kept_body() { return kept_body_; }
  bool is_truncated() const { return is_truncated_; }
  std::string_view retry_after() const { return retry_after_; }

 private:
  class Parser;
  // spent: the head is known and the rest of the body is not worth reading.
  enum class Stage { head, body, done, spent, faulty };

  void read_heads();
  std::size_t find_head_end();
  void read_head(std::size_t size);
  void read_body();
  void keep_body(std::string_view bytes);
  void fail(std::string why);

  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // of what is not yet consumed
  std::size_t end_ = 0;      // of what is filled
  std::size_t scanned_ = 0;  // from begin_: lines already looked at
  std::unique_ptr<Parser> parser_;
  Stage stage_ = Stage::head;
  bool has_bytes_ = false;
  bool may_persist_ = false;
  bool is_truncated_ = false;
  std::size_t body_kept_max_ = 0;
  int informational_ = 0;
  std::size_t body_bytes_ = 0;  // as they came, framing included
  std::uint16_t status_ = 0;
  std::string fault_;
  std::string kept_head_;
  std::string kept_body_;
  std::string retry_after_;
};

}  // namespace webhookd::net
