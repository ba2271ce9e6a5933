#include "parse.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"

namespace webhookd::whctl {

using client::Failure;
using client::failure;
using client::Result;

namespace {

constexpr int arguments_max = 100'000;

// The CLI11 side of one command: its options by the names of the table.
struct Bound {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  std::vector<std::pair<std::string, CLI::Option*>> options;
};

std::string option_names(const Flag& flag) {
  const std::string letter = flag.letter != 0 ? std::string("-") + flag.letter + "," : "";
  return letter + "--" + std::string(flag.name);
}

// CLI11 takes "--yes=false", and even "--yes=", for "--yes": a value behind a switch is marked before it sees the
// words, found again when they are collected, and unmarked where it was no switch.
constexpr char given_mark = '\x02';

bool is_switch(std::string_view name) {
  const auto is_it = [&](const Flag& flag) { return flag.name == name && flag.value.empty(); };
  const auto& global = global_flags();
  const auto& all = all_commands();
  return std::any_of(global.begin(), global.end(), is_it) ||
         std::any_of(all.begin(), all.end(), [&](const Command& command) {
           return std::any_of(command.flags.begin(), command.flags.end(), is_it);
         });
}

std::string marked(std::string word) {
  const auto equals = word.find('=');
  const bool has_value = word.starts_with("--") && equals != std::string::npos;
  if (has_value && is_switch(std::string_view(word).substr(2, equals - 2))) word.insert(equals + 1, 1, given_mark);
  return word;
}

std::string unmarked(std::string word) {
  const auto equals = word.find('=');
  if (equals != std::string::npos && word.substr(equals + 1, 1) == std::string(1, given_mark))
    word.erase(equals + 1, 1);
  if (word.starts_with(given_mark)) word.erase(0, 1);
  return word;
}

// One value a flag and no splitting of "[x,y]"; a scalar given twice means its last value.
void bind_flag(CLI::App& app, const Flag& flag, Bound& bound) {
  CLI::Option* option = nullptr;
  if (flag.value.empty()) {
    option = app.add_flag(option_names(flag))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  } else {
    option = app.add_option(option_names(flag))->expected(1)->allow_extra_args(false);
    option->multi_option_policy(flag.is_repeated ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
  }
  bound.options.emplace_back(flag.name, option);
}

// CLI11 hands a word to an argument while it has fewer than it expects: "expecting" very many, which nothing enforces
// without a callback, takes them all without the splitting that comes with allow_extra_args.
void bind_argument(CLI::App& app, const Argument& argument, Bound& bound) {
  CLI::Option* option = app.add_option(std::string(argument.name));
  option->expected(argument.is_repeated ? arguments_max : 1)->allow_extra_args(false);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  bound.options.emplace_back(argument.name, option);
}

// A word that names a sibling is an argument once a command is found ("whctl show list"): one command a level.
void prepare(CLI::App& app) {
  app.set_help_flag();
  app.allow_extras();
  app.fallthrough();
  app.require_subcommand(0, 1);
}

CLI::App& app_at(CLI::App& root, std::string_view path) {
  CLI::App* app = &root;
  while (!path.empty()) {
    const std::string word(path.substr(0, path.find(' ')));
    path.remove_prefix(std::min(path.size(), word.size() + 1));
    const auto known = app->get_subcommands([&](const CLI::App* below) { return below->get_name() == word; });
    CLI::App* next = known.empty() ? app->add_subcommand(word) : known.front();
    if (known.empty()) prepare(*next);
    app = next;
  }
  return *app;
}

std::vector<std::string> commands_below(std::string_view path) {
  std::vector<std::string> words;
  for (const auto& command : all_commands()) {
    if (is_hidden(command)) continue;
    std::string_view rest = command.path;
    if (!path.empty()) {
      if (!rest.starts_with(std::string(path) + " ")) continue;
      rest.remove_prefix(path.size() + 1);
    }
    std::string word(rest.substr(0, rest.find(' ')));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

std::vector<std::string> flags_of(const Command* command) {
  std::vector<std::string> names;
  for (const auto& flag : global_flags()) names.push_back("--" + std::string(flag.name));
  if (command == nullptr) return names;
  for (const auto& flag : command->flags) names.push_back("--" + std::string(flag.name));
  return names;
}

std::string help_hint(std::string_view path) {
  return path.empty() ? "`whctl help` lists the commands" : "`whctl help " + std::string(path) + "` explains it";
}

std::string path_of(const CLI::App* app) {
  std::string path;
  for (; app != nullptr && app->get_parent() != nullptr; app = app->get_parent()) {
    path = path.empty() ? app->get_name() : app->get_name() + " " + path;
  }
  return path;
}

// Words that nothing took: an unknown flag, a mistyped command, or an argument too many.
std::optional<Failure> check_leftovers(const std::vector<std::string>& leftovers, const std::string& path,
                                       const Command* command) {
  if (leftovers.empty()) return std::nullopt;
  for (const auto& word : leftovers) {
    if (word.size() < 2 || word.front() != '-') continue;
    const std::string name = word.substr(0, word.find('='));
    if (name == "-") {  // what is left of "-y=no"
      return failure(client::codes::usage, "\"" + word.substr(1) + "\"", "a flag without a value was given one",
                     help_hint(path));
    }
    const auto known = flags_of(command);
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      return failure(client::codes::usage, name, "stands where it is no flag",
                     "flags of a command stand behind its name, and before \"--\"");
    }
    auto failure = unknown_word(name, "unknown flag", name, known);
    if (failure.hint.empty()) failure.hint = help_hint(path);
    return failure;
  }
  const auto candidates = commands_below(path);
  if (command == nullptr || (!candidates.empty() && command->arguments.empty())) {
    auto failure = unknown_word(leftovers.front(), "unknown command", leftovers.front(), candidates);
    if (failure.hint.empty()) failure.hint = help_hint(path);
    return failure;
  }
  return failure(client::codes::usage, leftovers.front(), "one argument too many", help_hint(path));
}

std::optional<Failure> check_choice(const std::string& name, const std::vector<std::string_view>& allowed,
                                    bool takes_list, const std::string& value) {
  std::vector<std::string> choices(allowed.begin(), allowed.end());
  std::string_view rest = value;
  do {
    const std::string word(takes_list ? rest.substr(0, rest.find(',')) : rest);
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
      return unknown_word(name, "\"" + word + "\" is none of " + base::join(choices, ", "), word, choices);
    }
  } while (!rest.empty());
  return std::nullopt;
}

std::optional<Failure> check_flags(const std::vector<Flag>& flags, const Invocation& invocation) {
  for (const auto& flag : flags) {
    if (!invocation.has(flag.name)) {
      if (!flag.is_required) continue;
      return failure(client::codes::usage, "--" + std::string(flag.name), "this flag is required",
                     help_hint(invocation.command->path));
    }
    for (const auto& value : invocation.all(flag.name)) {
      if (flag.role != Role::file && flag.role != Role::address && !base::is_valid_utf8(value)) {
        return failure(client::codes::usage, "--" + std::string(flag.name), "the value is not valid UTF-8");
      }
      if (flag.choices.empty()) continue;
      auto fault = check_choice("--" + std::string(flag.name), flag.choices, flag.takes_list, value);
      if (fault) return fault;
    }
  }
  return std::nullopt;
}

std::optional<Failure> check_arguments(const Invocation& invocation) {
  for (const auto& argument : invocation.command->arguments) {
    if (!invocation.has(argument.name)) {
      if (!argument.is_required) continue;
      return failure(client::codes::usage, std::string(argument.name), "this argument is missing",
                     help_hint(invocation.command->path));
    }
    for (const auto& value : invocation.all(argument.name)) {
      const std::string name(argument.name);
      if (value.empty()) return failure(client::codes::usage, name, "this argument is empty");
      if (!base::is_valid_utf8(value)) return failure(client::codes::usage, name, "the argument is not valid UTF-8");
      if (argument.choices.empty()) continue;
      if (auto fault = check_choice(name, argument.choices, false, value)) return fault;
    }
  }
  return std::nullopt;
}

std::optional<Failure> collect(const Bound& bound, const std::vector<Flag>& flags, Invocation& invocation) {
  for (const auto& [name, option] : bound.options) {
    if (option->count() == 0) continue;
    const auto is_it = [name = std::string_view(name)](const Flag& flag) { return flag.name == name; };
    const auto flag = std::find_if(flags.begin(), flags.end(), is_it);
    const bool is_alone = flag != flags.end() && flag->value.empty();
    auto& words = invocation.words[name];
    for (const auto& word : option->results()) {
      if (is_alone && word.starts_with(given_mark)) {
        return failure(client::codes::usage, "--" + name, "takes no value",
                       "leave out \"=" + unmarked(word) + "\": the flag alone means yes");
      }
      words.push_back(unmarked(word));
    }
  }
  return std::nullopt;
}

Result<Invocation> check(Invocation invocation, const std::vector<std::string>& leftovers, const std::string& path) {
  if (auto fault = check_leftovers(leftovers, path, invocation.command)) return *fault;
  if (invocation.has("help") || invocation.has("version")) return invocation;
  if (auto fault = check_flags(global_flags(), invocation)) return *fault;
  if (invocation.command == nullptr) {
    if (path.empty()) return invocation;
    const auto candidates = commands_below(path);
    return failure(client::codes::usage, path, "needs one of " + base::join(candidates, ", "), help_hint(path));
  }
  if (auto fault = check_arguments(invocation)) return *fault;
  if (auto fault = check_flags(invocation.command->flags, invocation)) return *fault;
  return invocation;
}

}  // namespace

const std::vector<std::string>& Invocation::all(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = words.find(name);
  return found == words.end() ? none : found->second;
}

const std::string& Invocation::value(std::string_view name) const {
  static const std::string none;
  const auto& values = all(name);
  return values.empty() ? none : values.back();
}

Failure unknown_word(std::string what, std::string why, std::string_view word,
                     const std::vector<std::string>& candidates) {
  const auto meant = base::closest(word, candidates);
  return failure(client::codes::usage, std::move(what), std::move(why), meant ? "did you mean " + *meant + "?" : "");
}

Result<Invocation> parse(const std::vector<std::string>& arguments) {
  CLI::App root;
  prepare(root);
  Bound global;
  for (const auto& flag : global_flags()) bind_flag(root, flag, global);
  std::vector<Bound> bounds;
  for (const auto& command : all_commands()) {
    Bound bound;
    bound.command = &command;
    bound.app = &app_at(root, command.path);
    for (const auto& flag : command.flags) bind_flag(*bound.app, flag, bound);
    for (const auto& argument : command.arguments) bind_argument(*bound.app, argument, bound);
    bounds.push_back(std::move(bound));
  }
  try {
    std::vector<std::string> reversed;  // what CLI11 wants
    std::transform(arguments.rbegin(), arguments.rend(), std::back_inserter(reversed), marked);
    root.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string text = error.what();
    return failure(client::codes::usage, text.substr(0, text.find(':')), "this flag needs a value", help_hint(""));
  } catch (const CLI::ParseError& error) {
    return failure(client::codes::usage, "command line", error.what(), help_hint(""));
  }
  const CLI::App* chosen = &root;
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  Invocation invocation;
  if (auto fault = collect(global, global_flags(), invocation)) return *fault;
  for (const auto& bound : bounds) {
    if (bound.app != chosen) continue;
    invocation.command = bound.command;
    if (auto fault = collect(bound, bound.command->flags, invocation)) return *fault;
  }
  // CLI11 leaves the "--" that ends the flags.
  auto leftovers = root.remaining(true);
  leftovers.erase(std::remove(leftovers.begin(), leftovers.end(), "--"), leftovers.end());
  std::transform(leftovers.begin(), leftovers.end(), leftovers.begin(), unmarked);
  return check(std::move(invocation), leftovers, path_of(chosen));
}

}  // namespace webhookd::whctl
