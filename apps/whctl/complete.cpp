#include "complete.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>

#include "base/id.hpp"
#include "base/text.hpp"
#include "control/client/connection.hpp"
#include "json.hpp"
#include "parse.hpp"
#include "safe_text.hpp"
#include "target.hpp"
#include "values.hpp"

namespace webhookd::whctl {

namespace {

using Steady = std::chrono::steady_clock;

constexpr base::Duration answer_budget{180};  // of all calls together; the rest of the 250 ms is process start
constexpr std::size_t listed_max = 1000;
constexpr std::size_t recent_max = 50;

// ---- the line so far
// -------------------------------------------------------------------------------------------------

// The finished words, read as the parser would, but forgiving.
class LineSoFar {
 public:
  void read(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) take(words[i]);
  }

  const Command* command() const { return find_command(path_); }
  const std::string& path() const { return path_; }
  const std::vector<std::string>& arguments() const { return arguments_; }
  bool takes_flags() const { return !flags_ended_; }
  const Flag* open_flag() const { return open_flag_; }  // the next word is its value
  const std::string& socket() const { return socket_; }
  bool was_given(const Flag& flag) const { return std::find(given_.begin(), given_.end(), &flag) != given_.end(); }

  std::vector<const Flag*> flags() const {
    std::vector<const Flag*> all;
    if (command() != nullptr) {
      for (const auto& flag : command()->flags) all.push_back(&flag);
    }
    for (const auto& flag : global_flags()) all.push_back(&flag);
    return all;
  }

  const Flag* find_flag(std::string_view name) const {
    for (const Flag* flag : flags()) {
      if (flag->name == name) return flag;
    }
    return nullptr;
  }

 private:
  void take(const std::string& word) {
    if (open_flag_ != nullptr) {
      give(*open_flag_, word);
      open_flag_ = nullptr;
    } else if (flags_ended_ || word.size() < 2 || word.front() != '-') {
      take_plain(word);
    } else if (word == "--") {
      flags_ended_ = true;
    } else if (word.starts_with("--")) {
      take_long(word.substr(2));
    } else {
      take_letters(word.substr(1));
    }
  }

  void take_plain(const std::string& word) {
    const std::string longer = path_.empty() ? word : path_ + " " + word;
    const auto& all = all_commands();
    const bool is_command = arguments_.empty() && std::any_of(all.begin(), all.end(), [&](const Command& command) {
                              return command.path == longer || command.path.starts_with(longer + " ");
                            });
    if (is_command) {
      path_ = longer;
    } else {
      arguments_.push_back(word);
    }
  }

  void take_long(const std::string& text) {
    const auto equals = text.find('=');
    const Flag* flag = find_flag(text.substr(0, equals));
    if (flag == nullptr) return;
    if (equals != std::string::npos) {
      give(*flag, text.substr(equals + 1));
    } else if (flag->value.empty()) {
      give(*flag, "");
    } else {
      open_flag_ = flag;
    }
  }

  void take_letters(const std::string& letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const auto all = flags();
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const Flag* flag) { return flag->letter == letters[i]; });
      if (found == all.end()) return;
      if ((*found)->value.empty()) {
        give(**found, "");
        continue;
      }
      if (i + 1 == letters.size()) {
        open_flag_ = *found;
      } else {
        give(**found, letters.substr(i + 1));
      }
      return;
    }
  }

  void give(const Flag& flag, const std::string& value) {
    given_.push_back(&flag);
    if (flag.role == Role::address && flag.name == "socket") socket_ = value;
  }

  std::string path_;
  std::vector<std::string> arguments_;
  bool flags_ended_ = false;
  const Flag* open_flag_ = nullptr;
  std::vector<const Flag*> given_;
  std::string socket_;
};

// ---- what the daemon knows
// -------------------------------------------------------------------------------------------

class Daemon {
 public:
  Daemon(std::string socket, Steady::time_point end) : connection_({std::move(socket), answer_budget}), end_(end) {}

  // The items of the first page of a list; none when it cannot be had in time.
  std::vector<Json> items(const std::string& target) { return page(target)["items"].elements(); }
  // Of all its pages, as far as they can be had in time.
  std::vector<Json> all_items(const std::string& target) {
    std::vector<Json> all;
    std::string cursor;
    do {
      const Json list = page(target + (cursor.empty() ? "" : "&cursor=" + client::percent_encode(cursor)));
      for (const auto& item : list["items"].elements()) all.push_back(item);
      cursor = list["next_cursor"].text();
    } while (!cursor.empty());
    return all;
  }

 private:
  Json page(const std::string& target) {
    client::Request request;
    request.target = target;
    request.silence_timeout = std::chrono::duration_cast<base::Duration>(end_ - Steady::now());
    if (*request.silence_timeout <= base::Duration{0}) return {};
    auto response = connection_.request(request);
    if (!response || response->head.status != 200) return {};
    auto document = Document::parse(std::move(response->body));
    if (!document) return {};
    documents_.push_back(std::move(*document));
    return documents_.back().root();
  }

