// The listen command: a receiver that prints what arrives, checks signatures, and may register itself as a webhook for
// as long as it runs.
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "base/text.hpp"
#include "control/protocol/json_write.hpp"
#include "crypto/signer.hpp"
#include "domain/limits.hpp"
#include "input.hpp"
#include "receiver.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t port_max = 65'535;
constexpr std::uint64_t status_max = 599;
constexpr std::uint64_t status_min = 200;

// SIGINT and SIGTERM as a descriptor while it lives, so that the loop ends in order and the webhook goes away.
class StopSignals {
 public:
  StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    descriptor_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
  }
  ~StopSignals() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

struct Plan {
  std::uint16_t port = 0;
  std::vector<int> statuses{200};
  base::Duration delay{0};
  std::vector<domain::Secret> secrets;
};

Result<std::vector<int>> read_statuses(const std::string& text) {
  std::vector<int> statuses;
  for (const auto& word : split_list(text)) {
    const auto status = base::parse_whole_number(word, status_max);
    if (!status || *status < status_min) {
      return failure(client::codes::usage, "--status", "\"" + word + "\" is no status from 200 to 599",
                     "for example 500,500,200");
    }
    statuses.push_back(static_cast<int>(*status));
  }
  if (statuses.empty()) return failure(client::codes::usage, "--status", "names no status");
  return statuses;
}

Result<Plan> read_plan(Session& session, const Invocation& invocation) {
  Plan plan;
  if (invocation.has("port")) {
    const auto port = count_value(invocation, "port", port_max);
    if (!port) return port.error();
    plan.port = static_cast<std::uint16_t>(*port);
  }
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
  if (invocation.has("secret-file")) {
    auto secrets = read_secrets(invocation.value("secret-file"), session.console().in);
    if (!secrets) return secrets.error();
    plan.secrets = std::move(*secrets);
  }
  if (invocation.has("webhook") != invocation.has("event")) {
    return failure(client::codes::usage, invocation.has("webhook") ? "--event" : "--webhook",
                   "--webhook NAME and -e TYPE go together");
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
  json.name("signature").string(line.signature).name("status").number(static_cast<std::uint64_t>(line.status));
  json.name("body").string(line.body).end_object();
  return text;
}

std::string text_of(const Line& line, const OutputOptions& options) {
  const Tone signature_tone = line.signature == "ok" ? Tone::good : line.signature == "bad" ? Tone::bad : Tone::faint;
  const Tone status_tone = line.status < 300 ? Tone::good : Tone::bad;
  const auto or_absent = [](const std::string& text) { return text.empty() ? std::string("-") : safe_line(text); };
  const Row row{{line.at},
                {safe_line(line.method) + " " + safe_line(line.target)},
                {or_absent(line.type)},
                {or_absent(line.id)},
                {line.signature, signature_tone},
                {std::to_string(line.status), status_tone}};
  if (!options.is_terminal) return tab_separated({row});
  std::string text;
  for (const auto& cell : row) text += (text.empty() ? "" : "  ") + in_tone(cell.text, cell.tone, options.has_color);
  return text + "\n";
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
                        line.signature, std::to_string(line.status)}));
  } else {
    out.write(text_of(line, options));
  }
  out.flush();
}

void serve(Session& session, Receiver& receiver, const Plan& plan, int stop) {
  std::size_t count = 0;
  receiver.serve(plan.delay, stop, [&](const ReceivedRequest& request) -> std::optional<int> {
    const int status = plan.statuses[std::min(count++, plan.statuses.size() - 1)];
    print_line(session, line_of(request, plan, status));
    if (session.console().out.fault() != 0) return std::nullopt;
    return status;
  });
}

}  // namespace

Result<ExitCode> listen_for_requests(Session& session, const Invocation& invocation) {
  auto plan = read_plan(session, invocation);
  if (!plan) return plan.error();
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
    if (!removed) session.report(removed.error());
  }
  return session.console().out.fault() == 0 ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace webhookd::whctl
