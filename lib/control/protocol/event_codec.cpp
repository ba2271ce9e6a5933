#include "control/protocol/event_codec.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/problems.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

namespace limits = domain::limits;

struct EventDraft {
  EventRequest request;
  bool has_type = false;
};

void read_type_name(std::string_view value, EventDraft& draft, Faults& faults) {
  const Place place = Place::of("type");
  draft.has_type = true;
  auto text = read_string(value, place, faults);
  if (text && !domain::is_event_type_name(*text)) {
    add_fault(faults, place, "must be an event type such as subscription.create");
  } else if (text) {
    draft.request.type = std::move(*text);
  }
}

void read_key(std::string_view value, EventDraft& draft, Faults& faults) {
  const Place place = Place::of("idempotency_key");
  auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  const bool printable = std::all_of(text->begin(), text->end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (text->empty() || text->size() > limits::idempotency_key_bytes || !printable) {
    add_fault(faults, place,
              "must be 1 to " + std::to_string(limits::idempotency_key_bytes) + " printable ASCII characters");
  }
  draft.request.idempotency_key = std::move(*text);
}

constexpr std::array event_rules = {
    MemberRule<EventDraft>{"type", read_type_name},
    MemberRule<EventDraft>{"data",
                           [](std::string_view value, EventDraft& draft, Faults&) { draft.request.data = value; }},
    MemberRule<EventDraft>{"timestamp",
                           [](std::string_view value, EventDraft& draft, Faults& faults) {
                             draft.request.timestamp = read_time(value, Place::of("timestamp"), faults);
                           }},
    MemberRule<EventDraft>{"idempotency_key", read_key},
};

struct TypeDraft {
  domain::EventType type;
  std::string_view path_name;
  bool has_name = false;
};

void read_name(std::string_view value, TypeDraft& draft, Faults& faults) {
  draft.has_name = true;
  if (auto text = read_string(value, Place::of("name"), faults)) {
    if (!draft.path_name.empty() && *text != draft.path_name) {
      add_fault(faults, Place::of("name"), "is not the name in the path; a type cannot be renamed");
    }
    draft.type.name = std::move(*text);
  }
}

void read_description(std::string_view value, TypeDraft& draft, Faults& faults) {
  const Place place = Place::of("description");
  auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  if (base::count_code_points(*text) > limits::type_description_characters) {
    add_fault(faults, place,
              "must have at most " + std::to_string(limits::type_description_characters) + " characters");
  }
  draft.type.description = std::move(*text);
}

// Schema and example: JSON kept as text; null is none.
void read_json(std::string_view value, std::string_view member, std::string& target, Faults& faults) {
  if (value.size() > limits::type_schema_bytes) {
    add_fault(faults, Place::of(member), "must have at most " + std::to_string(limits::type_schema_bytes) + " bytes");
  } else if (kind_of(value) != JsonKind::null) {
    target = value;
  }
}

void read_schema(std::string_view value, TypeDraft& draft, Faults& faults) {
  const JsonKind kind = kind_of(value);
  if (kind != JsonKind::object && kind != JsonKind::boolean && kind != JsonKind::null) {
    add_fault(faults, Place::of("schema"), "must be a JSON Schema, that is an object or a boolean");
  } else {
    read_json(value, "schema", draft.type.schema, faults);
  }
}

constexpr std::array type_rules = {
    MemberRule<TypeDraft>{"name", read_name},
    MemberRule<TypeDraft>{"description", read_description},
    MemberRule<TypeDraft>{"schema", read_schema},
    MemberRule<TypeDraft>{"example", [](std::string_view value, TypeDraft& draft,
                                        Faults& faults) { read_json(value, "example", draft.type.example, faults); }},
};

constexpr std::array<std::string_view, 3> origin_names = {"builtin", "extension", "user"};

}  // namespace

base::Error data_too_large(std::size_t bytes, std::size_t most) {
  const std::string why = "data: has " + std::to_string(bytes) + " bytes; at most " + std::to_string(most);
  return {base::ErrorCode::too_large, why, {{"/data", why}}};
}

base::Result<EventRequest> read_event(std::string_view body, std::size_t data_bytes_max) {
  const auto members = scan_object(body, limits::json_depth + 1);  // the envelope is one level
  if (!members) {
    return members.error();
  }
  EventDraft draft;
  Faults faults;
  read_members(*members, event_rules, draft, faults);
  if (!draft.has_type) {
    add_fault(faults, Place::of("type"), "is required");
  }
  if (draft.request.data.empty()) {
    add_fault(faults, Place::of("data"), "is required (any JSON value, null among them)");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  if (draft.request.data.size() > data_bytes_max) {
    return data_too_large(draft.request.data.size(), data_bytes_max);
  }
  return std::move(draft.request);
}

void append_accept_answer(std::string& out, const AcceptAnswer& answer) {
  JsonWriter json(out);
  json.begin_object().name("id");
  if (answer.id.is_set()) {
    json.string(base::to_string(answer.id));
  } else {
    json.null();
  }
  json.name("type").string(answer.type).name("timestamp").time(answer.timestamp);
  json.name("duplicate").boolean(answer.duplicate).name("message_count").number(answer.message_count);
  json.name("messages").begin_array();
  for (const auto& [message, webhook] : answer.messages) {
    json.begin_object().name("id").string(base::to_string(message));
    json.name("webhook_id").string(base::to_string(webhook)).end_object();
  }
  json.end_array();
  if (!answer.warnings.empty()) {
    json.name("warnings");
    write_field_errors(json, answer.warnings);
  }
  json.end_object();
}

void begin_event(JsonWriter& json, const domain::Event& event, std::uint64_t message_count) {
  json.begin_object();
  json.name("id").string(base::to_string(event.id));
  json.name("type").string(event.type);
  json.name("timestamp").time(event.timestamp);
  json.name("accepted_at").time(event.accepted_at);
  json.name("idempotency_key").text_or_null(event.idempotency_key);
  json.name("data").raw(event.data);
  json.name("message_count").number(message_count);
}

void write_event_type(JsonWriter& json, const domain::EventType& type) {
  json.begin_object();
  json.name("name").string(type.name);
  json.name("description").string(type.description);
  json.name("origin").string(origin_names[static_cast<std::size_t>(type.origin)]);
  json.name("schema").raw(type.schema.empty() ? "null" : type.schema);
  json.name("example").raw(type.example.empty() ? "null" : type.example);
  json.name("created_at").time(type.created_at);
  json.end_object();
}

base::Result<domain::EventType> read_event_type(std::string_view body, std::string_view name) {
  const auto members = scan_object(body, limits::json_depth);
  if (!members) {
    return members.error();
  }
  TypeDraft draft;
  draft.path_name = name;
  draft.type.name = name;
  Faults faults;
  read_members(*members, type_rules, draft, faults);
  if (!draft.has_name && name.empty()) {
    add_fault(faults, Place::of("name"), "is required");
  } else if (!faults.has("/name") && !domain::is_event_type_name(draft.type.name)) {
    add_fault(faults, Place::of("name"), "must be resource.verb, for example invoice.paid");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return std::move(draft.type);
}

}  // namespace webhookd::protocol
