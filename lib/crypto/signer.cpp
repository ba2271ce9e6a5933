#include "crypto/signer.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/base64.hpp"
#include "base/check.hpp"

namespace webhookd::crypto {

namespace {

constexpr std::size_t hmac_bytes = 32;
constexpr std::size_t ed25519_signature_bytes = 64;
constexpr std::size_t ed25519_public_key_bytes = 32;
constexpr std::string_view public_key_prefix = "whpk_";
constexpr std::size_t generated_hmac_key_bytes = 32;

using Hmac = std::array<char, hmac_bytes>;

template <auto free_function>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using MacPtr = std::unique_ptr<EVP_MAC, Freed<EVP_MAC_free>>;
using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

template <std::size_t N>
std::string_view view(const std::array<char, N>& bytes) {
  return {bytes.data(), bytes.size()};
}

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

// Decimal text without an allocation.
class Decimal {
 public:
  explicit Decimal(std::int64_t value)
      : end_(std::to_chars(digits_.data(), digits_.data() + digits_.size(), value).ptr) {}
  std::string_view text() const { return {digits_.data(), static_cast<std::size_t>(end_ - digits_.data())}; }

 private:
  std::array<char, 24> digits_{};
  const char* end_;
};

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

KeyPtr ed25519_key(std::string_view seed) {
  KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed), seed.size()));
  base::check(key != nullptr, "an ed25519 seed of 32 bytes makes a key");
  return key;
}

bool signs_at(const domain::Secret& secret, base::Time now) { return !secret.expires_at || *secret.expires_at > now; }

void append_word(std::string& out, std::string_view prefix, std::string_view bytes) {
  if (!out.empty()) {
    out += ' ';
  }
  out += prefix;
  base::append_base64(out, bytes);
}

}  // namespace

std::string hex_encode(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  append_hex(text, bytes);
  return text;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = getrandom(bytes.data() + filled, count - filled, 0);
    base::check(got > 0 || errno == EINTR, "the kernel gives random bytes");
    filled += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  return bytes;
}

domain::Secret generate_secret(domain::SecretKind kind) {
  const std::size_t size =
      kind == domain::SecretKind::ed25519 ? domain::limits::ed25519_seed_bytes : generated_hmac_key_bytes;
  return {kind, random_bytes(size), std::nullopt};
}

std::string public_key_text(const domain::Secret& secret) {
  const KeyPtr key = ed25519_key(secret.key);
  std::array<char, ed25519_public_key_bytes> bytes{};
  std::size_t size = bytes.size();
  const int done = EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
  base::check(done == 1 && size == bytes.size(), "an ed25519 key has a public half");
  return std::string(public_key_prefix) + base::base64_encode(view(bytes));
}

// The algorithm is fetched once and the contexts are reused: a one-shot HMAC costs twice as much (traps.md).
struct Signer::Contexts {
  Contexts() : mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr)), context(EVP_MAC_CTX_new(mac.get())) {
    base::check(context != nullptr, "OpenSSL offers HMAC");
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
    base::check(EVP_MAC_CTX_set_params(context.get(), parameters.data()) == 1, "OpenSSL offers HMAC-SHA256");
  }

  void begin(std::string_view key) {
    base::check(EVP_MAC_init(context.get(), octets(key), key.size(), nullptr) == 1, "HMAC takes a key");
  }
  void add(std::string_view bytes) {
    base::check(EVP_MAC_update(context.get(), octets(bytes), bytes.size()) == 1, "HMAC takes bytes");
  }
  void add(std::span<const std::string_view> pieces) {
    for (const std::string_view piece : pieces) {
      add(piece);
    }
  }
  Hmac end() {
    Hmac sum{};
    std::size_t size = 0;
    const int done = EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(sum.data()), &size, sum.size());
    base::check(done == 1 && size == sum.size(), "HMAC-SHA256 gives 32 bytes");
    return sum;
  }

  MacPtr mac;
  MacContextPtr context;
};

Signer::Signer() : contexts_(std::make_unique<Contexts>()) {}
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

namespace {

// ed25519 reads its message twice, so OpenSSL signs only what lies in one piece.
std::array<char, ed25519_signature_bytes> sign_ed25519(std::string_view seed, std::string_view message) {
  const KeyPtr key = ed25519_key(seed);
  const DigestContextPtr context(EVP_MD_CTX_new());
  std::array<char, ed25519_signature_bytes> signature{};
  std::size_t size = signature.size();
  const bool done = EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                                   octets(message), message.size()) == 1;
  base::check(done && size == signature.size(), "an ed25519 key signs");
  return signature;
}

