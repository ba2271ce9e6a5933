// Writes the house's log records, one line each: to standard error as text for people or JSON for collectors, or to the
// journal with fields of its own (WEBHOOK_ID=, WEBHOOK_MESSAGE=, MESSAGE_ID= of log_events.hpp), by standard error and
// the priority prefix when the journal does not take it. Bytes from outside are escaped, so that a record stays one
// line and cannot steer a terminal.
#pragma once

#include <atomic>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "journal.hpp"

namespace webhookd::daemon {

enum class LogFormat { text, json, journal };

class LogWriter final : public base::LogSink {
 public:
  LogWriter(base::LogLevel least, LogFormat format, const std::string& journal_socket = Journal::system_socket);
  void write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) override;
  // From now on; any thread.
  void set_least(base::LogLevel least) { least_ = least; }

 private:
  bool to_journal(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) const;

  std::atomic<base::LogLevel> least_;
  LogFormat format_;
  std::unique_ptr<Journal> journal_;
  std::mutex mutex_;  // lines of several threads do not mix
};

std::string_view to_string(base::LogLevel level);
base::LogLevel parse_log_level(std::string_view text);
// "auto" is the journal where standard error leads into it, and text elsewhere.
LogFormat parse_log_format(std::string_view text, bool is_journal);

}  // namespace webhookd::daemon
