// Expected failures as values. An Error carries a stable code (the `code` of the API's problem documents and
// the source of whctl's exit code), one sentence for people, and, for bad input, the fields at fault as JSON
// pointers. Outcomes of deliveries are not errors (domain/attempt.hpp); broken invariants abort (check.hpp).
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <utility>
#include <vector>

namespace webhookd::base {

enum class ErrorCode {
  invalid_request,       // 400: not JSON, a wrong member, a bad query parameter
  invalid_field,         // 422: well-formed, but a field breaks its rule; `fields` says which
  unknown_type,          // 422: the event type is not in the catalogue
  schema_mismatch,       // 422: the data does not match the schema of its type, and events.schema is enforce
  too_large,             // 413
  not_found,             // 404
  ambiguous_id,          // 400: an id prefix that several ids share; `fields` lists them
  forbidden,             // 403
  method_not_allowed,    // 405
  unsupported_media,     // 415
  name_taken,            // 409: display names are unique
  type_in_use,           // 409: a webhook names this type
  type_reserved,         // 409: webhook.ping cannot be changed
  type_exists,           // 409
  webhook_inactive,      // 409: no retry while the webhook is inactive
  already_settled,       // 409: cancel of a message that has settled
  idempotency_conflict,  // 409: the same key with another type or data
  no_test_clock,         // 409: the clock moves by itself
  no_master_key,         // 409: there is no key to seal the store with
  version_mismatch,      // 412: If-Match does not name the current version
  store_full,            // 507
  unavailable,           // 503: stopping or overloaded
  wait_timeout,          // 408 (504 is for gateways): the long poll ended first
  internal,              // 500: the store failed; the state of the change is unknown
};

struct FieldError {
  std::string pointer;  // RFC 6901, for example "/events/0"
  std::string detail;   // names the rule
  bool operator==(const FieldError&) const = default;
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string detail;
  std::vector<FieldError> fields;
};

template <class T>
using Result = boost::system::result<T, Error>;

// An invalid_field error about one field.
inline Error field_error(std::string pointer, std::string detail) {
  Error error{ErrorCode::invalid_field, detail, {}};
  error.fields.push_back({std::move(pointer), std::move(detail)});
  return error;
}

}  // namespace webhookd::base

// boost::system::result asks for this when value() is called on an error; we never do that unchecked.
namespace webhookd::base {
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);
}
