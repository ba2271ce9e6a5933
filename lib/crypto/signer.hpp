// Signatures over requests, and what secrets are made of. Standard Webhooks 1.0.0: `v1,` base64(HMAC-SHA256(key,
// "id.timestamp.body")) and `v1a,` base64(ed25519(...)), one for each valid secret, separated by a space. Presets:
// github (X-Hub-Signature-256: sha256=hex over the body), stripe (Stripe-Signature: t=…,v1=hex over "t.body"). The key
// of a preset is the secret's whole text, "whsec_" and all, as the libraries of both take it: what `whctl secret show`
// prints is pasted into their receivers as it stands.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/webhook.hpp"

namespace webhookd::crypto {

std::string hex_encode(std::string_view bytes);
bool constant_time_equal(std::string_view a, std::string_view b);
std::string random_bytes(std::size_t count);  // from the kernel, for secrets

domain::Secret generate_secret(domain::SecretKind kind);
// "whpk_" and base64 of the public key of an ed25519 secret.
std::string public_key_text(const domain::Secret& secret);

// Signs with one thread's reusable contexts; make one per loop.
class Signer {
 public:
  Signer();
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  // The value of `webhook-signature` for a body given in pieces. Expired secrets (expires_at <= now) do not sign.
  std::string standard_signature(const std::vector<domain::Secret>& secrets, std::string_view id,
                                 std::int64_t timestamp, std::span<const std::string_view> body, base::Time now);
  std::string github_signature(const domain::Secret& secret, std::span<const std::string_view> body);
  std::string stripe_signature(const std::vector<domain::Secret>& secrets, std::int64_t timestamp,
                               std::span<const std::string_view> body, base::Time now);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

// Checks a `webhook-signature` header against secrets, constant-time; true when any matches.
bool verify_standard(std::span<const domain::Secret> secrets, std::string_view id, std::int64_t timestamp,
                     std::string_view body, std::string_view header);

// For receivers, who have the public half alone: the bytes of a "whpk_" text, nothing when it is none; and whether one
// of the ed25519 signatures is by that key.
std::optional<std::string> parse_public_key(std::string_view text);
bool verify_by_public_key(std::string_view key, std::string_view id, std::int64_t timestamp, std::string_view body,
                          std::string_view header);

}  // namespace webhookd::crypto
