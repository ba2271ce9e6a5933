// Always-on checks. A broken invariant ends the process at once: systemd restarts it and the store keeps
// the truth, which is safer than going on with a state that nobody designed. Bad input never ends here:
// that is a Result. Expected failures of the machine never end here either.
#pragma once

#include <source_location>
#include <string_view>

namespace webhookd::base {

[[noreturn]] void fail_check(std::string_view what, std::source_location where);

// Aborts with the place and the words when `holds` is false.
inline void check(bool holds, std::string_view what, std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]] {
    fail_check(what, where);
  }
}

}  // namespace webhookd::base
