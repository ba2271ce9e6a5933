// Every record that the daemon may log, as one table: the vocabulary that alerts and scripts may rely on. The journal's
// MESSAGE_ID and webhookd-operations(7) come from it, and tests/webhookd/log_events_test.cpp holds every call of
// LogSink::write against it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace webhookd::daemon {

struct LogEvent {
  std::string_view name;
  base::LogLevel level;
  std::vector<std::string_view> fields;
  std::string_view meaning;     // what happened, and what follows
  std::string_view message_id;  // of the journal: 32 hexadecimal digits
};

std::span<const LogEvent> log_events();
const LogEvent* find_log_event(std::string_view name);

}  // namespace webhookd::daemon
