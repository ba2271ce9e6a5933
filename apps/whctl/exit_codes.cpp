#include "exit_codes.hpp"

#include <array>

namespace webhookd::whctl {

namespace {

struct Row {
  std::string_view code;
  ExitCode exit;
};

// The codes of the API's problem documents (base/result.hpp), then those that never reach the daemon
// (control/client/failure.hpp).
constexpr std::array rows{
    Row{"invalid_request", ExitCode::usage},
    Row{"invalid_field", ExitCode::usage},
    Row{"unknown_type", ExitCode::usage},
    Row{"schema_mismatch", ExitCode::usage},
    Row{"too_large", ExitCode::usage},
    Row{"method_not_allowed", ExitCode::usage},
    Row{"unsupported_media", ExitCode::usage},
    Row{"ambiguous_id", ExitCode::usage},
    Row{"not_found", ExitCode::not_found},
    Row{"forbidden", ExitCode::denied},
    Row{"no_test_clock", ExitCode::conflict},
    Row{"no_master_key", ExitCode::conflict},
    Row{"name_taken", ExitCode::conflict},
    Row{"type_in_use", ExitCode::conflict},
    Row{"type_reserved", ExitCode::conflict},
    Row{"type_exists", ExitCode::conflict},
    Row{"webhook_inactive", ExitCode::conflict},
    Row{"already_settled", ExitCode::conflict},
    Row{"idempotency_conflict", ExitCode::conflict},
    Row{"version_mismatch", ExitCode::conflict},
    Row{"wait_timeout", ExitCode::timed_out},
    Row{"store_full", ExitCode::failure},
    Row{"unavailable", ExitCode::unreachable},
    Row{"internal", ExitCode::failure},
    Row{"usage", ExitCode::usage},
    Row{"io", ExitCode::failure},
    Row{"unreachable", ExitCode::unreachable},
    Row{"socket_denied", ExitCode::denied},
    Row{"timed_out", ExitCode::timed_out},
    Row{"interrupted", ExitCode::interrupted},
    Row{"bad_answer", ExitCode::failure},
    Row{"refused", ExitCode::cancelled},
};

constexpr std::array meanings{
    ExitMeaning{ExitCode::done, "done"},
    ExitMeaning{ExitCode::failure, "failure; for diff: there are differences"},
    ExitMeaning{ExitCode::usage, "wrong usage or invalid input"},
    ExitMeaning{ExitCode::not_found, "not found"},
    ExitMeaning{ExitCode::denied, "denied"},
    ExitMeaning{ExitCode::conflict, "conflict with what is there"},
    ExitMeaning{ExitCode::unreachable, "the daemon is not reachable"},
    ExitMeaning{ExitCode::timed_out, "timed out"},
    ExitMeaning{ExitCode::delivery_failed, "the delivery failed (wait, --wait)"},
    ExitMeaning{ExitCode::cancelled, "the message was cancelled, or a question answered with no"},
    ExitMeaning{ExitCode::bulk_partial, "some of several failed"},
    ExitMeaning{ExitCode::interrupted, "interrupted"}};

}  // namespace

std::span<const ExitMeaning> exit_meanings() { return meanings; }

ExitCode exit_code_of(std::string_view failure_code) {
  for (const auto& row : rows) {
    if (row.code == failure_code) return row.exit;
  }
  return ExitCode::failure;
}

}  // namespace webhookd::whctl
