// Commands that make events: emit and trigger. (emit --batch is batch.cpp.)
#include <array>

#include "batch.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/limits.hpp"
#include "input.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "values.hpp"
#include "views.hpp"
#include "waiting.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view data_hint = "give it with -d JSON, -d @FILE, or on standard input";

// The bytes of `data`, checked to be one JSON value: they go into the request as they are, and must not end it early.
Result<std::string> read_data(Session& session, const Invocation& invocation) {
  std::string text;
  const auto& given = invocation.value("data");
  if (invocation.has("data") && given != "-" && !given.starts_with('@')) {
    text = given;
  } else {
    if (!invocation.has("data") && session.console().in_is_terminal) {
      return failure(client::codes::usage, "--data", "the event has no data", std::string(data_hint));
    }
    auto read = read_input(given.starts_with('@') ? given.substr(1) : "-", session.console().in);
    if (!read) return read.error();
    text = std::move(*read);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return failure(client::codes::usage, "--data", "the data is empty", std::string(data_hint));
  }
  const auto checked = protocol::check_json(text, domain::limits::json_depth);
  if (!checked) return failure(client::codes::usage, "--data", checked.error().detail);
  return text;
}

Result<std::string> event_body(Session& session, const Invocation& invocation, std::string_view data) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object().name("type").string(invocation.value("TYPE")).name("data").raw(data);
  if (invocation.has("at")) {
    const auto time = time_value(invocation, "at", [&] { return session.now(); });
    if (!time) return time.error();
    json.name("timestamp").time(*time);
  }
  if (invocation.has("key")) json.name("idempotency_key").string(invocation.value("key"));
  json.end_object();
  return body;
}

Result<ExitCode> send_event(Session& session, const Invocation& invocation, std::string_view data) {
  const auto timeout = wait_timeout(invocation);
  if (!timeout) return timeout.error();
  const auto body = event_body(session, invocation, data);
  if (!body) return body.error();
  auto accepted = session.send("POST", "/v1/events", *body);
  if (!accepted) return accepted.error();
  const Json event = accepted->root();
  for (const auto& warning : event["warnings"].elements()) session.warn(warning["detail"].text());
  if (event["duplicate"].truth()) session.note("this idempotency key was used before: nothing new was made");
  if (!invocation.has("wait")) {
    const auto printed = session.output().made(event_view(), event);
    return printed ? Result<ExitCode>(ExitCode::done) : printed.error();
  }
  return wait_and_print(session, {event_view(), event, event["id"].text(), event_view()}, *timeout);
}

struct NotOfBatch {
  std::string_view word;
  std::string_view shown;
  std::string_view why;
};
constexpr std::string_view of_each_line = "does not go with --batch: each line says its own";
constexpr std::string_view of_one_event = "does not go with --batch: only one event is waited for";
constexpr std::array not_of_batch{
    NotOfBatch{"TYPE", "TYPE", of_each_line},   NotOfBatch{"data", "--data", of_each_line},
    NotOfBatch{"key", "--key", of_each_line},   NotOfBatch{"at", "--at", of_each_line},
    NotOfBatch{"wait", "--wait", of_one_event}, NotOfBatch{"timeout", "--timeout", of_one_event},
};

Result<ExitCode> emit_lines(Session& session, const Invocation& invocation) {
  for (const auto& row : not_of_batch) {
    if (invocation.has(row.word)) return failure(client::codes::usage, std::string(row.shown), std::string(row.why));
  }
  return emit_batch(session, invocation.value("batch"));
}

}  // namespace

Result<ExitCode> emit_event(Session& session, const Invocation& invocation) {
  if (invocation.has("batch")) return emit_lines(session, invocation);
  if (!invocation.has("TYPE")) {
    return failure(client::codes::usage, "TYPE", "this argument is missing", "`whctl types` lists the event types");
  }
  const auto data = read_data(session, invocation);
  if (!data) return data.error();
  return send_event(session, invocation, *data);
}

Result<ExitCode> trigger_event(Session& session, const Invocation& invocation) {
  const auto& name = invocation.value("TYPE");
  auto type = session.get(path_to("types", name));
  if (!type) return type.error();
  const Json example = type->root()["example"];
  if (example.is_null())
    return failure(client::codes::usage, name, "this type has no example", "use `whctl emit` with -d");
  std::string data(example.raw());
  for (const auto& change : invocation.all("set")) {
    const auto equals = change.find('=');
    const auto path = change.substr(0, equals);
    const auto value = equals == std::string::npos ? std::string() : change.substr(equals + 1);
    const bool is_change = !path.empty() && protocol::check_json(value, domain::limits::json_depth).has_value();
    if (!is_change)
      return failure(client::codes::usage, "--set", "cannot read \"" + change + "\"",
                     "write A.B=JSON; a text needs quotes: name='\"x\"'");
    data = with_value_at(data, path, value);
  }
  return send_event(session, invocation, data);
}

}  // namespace webhookd::whctl
