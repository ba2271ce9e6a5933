#include "session.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/text.hpp"
#include "exit_codes.hpp"
#include "safe_text.hpp"
#include "tunnel.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t page_limit = 1000;

OutputOptions output_options(const Settings& settings, const Environment& environment, const Console& console) {
  OutputOptions options;
  options.format = settings.format;
  options.ids_only = settings.is_quiet;
  options.has_headers = settings.has_headers;
  options.truncates = settings.truncates;
  options.has_color = wants_color(settings, environment, console.out_is_terminal);
  options.is_terminal = console.out_is_terminal;
  options.is_ascii = console.out_is_terminal && !speaks_utf8(environment);
  options.width = console.width;
  options.fields = settings.fields;
  return options;
}

std::string read_line(int descriptor) {
  std::string line;
  char c = 0;
  for (;;) {
    const auto count = ::read(descriptor, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n' || line.size() > 100) return line;
    line += c;
  }
}

// What a pointer names, as people write it: "retry.max", "events[0]", "limit" of "?limit".
std::string name_of_pointer(std::string_view pointer) {
  std::string name;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string token(pointer.substr(0, pointer.find('/')));
    const bool is_index = !token.empty() && token.find_first_not_of("0123456789") == std::string::npos;
    name += is_index ? "[" + token + "]" : name.empty() ? token : "." + token;
    pointer.remove_prefix(token.size());
  }
  return name;
}

// The tool itself said which version it had read: people are told what that means.
client::Failure in_words(client::Failure failure) {
  if (failure.code != "version_mismatch") return failure;
  failure.why = "somebody else changed it in the meantime; nothing of this was changed";
  failure.hint = "look at it as it is now, and do it again";
  return failure;
}

// Whether `text` has the word, not as a part of a longer one.
bool has_word(std::string_view text, std::string_view word) {
  const auto is_inside = [&](std::size_t at) {
    return at < text.size() && (base::is_letter(text[at]) || base::is_digit(text[at]) || text[at] == '_');
  };
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !is_inside(at - 1)) && !is_inside(at + word.size())) return true;
  }
  return false;
}

// "whctl: what: ", without `what` when the sentence names it.
std::string prefix_of(const client::Failure& failure, std::string_view sentence) {
  const bool says_it_itself = failure.what.empty() || has_word(sentence, failure.what);
  return "whctl: " + (says_it_itself ? "" : safe_line(failure.what) + ": ");
}

// Candidates stand below the sentence, one a line, and not in it; what the daemon says behind them is the last line.
std::string candidates_text(const client::Failure& failure) {
  std::vector<std::string> candidates;
  for (const auto& field : failure.fields) candidates.push_back(field.detail);
  const std::string list = ": " + base::join(candidates, ", ");
  const auto at = failure.why.find(list);
  const std::string sentence = failure.why.substr(0, at);
  std::string text = prefix_of(failure, sentence) + safe_line(sentence) + "\n";
  for (const auto& candidate : candidates) text += "  " + safe_line(candidate) + "\n";
  const std::string rest = at == failure.why.npos ? "" : failure.why.substr(at + list.size());
  if (rest.starts_with(", ")) text += "  " + safe_line(rest.substr(2)) + "\n";
  return text;
}

}  // namespace

Session::Session(Settings settings, const Environment& environment, Console console)
    : settings_(std::move(settings)),
      console_(console),
      connection_({settings_.socket_path, settings_.connect_timeout, settings_.wait_for_daemon,
                   dialler_of(settings_.socket_path)}),
      output_(output_options(settings_, environment, console_), console_.out, [this] { return now(); }) {}

void Session::check_version(const client::ResponseHead& head) {
  const auto version = head.header("webhookd-version");
  if (!version || *version == WEBHOOKD_VERSION || has_warned_) return;
  has_warned_ = true;
  note("whctl " WEBHOOKD_VERSION " talks to webhookd " + safe_line(*version) +
       ": they are meant to be the same version");
}

client::Request Session::with_reason(client::Request request) const {
  if (!settings_.reason.empty()) request.headers.emplace_back("Webhookd-Reason", settings_.reason);
  return request;
}

Result<client::Response> Session::ask(client::Request request) {
  return connection_.request(with_reason(std::move(request)));
}

Result<client::ResponseHead> Session::ask(client::Request request, const client::BodySink& sink) {
  return connection_.request(with_reason(std::move(request)), sink);
}

