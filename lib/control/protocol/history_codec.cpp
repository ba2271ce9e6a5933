#include "control/protocol/history_codec.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "domain/event_type.hpp"
#include "domain/limits.hpp"

namespace webhookd::protocol {

namespace {

namespace limits = domain::limits;
using domain::Attempt;
using domain::Message;

// ---- writing --------------------------------------------------------------------------------------------------

void write_actor(JsonWriter& json, std::string_view name, const std::optional<domain::Actor>& actor) {
  json.name(name);
  if (!actor) {
    json.null();
    return;
  }
  json.begin_object().name("uid").number(std::uint64_t{actor->uid});
  json.name("reason").text_or_null(actor->reason).end_object();
}

void write_code(JsonWriter& json, std::string_view name, std::uint16_t code) {
  json.name(name);
  if (code == 0) {
    json.null();
  } else {
    json.number(std::uint64_t{code});
  }
}

// Answers may be any bytes.
void write_bytes(JsonWriter& json, std::string_view name, std::string_view bytes) {
  if (base::is_valid_utf8(bytes)) {
    json.name(name).string(bytes);
  } else {
    json.name(std::string(name) + "_base64").string(base::base64_encode(bytes));
  }
}

void write_attempt(JsonWriter& json, const Attempt& attempt) {
  const domain::Outcome& outcome = attempt.outcome;
  json.begin_object().name("number").number(std::uint64_t{attempt.number}).name("at").time(attempt.at);
  json.name("duration_ms").number(static_cast<std::uint64_t>(outcome.duration.count()));
  json.name("trigger").string(to_string(attempt.trigger)).name("url").string(attempt.url);
  json.name("outcome").string(to_string(outcome.kind));
  write_code(json, "code", outcome.code);
  json.name("error").text_or_null(outcome.error).name("retry_after");
  if (outcome.retry_after) {
    json.seconds(*outcome.retry_after);
  } else {
    json.null();
  }
  write_bytes(json, "response_headers", outcome.response_headers);
  write_bytes(json, "response_body", outcome.response_body);
  json.name("response_truncated").boolean(outcome.response_truncated).end_object();
}

void write_message(JsonWriter& json, const domain::MessageHistory& history, std::string_view webhook) {
  const Message& message = history.message;
  json.begin_object().name("id").string(base::to_string(message.id)).name("webhook").string(webhook);
  json.name("status").string(to_string(message.status)).name("reason").text_or_null(to_string(message.reason));
  json.name("created_at").time(message.created_at).name("deadline").time(message.deadline);
  json.name("settled_at").time(message.settled_at).name("next_attempt_at").time(message.next_attempt_at);
  json.name("planned_at").time(message.planned_at).name("attempts").number(std::uint64_t{message.attempts});
  json.name("window_failures").number(std::uint64_t{message.window_failures});
  json.name("last_attempt_at").time(message.last_attempt_at);
  write_code(json, "last_code", message.last_code);
  json.name("last_outcome").text_or_null(message.last_outcome ? to_string(*message.last_outcome) : "");
  json.name("failure").text_or_null(message.failure);
  write_actor(json, "cancelled_by", message.cancelled_by);
  write_actor(json, "retried_by", message.retried_by);
  json.name("attempt_log").begin_array();
  for (const Attempt& attempt : history.attempts) {
    write_attempt(json, attempt);
  }
  json.end_array().end_object();
}

// ---- reading --------------------------------------------------------------------------------------------------

template <class Target>
struct Rule {
  std::string_view name;
  void (*read)(std::string_view value, const Place& place, Target& target, Faults& faults);
  bool is_required = false;
};

// Like read_members, at any depth; null stands for a member that is not there.
template <class Target, std::size_t N>
void read_object(std::string_view value, const Place& place, const std::array<Rule<Target>, N>& rules, Target& target,
                 Faults& faults) {
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  std::array<bool, N> has{};
  for (const JsonMember& member : members_of(value)) {
    const auto rule =
        std::find_if(rules.begin(), rules.end(), [&](const auto& one) { return one.name == member.name; });
    if (rule == rules.end()) {
      std::vector<std::string> names;
      for (const auto& known : rules) {
        names.emplace_back(known.name);
      }
      add_unknown_member(faults, place.below(member.name), member.name, names);
    } else if (kind_of(member.value) != JsonKind::null) {
      has[static_cast<std::size_t>(rule - rules.begin())] = true;
      rule->read(member.value, place.below(member.name), target, faults);
    }
  }
  for (std::size_t i = 0; i < N; ++i) {
    if (rules[i].is_required && !has[i]) {
      add_fault(faults, place.below(rules[i].name), "is required");
    }
  }
}

// The value whose name stands there.
template <class Enum>
void read_choice(std::string_view value, const Place& place, int count, Enum& target, Faults& faults) {
  const auto text = read_string(value, place, faults);
  if (!text) {
    return;
  }
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    const std::string_view name = to_string(static_cast<Enum>(i));
    if (!name.empty() && name == *text) {
      target = static_cast<Enum>(i);
      return;
    }
    if (!name.empty()) {
      names.emplace_back(name);
    }
  }
  add_fault(faults, place, "must be one of " + base::join(names, ", "));
}

void read_time_into(std::string_view value, const Place& place, base::Time& target, Faults& faults) {
  target = read_time(value, place, faults).value_or(target);
}

void read_text_into(std::string_view value, const Place& place, std::string& target, Faults& faults) {
  target = read_string(value, place, faults).value_or(std::string());
}

void read_code_into(std::string_view value, const Place& place, std::uint16_t& target, Faults& faults) {
  constexpr std::uint32_t code_max = 999;
  const auto code = read_count(value, place, faults);
  if (code && *code > code_max) {
    add_fault(faults, place, "must be at most 999");
  } else if (code) {
    target = static_cast<std::uint16_t>(*code);
  }
}

void read_base64_into(std::string_view value, const Place& place, std::string& target, Faults& faults) {
  const auto text = read_string(value, place, faults);
  auto bytes = text ? base::base64_decode(*text) : std::nullopt;
  if (text && !bytes) {
    add_fault(faults, place, "must be base64");
  }
  target = bytes ? std::move(*bytes) : std::string();
}

using V = std::string_view;
using P = const Place&;

constexpr std::array actor_rules = {
    Rule<domain::Actor>{"uid", [](V v, P p, domain::Actor& a, Faults& f) { a.uid = read_count(v, p, f).value_or(0); },
                        true},
    Rule<domain::Actor>{"reason", [](V v, P p, domain::Actor& a, Faults& f) { read_text_into(v, p, a.reason, f); }},
};

constexpr int reason_count = 5;
constexpr int trigger_count = 3;

constexpr std::array attempt_rules = {
    Rule<Attempt>{"number", [](V v, P p, Attempt& a, Faults& f) { a.number = read_count(v, p, f).value_or(0); }, true},
    Rule<Attempt>{"at", [](V v, P p, Attempt& a, Faults& f) { read_time_into(v, p, a.at, f); }, true},
    Rule<Attempt>{
        "duration_ms",
        [](V v, P p, Attempt& a, Faults& f) { a.outcome.duration = base::Duration(read_count(v, p, f).value_or(0)); }},
    Rule<Attempt>{"trigger", [](V v, P p, Attempt& a, Faults& f) { read_choice(v, p, trigger_count, a.trigger, f); }},
    Rule<Attempt>{"url", [](V v, P p, Attempt& a, Faults& f) { read_text_into(v, p, a.url, f); }},
    Rule<Attempt>{
        "outcome",
        [](V v, P p, Attempt& a, Faults& f) { read_choice(v, p, int{domain::outcome_kinds}, a.outcome.kind, f); },
        true},
    Rule<Attempt>{"code", [](V v, P p, Attempt& a, Faults& f) { read_code_into(v, p, a.outcome.code, f); }},
    Rule<Attempt>{"error", [](V v, P p, Attempt& a, Faults& f) { read_text_into(v, p, a.outcome.error, f); }},
    Rule<Attempt>{"retry_after",
                  [](V v, P p, Attempt& a, Faults& f) { a.outcome.retry_after = read_seconds(v, p, f); }},
    Rule<Attempt>{"response_headers",
                  [](V v, P p, Attempt& a, Faults& f) { read_text_into(v, p, a.outcome.response_headers, f); }},
    Rule<Attempt>{"response_headers_base64",
                  [](V v, P p, Attempt& a, Faults& f) { read_base64_into(v, p, a.outcome.response_headers, f); }},
    Rule<Attempt>{"response_body",
                  [](V v, P p, Attempt& a, Faults& f) { read_text_into(v, p, a.outcome.response_body, f); }},
    Rule<Attempt>{"response_body_base64",
                  [](V v, P p, Attempt& a, Faults& f) { read_base64_into(v, p, a.outcome.response_body, f); }},
    Rule<Attempt>{
        "response_truncated",
        [](V v, P p, Attempt& a,
           Faults& f) { a.outcome.response_truncated = expect_kind(v, JsonKind::boolean, p, f) && v == "true"; }},
};

struct NamedMessage {
  domain::MessageHistory history;
  std::string webhook;
  Message& message() { return history.message; }
};
using M = NamedMessage;

void read_log(V value, P place, M& target, Faults& faults) {
  if (!expect_kind(value, JsonKind::array, place, faults)) {
    return;
  }
  std::size_t index = 0;
  for (const V element : elements_of(value)) {
    read_object(element, place.at(index++), attempt_rules, target.history.attempts.emplace_back(), faults);
  }
}

constexpr std::array message_rules = {
    Rule<M>{"id", [](V v, P p, M&, Faults& f) { static_cast<void>(read_string(v, p, f)); }},
    Rule<M>{"webhook", [](V v, P p, M& m, Faults& f) { read_text_into(v, p, m.webhook, f); }, true},
    Rule<M>{"status",
            [](V v, P p, M& m, Faults& f) { read_choice(v, p, domain::message_status_count, m.message().status, f); },
            true},
    Rule<M>{"reason", [](V v, P p, M& m, Faults& f) { read_choice(v, p, reason_count, m.message().reason, f); }},
    Rule<M>{"created_at", [](V v, P p, M& m, Faults& f) { read_time_into(v, p, m.message().created_at, f); }, true},
    Rule<M>{"deadline", [](V v, P p, M& m, Faults& f) { read_time_into(v, p, m.message().deadline, f); }, true},
    Rule<M>{"settled_at", [](V v, P p, M& m, Faults& f) { m.message().settled_at = read_time(v, p, f); }},
    Rule<M>{"next_attempt_at", [](V v, P p, M& m, Faults& f) { m.message().next_attempt_at = read_time(v, p, f); }},
    Rule<M>{"planned_at", [](V v, P p, M& m, Faults& f) { read_time_into(v, p, m.message().planned_at, f); }, true},
    Rule<M>{"attempts", [](V v, P p, M& m, Faults& f) { m.message().attempts = read_count(v, p, f).value_or(0); },
            true},
    Rule<M>{"window_failures",
            [](V v, P p, M& m, Faults& f) { m.message().window_failures = read_count(v, p, f).value_or(0); }},
    Rule<M>{"last_attempt_at", [](V v, P p, M& m, Faults& f) { m.message().last_attempt_at = read_time(v, p, f); }},
    Rule<M>{"last_code", [](V v, P p, M& m, Faults& f) { read_code_into(v, p, m.message().last_code, f); }},
    Rule<M>{"last_outcome",
            [](V v, P p, M& m,
               Faults& f) { read_choice(v, p, int{domain::outcome_kinds}, m.message().last_outcome.emplace(), f); }},
    Rule<M>{"failure", [](V v, P p, M& m, Faults& f) { read_text_into(v, p, m.message().failure, f); }},
    Rule<M>{"cancelled_by",
            [](V v, P p, M& m, Faults& f) { read_object(v, p, actor_rules, m.message().cancelled_by.emplace(), f); }},
    Rule<M>{"retried_by",
            [](V v, P p, M& m, Faults& f) { read_object(v, p, actor_rules, m.message().retried_by.emplace(), f); }},
    Rule<M>{"attempt_log", read_log},
};

struct HistoryDraft {
  HistoryRequest request;
  domain::Origin origin;
  bool has_data = false;
  domain::Event& event() { return *request.history.event; }
};

void read_store(V value, HistoryDraft& draft, Faults& faults) {
  const Place place = Place::of("store");
  read_text_into(value, place, draft.origin.store, faults);
  const std::string& store = draft.origin.store;
  if (store.empty() || store.size() > limits::store_id_bytes || !std::all_of(store.begin(), store.end(), [](char c) {
        return base::is_digit(c) || base::is_letter(c) || c == '-';
      })) {
    add_fault(faults, place, "must be the id of a store");
  }
}

void read_origin_id(V value, HistoryDraft& draft, Faults& faults) {
  const auto text = read_string(value, Place::of("id"), faults);
  const auto id = text ? base::parse_event_id(*text) : std::nullopt;
  if (text && (!id || !id->is_set())) {
    add_fault(faults, Place::of("id"), "must be the id of an event");
  }
  draft.origin.event = id.value_or(base::EventId{});
}

void read_event_type(V value, HistoryDraft& draft, Faults& faults) {
  read_text_into(value, Place::of("type"), draft.event().type, faults);
  if (!domain::is_event_type_name(draft.event().type)) {
    add_fault(faults, Place::of("type"), "must be an event type such as subscription.create");
  }
}

void read_origin_key(V value, HistoryDraft& draft, Faults& faults) {
  if (kind_of(value) == JsonKind::null) {
    return;
  }
  std::string& key = draft.event().idempotency_key;
  read_text_into(value, Place::of("idempotency_key"), key, faults);
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > limits::idempotency_key_bytes || !printable) {
    add_fault(faults, Place::of("idempotency_key"),
              "must be 1 to " + std::to_string(limits::idempotency_key_bytes) + " printable ASCII characters");
  }
}

