// What one attempt puts on the wire (behaviour.md section 5): a head that signs, and a body in pieces around the
// event's data, which is neither parsed nor copied. Pure: the same attempt and secrets give the same bytes. Header
// rules are checked here once more, because nothing below would stop a line break from becoming a second header.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/signer.hpp"
#include "engine/ports.hpp"

namespace webhookd::net {

// Views into it live as long as it is not moved; it holds the event that they point into.
class WireRequest {
 public:
  std::string_view head() const { return std::string_view(text_).substr(prefix_size_ + suffix_size_); }
  std::array<std::string_view, 3> body() const {
    const std::string_view text = text_;
    return {text.substr(0, prefix_size_), data_, text.substr(prefix_size_, suffix_size_)};
  }
  std::size_t body_size() const { return prefix_size_ + data_.size() + suffix_size_; }

  // With `authorization`, a header whose value is a secret, behind the webhook's own. Errors: a header that may not be
  // sent; they never hold a value.
  static base::Result<WireRequest> build(const engine::AttemptRequest& attempt, crypto::Signer& signer,
                                         const std::optional<domain::Header>& authorization = std::nullopt);
  // One that is complete already.
  static WireRequest of(std::string head, std::string body);

 private:
  void write_body(const engine::AttemptRequest& attempt);
  void write_head(const engine::AttemptRequest& attempt, crypto::Signer& signer);
  void write_signature(const engine::AttemptRequest& attempt, std::string_view message_id, crypto::Signer& signer);
  void write_header(std::string_view name, std::string_view value);

  std::string text_;  // what precedes the data, what follows it, then the head: one allocation
  std::size_t prefix_size_ = 0;
  std::size_t suffix_size_ = 0;
  std::string_view data_;
  domain::EventRef event_;  // owns what data_ views
};

}  // namespace webhookd::net
