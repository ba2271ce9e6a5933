// What doctor looks at besides the daemon: the machine it runs on, as one value that tests answer for.
#pragma once

#include <optional>

#include "exit_codes.hpp"
#include "session.hpp"

namespace webhookd::whctl {

struct Machine {
  // Whether the kernel says that a source of time keeps the clock; nothing when it cannot be asked.
  std::optional<bool> (*clock_is_synchronised)();
};

client::Result<ExitCode> examine(Session& session, const Machine& machine);

}  // namespace webhookd::whctl