// "id.timestamp.body" (Standard Webhooks, "Signature scheme"), contiguous.
std::string signed_content(std::string_view id, std::string_view timestamp, std::span<const std::string_view> body) {
  std::size_t size = id.size() + timestamp.size() + 2;
  for (const std::string_view piece : body) {
    size += piece.size();
  }
  std::string content;
  content.reserve(size);
  content.append(id).append(".").append(timestamp).append(".");
  for (const std::string_view piece : body) {
    content.append(piece);
  }
  return content;
}

}  // namespace

std::string Signer::standard_signature(const std::vector<domain::Secret>& secrets, std::string_view id,
                                       std::int64_t timestamp, std::span<const std::string_view> body, base::Time now) {
  const Decimal seconds(timestamp);
  std::string header;
  std::string content;  // made only when an ed25519 secret asks for it
  for (const domain::Secret& secret : secrets) {
    if (!signs_at(secret, now)) {
      continue;
    }
    if (secret.kind == domain::SecretKind::ed25519) {
      if (content.empty()) {
        content = signed_content(id, seconds.text(), body);
      }
      append_word(header, "v1a,", view(sign_ed25519(secret.key, content)));
      continue;
    }
    contexts_->begin(secret.key);
    contexts_->add(id);
    contexts_->add(".");
    contexts_->add(seconds.text());
    contexts_->add(".");
    contexts_->add(body);
    append_word(header, "v1,", view(contexts_->end()));
  }
  return header;
}

std::string Signer::github_signature(const domain::Secret& secret, std::span<const std::string_view> body) {
  contexts_->begin(domain::format_secret(secret));
  contexts_->add(body);
  std::string header = "sha256=";
  append_hex(header, view(contexts_->end()));
  return header;
}

std::string Signer::stripe_signature(const std::vector<domain::Secret>& secrets, std::int64_t timestamp,
                                     std::span<const std::string_view> body, base::Time now) {
  const Decimal seconds(timestamp);
  std::string header = "t=";
  header += seconds.text();
  for (const domain::Secret& secret : secrets) {
    if (secret.kind != domain::SecretKind::hmac_sha256 || !signs_at(secret, now)) {
      continue;
    }
    contexts_->begin(domain::format_secret(secret));
    contexts_->add(seconds.text());
    contexts_->add(".");
    contexts_->add(body);
    header += ",v1=";
    append_hex(header, view(contexts_->end()));
  }
  return header;
}

namespace {

bool verify_ed25519(const KeyPtr& key, std::string_view content, std::string_view signature) {
  if (signature.size() != ed25519_signature_bytes) {
    return false;
  }
  const DigestContextPtr context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(content), content.size()) == 1;
}

}  // namespace

bool verify_standard(std::span<const domain::Secret> secrets, std::string_view id, std::int64_t timestamp,
                     std::string_view body, std::string_view header) {
  const std::array<std::string_view, 1> pieces{body};
  Signer signer;
  bool matches = false;
  while (!header.empty()) {
    const std::size_t space = header.find(' ');
    const std::string_view word = header.substr(0, space);
    header.remove_prefix(space == std::string_view::npos ? header.size() : space + 1);
    for (const domain::Secret& secret : secrets) {
      if (secret.kind == domain::SecretKind::hmac_sha256 && word.starts_with("v1,")) {
        const std::string expected = signer.standard_signature({secret}, id, timestamp, pieces, base::Time::min());
        matches = constant_time_equal(word, expected) || matches;
      } else if (secret.kind == domain::SecretKind::ed25519 && word.starts_with("v1a,")) {
        const auto signature = base::base64_decode(word.substr(4));
        const std::string content = signed_content(id, Decimal(timestamp).text(), pieces);
        matches = (signature && verify_ed25519(ed25519_key(secret.key), content, *signature)) || matches;
      }
    }
  }
  return matches;
}

std::optional<std::string> parse_public_key(std::string_view text) {
  if (!text.starts_with(public_key_prefix)) {
    return std::nullopt;
  }
  auto bytes = base::base64_decode(text.substr(public_key_prefix.size()));
  return bytes && bytes->size() == ed25519_public_key_bytes ? std::move(bytes) : std::nullopt;
}

bool verify_by_public_key(std::string_view key, std::string_view id, std::int64_t timestamp, std::string_view body,
                          std::string_view header) {
  const std::array<std::string_view, 1> pieces{body};
  const std::string content = signed_content(id, Decimal(timestamp).text(), pieces);
  const KeyPtr half(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key), key.size()));
  bool matches = false;
  while (half != nullptr && !header.empty()) {
    const std::string_view word = header.substr(0, header.find(' '));
    header.remove_prefix(std::min(header.size(), word.size() + 1));
    const auto signature = word.starts_with("v1a,") ? base::base64_decode(word.substr(4)) : std::nullopt;
    matches = (signature && verify_ed25519(half, content, *signature)) || matches;
  }
  return matches;
}

}  // namespace webhookd::crypto
