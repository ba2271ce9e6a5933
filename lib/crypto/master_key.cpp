#include "crypto/master_key.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "crypto/signer.hpp"

namespace webhookd::crypto {

namespace {

constexpr std::size_t tag_bytes = 16;
constexpr std::string_view id_label = "webhookd master key";

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
int length_of(std::string_view text) { return static_cast<int>(text.size()); }

std::optional<unsigned char> nibble(char digit) {
  if (digit >= '0' && digit <= '9') {
    return static_cast<unsigned char>(digit - '0');
  }
  const char lower = static_cast<char>(digit | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<unsigned char>(lower - 'a' + 10);
  }
  return std::nullopt;
}

std::string id_of(const std::array<unsigned char, MasterKey::key_bytes>& key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  std::string labelled(id_label);
  labelled.append(reinterpret_cast<const char*>(key.data()), key.size());
  const bool done = EVP_Digest(labelled.data(), labelled.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
  OPENSSL_cleanse(labelled.data(), labelled.size());
  base::check(done, "OpenSSL hashes");
  return hex_encode({reinterpret_cast<const char*>(digest.data()), MasterKey::id_characters / 2});
}

}  // namespace

base::Result<MasterKey> MasterKey::parse(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  MasterKey key;
  bool is_key = text.size() == 2 * key_bytes;
  for (std::size_t i = 0; is_key && i < key_bytes; ++i) {
    const auto high = nibble(text[2 * i]);
    const auto low = nibble(text[2 * i + 1]);
    is_key = high && low;
    key.key_[i] = is_key ? static_cast<unsigned char>(*high << 4 | *low) : 0;
  }
  if (!is_key) {
    return base::Error{base::ErrorCode::invalid_field,
                       "it is no master key: 64 hexadecimal digits, as `openssl rand -hex 32` prints them",
                       {}};
  }
  key.id_ = id_of(key.key_);
  return key;
}

MasterKey::~MasterKey() { OPENSSL_cleanse(key_.data(), key_.size()); }

MasterKey::MasterKey(MasterKey&& other) noexcept : key_(other.key_), id_(other.id_) {}

std::string MasterKey::seal(std::string_view plain, std::string_view place, const Nonce& nonce) const {
  std::string sealed = id_;
  sealed.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  const std::size_t begin = sealed.size();
  sealed.resize(begin + plain.size() + tag_bytes);
  unsigned char* out = bytes_of(sealed) + begin;
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done = context &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce.data()) == 1 &&
                    EVP_EncryptUpdate(context.get(), nullptr, &size, bytes_of(place), length_of(place)) == 1 &&
                    EVP_EncryptUpdate(context.get(), out, &size, bytes_of(plain), length_of(plain)) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), out + plain.size(), &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, out + plain.size()) == 1;
  base::check(done, "OpenSSL seals");
  return sealed;
}

std::optional<std::string> MasterKey::open(std::string_view sealed, std::string_view place) const {
  if (sealed.size() < id_characters + nonce_bytes + tag_bytes || !sealed.starts_with(id_)) {
    return std::nullopt;
  }
  const std::string_view nonce = sealed.substr(id_characters, nonce_bytes);
  const std::string_view body =
      sealed.substr(id_characters + nonce_bytes, sealed.size() - id_characters - nonce_bytes - tag_bytes);
  std::string tag(sealed.substr(sealed.size() - tag_bytes));
  std::string plain(body.size(), '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool is_sound =
      context && EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(nonce)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &size, bytes_of(place), length_of(place)) == 1 &&
      EVP_DecryptUpdate(context.get(), bytes_of(plain), &size, bytes_of(body), length_of(body)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), bytes_of(plain) + body.size(), &size) == 1;
  return is_sound ? std::optional(std::move(plain)) : std::nullopt;
}

MasterKey::Nonce random_nonce() {
  MasterKey::Nonce nonce{};
  const std::string bytes = random_bytes(nonce.size());
  std::copy(bytes.begin(), bytes.end(), nonce.begin());
  return nonce;
}

}  // namespace webhookd::crypto
