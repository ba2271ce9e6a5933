#include "help.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "parse.hpp"
#include "session.hpp"

namespace webhookd::whctl {

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string aligned(const Rows& rows) {
  std::size_t width = 0;
  for (const auto& [left, right] : rows) width = std::max(width, left.size());
  std::string text;
  for (const auto& [left, right] : rows) {
    text += "  " + left;
    if (!right.empty()) text += std::string(width - left.size() + 2, ' ') + right;
    text += '\n';
  }
  return text;
}

std::string flag_left(const Flag& flag) {
  std::string left = flag.letter != 0 ? std::string("-") + flag.letter + ", " : "    ";
  left += "--" + std::string(flag.name);
  return flag.value.empty() ? left : left + " " + std::string(flag.value);
}

std::string flag_right(const Flag& flag) {
  std::vector<std::string> choices(flag.choices.begin(), flag.choices.end());
  std::string right(flag.help);
  if (!choices.empty()) right += ": " + base::join(choices, "|");
  return right;
}

Rows flag_rows(const std::vector<Flag>& flags) {
  Rows rows;
  for (const auto& flag : flags) rows.emplace_back(flag_left(flag), flag_right(flag));
  return rows;
}

std::string argument_usage(const Argument& argument) {
  std::string word = std::string(argument.name) + (argument.is_repeated ? "..." : "");
  return argument.is_required ? word : "[" + word + "]";
}

std::string flag_usage(const Flag& flag) {
  const std::string name = flag.letter != 0 ? std::string("-") + flag.letter : "--" + std::string(flag.name);
  return name + " " + std::string(flag.value) + (flag.is_repeated ? "..." : "");
}

}  // namespace

std::string usage_line(const Command& command) {
  std::string line = "whctl " + std::string(command.path);
  for (const auto& argument : command.arguments) line += " " + argument_usage(argument);
  bool has_more = false;
  for (const auto& flag : command.flags) {
    if (flag.is_required) line += " " + flag_usage(flag);
    has_more = has_more || !flag.is_required;
  }
  return line + (has_more ? " [flags]" : "");
}

std::string help_of(const Command& command) {
  std::string text = "whctl " + std::string(command.path) + ": " + std::string(command.help) + "\n\nExamples:\n";
  Rows examples;
  for (const auto& example : command.examples) {
    text += "  " + std::string(example.line) + "\n";
    if (!example.what.empty()) text += "      " + std::string(example.what) + "\n";
  }
  text += "\nUsage:\n  " + usage_line(command) + "\n";
  Rows arguments;
  for (const auto& argument : command.arguments) arguments.emplace_back(argument.name, argument.help);
  if (!arguments.empty()) text += "\nArguments:\n" + aligned(arguments);
  if (!command.flags.empty()) text += "\nFlags:\n" + aligned(flag_rows(command.flags));
  return text + "\nGlobal flags:\n" + aligned(flag_rows(global_flags()));
}

std::string help_of_all() {
  Rows rows;
  for (const auto& command : all_commands()) {
    std::string left(command.path);
    for (const auto& argument : command.arguments) left += " " + argument_usage(argument);
    rows.emplace_back(left, command.help);
  }
  return "whctl manages webhookd: webhooks, events and their deliveries.\n\nExamples:\n"
         "  whctl create orders --url https://orders.example/hook -e subscription.create\n"
         "  whctl emit subscription.create -d @event.json --wait\n"
         "  whctl logs orders --status failed,retrying\n\nCommands:\n" +
         aligned(rows) + "\nGlobal flags:\n" + aligned(flag_rows(global_flags())) +
         "\n`whctl help COMMAND` explains a command.\n";
}

client::Result<ExitCode> show_help(Session& session, const Invocation& invocation) {
  const auto& words = invocation.all("COMMAND");
  if (words.empty()) {
    session.console().out.write(help_of_all());
    return ExitCode::done;
  }
  const std::string path = base::join(words, " ");
  if (const Command* command = find_command(path)) {
    session.console().out.write(help_of(*command));
    return ExitCode::done;
  }
  std::vector<std::string> paths;
  std::string below;
  for (const auto& command : all_commands()) {
    paths.emplace_back(command.path);
    if (command.path.starts_with(path + " ")) below += help_of(command) + "\n";
  }
  if (below.empty()) return unknown_word(path, "unknown command", path, paths);
  session.console().out.write(below);
  return ExitCode::done;
}

client::Result<ExitCode> show_version(Session& session, const Invocation&) {
  const std::string version = WEBHOOKD_VERSION;
  if (session.output().is_json()) {
    session.output().raw_json("{\"version\":\"" + version + "\"}");
  } else {
    session.console().out.line("whctl " + version);
  }
  return ExitCode::done;
}

}  // namespace webhookd::whctl