  client::Connection connection_;
  Steady::time_point end_;
  std::deque<Document> documents_;  // items point into them
};

void add_webhooks(Daemon& daemon, std::string_view prefix, std::vector<Offer>& names) {
  const bool wants_ids = prefix.starts_with(base::WebhookKind::prefix);
  const std::string search = prefix.empty() ? "" : "&search=" + client::percent_encode(prefix);
  for (const auto& webhook : daemon.all_items("/v1/webhooks?limit=" + std::to_string(listed_max) + search)) {
    const std::string name = webhook["display_name"].text();
    names.push_back({name, safe_line(webhook["url"].text())});
    if (wants_ids) names.push_back({webhook["id"].text(), safe_line(name)});
  }
}

void add_listed_messages(Daemon& daemon, std::string_view filter, std::vector<Offer>& names) {
  for (const auto& message : daemon.items("/v1/messages?limit=" + std::to_string(recent_max) + std::string(filter))) {
    names.push_back({message["id"].text(), safe_line(message["status"].text() + ", " + message["type"].text() + " to " +
                                                     message["webhook"].text())});
  }
}

void add_messages(Daemon& daemon, std::string_view, std::vector<Offer>& names) {
  add_listed_messages(daemon, "", names);
}

void add_waiting_messages(Daemon& daemon, std::string_view, std::vector<Offer>& names) {
  add_listed_messages(daemon, "&status=created,retrying", names);
}

void add_events(Daemon& daemon, std::string_view, std::vector<Offer>& names) {
  for (const auto& message : daemon.items("/v1/messages?limit=" + std::to_string(recent_max))) {
    const std::string id = message["event_id"].text();
    const bool is_known = std::any_of(names.begin(), names.end(), [&](const Offer& name) { return name.value == id; });
    if (!is_known) names.push_back({id, safe_line(message["type"].text())});
  }
}

void add_running_tasks(Daemon& daemon, std::string_view, std::vector<Offer>& names) {
  for (const auto& task : daemon.items("/v1/tasks?limit=" + std::to_string(recent_max))) {
    const std::string state = task["state"].text();
    if (state == "running") names.push_back({task["id"].text(), safe_line(state + ", " + task["action"].text())});
  }
}

void add_listed_types(Daemon& daemon, bool with_patterns, std::vector<Offer>& names) {
  if (with_patterns) names.push_back({"*", "every type"});
  std::string last;
  for (const auto& type : daemon.items("/v1/types?limit=" + std::to_string(listed_max))) {
    const std::string name = type["name"].text();
    const std::string resource = name.substr(0, name.find('.')) + ".*";
    if (with_patterns && resource != last) names.push_back({resource, ""});
    last = resource;
    names.push_back({name, safe_line(type["description"].text())});
  }
}

void add_types(Daemon& daemon, std::string_view, std::vector<Offer>& names) { add_listed_types(daemon, false, names); }

void add_patterns(Daemon& daemon, std::string_view, std::vector<Offer>& names) {
  add_listed_types(daemon, true, names);
}

struct Source {
  Role role;
  std::string_view typed;  // asked only when the word begins like this
  void (*add)(Daemon& daemon, std::string_view prefix, std::vector<Offer>& names);
};
constexpr std::array sources{Source{Role::webhook, "", add_webhooks},
                             Source{Role::message, "", add_messages},
                             Source{Role::event, "", add_events},
                             Source{Role::subject, base::MessageKind::prefix, add_messages},
                             Source{Role::subject, base::EventKind::prefix, add_events},
                             Source{Role::subject, "", add_webhooks},
                             Source{Role::awaitable, "", add_messages},
                             Source{Role::awaitable, "", add_events},
                             Source{Role::awaitable, "", add_running_tasks},
                             Source{Role::cancellable, "", add_waiting_messages},
                             Source{Role::cancellable, "", add_running_tasks},
                             Source{Role::event_type, "", add_types},
                             Source{Role::event_pattern, "", add_patterns}};

std::vector<Offer> ask_daemon(Role role, const std::string& socket, std::string_view prefix) {
  if (socket.starts_with("ssh://")) return {};  // nobody waits for that at a tab key
  Daemon daemon(socket, Steady::now() + answer_budget);
  std::vector<Offer> names;
  for (const auto& source : sources) {
    if (source.role == role && prefix.starts_with(source.typed)) source.add(daemon, prefix, names);
  }
  return names;
}

bool is_from_daemon(Role role) {
  return std::any_of(sources.begin(), sources.end(), [&](const Source& source) { return source.role == role; });
}

// ---- offers
// ----------------------------------------------------------------------------------------------------------

void offer(Offers& offers, std::string_view prefix, std::string value, std::string_view words,
           std::string_view before = "") {
  if (value.starts_with(prefix)) offers.list.push_back({std::string(before) + value, std::string(words)});
}

struct Wanted {
  Role role;
  const std::vector<std::string_view>& choices;
  bool takes_list;
};

