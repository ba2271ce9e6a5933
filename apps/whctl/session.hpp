// What a command works with while it runs: the settings, the console, the output, and the daemon behind one connection.
// It turns answers into documents and problem documents into failures, knows the daemon's clock (which may be a test
// clock), and asks the user. Made once by run.cpp; commands keep nothing of their own.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "console.hpp"
#include "control/client/connection.hpp"
#include "json.hpp"
#include "output.hpp"
#include "settings.hpp"
#include "target.hpp"

namespace webhookd::whctl {

struct Answer {
  client::ResponseHead head;
  Document document;
};

class Session {
 public:
  Session(Settings settings, const Environment& environment, Console console);

  const Settings& settings() const { return settings_; }
  Console& console() { return console_; }
  Output& output() { return output_; }
  client::Connection& connection() { return connection_; }

  // Any status is an answer. The reason of changes goes with every call, for the audit.
  client::Result<client::Response> ask(client::Request request);
  client::Result<client::ResponseHead> ask(client::Request request, const client::BodySink& sink);
  // A call that answers JSON. Any status but 2xx is a failure.
  client::Result<Answer> exchange(const client::Request& request);
  client::Result<Document> get(std::string target);
  client::Result<Document> send(std::string_view method, std::string target, std::string_view body = "{}");
  // All pages of a list, at most `limit` items; `next_cursor` of the last page is kept with them.
  struct Listed {
    std::deque<Document> pages;  // items point into them: they must not move
    std::vector<Json> items;
    Json next_cursor;
  };
  client::Result<Listed> list(const std::string& target, std::size_t limit);

  // The daemon's clock; our own when it cannot be asked.
  base::Time now();
  // Prose for people, on standard error; not with -q.
  void note(std::string_view text);
  // What went through and still is not as it should be, on standard error; not with -q.
  void warn(std::string_view text);
  // Asks on the terminal. Without one, or with --no-input: a usage failure that names --yes. A no is a failure, too.
  client::Result<void> confirm(std::string_view question);
  // Whether confirm() could be answered: said before anything is looked up for the question.
  client::Result<void> can_confirm() const;
  void report(const client::Failure& failure);

 private:
  client::Request with_reason(client::Request request) const;
  void check_version(const client::ResponseHead& head);

  Settings settings_;
  Console console_;
  client::Connection connection_;
  Output output_;
  bool has_warned_ = false;
};

// The daemon could not be reached, or is stopping: it may come back.
bool is_away(const client::Failure& failure);

// Does `action` for each name. One name: its own result. Several: each failure is reported at once and the rest goes
// on, unless the daemon is away; some failed is exit code 10.
client::Result<ExitCode> for_each_name(Session& session, const std::vector<std::string>& names,
                                       const std::function<client::Result<void>(const std::string& name)>& action);

// "whctl: what: why" and "hint: …", escaped, one line for each field.
std::string failure_text(const client::Failure& failure);

}  // namespace webhookd::whctl
