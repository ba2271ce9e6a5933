// verify and sign: Standard Webhooks signatures over standard input, without a daemon.
#include <algorithm>
#include <chrono>

#include "control/protocol/json_write.hpp"
#include "crypto/signer.hpp"
#include "input.hpp"
#include "session.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t unix_seconds_max = 253'402'300'799;  // the end of the year 9999

// What a signature is over.
struct Signed {
  std::int64_t timestamp = 0;
  std::string body;
};

Result<Signed> read_signed(Session& session, const Invocation& invocation) {
  if (invocation.value("secret-file") == "-") {
    return failure(client::codes::usage, "--secret-file", "standard input is the body");
  }
  Signed input;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  input.timestamp = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  if (invocation.has("timestamp")) {
    const auto given = count_value(invocation, "timestamp", unix_seconds_max);
    if (!given) return given.error();
    input.timestamp = static_cast<std::int64_t>(*given);
  }
  auto body = read_input("-", session.console().in);
  if (!body) return body.error();
  input.body = std::move(*body);
  return input;
}

// Secrets, and public keys, which receivers of ed25519 signatures have.
struct Keys {
  std::vector<domain::Secret> secrets;
  std::vector<std::string> public_keys;
};

Result<Keys> read_keys(Session& session, const Invocation& invocation) {
  const auto lines = read_key_lines(invocation.value("secret-file"), session.console().in);
  if (!lines) return lines.error();
  Keys keys;
  for (const auto& line : *lines) {
    if (auto key = crypto::parse_public_key(line.text)) {
      keys.public_keys.push_back(std::move(*key));
      continue;
    }
    auto secret = domain::parse_secret(line.text);
    if (!secret) {
      return failure(client::codes::usage, line.place, secret.error().detail,
                     "a public key is whpk_ and base64 of 32 bytes");
    }
    keys.secrets.push_back(std::move(*secret));
  }
  return keys;
}

}  // namespace

Result<ExitCode> verify_signature(Session& session, const Invocation& invocation) {
  const auto input = read_signed(session, invocation);
  if (!input) return input.error();
  const auto keys = read_keys(session, invocation);
  if (!keys) return keys.error();
  const auto& id = invocation.value("id");
  const auto& signature = invocation.value("signature");
  const bool is_good = crypto::verify_standard(keys->secrets, id, input->timestamp, input->body, signature) ||
                       std::any_of(keys->public_keys.begin(), keys->public_keys.end(), [&](const std::string& key) {
                         return crypto::verify_by_public_key(key, id, input->timestamp, input->body, signature);
                       });
  if (!is_good) {
    return failure("signature_mismatch", "signature",
                   "no signature in it is by one of these secrets over this id, timestamp and body",
                   "the body must be the exact bytes that were received");
  }
  session.note("the signature is good");
  return ExitCode::done;
}

Result<ExitCode> sign_body(Session& session, const Invocation& invocation) {
  const auto input = read_signed(session, invocation);
  if (!input) return input.error();
  const auto secrets = read_secrets(invocation.value("secret-file"), session.console().in);
  if (!secrets) return secrets.error();
  const std::string_view body = input->body;
  crypto::Signer signer;
  const base::Time now = base::time_from_ms(input->timestamp * 1000);
  const auto& id = invocation.value("id");
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("webhook-id").string(id);
  json.name("webhook-timestamp").string(std::to_string(input->timestamp));
  json.name("webhook-signature")
      .string(signer.standard_signature(*secrets, id, input->timestamp, std::span(&body, 1), now));
  json.end_object();
  const auto printed = session.output().object(signature_view(), Json(text));
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace webhookd::whctl