void read_data_as_text(V value, HistoryDraft& draft, Faults& faults) {
  const Place place = Place::of("data_text");
  draft.has_data = true;
  read_text_into(value, place, draft.event().data, faults);
  if (const auto checked = check_json(draft.event().data, limits::json_depth); !checked) {
    add_fault(faults, place, checked.error().detail);
  }
}

void read_messages(V value, HistoryDraft& draft, Faults& faults) {
  const Place place = Place::of("messages");
  if (!expect_kind(value, JsonKind::array, place, faults)) {
    return;
  }
  std::size_t index = 0;
  for (const V element : elements_of(value)) {
    NamedMessage message;
    read_object(element, place.at(index++), message_rules, message, faults);
    draft.request.history.messages.push_back(std::move(message.history));
    draft.request.webhooks.push_back(std::move(message.webhook));
  }
}

constexpr std::array history_rules = {
    MemberRule<HistoryDraft>{"store", read_store},
    MemberRule<HistoryDraft>{"id", read_origin_id},
    MemberRule<HistoryDraft>{"type", read_event_type},
    MemberRule<HistoryDraft>{
        "timestamp",
        [](V v, HistoryDraft& d, Faults& f) { read_time_into(v, Place::of("timestamp"), d.event().timestamp, f); }},
    MemberRule<HistoryDraft>{
        "accepted_at",
        [](V v, HistoryDraft& d, Faults& f) { read_time_into(v, Place::of("accepted_at"), d.event().accepted_at, f); }},
    MemberRule<HistoryDraft>{"idempotency_key", read_origin_key},
    MemberRule<HistoryDraft>{"messages", read_messages},
    MemberRule<HistoryDraft>{"data",
                             [](V v, HistoryDraft& d, Faults&) {
                               d.has_data = true;
                               d.event().data = v;
                             }},
    MemberRule<HistoryDraft>{"data_text", read_data_as_text},
};

}  // namespace

