// The listen command: a receiver that prints what arrives and checks signatures. It may register itself as a webhook
// for as long as it runs, hand requests on to a program on this machine, keep them in a file, and replay such a file.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "base/text.hpp"
#include "control/protocol/json_write.hpp"
#include "crypto/signer.hpp"
#include "domain/limits.hpp"
#include "forward.hpp"
#include "input.hpp"
#include "receiver.hpp"
#include "recording.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "stop_signals.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t port_max = 65'535;
constexpr std::uint64_t status_max = 599;
constexpr std::uint64_t status_min = 200;
constexpr int bad_gateway = 502;  // what the sender sees of a program that cannot be reached
constexpr std::string_view drop_word = "drop";

struct Plan {
  std::uint16_t port = 0;
  std::vector<int> statuses{200};
  base::Duration delay{0};
  std::vector<domain::Secret> secrets;
  std::optional<domain::Url> forward_to;
  std::unique_ptr<Channel> record;  // nothing: not kept
};

Result<std::vector<int>> read_statuses(const std::string& text) {
  std::vector<int> statuses;
  for (const auto& word : split_list(text)) {
    if (word == drop_word) {
      statuses.push_back(Receiver::dropped);
      continue;
    }
    const auto status = base::parse_whole_number(word, status_max);
    if (!status || *status < status_min) {
      return failure(client::codes::usage, "--status", "\"" + word + "\" is no status from 200 to 599, nor drop",
                     "for example 500,drop,200");
    }
    statuses.push_back(static_cast<int>(*status));
  }
  if (statuses.empty()) return failure(client::codes::usage, "--status", "names no status");
  return statuses;
}

Result<std::vector<domain::Secret>> given_secrets(Session& session, const Invocation& invocation) {
  std::vector<domain::Secret> secrets;
  for (const auto& text : invocation.all("secret")) {
    auto secret = domain::parse_secret(text);
    if (!secret) return failure(client::codes::usage, "--secret", secret.error().detail);
    secrets.push_back(std::move(*secret));
  }
  if (!invocation.has("secret-file")) return secrets;
  auto more = read_secrets(invocation.value("secret-file"), session.console().in);
  if (!more) return more.error();
  for (auto& secret : *more) secrets.push_back(std::move(secret));
  return secrets;
}

// Appends, so that a second run adds to the first. Bodies may be confidential: for the owner's eyes.
Result<std::unique_ptr<Channel>> open_record(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return failure(client::codes::io, path, std::strerror(errno));
  return std::make_unique<Channel>(file);
}

// Flags of which one makes no sense without the other, or beside it.
std::optional<client::Failure> check_combination(const Invocation& invocation) {
  const auto fault = [](std::string flag, std::string why) {
    return failure(client::codes::usage, std::move(flag), std::move(why));
  };
  if (invocation.has("webhook") != invocation.has("event")) {
    return fault(invocation.has("webhook") ? "--event" : "--webhook", "--webhook NAME and -e TYPE go together");
  }
  if (invocation.has("drop") && invocation.has("status")) return fault("--drop", "write --status 500,drop,200 instead");
  if (invocation.has("replay") && !invocation.has("forward-to")) {
    return fault("--replay", "--forward-to says where the requests go");
  }
  if (invocation.has("forward-to") && (invocation.has("status") || invocation.has("drop"))) {
    return fault("--forward-to", "answers come from there: no --status, no --drop");
  }
  return std::nullopt;
}

Result<void> read_answers(const Invocation& invocation, Plan& plan) {
  if (invocation.has("drop")) plan.statuses = {Receiver::dropped};
  if (invocation.has("status")) {
    auto statuses = read_statuses(invocation.value("status"));
    if (!statuses) return statuses.error();
    plan.statuses = std::move(*statuses);
  }
  if (invocation.has("delay")) {
    const auto delay = duration_value(invocation, "delay");
    if (!delay) return delay.error();
    plan.delay = *delay;
  }
  if (invocation.has("forward-to")) {
    const auto url = read_forward_url(invocation.value("forward-to"));
    if (!url) return url.error();
    plan.forward_to = *url;
  }
  return {};
}

