// export --messages and import --messages: events with their messages and attempts out of a daemon, into a file, and
// into another daemon. The file is what GET /v1/admin/history gives (control/protocol/history_codec.hpp): a head, an
// event a line, and a last line that says that it is all. A file that was cut off is refused before anything of it is
// sent; a pipe that was is told at its end. What is there already is left alone, so an import that was cut off is
// simply run again.
#pragma once

#include "session.hpp"

namespace webhookd::whctl {

client::Result<ExitCode> export_history(Session& session, const Invocation& invocation);
client::Result<ExitCode> import_history(Session& session, const Invocation& invocation);

}  // namespace webhookd::whctl
