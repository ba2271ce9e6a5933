#include "help.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "completion_scripts.hpp"
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

std::string with_choices(std::string_view help, const std::vector<std::string_view>& choices) {
  const std::vector<std::string> words(choices.begin(), choices.end());
  return std::string(help) + (words.empty() ? "" : ": " + base::join(words, "|"));
}

Rows flag_rows(const std::vector<Flag>& flags) {
  Rows rows;
  for (const auto& flag : flags) rows.emplace_back(flag_left(flag), flag_help(flag));
  return rows;
}

std::string argument_usage(const Argument& argument) {
  std::string word = std::string(argument.name) + (argument.is_repeated ? "..." : "");
  return argument.is_required ? word : "[" + word + "]";
}

// Paragraphs, indented, in lines that fit 80 columns.
std::string wrapped(std::string_view prose) {
  constexpr std::size_t width = 78;
  std::string text;
  std::string line = " ";
  while (!prose.empty()) {
    const auto end = prose.find_first_of(" \n");
    const auto word = prose.substr(0, end);
    const bool ends_paragraph = end != prose.npos && prose[end] == '\n';
    prose.remove_prefix(std::min(prose.size(), word.size() + 1));
    if (line.size() + 1 + word.size() > width) text += std::exchange(line, " ") + "\n";
    if (!word.empty()) line.append(" ").append(word);
    if (!ends_paragraph && !prose.empty()) continue;
    text += (line == " " ? "" : line) + "\n";
    line = " ";
  }
  return text;
}

std::string flag_usage(const Flag& flag) {
  const std::string name = flag.letter != 0 ? std::string("-") + flag.letter : "--" + std::string(flag.name);
  return name + " " + std::string(flag.value) + (flag.is_repeated ? "..." : "");
}

}  // namespace

const std::string_view overview_text =
    "A webhook is named by its id, a unique start of its id, or its display name; messages and events by id or a "
    "unique "
    "start of it. On a terminal data is shown for people; elsewhere it is tab-separated, without a header, with times "
    "in UTC and nothing cut, and `-o json` is for programs. Without a terminal nothing asks: what has to be confirmed "
    "needs `--yes`.";

const std::vector<Example>& overview_examples() {
  static const std::vector<Example> examples{
      {"whctl create orders --url https://orders.example/hook -e subscription.create", ""},
      {"whctl emit subscription.create -d @event.json --wait", ""},
      {"whctl logs orders --status failed,retrying", ""}};
  return examples;
}

std::string flag_help(const Flag& flag) { return with_choices(flag.help, flag.choices); }

std::string argument_help(const Argument& argument) { return with_choices(argument.help, argument.choices); }

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
  for (const auto& example : command.examples) {
    text += "  " + std::string(example.line) + "\n";
    if (!example.what.empty()) text += "      " + std::string(example.what) + "\n";
  }
  text += "\nUsage:\n  " + usage_line(command) + "\n";
  if (!command.about.empty()) text += "\n" + wrapped(command.about);
  Rows arguments;
  for (const auto& argument : command.arguments) arguments.emplace_back(argument.name, argument_help(argument));
  if (!arguments.empty()) text += "\nArguments:\n" + aligned(arguments);
  if (!command.flags.empty()) text += "\nFlags:\n" + aligned(flag_rows(command.flags));
  return text + "\nGlobal flags:\n" + aligned(flag_rows(global_flags()));
}

std::string help_of_all() {
  Rows rows;
  for (const auto& command : all_commands()) {
    if (is_hidden(command)) continue;
    std::string left(command.path);
    for (const auto& argument : command.arguments) left += " " + argument_usage(argument);
    rows.emplace_back(left, command.help);
  }
  Rows codes;
  for (const auto& meaning : exit_meanings()) {
    codes.emplace_back(std::to_string(static_cast<int>(meaning.code)), meaning.words);
  }
  std::string text = "whctl manages webhookd: webhooks, events and their deliveries.\n\nExamples:\n";
  for (const auto& example : overview_examples()) text += "  " + std::string(example.line) + "\n";
  return text + "\nCommands:\n" + aligned(rows) + "\nGlobal flags:\n" + aligned(flag_rows(global_flags())) +
         "\nExit codes:\n" + aligned(codes) + "\n`whctl help COMMAND` explains a command.\n";
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
    if (is_hidden(command)) continue;
    paths.emplace_back(command.path);
    if (command.path.starts_with(path + " ")) below += help_of(command) + "\n";
  }
  if (below.empty()) {
    auto failure = unknown_word(path, "unknown command", path, paths);
    if (failure.hint.empty()) failure.hint = "`whctl help` lists the commands";
    return failure;
  }
  session.console().out.write(below);
  return ExitCode::done;
}

client::Result<ExitCode> print_completion(Session& session, const Invocation& invocation) {
  const auto* script = find_completion_script(invocation.value("SHELL"));
  session.console().out.write(script->text);
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
