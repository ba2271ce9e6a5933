// emit --batch: newline-delimited events from a file or a pipe to the daemon, in requests of bounded size on one
// kept-alive connection, so that neither side holds more than one of them. A request goes out when it is full, or when
// the writer of a pipe pauses: a slow producer's events are accepted as they come. Each answer line belongs to the
// input line of the same place; refused lines are reported by their number and spoil only themselves.
#pragma once

#include <string>

#include "session.hpp"

namespace webhookd::whctl {

client::Result<ExitCode> emit_batch(Session& session, const std::string& file);

}  // namespace webhookd::whctl
