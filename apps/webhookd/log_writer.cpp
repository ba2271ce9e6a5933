#include "log_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/check.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "log_events.hpp"

namespace webhookd::daemon {

namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 3> format_names = {"text", "json", "journal"};
constexpr std::array<std::string_view, 4> priorities = {"7", "6", "4", "3"};  // syslog(3)

struct JournalName {
  std::string_view field;
  std::string_view name;
};
// What operators search by; every other field is WEBHOOKD_ and its name.
constexpr std::array<JournalName, 2> journal_names = {{{"webhook", "WEBHOOK_ID"}, {"message", "WEBHOOK_MESSAGE"}}};

std::string_view priority_of(base::LogLevel level) { return priorities[static_cast<std::size_t>(level)]; }

std::string journal_name(std::string_view field) {
  for (const JournalName& known : journal_names) {
    if (known.field == field) {
      return std::string(known.name);
    }
  }
  std::string name = "WEBHOOKD_";
  for (const char c : field) {
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

// JSON string escapes; everything that is not plain ASCII goes out as \u00XX of its byte when it is not valid UTF-8.
std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  const bool is_utf8 = base::is_valid_utf8(text);
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_utf8)) {
      result += "\\u00";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    } else {
      result += c;
    }
  }
  return result;
}

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" =\"\\") != std::string_view::npos ||
         std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

std::string as_text(std::string_view event, std::initializer_list<base::LogField> fields) {
  std::string line(event);
  for (const base::LogField& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    line += needs_quotes(field.value) ? '"' + escaped(field.value) + '"' : escaped(field.value);
  }
  return line;
}

std::string as_json(std::string_view time, std::string_view level, std::string_view event,
                    std::initializer_list<base::LogField> fields) {
  std::string line = "{\"time\":\"" + std::string(time) + "\",\"level\":\"" + std::string(level) + "\",\"event\":\"" +
                     std::string(event) + '"';
  for (const base::LogField& field : fields) {
    line += ",\"" + std::string(field.name) + "\":\"" + escaped(field.value) + '"';
  }
  return line + '}';
}

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  base::check(found != names.end(), "the configuration table allows only known words");
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

LogWriter::LogWriter(base::LogLevel least, LogFormat format, const std::string& journal_socket)
    : least_(least), format_(format) {
  if (format == LogFormat::journal) {
    journal_ = std::make_unique<Journal>(journal_socket);
  }
}

void LogWriter::write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) {
  if (level < least_ || (journal_ && to_journal(level, event, fields))) {
    return;
  }
  const std::string time = base::format_time(std::chrono::floor<base::Duration>(std::chrono::system_clock::now()));
  std::string line;
  switch (format_) {
    case LogFormat::text:
      line = time + " " + std::string(to_string(level)) + " " + as_text(event, fields);
      break;
    case LogFormat::json:
      line = as_json(time, to_string(level), event, fields);
      break;
    case LogFormat::journal:
      line = "<" + std::string(priority_of(level)) + ">" + as_text(event, fields);
      break;
  }
  line += '\n';
  const std::lock_guard lock(mutex_);
  // A log that cannot be written has nowhere to say so.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool LogWriter::to_journal(base::LogLevel level, std::string_view event,
                           std::initializer_list<base::LogField> fields) const {
  std::string datagram;
  append_journal_field(datagram, "MESSAGE", as_text(event, fields));
  append_journal_field(datagram, "PRIORITY", priority_of(level));
  append_journal_field(datagram, "SYSLOG_IDENTIFIER", "webhookd");
  append_journal_field(datagram, "WEBHOOKD_EVENT", event);
  if (const LogEvent* known = find_log_event(event)) {
    append_journal_field(datagram, "MESSAGE_ID", known->message_id);
  }
  for (const base::LogField& field : fields) {
    append_journal_field(datagram, journal_name(field.name), field.value);
  }
  return journal_->send(datagram);
}

std::string_view to_string(base::LogLevel level) { return level_names[static_cast<std::size_t>(level)]; }

base::LogLevel parse_log_level(std::string_view text) {
  return static_cast<base::LogLevel>(index_of(level_names, text));
}

LogFormat parse_log_format(std::string_view text, bool is_journal) {
  if (text == "auto") {
    return is_journal ? LogFormat::journal : LogFormat::text;
  }
  return static_cast<LogFormat>(index_of(format_names, text));
}

}  // namespace webhookd::daemon
