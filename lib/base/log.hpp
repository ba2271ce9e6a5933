// What the house says about itself. A record is an event name from a fixed vocabulary and typed fields; how it is
// written (text, json, journal) is the sink's business (apps/webhookd). Secrets, header values and the path or
// query of a URL are never fields.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace webhookd::base {

enum class LogLevel { debug, info, warning, error };

struct LogField {
  std::string_view name;
  std::string value;
};

class LogSink {
 public:
  virtual ~LogSink() = default;
  // Thread-safe; never throws, never blocks for long.
  virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) = 0;
};

// For tests and tools that say nothing.
class SilentLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace webhookd::base