Result<Plan> read_plan(Session& session, const Invocation& invocation) {
  if (auto fault = check_combination(invocation)) return *fault;
  Plan plan;
  if (invocation.has("port")) {
    const auto port = count_value(invocation, "port", port_max);
    if (!port) return port.error();
    plan.port = static_cast<std::uint16_t>(*port);
  }
  const auto answers = read_answers(invocation, plan);
  if (!answers) return answers.error();
  auto secrets = given_secrets(session, invocation);
  if (!secrets) return secrets.error();
  plan.secrets = std::move(*secrets);
  if (invocation.has("record")) {
    auto record = open_record(invocation.value("record"));
    if (!record) return record.error();
    plan.record = std::move(*record);
  }
  return plan;
}

// The id of a webhook that sends here; its secrets join the plan's.
Result<std::string> register_webhook(Session& session, const Invocation& invocation, const std::string& url,
                                     Plan& plan) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object().name("display_name").string(invocation.value("webhook")).name("url").string(url);
  json.name("events").begin_array();
  for (const auto& type : invocation.all("event")) json.string(type);
  json.end_array();
  if (!plan.secrets.empty()) {
    json.name("secrets").begin_array();
    for (const auto& secret : plan.secrets) json.string(domain::format_secret(secret));
    json.end_array();
  }
  json.end_object();
  auto made = session.send("POST", "/v1/webhooks", body);
  if (!made && made.error().code == "name_taken") {
    auto taken = made.error();
    taken.hint = "when an earlier listen left it behind: whctl delete '" + invocation.value("webhook") + "'";
    return taken;
  }
  if (!made) return made.error();
  plan.secrets.clear();
  for (const auto& text : made->root()["secrets"].elements()) {
    auto secret = domain::parse_secret(text.text());
    if (!secret) return failure(client::codes::bad_answer, "secret", secret.error().detail);
    plan.secrets.push_back(std::move(*secret));
  }
  return made->root()["id"].text();
}

// One request as it is printed.
struct Line {
  std::string at;
  std::string method;
  std::string target;
  std::string type;
  std::string id;
  std::string timestamp;
  std::string signature;  // "ok", "bad", "unchecked"
  int status = 200;
  std::string body;
};

std::string type_of(const ReceivedRequest& request) {
  if (!protocol::check_json(request.body, domain::limits::json_depth + 2)) return {};
  std::string_view body = request.body;
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
  return Json(body)["type"].text();
}

std::string signature_of(const ReceivedRequest& request, const Plan& plan) {
  if (plan.secrets.empty()) return "unchecked";
  const auto timestamp = base::parse_whole_number(request.header("webhook-timestamp"), 253'402'300'799);
  const bool is_good = timestamp && crypto::verify_standard(plan.secrets, request.header("webhook-id"),
                                                            static_cast<std::int64_t>(*timestamp), request.body,
                                                            request.header("webhook-signature"));
  return is_good ? "ok" : "bad";
}

Line line_of(const ReceivedRequest& request, const Plan& plan, int status) {
  const auto now = std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now());
  return {base::format_time(now),
          request.method,
          request.target,
          type_of(request),
          request.header("webhook-id"),
          request.header("webhook-timestamp"),
          signature_of(request, plan),
          status,
          request.body};
}

std::string json_of(const Line& line) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("at").string(line.at).name("method").string(line.method);
  json.name("target").string(line.target).name("type").text_or_null(line.type);
  json.name("webhook_id").text_or_null(line.id).name("webhook_timestamp").text_or_null(line.timestamp);
  json.name("signature").string(line.signature).name("status");
  if (line.status == Receiver::dropped) {
    json.null();
  } else {
    json.number(static_cast<std::uint64_t>(line.status));
  }
  json.name("body").string(line.body).end_object();
  return text;
}

std::string status_text(int status) {
  return status == Receiver::dropped ? std::string(drop_word) : std::to_string(status);
}

// The body below its line: JSON laid out, anything else as it is, and not endlessly.
std::string body_text(const std::string& body) {
  constexpr std::size_t shown_max = 16 * 1024;
  std::string text = body.substr(0, shown_max);
  if (protocol::check_json(body, domain::limits::json_depth + 2)) {
    text = safe_json(pretty_json(body));
  } else {
    text = safe_block(text) + (body.size() > shown_max ? "..." : "");
  }
  std::string indented;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.erase(0, std::min(text.size(), line.size() + 1));
    indented += "    " + line + "\n";
  }
  return indented;
}

