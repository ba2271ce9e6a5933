#include "control/protocol/cloudevent_codec.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/query.hpp"
#include "domain/event_type.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

namespace limits = domain::limits;
using base::Error;
using base::ErrorCode;
using base::Result;

struct Draft {
  EventRequest request;
  std::string id;
  std::string source;
  bool has_version = false;
};

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// "application/json", "application/problem+json; charset=utf-8", …
bool is_json_type(std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  while (media_type.ends_with(' ')) {
    media_type.remove_suffix(1);
  }
  const auto ends_with = [&](std::string_view end) {
    return media_type.size() >= end.size() &&
           base::equals_ignoring_case(media_type.substr(media_type.size() - end.size()), end);
  };
  return ends_with("/json") || ends_with("+json");
}

void take_version(const Place& place, std::string text, Draft& draft, Faults& faults) {
  draft.has_version = true;
  if (text != "1.0") {
    add_fault(faults, place, "must be 1.0");
  }
}

void take_identity(const Place& place, std::string text, std::string& target, Faults& faults) {
  if (text.empty() || !is_printable(text)) {
    add_fault(faults, place, "must be printable ASCII, and not empty");
  }
  target = std::move(text);
}

void take_type(const Place& place, std::string text, Draft& draft, Faults& faults) {
  if (!domain::is_event_type_name(text)) {
    add_fault(faults, place, "must be an event type such as subscription.create");
  }
  draft.request.type = std::move(text);
}

void take_time(const Place& place, const std::string& text, Draft& draft, Faults& faults) {
  draft.request.timestamp = base::parse_time(text);
  if (!draft.request.timestamp) {
    add_fault(faults, place, "must be a time such as 2026-03-02T09:15:27Z");
  }
}

void take_content_type(const Place& place, const std::string& text, Faults& faults) {
  if (!is_json_type(text)) {
    add_fault(faults, place, "must be JSON: only JSON is delivered");
  }
}

struct Attribute {
  std::string_view name;
  void (*take)(const Place& place, std::string text, Draft& draft, Faults& faults);
};

// CloudEvents 1.0 section 3.1; those not here mean nothing to us.
constexpr std::array attributes = {
    Attribute{"specversion", take_version},
    Attribute{"id", [](const Place& at, std::string text, Draft& draft,
                       Faults& faults) { take_identity(at, std::move(text), draft.id, faults); }},
    Attribute{"source", [](const Place& at, std::string text, Draft& draft,
                           Faults& faults) { take_identity(at, std::move(text), draft.source, faults); }},
    Attribute{"type", take_type},
    Attribute{"time", [](const Place& at, std::string text, Draft& draft,
                         Faults& faults) { take_time(at, text, draft, faults); }},
    Attribute{"datacontenttype",
              [](const Place& at, std::string text, Draft&, Faults& faults) { take_content_type(at, text, faults); }},
};

const Attribute* find_attribute(std::string_view name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [name](const Attribute& attribute) { return attribute.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

// Section 3.1: lower-case letters and digits.
bool is_attribute_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

Result<EventRequest> finish(Draft draft, Faults faults, std::size_t data_bytes_max) {
  const std::array<std::pair<std::string_view, bool>, 4> required = {{{"specversion", draft.has_version},
                                                                      {"id", !draft.id.empty()},
                                                                      {"source", !draft.source.empty()},
                                                                      {"type", !draft.request.type.empty()}}};
  for (const auto& [name, is_there] : required) {
    if (!is_there && !faults.has(pointer_to(name))) {
      add_fault(faults, Place::of(name), "is required in a CloudEvent");
    }
  }
  draft.request.idempotency_key = draft.source + " " + draft.id;
  if (draft.request.idempotency_key.size() > limits::idempotency_key_bytes) {
    add_fault(faults, Place::of("id"),
              "must have, with source, at most " + std::to_string(limits::idempotency_key_bytes - 1) + " characters");
  }
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_field);
  }
  if (draft.request.data.size() > data_bytes_max) {
    return data_too_large(draft.request.data.size(), data_bytes_max);
  }
  return std::move(draft.request);
}

void take_member(const JsonMember& member, Draft& draft, Faults& faults) {
  const Place place = Place::of(member.name);
  if (member.name == "data") {
    draft.request.data = member.value;
  } else if (member.name == "data_base64") {
    add_fault(faults, place, "is not taken: only JSON is delivered, in data");
  } else if (!is_attribute_name(member.name)) {
    add_fault(faults, place, "is no name of a CloudEvents attribute: lower-case letters and digits");
  } else if (const Attribute* attribute = find_attribute(member.name)) {
    if (auto text = read_string(member.value, place, faults)) {
      attribute->take(place, std::move(*text), draft, faults);
    }
  }
}

}  // namespace

Result<EventRequest> read_cloudevent(std::string_view body, std::size_t data_bytes_max) {
  const auto members = scan_object(body, limits::json_depth + 1);  // the envelope is one level
  if (!members) {
    return members.error();
  }
  Draft draft;
  draft.request.data = "null";
  Faults faults;
  for (const JsonMember& member : *members) {
    take_member(member, draft, faults);
  }
  return finish(std::move(draft), std::move(faults), data_bytes_max);
}

Result<EventRequest> read_binary_cloudevent(const CloudEventHeaders& headers, std::string_view body,
                                            std::size_t data_bytes_max) {
  if (auto checked = check_json(body, limits::json_depth); !checked) {
    return checked.error();
  }
  Draft draft;
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = body.find_first_not_of(blanks);
  draft.request.data = body.substr(first, body.find_last_not_of(blanks) + 1 - first);
  Faults faults;
  for (const auto& [name, value] : headers) {
    const Attribute* attribute = find_attribute(name);
    if (attribute == nullptr) {
      continue;
    }
    const Place place = Place::of(name);
    if (auto text = percent_decode(value, false)) {
      attribute->take(place, std::move(*text), draft, faults);
    } else {
      add_fault(faults, place, "has a % that two hexadecimal digits do not follow");
    }
  }
  return finish(std::move(draft), std::move(faults), data_bytes_max);
}

}  // namespace webhookd::protocol
