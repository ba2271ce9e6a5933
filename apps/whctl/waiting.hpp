// Waiting for deliveries, for wait, emit --wait, trigger --wait and ping --wait: long polls one after the other,
// because the daemon bounds each, and the exit code that the end of a delivery means. A daemon that goes away meanwhile
// is waited for as long as --wait-daemon says: asking again changes nothing.
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

// What was accepted, and what is waited for because of it. Both views print ids.
struct Accepted {
  const View& accepted_view;
  Json accepted;
  std::string id;  // of the event or message that has to settle
  const View& settled_view;
};
// The id goes out before the wait begins, so that whoever is interrupted can go on with `whctl wait`; whole values come
// at the end, settled, or as they were accepted when the wait came to nothing.
client::Result<ExitCode> wait_and_print(Session& session, const Accepted& accepted,
                                        std::optional<base::Duration> timeout);

// done, delivery_failed when any of its messages failed, cancelled when any was cancelled and none failed.
client::Result<ExitCode> outcome_of(Session& session, Json subject);
// The same, and a line for people about each message that failed or was cancelled.
client::Result<ExitCode> print_outcome(Session& session, Json subject);

// The worse of two outcomes, for waiting on several.
ExitCode worse(ExitCode a, ExitCode b);

}  // namespace webhookd::whctl