std::string text_of(const Line& line, const OutputOptions& options) {
  const Tone signature_tone = line.signature == "ok" ? Tone::good : line.signature == "bad" ? Tone::bad : Tone::faint;
  const bool is_good = line.status >= 200 && line.status < 300;
  const auto or_absent = [](const std::string& text) { return text.empty() ? std::string("-") : safe_line(text); };
  const Row row{{line.at},
                {safe_line(line.method) + " " + safe_line(line.target)},
                {or_absent(line.type)},
                {or_absent(line.id)},
                {line.signature, signature_tone},
                {status_text(line.status), is_good ? Tone::good : Tone::bad}};
  if (!options.is_terminal) return tab_separated({row}, options.has_color);
  std::string text;
  for (const auto& cell : row) text += (text.empty() ? "" : "  ") + in_tone(cell.text, cell.tone, options.has_color);
  return text + "\n" + body_text(line.body);
}

void print_line(Session& session, const Line& line) {
  auto& output = session.output();
  auto& out = session.console().out;
  const auto& options = output.options();
  if (options.ids_only || options.format == Format::name) {
    out.line(safe_line(line.id));
  } else if (output.is_json()) {
    out.line(json_of(line));
  } else if (options.format == Format::csv) {
    out.write(csv_line({line.at, line.method, safe_line(line.target), safe_line(line.type), safe_line(line.id),
                        line.signature, status_text(line.status)}));
  } else {
    out.write(text_of(line, options));
  }
  out.flush();
}

HttpAnswer answer_of(Session& session, const ReceivedRequest& request, const Plan& plan, std::size_t number) {
  if (!plan.forward_to) return {plan.statuses[std::min(number, plan.statuses.size() - 1)], {}, {}};
  auto answer = forward(*plan.forward_to, request);
  if (answer) return std::move(*answer);
  session.report(answer.error());
  return {bad_gateway, {}, {}};
}

void take(Session& session, const ReceivedRequest& request, const Plan& plan, int status) {
  const Line line = line_of(request, plan, status);
  if (plan.record) {
    plan.record->line(recorded_line(request, line.at, status));
    plan.record->flush();
  }
  print_line(session, line);
}

void serve(Session& session, Receiver& receiver, const Plan& plan, int stop) {
  std::size_t count = 0;
  receiver.serve(plan.delay, stop, [&](const ReceivedRequest& request) -> std::optional<HttpAnswer> {
    auto answer = answer_of(session, request, plan, count++);
    take(session, request, plan, answer.status);
    if (session.console().out.fault() != 0) return std::nullopt;
    return answer;
  });
}

// Sends what a file has, in its order, one after the other.
Result<ExitCode> replay(Session& session, const Invocation& invocation, const Plan& plan) {
  const auto& file = invocation.value("replay");
  auto lines = LineReader::open(file, session.console().in);
  if (!lines) return lines.error();
  std::size_t failed = 0;
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const auto got = lines->next(line);
    if (!got) return got.error();
    if (*got == LineReader::Line::end) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto request = read_recorded_line(line, file + ":" + std::to_string(number));
    if (!request) return request.error();
    const int status = answer_of(session, *request, plan, 0).status;
    take(session, *request, plan, status);
    failed += status < 200 || status > 299 ? 1 : 0;
  }
  return failed == 0 ? ExitCode::done : ExitCode::bulk_partial;
}

}  // namespace

Result<ExitCode> listen_for_requests(Session& session, const Invocation& invocation) {
  auto plan = read_plan(session, invocation);
  if (!plan) return plan.error();
  if (invocation.has("replay")) return replay(session, invocation, *plan);
  auto receiver = Receiver::open(plan->port);
  if (!receiver) return receiver.error();
  const StopSignals stop;
  if (stop.descriptor() < 0) return failure(client::codes::io, "signals", "cannot be watched");
  const std::string url = "http://127.0.0.1:" + std::to_string(receiver->port());
  std::string registered;
  if (invocation.has("webhook")) {
    auto id = register_webhook(session, invocation, url + "/", *plan);
    if (!id) return id.error();
    registered = std::move(*id);
  }
  session.console().err.line("listening on " + url);
  session.console().err.flush();
  serve(session, *receiver, *plan, stop.descriptor());
  if (!registered.empty()) {
    const auto removed = session.send("DELETE", path_to("webhooks", registered), "");
    if (!removed) {
      auto why = removed.error();
      const bool is_gone = why.code == client::codes::not_found;
      if (!is_gone) why.hint = "the webhook stays registered; take it away with: whctl delete " + registered;
      session.report(why);
    }
  }
  return session.console().out.fault() == 0 ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace webhookd::whctl
