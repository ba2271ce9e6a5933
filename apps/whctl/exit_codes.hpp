// What the tool's exit codes mean (interface.md), and the one table from the `code` of a failure to them: scripts
// decide by these, so no command chooses its own.
#pragma once

#include <span>
#include <string_view>

namespace webhookd::whctl {

enum class ExitCode : int {
  done = 0,
  failure = 1,
  usage = 2,  // or invalid input
  not_found = 3,
  denied = 4,
  conflict = 5,
  unreachable = 6,
  timed_out = 7,
  delivery_failed = 8,
  cancelled = 9,  // a message, or a refused prompt
  bulk_partial = 10,
  interrupted = 130,
};

struct ExitMeaning {
  ExitCode code;
  std::string_view words;
};
// All of them, for help and manual.
std::span<const ExitMeaning> exit_meanings();

// A code that the table does not know is a plain failure.
ExitCode exit_code_of(std::string_view failure_code);

}  // namespace webhookd::whctl
