// Always-on checks. A broken invariant ends the process at once: systemd restarts it and the store keeps
// the truth, which is safer than going on with a state that nobody designed. Bad input never ends here:
// that is a Result. Expected failures of the machine never end here either.
#pragma once

#include <string_view>

namespace webhookd::base {

// The builtins stand in for std::source_location, which clang 14 does not have.
[[noreturn]] void fail_check(std::string_view what, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// Aborts with the place and the words when `holds` is false.
inline void check(bool holds, std::string_view what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!holds) [[unlikely]] {
    fail_check(what, file, line);
  }
}

}  // namespace webhookd::base
