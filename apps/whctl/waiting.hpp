// Waiting for deliveries, for wait, emit --wait, trigger --wait and ping --wait: long polls one after the other,
// because the daemon bounds each, and the exit code that the end of a delivery means.
#pragma once

#include <optional>
#include <string>

#include "parse.hpp"
#include "session.hpp"

namespace webhookd::whctl {

// The message or event (by the prefix of its id) once it has settled. A timeout is a failure, wait_timeout.
client::Result<Document> wait_until_settled(Session& session, const std::string& id,
                                            std::optional<base::Duration> timeout);

// What --timeout of a command that waits says; nothing without it, and a usage failure without --wait.
client::Result<std::optional<base::Duration>> wait_timeout(const Invocation& invocation);

// done, delivery_failed when any of its messages failed, cancelled when any was cancelled and none failed.
client::Result<ExitCode> outcome_of(Session& session, Json subject);
// The same, and a line for people about each message that failed or was cancelled.
client::Result<ExitCode> print_outcome(Session& session, Json subject);

// The worse of two outcomes, for waiting on several.
ExitCode worse(ExitCode a, ExitCode b);

}  // namespace webhookd::whctl
