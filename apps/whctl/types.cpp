// Commands about the event catalogue.
#include "control/protocol/json_write.hpp"
#include "domain/limits.hpp"
#include "input.hpp"
#include "safe_text.hpp"
#include "session.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::size_t types_max = 100'000;

Result<std::string> read_json_file(Session& session, const Invocation& invocation, std::string_view flag) {
  auto text = read_input(invocation.value(flag), session.console().in);
  if (!text) return text.error();
  const auto fault = protocol::check_json(*text, domain::limits::json_depth);
  if (!fault) return failure(client::codes::usage, "--" + std::string(flag), fault.error().detail);
  return text;
}

}  // namespace

Result<ExitCode> list_types(Session& session, const Invocation&) {
  const auto listed = session.list("/v1/types", types_max);
  if (!listed) return listed.error();
  const auto printed = session.output().list(type_view(), listed->items, listed->next_cursor);
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> show_type(Session& session, const Invocation& invocation) {
  const auto& name = invocation.value("TYPE");
  auto found = session.get(path_to("types", name));
  if (!found) return found.error();
  const Json type = found->root();
  auto& output = session.output();
  if (invocation.has("example")) {
    if (type["example"].is_null()) return failure(client::codes::not_found, name, "this type has no example");
    output.json_block(type["example"]);
    return ExitCode::done;
  }
  const auto printed = output.object(type_view(), type);
  if (!printed) return printed.error();
  if (!output.is_table() || !output.options().fields.empty()) return ExitCode::done;
  for (const auto* part : {"schema", "example"}) {
    if (type[part].is_null()) continue;
    output.heading(part == std::string_view("schema") ? "Schema" : "Example");
    output.json_block(type[part]);
  }
  return ExitCode::done;
}

Result<ExitCode> add_type(Session& session, const Invocation& invocation) {
  std::string body;
  protocol::JsonWriter json(body);
  json.begin_object().name("name").string(invocation.value("TYPE"));
  if (invocation.has("description")) json.name("description").string(invocation.value("description"));
  for (const auto* flag : {"schema", "example"}) {
    if (!invocation.has(flag)) continue;
    const auto text = read_json_file(session, invocation, flag);
    if (!text) return text.error();
    json.name(flag).raw(*text);
  }
  json.end_object();
  auto added = session.send("POST", "/v1/types", body);
  if (!added) return added.error();
  const auto printed = session.output().made(type_view(), added->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> remove_type(Session& session, const Invocation& invocation) {
  const auto& name = invocation.value("TYPE");
  auto removed = session.send("DELETE", path_to("types", name), "");
  if (!removed) return removed.error();
  session.note("removed " + safe_line(name));
  return ExitCode::done;
}

}  // namespace webhookd::whctl
