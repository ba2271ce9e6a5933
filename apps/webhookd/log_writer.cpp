#include "log_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/check.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace webhookd::daemon {

namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 3> format_names = {"text", "json", "journal"};
constexpr std::array<std::string_view, 4> journal_prefixes = {"<7>", "<6>", "<4>", "<3>"};  // sd-daemon(3)

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

void LogWriter::write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) {
  if (level < least_) {
    return;
  }
  const std::string time = base::format_time(std::chrono::floor<base::Duration>(std::chrono::system_clock::now()));
  const std::string_view name = level_names[static_cast<std::size_t>(level)];
  std::string line;
  switch (format_) {
    case LogFormat::text:
      line = time + " " + std::string(name) + " " + as_text(event, fields);
      break;
    case LogFormat::json:
      line = as_json(time, name, event, fields);
      break;
    case LogFormat::journal:
      line = std::string(journal_prefixes[static_cast<std::size_t>(level)]) + as_text(event, fields);
      break;
  }
  line += '\n';
  const std::lock_guard lock(mutex_);
  // A log that cannot be written has nowhere to say so.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

base::LogLevel parse_log_level(std::string_view text) {
  return static_cast<base::LogLevel>(index_of(level_names, text));
}
LogFormat parse_log_format(std::string_view text) { return static_cast<LogFormat>(index_of(format_names, text)); }

}  // namespace webhookd::daemon
