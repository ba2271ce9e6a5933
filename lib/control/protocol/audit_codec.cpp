#include "control/protocol/audit_codec.hpp"

#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

void write_audit_line(JsonWriter& json, const AuditText& line) {
  json.begin_object().name("number").number(line.number).name("at").time(line.at).name("uid");
  line.uid ? json.number(std::uint64_t{*line.uid}) : json.null();
  json.name("user").text_or_null(line.user).name("role").string(line.role);
  json.name("operation").string(line.operation).name("object").text_or_null(line.object);
  json.name("name").text_or_null(line.name).name("detail").text_or_null(line.detail);
  json.name("reason").text_or_null(line.reason).end_object();
}

base::Result<std::string> read_reason_header(std::string_view value) {
  const auto refusal = [](std::string rule) {
    return base::Error{base::ErrorCode::invalid_request, "Webhookd-Reason: " + std::move(rule), {}};
  };
  if (value.size() > domain::limits::actor_reason_bytes) {
    return refusal("must have at most " + std::to_string(domain::limits::actor_reason_bytes) + " bytes");
  }
  if (!base::is_valid_utf8(value) || base::has_control_characters(value)) {
    return refusal("must be UTF-8 without control characters");
  }
  return std::string(value);
}

}  // namespace webhookd::protocol