// `before` is what already stands of the same word ("--status=", "failed,") and stays there.
void offer_values(Offers& offers, const Wanted& wanted, std::string_view word, std::string before,
                  const std::string& socket, const LiveNames& live) {
  std::vector<std::string> given;
  if (wanted.takes_list) {
    const auto comma = word.rfind(',');
    if (comma != std::string_view::npos) {
      before += word.substr(0, comma + 1);
      given = split_list(word.substr(0, comma));
      word.remove_prefix(comma + 1);
    }
  }
  for (const auto choice : wanted.choices) {
    const bool is_given = std::find(given.begin(), given.end(), choice) != given.end();
    if (!is_given) offer(offers, word, std::string(choice), "", before);
  }
  offers.wants_files = wanted.role == Role::file || wanted.role == Role::address;
  if (!is_from_daemon(wanted.role)) return;
  for (auto& name : live(wanted.role, socket, word)) offer(offers, word, std::move(name.value), name.words, before);
}

void offer_flag_value(Offers& offers, const Flag& flag, std::string_view word, std::string before,
                      const std::string& socket, const LiveNames& live) {
  offer_values(offers, {flag.role, flag.choices, flag.takes_list}, word, std::move(before), socket, live);
}

void offer_flags(Offers& offers, const LineSoFar& line, const std::string& word, const LiveNames& live) {
  const auto equals = word.find('=');
  if (equals != std::string::npos && word.starts_with("--")) {
    const Flag* flag = line.find_flag(word.substr(2, equals - 2));
    if (flag == nullptr || flag->value.empty()) return;
    offer_flag_value(offers, *flag, word.substr(equals + 1), word.substr(0, equals + 1), line.socket(), live);
    return;
  }
  for (const Flag* flag : line.flags()) {
    if (line.was_given(*flag) && !flag->is_repeated) continue;
    offer(offers, word, "--" + std::string(flag->name), flag->help);
  }
}

// The next words of the commands below a path.
void offer_commands(Offers& offers, const std::string& path, const std::string& word) {
  const std::string prefix = path.empty() ? "" : path + " ";
  for (const auto& command : all_commands()) {
    if (is_hidden(command) || !command.path.starts_with(prefix) || command.path.size() == prefix.size()) continue;
    const auto rest = command.path.substr(prefix.size());
    const std::string next(rest.substr(0, rest.find(' ')));
    const bool is_known = !offers.list.empty() && offers.list.back().value == next;
    if (is_known || next.empty()) continue;
    const bool is_group = next.size() < rest.size();
    offer(offers, word, next, is_group ? "" : command.help);
  }
}

void offer_argument(Offers& offers, const LineSoFar& line, const std::string& word, const LiveNames& live) {
  const Command* command = line.command();
  if (command == nullptr || command->arguments.empty()) return;
  const bool is_past = line.arguments().size() >= command->arguments.size();
  if (is_past && !command->arguments.back().is_repeated) return;
  const auto& argument = is_past ? command->arguments.back() : command->arguments[line.arguments().size()];
  if (argument.role == Role::command) {
    offer_commands(offers, base::join(line.arguments(), " "), word);
    return;
  }
  offer_values(offers, {argument.role, argument.choices, false}, word, "", line.socket(), live);
}

}  // namespace

std::string without_quotes(std::string_view word) {
  std::string plain;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < word.size()) {
      const char next = word[i + 1];
      const bool is_escape = quote == 0 || std::string_view("\"\\$`").find(next) != std::string_view::npos;
      plain += is_escape ? word[++i] : c;
    } else if (c != '\\' || quote == '\'') {
      plain += c;
    }
  }
  return plain;
}

Offers offers_for(const std::vector<std::string>& words, const LiveNames& live) {
  Offers offers;
  if (words.empty()) return offers;
  LineSoFar line;
  line.read(words);
  const std::string& word = words.back();
  if (line.open_flag() != nullptr) {
    offer_flag_value(offers, *line.open_flag(), word, "", line.socket(), live);
    return offers;
  }
  if (line.takes_flags() && word.starts_with('-')) {
    offer_flags(offers, line, word, live);
    return offers;
  }
  if (line.arguments().empty()) offer_commands(offers, line.path(), word);
  offer_argument(offers, line, word, live);
  return offers;
}

void print_offers(std::vector<std::string> words, const Environment& environment, const Console& console) {
  if (!words.empty() && words.front() == "--quoted") {
    words.erase(words.begin());
    for (auto& word : words) word = without_quotes(word);
  }
  const auto offers = offers_for(words, [&](Role role, const std::string& socket, std::string_view prefix) {
    Invocation invocation;
    if (!socket.empty()) invocation.words["socket"] = {socket};
    const auto settings = resolve_settings(invocation, environment);
    return settings ? ask_daemon(role, settings->socket_path, prefix) : std::vector<Offer>{};
  });
  for (const auto& [value, description] : offers.list) {
    console.out.line(description.empty() ? value : value + "\t" + description);
  }
  console.out.line(offers.wants_files ? ":files" : ":");
}

}  // namespace webhookd::whctl
