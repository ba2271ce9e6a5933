// What the daemon logs: the table of events against the code, and the journal's form of a record.
#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "base/text.hpp"
#include "lint/source_text.hpp"
#include "log_events.hpp"
#include "log_writer.hpp"
#include "support/process.hpp"
#include "support/service_manager.hpp"

using namespace webhookd;
using namespace webhookd::daemon;

namespace {

std::string fields_in(std::string_view list) {
  static const std::regex field(R"re(\{"(\w+)",)re");
  std::set<std::string> names;
  for (std::cregex_iterator match(list.begin(), list.end(), field), end; match != end; ++match) {
    names.insert((*match)[1]);
  }
  return base::join({names.begin(), names.end()}, " ");
}

// "level event: fields" of every record that the code writes; "?" where a call has another form.
std::string record_at(const lint::SourceFile& file, std::string_view arguments) {
  static const std::regex known(R"re(^(\w+),\s*"(\w+)",\s*\{)re");
  std::cmatch parts;
  if (!std::regex_search(arguments.begin(), arguments.end(), parts, known)) {
    return "? " + file.path + ": " + std::string(arguments.substr(0, 60));
  }
  const std::string_view list = arguments.substr(static_cast<std::size_t>(parts.length()));
  return parts[1].str() + " " + parts[2].str() + ": " + fields_in(list.substr(0, list.find(");")));
}

// "level event: fields" of every record that the code writes; "?" where a call has another form.
std::set<std::string> records_in_code() {
  static const std::regex call(R"re(\.write\(\s*base::LogLevel::)re");
  std::set<std::string> records;
  for (const lint::SourceFile& file : lint::cpp_files()) {
    if (!file.path.starts_with("lib/") && !file.path.starts_with("apps/webhookd/")) {
      continue;
    }
    const std::string_view text = file.text;
    for (std::sregex_iterator match(file.text.begin(), file.text.end(), call), end; match != end; ++match) {
      records.insert(record_at(file, text.substr(static_cast<std::size_t>(match->position() + match->length()))));
    }
  }
  return records;
}

std::set<std::string> records_in_table() {
  std::set<std::string> records;
  for (const LogEvent& event : log_events()) {
    std::set<std::string> fields(event.fields.begin(), event.fields.end());
    records.insert(std::string(to_string(event.level)) + " " + std::string(event.name) + ": " +
                   base::join({fields.begin(), fields.end()}, " "));
  }
  return records;
}

std::string lines(const std::set<std::string>& records) { return base::join({records.begin(), records.end()}, "\n"); }

}  // namespace

TEST_CASE("the table of log events is what the code writes: names, levels and fields") {
  CHECK(lines(records_in_table()) == lines(records_in_code()));
}

TEST_CASE("every log event has a name, a meaning and a message id of its own") {
  std::set<std::string_view> names;
  std::set<std::string_view> ids;
  for (const LogEvent& event : log_events()) {
    CAPTURE(event.name);
    CHECK(names.insert(event.name).second);
    CHECK(ids.insert(event.message_id).second);
    CHECK(event.message_id.size() == 32);
    CHECK(event.meaning.ends_with("."));
  }
}

TEST_CASE("a record goes to the journal with the webhook, the message and the kind of record as fields") {
  const support::TemporaryDirectory directory;
  support::DatagramSocket journal(directory.path() + "/journal");
  LogWriter log(base::LogLevel::info, LogFormat::journal, journal.path());
  log.write(base::LogLevel::warning, "endpoint_down", {{"webhook", "wh_1"}, {"failure", "two\nlines"}});
  log.write(base::LogLevel::debug, "too_fine", {});
  REQUIRE(journal.heard().size() == 1);
  const std::string& record = journal.heard()[0];
  CHECK(record.starts_with("MESSAGE=endpoint_down webhook=wh_1 failure=\"two\\u000alines\"\nPRIORITY=4\n"));
  CHECK(record.find("\nWEBHOOKD_EVENT=endpoint_down\n") != std::string::npos);
  CHECK(record.find("\nMESSAGE_ID=" + std::string(find_log_event("endpoint_down")->message_id) + "\n") !=
        std::string::npos);
  CHECK(record.find("\nWEBHOOK_ID=wh_1\n") != std::string::npos);
  const std::string length{"\x09\0\0\0\0\0\0\0", 8};
  CHECK(record.find("\nWEBHOOKD_FAILURE\n" + length + "two\nlines\n") != std::string::npos);
  log.set_least(base::LogLevel::debug);
  log.write(base::LogLevel::debug, "message_failed", {{"message", "msg_1"}});
  CHECK(journal.count("\nWEBHOOK_MESSAGE=msg_1\n") == 1);
}

TEST_CASE("the format is the journal's only where standard error leads into it, unless somebody says so") {
  CHECK(parse_log_format("auto", true) == LogFormat::journal);
  CHECK(parse_log_format("auto", false) == LogFormat::text);
  CHECK(parse_log_format("json", true) == LogFormat::json);
}
