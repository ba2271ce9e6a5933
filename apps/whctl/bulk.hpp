// Retry and cancel of many messages, as tasks that the daemon carries out: asked for, watched, stopped. Whoever watches
// may leave; the task goes on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exit_codes.hpp"
#include "session.hpp"

namespace webhookd::whctl {

bool is_task(std::string_view id);
// A flag that chooses messages was given.
bool chooses_by_filter(const Invocation& invocation);

// `action` is "retry" or "cancel". Bulk cancels are confirmed.
client::Result<ExitCode> act_in_bulk(Session& session, const Invocation& invocation, std::string_view action);
// Until it has ended, over restarts of the daemon, with progress. Ctrl-C leaves it running, and so does a timeout,
// which is a failure, wait_timeout.
client::Result<ExitCode> watch_task(Session& session, const std::string& id,
                                    std::optional<base::Duration> timeout = std::nullopt);
client::Result<ExitCode> cancel_tasks(Session& session, const std::vector<std::string>& ids);

}  // namespace webhookd::whctl