Result<Answer> Session::exchange(const client::Request& request) {
  auto response = ask(request);
  if (!response) return response.error();
  check_version(response->head);
  if (response->head.status < 200 || response->head.status > 299) {
    return in_words(client::failure_of(response->head.status, response->body));
  }
  auto document = Document::parse(response->body.empty() ? "null" : std::move(response->body));
  if (!document) return failure(client::codes::bad_answer, request.target, "the answer is not JSON");
  return Answer{std::move(response->head), std::move(*document)};
}

Result<Document> Session::get(std::string target) {
  client::Request request;
  request.target = std::move(target);
  auto answer = exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

Result<Document> Session::send(std::string_view method, std::string target, std::string_view body) {
  client::Request request;
  request.method = method;
  request.target = std::move(target);
  request.body = body;
  auto answer = exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

Result<Session::Listed> Session::list(const std::string& target, std::size_t limit) {
  Listed listed;
  std::string cursor;
  do {
    Target page(target);
    page.add("limit", std::to_string(std::min(limit - listed.items.size(), page_limit)));
    if (!cursor.empty()) page.add("cursor", cursor);
    auto document = get(page.text());
    if (!document) return document.error();
    listed.pages.push_back(std::move(*document));
    const Json root = listed.pages.back().root();
    for (const auto& item : root["items"].elements()) listed.items.push_back(item);
    listed.next_cursor = root["next_cursor"];
    cursor = listed.next_cursor.text();
  } while (!cursor.empty() && listed.items.size() < limit);
  return listed;
}

base::Time Session::now() {
  if (const auto clock = get("/v1/clock")) {
    if (const auto time = base::parse_time(clock->root()["now"].text())) return *time;
  }
  return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now());
}

void Session::note(std::string_view text) {
  if (settings_.is_quiet) return;
  console_.err.line(text);
  console_.err.flush();
}

void Session::warn(std::string_view text) {
  console_.out.flush();
  note("whctl: warning: " + safe_line(text));
}

Result<void> Session::can_confirm() const {
  if (settings_.assumes_yes) return {};
  if (!settings_.never_asks && console_.in_is_terminal && console_.err_is_terminal) return {};
  return failure(client::codes::usage, "--yes", "this has to be confirmed, and there is nobody to ask",
                 "give --yes to do it without a question");
}

Result<void> Session::confirm(std::string_view question) {
  if (settings_.assumes_yes) return {};
  auto possible = can_confirm();
  if (!possible) return possible;
  console_.err.write(safe_line(question) + " [y/N] ");
  console_.err.flush();
  const std::string answer = read_line(console_.in);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return failure("refused", "nothing done", "the question was answered with no");
}

void Session::report(const client::Failure& failure) {
  console_.out.flush();
  console_.err.write(failure_text(failure));
  console_.err.flush();
}

bool is_away(const client::Failure& failure) {
  return failure.code == client::codes::unreachable || failure.code == client::codes::timed_out ||
         failure.code == "unavailable";
}

Result<ExitCode> for_each_name(Session& session, const std::vector<std::string>& names,
                               const std::function<Result<void>(const std::string& name)>& action) {
  std::size_t failed = 0;
  for (const auto& name : names) {
    auto done = action(name);
    if (done) continue;
    const auto failure = client::about(name, done.error());
    const bool is_hopeless = exit_code_of(failure.code) == ExitCode::unreachable;
    if (names.size() == 1 || is_hopeless) return failure;
    session.report(failure);
    ++failed;
  }
  return failed == 0 ? ExitCode::done : ExitCode::bulk_partial;
}

std::string failure_text(const client::Failure& failure) {
  std::string text;
  const bool lists_candidates = failure.code == "ambiguous_id" && !failure.fields.empty();
  if (lists_candidates) text = candidates_text(failure);
  for (const auto& field : failure.fields) {
    if (lists_candidates) break;
    const std::string name = name_of_pointer(field.pointer);
    const bool names_itself = name.empty() || field.detail.starts_with(name.substr(0, name.find_first_of(".[")));
    text += prefix_of(failure, field.detail) + (names_itself ? "" : safe_line(name) + ": ") + safe_line(field.detail) +
            "\n";
  }
  if (text.empty()) text = prefix_of(failure, failure.why) + safe_line(failure.why) + "\n";
  if (!failure.hint.empty()) text += "hint: " + safe_line(failure.hint) + "\n";
  return text;
}

}  // namespace webhookd::whctl
