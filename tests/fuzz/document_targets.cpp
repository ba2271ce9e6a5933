// Larger texts of the API: JSON itself, against another reader of it; histories; schemas and the data they are held
// against.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/text.hpp"
#include "control/protocol/history_codec.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/json_write.hpp"
#include "control/server/event_schema.hpp"
#include "domain/history.hpp"
#include "domain/limits.hpp"
#include "fuzz/targets.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;
using Json = nlohmann::json;
using protocol::JsonKind;
namespace limits = domain::limits;

// What nlohmann/json makes of a text. It refuses two things that are grammar: numbers past a double, lone surrogates.
std::optional<Json> read_by_another(std::string_view text) {
  Json tree = Json::parse(text.begin(), text.end(), nullptr, false);
  return tree.is_discarded() ? std::nullopt : std::optional(std::move(tree));
}

bool may_be_refused_by_another(std::string_view text) {
  return text.find("\\u") != std::string_view::npos || text.find_first_of("eE") != std::string_view::npos ||
         text.size() > 300;
}

void check_same(const Json& tree, std::string_view raw);

void check_same_members(const Json& tree, std::string_view raw) {
  const auto members = protocol::members_of(raw);
  if (members.size() != tree.size()) {  // a name is repeated: the other reader keeps one of them
    check(members.size() > tree.size(), "no member is passed over");
    return;
  }
  for (const auto& member : members) {
    check(tree.contains(member.name), "a name is decoded as another reader does");
    check_same(tree[member.name], member.value);
  }
}

// The same value, read by both.
void check_same(const Json& tree, std::string_view raw) {
  switch (protocol::kind_of(raw)) {
    case JsonKind::object:
      check(tree.is_object(), "an object is one for another reader");
      return check_same_members(tree, raw);
    case JsonKind::array: {
      const auto elements = protocol::elements_of(raw);
      check(tree.is_array() && tree.size() == elements.size(), "an array has as many elements for another reader");
      for (std::size_t i = 0; i < elements.size(); ++i) {
        check_same(tree[i], elements[i]);
      }
      return;
    }
    case JsonKind::string: {
      const auto text = protocol::decode_string(raw);
      check(tree.is_string() && text && *text == tree.get_ref<const std::string&>(), "a string says the same");
      return check(protocol::decode_any_string(raw) == *text, "a string is decoded in one way");
    }
    case JsonKind::number: {
      const auto number = protocol::decode_number(raw);
      return check(tree.is_number() && (!number || *number == tree.get<double>()), "a number has the same value");
    }
    case JsonKind::boolean:
      return check(tree.is_boolean() && tree.get<bool>() == (raw == "true"), "a truth is the same");
    case JsonKind::null:
      return check(tree.is_null(), "null is null");
  }
}

void check_members(std::string_view input, std::size_t depth) {
  const auto members = protocol::scan_object(input, depth);
  if (!members) {
    check(!members.error().detail.empty(), "a refusal has words");
    return;
  }
  check(protocol::check_json(input, depth).has_value(), "an object is JSON");
  const std::size_t start = protocol::next_token(input, 0);
  const auto walked = protocol::members_of(input.substr(start));
  check(walked.size() == members->size(), "a walk finds the members that the scan found");
  for (std::size_t i = 0; i < walked.size(); ++i) {
    check(walked[i].name == (*members)[i].name && walked[i].value == (*members)[i].value,
          "a walk finds the members that the scan found");
  }
}

std::size_t depth_of(std::string_view checked) {
  std::size_t depth = 0;
  std::size_t most = 0;
  for (std::size_t at = 0; at < checked.size(); ++at) {
    if (checked[at] == '"') {
      at = protocol::string_end(checked, at) - 1;
    } else if (checked[at] == '{' || checked[at] == '[') {
      most = std::max(most, ++depth);
    } else if (checked[at] == '}' || checked[at] == ']') {
      --depth;
    }
  }
  return most;
}

void run_json(std::string_view input) {
  const auto checked = protocol::check_json(input, limits::json_depth);
  const auto tree = read_by_another(input);
  if (checked) {
    check(base::is_valid_utf8(input), "JSON is UTF-8");
    check(depth_of(input) <= limits::json_depth, "nesting is bounded");
    check(tree.has_value() || may_be_refused_by_another(input), "what is accepted is JSON for another reader");
  } else {
    const bool is_too_deep = checked.error().detail.find("nesting") != std::string::npos;
    // Another reader may skip a byte order mark (RFC 8259 section 8.1), and takes a NUL for the end.
    const bool has_mark = input.starts_with("\xef\xbb\xbf") || input.find('\0') != std::string_view::npos;
    check(!tree || is_too_deep || has_mark, "what another reader takes for JSON is accepted");
  }
  if (checked && tree) {
    const std::size_t start = protocol::next_token(input, 0);
    check_same(*tree, input.substr(start, protocol::value_end(input, start) - start));
  }
  check_members(input, limits::json_depth);
  check_members(input, 2);
  std::string quoted;
  protocol::append_json_string(quoted, input);
  check(protocol::check_json(quoted, 1).has_value(), "whatever is written as a string is JSON");
  check(std::all_of(quoted.begin(), quoted.end(), [](char c) { return c >= 0x20 && c < 0x7f; }),
        "what is written as a string cannot steer a terminal");
  check(!base::is_valid_utf8(input) || protocol::decode_string(quoted) == input, "a string reads back the same");
}