void append_history_head(std::string& out, const HistoryHead& head) {
  JsonWriter json(out);
  json.begin_object().name("format").string(history_format).name("version").number(history_version);
  json.name("webhookd").string(WEBHOOKD_VERSION).name("store").string(head.store);
  json.name("exported_at").time(head.exported_at).name("cursor").string(head.cursor).end_object();
  out += '\n';
}

void append_history_taken(std::string& out, const HistoryTaken& taken) {
  JsonWriter json(out);
  json.begin_object().name("id").text_or_null(taken.id ? base::to_string(*taken.id) : std::string());
  json.name("known").boolean(taken.known).name("messages").number(taken.messages);
  json.name("waiting").number(taken.waiting).end_object();
  out += '\n';
}

void append_history_end(std::string& out, const HistoryTotals& totals) {
  JsonWriter json(out);
  json.begin_object().name("complete").boolean(true).name("events").number(totals.events);
  json.name("messages").number(totals.messages).name("damaged").number(totals.damaged).end_object();
  out += '\n';
}

void append_history(std::string& out, const domain::EventHistory& history, const std::vector<std::string>& webhooks,
                    std::string_view store) {
  const domain::Event& event = *history.event;
  JsonWriter json(out);
  json.begin_object().name("store").string(event.origin ? std::string_view(event.origin->store) : store);
  json.name("id").string(base::to_string(event.origin ? event.origin->event : event.id));
  json.name("type").string(event.type).name("timestamp").time(event.timestamp);
  json.name("accepted_at").time(event.accepted_at).name("idempotency_key").text_or_null(event.idempotency_key);
  json.name("messages").begin_array();
  for (std::size_t i = 0; i < history.messages.size(); ++i) {
    write_message(json, history.messages[i], webhooks[i]);
  }
  json.end_array();
  if (event.data.find_first_of("\r\n") == std::string::npos) {
    json.name("data").raw(event.data);
  } else {
    json.name("data_text").string(event.data);
  }
  json.end_object();
  out += '\n';
}

base::Result<HistoryRequest> read_history(std::string_view line, std::size_t data_bytes_max) {
  const auto members = scan_object(line, limits::json_depth + 1);  // the envelope is one level
  if (!members) {
    return members.error();
  }
  HistoryDraft draft;
  draft.request.history.event = std::make_shared<domain::Event>();
  Faults faults;
  read_members(*members, history_rules, draft, faults);
  for (const std::string_view name : {"store", "id", "type", "timestamp", "accepted_at", "messages"}) {
    if (std::none_of(members->begin(), members->end(), [&](const JsonMember& member) { return member.name == name; })) {
      add_fault(faults, Place::of(name), "is required");
    }
  }
  if (!draft.has_data) {
    add_fault(faults, Place::of("data"), "is required (any JSON value, null among them)");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  if (const std::size_t bytes = draft.event().data.size(); bytes > data_bytes_max) {
    const std::string why = "data: has " + std::to_string(bytes) + " bytes; at most " + std::to_string(data_bytes_max);
    return base::Error{base::ErrorCode::too_large, why, {{"/data", why}}};
  }
  draft.event().origin = std::move(draft.origin);
  return std::move(draft.request);
}

}  // namespace webhookd::protocol
