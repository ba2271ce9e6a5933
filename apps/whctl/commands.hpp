// The one table of commands: names, arguments, flags, help, examples, and what each argument names (for completion).
// The parser (parse.cpp), --help (help.cpp), the manual pages (manual.cpp) and completion (complete.cpp) are made from
// it; nothing about the command line is written anywhere else. What a command does is its `run` (handlers.hpp). Every
// example is run against a real daemon by tests/app/examples_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "handlers.hpp"

namespace webhookd::whctl {

// What an argument or the value of a flag names.
enum class Role {
  text,
  webhook,
  message,
  event,
  subject,      // a webhook, message or event
  awaitable,    // a message, event or task
  cancellable,  // a message that waits, or a task that runs
  event_type,
  event_pattern,
  command,
  file,
  address,
  duration,
  time,
  number
};

struct Argument {
  std::string_view name;
  Role role = Role::text;
  std::string_view help;
  bool is_required = true;
  bool is_repeated = false;
  std::vector<std::string_view> choices = {};  // all values that are allowed; empty: any
};

struct Flag {
  std::string_view name;   // "url": given as --url
  char letter = 0;         // 'e': also given as -e; 0 for none
  std::string_view value;  // "URL"; empty for a switch
  std::string_view help;
  Role role = Role::text;
  bool is_required = false;
  bool is_repeated = false;
  std::vector<std::string_view> choices = {};  // all values that are allowed; empty: any
  bool takes_list = false;                     // several choices, separated by commas
};

struct Example {
  std::string_view line;
  std::string_view what;
  int exits = 0;  // with this code
};

enum class Manner {
  plain,
  paged,   // may be long: goes through the pager when both ends are a terminal
  itself,  // about the tool: paged, and not held up by a broken configuration file
  hidden,  // for programs; in no help, page or completion
};

struct Command {
  std::string_view path;  // "create", "types add"
  std::string_view help;  // one line
  std::vector<Argument> arguments;
  std::vector<Flag> flags;
  std::vector<Example> examples;
  Handler* run = nullptr;
  Manner manner = Manner::plain;
  std::string_view about = {};  // paragraphs of the manual page and of --help, behind the one line
};

inline bool is_hidden(const Command& command) { return command.manner == Manner::hidden; }

const std::vector<Command>& all_commands();
// Accepted before or after every command.
const std::vector<Flag>& global_flags();
// Nothing when there is no such command. `path` has single spaces.
const Command* find_command(std::string_view path);

}  // namespace webhookd::whctl
