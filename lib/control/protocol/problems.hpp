// Errors on the wire: application/problem+json (RFC 9457). One table says what each error code is called, which HTTP
// status it has and how its kind reads; the server writes by it, the client reads by it, whctl's exit codes and the
// OpenAPI document start from it. `code` is the stable part: scripts may depend on it.
//
//   {"type":"urn:webhookd:problem:invalid_field","title":"A field breaks its rule","status":422,
//    "detail":"url: …","code":"invalid_field","errors":[{"pointer":"/url","detail":"…"}]}
//
// Every detail begins with the field it is about. `errors` is there only when there are any. For a query parameter the
// pointer is that of a member of its name ("/limit"); for `ambiguous_id` each entry's `detail` is a candidate and its
// pointer is "". In the answer to a batch a problem also has `line`, the number of the input line from 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "control/protocol/json_write.hpp"

namespace webhookd::protocol {

inline constexpr std::string_view problem_media_type = "application/problem+json";

struct ProblemKind {
  base::ErrorCode code;
  std::string_view name;  // the `code` member
  unsigned status;
  std::string_view title;
};

std::span<const ProblemKind> problem_kinds();
const ProblemKind& problem_kind(base::ErrorCode code);

void append_problem(std::string& out, const base::Error& error, std::optional<std::uint64_t> line = std::nullopt);
// [{"pointer","detail"} …]
void write_field_errors(JsonWriter& json, std::span<const base::FieldError> fields);
// The error that `body` states; nothing when it is no problem document with a known code.
std::optional<base::Error> parse_problem(std::string_view body);

// Of one request. Without a bound a megabyte of wrong members makes an answer of seventy.
inline constexpr std::size_t faults_told_max = 100;

// Collects the faults of a request, so that one answer names them all; of very many the first, and how many there are.
class Faults {
 public:
  void add(std::string pointer, std::string detail);
  void add(const base::Error& error);        // its fields
  bool has(std::string_view pointer) const;  // at it or below it
  bool any() const { return !fields_.empty(); }
  // All details, joined by "; ".
  base::Error error(base::ErrorCode code) &&;

 private:
  std::vector<base::FieldError> fields_;
  std::size_t untold_ = 0;
};

}  // namespace webhookd::protocol
