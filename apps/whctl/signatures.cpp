// verify and sign: Standard Webhooks signatures over standard input, without a daemon.
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

struct Signed {
  std::vector<domain::Secret> secrets;
  std::int64_t timestamp = 0;
  std::string body;
};

Result<Signed> read_signed(Session& session, const Invocation& invocation) {
  if (invocation.value("secret-file") == "-") {
    return failure(client::codes::usage, "--secret-file", "standard input is the body");
  }
  auto secrets = read_secrets(invocation.value("secret-file"), session.console().in);
  if (!secrets) return secrets.error();
  Signed input;
  input.secrets = std::move(*secrets);
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

}  // namespace

Result<ExitCode> verify_signature(Session& session, const Invocation& invocation) {
  const auto input = read_signed(session, invocation);
  if (!input) return input.error();
  const bool is_good = crypto::verify_standard(input->secrets, invocation.value("id"), input->timestamp, input->body,
                                               invocation.value("signature"));
  if (!is_good) {
    return failure("signature_mismatch", "signature",
                   "no signature in it is one of these secrets over this id, timestamp and body",
                   "the body must be the exact bytes that were received");
  }
  session.note("the signature is good");
  return ExitCode::done;
}

Result<ExitCode> sign_body(Session& session, const Invocation& invocation) {
  const auto input = read_signed(session, invocation);
  if (!input) return input.error();
  const std::string_view body = input->body;
  crypto::Signer signer;
  const base::Time now = base::time_from_ms(input->timestamp * 1000);
  const auto& id = invocation.value("id");
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("webhook-id").string(id);
  json.name("webhook-timestamp").string(std::to_string(input->timestamp));
  json.name("webhook-signature")
      .string(signer.standard_signature(input->secrets, id, input->timestamp, std::span(&body, 1), now));
  json.end_object();
  const auto printed = session.output().object(signature_view(), Json(text));
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace webhookd::whctl