void run_history(std::string_view input) {
  constexpr std::size_t data_max = 4096;
  constexpr base::Time now = base::time_from_ms(1'795'000'000'000);
  const auto read = protocol::read_history(input, data_max);
  if (!read) {
    check(!read.error().detail.empty(), "a refusal has words");
    return;
  }
  check(read->webhooks.size() == read->history.messages.size(), "every message names its webhook");
  check(read->history.event->data.size() <= data_max, "data stays within its bound");
  static_cast<void>(domain::check_history(*read->history.event, now));
  for (const auto& message : read->history.messages) {
    static_cast<void>(domain::check_history(message, now));
  }
  std::string line;
  protocol::append_history(line, read->history, read->webhooks, "store");
  check(line.find('\n') == line.size() - 1, "a history is one line");
  const auto again = protocol::read_history(line, data_max);
  check(again.has_value(), "a history that is written is accepted again");
  check(*again->history.event == *read->history.event, "an event that is written reads back the same");
  check(again->history.messages == read->history.messages, "messages that are written read back the same");
  check(again->webhooks == read->webhooks, "names that are written read back the same");
}

// A line with the schema, then the data.
void run_schema(std::string_view input) {
  const auto [schema_text, data] = split_at_first(input, "\n");
  if (!protocol::check_json(schema_text, limits::json_depth)) {
    return;
  }
  const auto schema = server::EventSchema::compile(schema_text);
  if (!schema) {
    check(!schema.error().fields.empty() && schema.error().fields.size() <= server::schema_faults_max + 1,
          "a schema that is refused has its faults named, and not too many");
    for (const auto& fault : schema.error().fields) {
      check(fault.pointer.starts_with("/schema"), "a fault of a schema is in the schema");
    }
    return;
  }
  if (protocol::check_json(data, limits::json_depth)) {
    const auto faults = schema->faults_of(data, "data");
    check(faults.size() <= server::schema_faults_max + 1, "not too many faults are told");
    for (const auto& fault : faults) {
      check(fault.pointer.starts_with("/data") && fault.detail.starts_with("data"), "a fault of data is in the data");
    }
  }
}

const std::string history_line =
    R"({"store":"00ff","id":"evt_0000000000001","type":"a.b","timestamp":"2026-11-23T20:24:45.123Z",)"
    R"("accepted_at":"2026-11-23T20:24:45.123Z","idempotency_key":"k","messages":[{"id":"msg_0000000000001",)"
    R"("webhook":"shop","status":"failed","reason":"expired","created_at":"2026-11-23T20:24:45.123Z",)"
    R"("deadline":"2026-11-24T20:24:45.123Z","settled_at":"2026-11-24T20:24:46Z","next_attempt_at":null,)"
    R"("planned_at":"2026-11-23T20:24:45.123Z","attempts":1,"window_failures":1,)"
    R"("last_attempt_at":"2026-11-24T20:24:45Z","last_code":503,"last_outcome":"status","failure":"HTTP 503",)"
    R"("cancelled_by":{"uid":1,"reason":null},"retried_by":null,"attempt_log":[{"number":1,)"
    R"("at":"2026-11-24T20:24:45Z","duration_ms":12,"trigger":"automatic","url":"https://x.example","outcome":"status",)"
    R"("code":503,"error":null,"retry_after":1.5,"response_headers":"HTTP/1.1 503 x","response_body_base64":"/w==",)"
    R"("response_truncated":true}]}],"data":{"a":1}})";

}  // namespace

std::vector<Target> document_targets() {
  return {
      {"json",
       run_json,
       {R"({"a":[1,-2.5e3,true,null,"\u00e9\n\ud83d\ude00"],"b":{"c":{}}})", "[[[[]]]]", "\"\\ud800\"", "1e999", "-0",
        "{\"a\":1,\"a\":2}", " [ 1 , 2 ] ", "\"" + std::string(40, 'x') + "\\\"\"", "\xef\xbb\xbf{}", "01", "nul"}},
      {"history",
       run_history,
       {history_line, R"({"store":"a","id":"evt_0000000000001","type":"a.b","timestamp":"2026-11-23T20:24:45Z",)"
                      R"("accepted_at":"2026-11-23T20:24:45Z","messages":[],"data_text":"[1,\n2]"})"}},
      {"schema",
       run_schema,
       {R"({"type":"object","properties":{"a":{"type":"integer","minimum":1,"multipleOf":0.5},"b":{"enum":[1,"x",null]}},)"
        R"("required":["a"],"patternProperties":{"^x-":{"type":"string","pattern":"^[a-z]+$","maxLength":3}}})"
        "\n"
        R"({"a":2,"b":"x","x-y":"abc"})",
        R"({"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[{"type":"null"},{"items":{"$ref":"#/$defs/n"},"type":"array"}]}}})"
        "\n[[null,[null]]]",
        R"({"oneOf":[{"const":1.0},{"not":{"uniqueItems":true}}],"if":{"minItems":1},"then":{"contains":{"type":"number"}}})"
        "\n[1,1.0]",
        R"({"unevaluatedProperties":false,"allOf":[{"additionalProperties":{"type":"string"}}],"dependentRequired":{"a":["b"]}})"
        "\n"
        R"({"a":1,"c":2})",
        R"({"prefixItems":[{"exclusiveMaximum":1e400}],"propertyNames":{"pattern":"\\p{L}"},"maxProperties":1})"
        "\n[1e399]",
        "false\n1"}},
  };
}

}  // namespace webhookd::fuzz
