#include "control/protocol/token_codec.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"

namespace webhookd::protocol {

namespace {

constexpr double lifetime_seconds_max = 1e9;
constexpr std::size_t nesting_max = 16;  // of members we do not know
constexpr std::array<std::string_view, 8> error_codes = {
    "invalid_request",        "invalid_client", "invalid_grant", "unauthorized_client",
    "unsupported_grant_type", "invalid_scope",  "server_error",  "temporarily_unavailable"};

base::Error refuse(std::string words) { return {base::ErrorCode::invalid_request, std::move(words), {}}; }

std::optional<std::string> text_of(const std::vector<JsonMember>& members, std::string_view name) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.name == name; });
  return found != members.end() && kind_of(found->value) == JsonKind::string ? decode_string(found->value)
                                                                             : std::nullopt;
}

// Some endpoints write the number as a text.
std::optional<base::Duration> lifetime_of(const std::vector<JsonMember>& members) {
  const auto found =
      std::find_if(members.begin(), members.end(), [](const auto& member) { return member.name == "expires_in"; });
  if (found == members.end()) {
    return std::nullopt;
  }
  const auto text = text_of(members, "expires_in");
  const std::string_view spelled = text ? std::string_view(*text) : found->value;
  const bool is_number = !spelled.empty() && check_json(spelled, 1) && kind_of(spelled) == JsonKind::number;
  const auto seconds = is_number ? decode_number(spelled) : std::nullopt;
  if (!seconds) {
    return std::nullopt;
  }
  return base::Duration(static_cast<std::int64_t>(std::clamp(*seconds, 0.0, lifetime_seconds_max) * 1000));
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= domain::limits::secret_line_bytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c <= 0x7e; });
}

}  // namespace

base::Result<domain::AccessToken> read_access_token(std::string_view body) {
  const auto members = scan_object(body, nesting_max);
  if (!members) {
    return refuse("the answer is not a JSON object");
  }
  if (const auto error = text_of(*members, "error")) {
    const bool is_known = std::find(error_codes.begin(), error_codes.end(), *error) != error_codes.end();
    return refuse(is_known ? *error : "an unknown error code");
  }
  auto token = text_of(*members, "access_token");
  if (!token || !is_token(*token)) {
    return refuse("the answer has no access_token of visible ASCII");
  }
  const auto type = text_of(*members, "token_type");
  if (!type || !base::equals_ignoring_case(*type, "bearer")) {
    return refuse("token_type is not Bearer");
  }
  return domain::AccessToken{std::move(*token), lifetime_of(*members)};
}

}  // namespace webhookd::protocol
