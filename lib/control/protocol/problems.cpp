#include "control/protocol/problems.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"
#include "control/protocol/json_text.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

using base::ErrorCode;

constexpr std::array kinds = {
    ProblemKind{ErrorCode::invalid_request, "invalid_request", 400, "The request cannot be read"},
    ProblemKind{ErrorCode::invalid_field, "invalid_field", 422, "A field breaks its rule"},
    ProblemKind{ErrorCode::unknown_type, "unknown_type", 422, "The event type is not in the catalogue"},
    ProblemKind{ErrorCode::schema_mismatch, "schema_mismatch", 422, "The data does not match the schema of its type"},
    ProblemKind{ErrorCode::too_large, "too_large", 413, "The request is too large"},
    ProblemKind{ErrorCode::not_found, "not_found", 404, "There is no such thing"},
    ProblemKind{ErrorCode::ambiguous_id, "ambiguous_id", 400, "The id prefix fits several"},
    ProblemKind{ErrorCode::forbidden, "forbidden", 403, "The user may not do this"},
    ProblemKind{ErrorCode::method_not_allowed, "method_not_allowed", 405, "The route has no such method"},
    ProblemKind{ErrorCode::unsupported_media, "unsupported_media", 415, "The content type is not taken here"},
    ProblemKind{ErrorCode::name_taken, "name_taken", 409, "The display name is taken"},
    ProblemKind{ErrorCode::type_in_use, "type_in_use", 409, "A webhook names this event type"},
    ProblemKind{ErrorCode::type_reserved, "type_reserved", 409, "The event type is reserved"},
    ProblemKind{ErrorCode::type_exists, "type_exists", 409, "The event type exists"},
    ProblemKind{ErrorCode::webhook_inactive, "webhook_inactive", 409, "The webhook is inactive"},
    ProblemKind{ErrorCode::already_settled, "already_settled", 409, "The message has settled"},
    ProblemKind{ErrorCode::idempotency_conflict, "idempotency_conflict", 409,
                "The idempotency key was used for another event"},
    ProblemKind{ErrorCode::no_test_clock, "no_test_clock", 409, "The clock moves by itself"},
    ProblemKind{ErrorCode::no_master_key, "no_master_key", 409, "There is no key to seal the store with"},
    ProblemKind{ErrorCode::version_mismatch, "version_mismatch", 412, "The webhook has another version"},
    ProblemKind{ErrorCode::store_full, "store_full", 507, "The store is full"},
    ProblemKind{ErrorCode::unavailable, "unavailable", 503, "The daemon cannot take this now"},
    ProblemKind{ErrorCode::wait_timeout, "wait_timeout", 408, "The wait ended first"},
    ProblemKind{ErrorCode::internal, "internal", 500, "The daemon failed"},
};

// The table is indexed by the code.
constexpr bool in_order() {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (static_cast<std::size_t>(kinds[i].code) != i) {
      return false;
    }
  }
  return kinds.size() == static_cast<std::size_t>(ErrorCode::internal) + 1;
}
static_assert(in_order());

std::string string_member(const std::vector<JsonMember>& members, std::string_view name) {
  for (const auto& member : members) {
    if (member.name == name && kind_of(member.value) == JsonKind::string) {
      return decode_string(member.value).value_or("");
    }
  }
  return {};
}

std::vector<base::FieldError> parse_fields(const std::vector<JsonMember>& members) {
  std::vector<base::FieldError> fields;
  for (const auto& member : members) {
    if (member.name != "errors" || kind_of(member.value) != JsonKind::array) {
      continue;
    }
    for (const auto element : elements_of(member.value)) {
      if (kind_of(element) == JsonKind::object) {
        const auto parts = members_of(element);
        fields.push_back({string_member(parts, "pointer"), string_member(parts, "detail")});
      }
    }
  }
  return fields;
}

}  // namespace

std::span<const ProblemKind> problem_kinds() { return kinds; }

const ProblemKind& problem_kind(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  base::check(index < kinds.size(), "every error code is in the table of problems");
  return kinds[index];
}

void write_field_errors(JsonWriter& json, std::span<const base::FieldError> fields) {
  json.begin_array();
  for (const auto& field : fields) {
    json.begin_object().name("pointer").string(field.pointer).name("detail").string(field.detail).end_object();
  }
  json.end_array();
}

void append_problem(std::string& out, const base::Error& error, std::optional<std::uint64_t> line) {
  const ProblemKind& kind = problem_kind(error.code);
  JsonWriter json(out);
  json.begin_object();
  json.name("type").string("urn:webhookd:problem:" + std::string(kind.name));
  json.name("title").string(kind.title);
  json.name("status").number(std::uint64_t{kind.status});
  json.name("detail").string(error.detail);
  json.name("code").string(kind.name);
  if (!error.fields.empty()) {
    json.name("errors");
    write_field_errors(json, error.fields);
  }
  if (line) {
    json.name("line").number(*line);
  }
  json.end_object();
}

std::optional<base::Error> parse_problem(std::string_view body) {
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return std::nullopt;
  }
  const std::string code = string_member(*members, "code");
  for (const ProblemKind& kind : kinds) {
    if (kind.name == code) {
      return base::Error{kind.code, string_member(*members, "detail"), parse_fields(*members)};
    }
  }
  return std::nullopt;
}

void Faults::add(std::string pointer, std::string detail) {
  if (fields_.size() == faults_told_max) {
    ++untold_;
    return;
  }
  fields_.push_back({std::move(pointer), std::move(detail)});
}

void Faults::add(const base::Error& error) {
  for (const auto& field : error.fields) {
    add(field.pointer, field.detail);
  }
}

bool Faults::has(std::string_view pointer) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const base::FieldError& field) {
    return field.pointer == pointer || (field.pointer.starts_with(pointer) && field.pointer[pointer.size()] == '/');
  });
}

base::Error Faults::error(ErrorCode code) && {
  base::Error error{code, {}, std::move(fields_)};
  for (const auto& field : error.fields) {
    error.detail += (error.detail.empty() ? "" : "; ") + field.detail;
  }
  if (untold_ > 0) {
    error.detail += "; and " + std::to_string(untold_) + " more";
  }
  return error;
}

}  // namespace webhookd::protocol
