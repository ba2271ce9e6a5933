#include "definition.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "control/protocol/json_write.hpp"
#include "domain/header.hpp"
#include "domain/limits.hpp"
#include "input.hpp"
#include "values.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;
using protocol::JsonWriter;

namespace {

using Write = Result<void>(JsonWriter&, const Invocation&, std::string_view flag, Session&);

Result<void> write_text(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  json.string(invocation.value(flag));
  return {};
}

Result<void> write_list(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  json.begin_array();
  for (const auto& element : invocation.all(flag)) json.string(element);
  json.end_array();
  return {};
}

Result<void> write_inactive(JsonWriter& json, const Invocation&, std::string_view, Session&) {
  json.string(domain::to_string(domain::WebhookStatus::inactive));
  return {};
}

Result<void> write_duration(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  const auto duration = duration_value(invocation, flag);
  if (!duration) return duration.error();
  json.seconds(*duration);
  return {};
}

Result<void> write_count(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  const auto count = count_value(invocation, flag, domain::limits::in_flight_max);
  if (!count) return count.error();
  json.number(*count);
  return {};
}

Result<void> write_decimal(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  const auto value = parse_decimal(flag, invocation.value(flag));
  if (!value) return value.error();
  json.number(*value);
  return {};
}

Result<void> write_rate(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session&) {
  if (invocation.value(flag) == "none") {
    json.null();
    return {};
  }
  const auto rate = parse_rate(flag, invocation.value(flag));
  if (!rate) return rate.error();
  json.number(*rate);
  return {};
}

// Headers that are added, and in a patch those that are removed.
Result<void> write_headers(JsonWriter& json, const Invocation& invocation, std::string_view, Session&) {
  json.begin_object();
  for (const auto& name : invocation.all("remove-header")) json.name(name).null();
  for (const auto& line : invocation.all("header")) {
    const auto header = domain::parse_header_line(line);
    if (!header) return failure(client::codes::usage, "--header", header.error().detail);
    json.name(header->name).string(header->value);
  }
  json.end_object();
  return {};
}

Result<void> write_secrets(JsonWriter& json, const Invocation& invocation, std::string_view flag, Session& session) {
  const auto secrets = read_secrets(invocation.value(flag), session.console().in);
  if (!secrets) return secrets.error();
  json.begin_array();
  for (const auto& secret : *secrets) json.string(domain::format_secret(secret));
  json.end_array();
  return {};
}

struct Member {
  std::string_view flag;
  std::string_view name;
  Write* write;
};

constexpr std::array members{Member{"url", "url", write_text},
                             Member{"event", "events", write_list},
                             Member{"inactive", "status", write_inactive},
                             Member{"name", "display_name", write_text},
                             Member{"description", "description", write_text},
                             Member{"secret-file", "secrets", write_secrets},
                             Member{"signature", "signature", write_text},
                             Member{"format", "format", write_text},
                             Member{"timeout", "timeout", write_duration},
                             Member{"max-in-flight", "max_in_flight", write_count},
                             Member{"rate", "rate", write_rate}};

constexpr std::array retry_members{
    Member{"retry-initial", "initial", write_duration}, Member{"retry-factor", "factor", write_decimal},
    Member{"retry-max", "max", write_duration}, Member{"retry-window", "window", write_duration}};

constexpr std::array tls_members{Member{"tls-client-cert", "client_cert", write_text},
                                 Member{"tls-client-key", "client_key", write_text}};
constexpr std::array header_file_members{Member{"auth-file", "file", write_text}};
constexpr std::array oauth2_members{Member{"oauth2-token-url", "token_url", write_text},
                                    Member{"oauth2-client-id", "client_id", write_text},
                                    Member{"oauth2-client-secret-file", "client_secret_file", write_text},
                                    Member{"oauth2-scope", "scopes", write_list}};

// Members that are objects. The word `none` for the first flag of a removable one takes the object away.
struct Group {
  std::string_view name;
  std::string_view type;  // the object's "type"; empty when it has none
  std::span<const Member> members;
  bool is_removable;
};

constexpr std::array groups{Group{"retry", "", retry_members, false}, Group{"tls", "", tls_members, true},
                            Group{"auth", "header_file", header_file_members, true},
                            Group{"auth", "oauth2", oauth2_members, false}};
constexpr std::string_view removing = "none";

Result<void> write_members(JsonWriter& json, std::span<const Member> table, const Invocation& invocation,
                           Session& session) {
  for (const auto& member : table) {
    if (!invocation.has(member.flag)) continue;
    json.name(member.name);
    auto written = member.write(json, invocation, member.flag, session);
    if (!written) return written.error();
  }
  return {};
}

bool is_named(const Group& group, const Invocation& invocation) {
  return std::any_of(group.members.begin(), group.members.end(),
                     [&](const Member& member) { return invocation.has(member.flag); });
}

Result<void> write_group(JsonWriter& json, const Group& group, const Invocation& invocation, Session& session) {
  const auto first = group.members.front().flag;
  json.name(group.name);
  if (group.is_removable && invocation.has(first) && invocation.value(first) == removing) {
    json.null();
    return {};
  }
  json.begin_object();
  if (!group.type.empty()) json.name("type").string(group.type);
  auto written = write_members(json, group.members, invocation, session);
  if (!written) return written.error();
  json.end_object();
  return {};
}

Result<void> write_groups(JsonWriter& json, const Invocation& invocation, Session& session) {
  const Group* last = nullptr;
  for (const auto& group : groups) {
    if (!is_named(group, invocation)) continue;
    if (last != nullptr && last->name == group.name) {
      return failure(client::codes::usage, "--" + std::string(group.members.front().flag),
                     "cannot be combined with --" + std::string(last->members.front().flag));
    }
    auto written = write_group(json, group, invocation, session);
    if (!written) return written.error();
    last = &group;
  }
  return {};
}

}  // namespace

Result<std::string> definition_members(const Invocation& invocation, Session& session) {
  std::string text;
  JsonWriter json(text);
  auto written = write_members(json, members, invocation, session);
  if (!written) return written.error();
  if (invocation.has("header") || invocation.has("remove-header")) {
    json.name("headers");
    written = write_headers(json, invocation, "header", session);
    if (!written) return written.error();
  }
  written = write_groups(json, invocation, session);
  if (!written) return written.error();
  return text;
}

}  // namespace webhookd::whctl
