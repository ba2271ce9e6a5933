// The master key: what signing secrets are sealed with before they are stored. A seal is AES-256-GCM (NIST SP 800-38D)
// over the secret, with a nonce of its own and the place it belongs to as additional data, so that a seal that was
// altered, cut, or moved to another place does not open. It begins with the key's id, a hash, so that it is known which
// key opens it.
//
// Never here: where keys come from, and the secrets' own formats. A key is wiped when its object ends.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace webhookd::crypto {

class MasterKey {
 public:
  static constexpr std::size_t key_bytes = 32;
  static constexpr std::size_t nonce_bytes = 12;
  static constexpr std::size_t id_characters = 16;
  using Nonce = std::array<unsigned char, nonce_bytes>;

  // 64 hexadecimal digits, as `openssl rand -hex 32` prints them, with or without the line's end. The error says what a
  // key is, never what was given.
  static base::Result<MasterKey> parse(std::string_view text);
  ~MasterKey();
  MasterKey(MasterKey&& other) noexcept;
  MasterKey& operator=(MasterKey&&) = delete;
  MasterKey(const MasterKey&) = delete;
  MasterKey& operator=(const MasterKey&) = delete;

  // 16 hexadecimal digits of a hash of the key: may be shown.
  const std::string& id() const { return id_; }
  // A nonce is never used twice with one key.
  std::string seal(std::string_view plain, std::string_view place, const Nonce& nonce) const;
  // Nothing when it was not sealed with this key for this place, or is not as it was.
  std::optional<std::string> open(std::string_view sealed, std::string_view place) const;

 private:
  MasterKey() = default;

  std::array<unsigned char, key_bytes> key_{};
  std::string id_;
};

// From the kernel.
MasterKey::Nonce random_nonce();

}  // namespace webhookd::crypto
