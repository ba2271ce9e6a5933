// Writes the house's log records to standard error, one line each, as text for people, JSON for collectors, or with the
// journal's priority prefix. Bytes from outside are escaped, so that a record stays one line and cannot steer a
// terminal.
#pragma once

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace webhookd::daemon {

enum class LogFormat { text, json, journal };

class LogWriter final : public base::LogSink {
 public:
  LogWriter(base::LogLevel least, LogFormat format) : least_(least), format_(format) {}
  void write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) override;

 private:
  base::LogLevel least_;
  LogFormat format_;
  std::mutex mutex_;  // lines of several threads do not mix
};

base::LogLevel parse_log_level(std::string_view text);
LogFormat parse_log_format(std::string_view text);

}  // namespace webhookd::daemon
