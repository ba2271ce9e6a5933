#include "control/protocol/task_codec.hpp"

#include <array>
#include <utility>
#include <vector>

#include "control/protocol/json_text.hpp"
#include "control/protocol/members.hpp"
#include "control/protocol/message_codec.hpp"
#include "control/protocol/problems.hpp"
#include "domain/limits.hpp"
#include "domain/message.hpp"

namespace webhookd::protocol {

namespace {

constexpr double rate_max = 1'000'000;

// A list of statuses is the same as their names by commas.
std::optional<std::string> filter_text(std::string_view value, const Place& place, Faults& faults) {
  if (kind_of(value) != JsonKind::array) {
    return read_string(value, place, faults);
  }
  std::string joined;
  std::size_t index = 0;
  for (const std::string_view element : elements_of(value)) {
    const auto word = read_string(element, place.at(index++), faults);
    joined += (joined.empty() ? "" : ",") + word.value_or("");
  }
  return joined;
}

void read_filter(std::string_view value, BulkRequest& request, Faults& faults) {
  const Place place = Place::of("filter");
  if (!expect_kind(value, JsonKind::object, place, faults)) {
    return;
  }
  FilterValues values;
  for (const JsonMember& member : members_of(value)) {
    if (auto text = filter_text(member.value, place.below(member.name), faults)) {
      values.emplace_back(member.name, std::move(*text));
    }
  }
  request.filter = read_filter_values(values, place, faults);
}

void read_rate(std::string_view value, BulkRequest& request, Faults& faults) {
  const Place place = Place::of("rate");
  if (kind_of(value) == JsonKind::null) {
    return;
  }
  const auto rate = read_number(value, place, faults);
  if (rate && !(*rate > 0 && *rate <= rate_max)) {
    add_fault(faults, place, "must be above 0 and at most 1000000 messages per second");
  }
  request.rate = rate;
}

void read_dry(std::string_view value, BulkRequest& request, Faults& faults) {
  if (expect_kind(value, JsonKind::boolean, Place::of("dry_run"), faults)) {
    request.dry_run = value == "true";
  }
}

void write_filter(JsonWriter& json, const TaskText& task) {
  const MessageFilter& filter = task.filter;
  json.begin_object().name("webhook").string(base::to_string(task.webhook));
  json.name("status").begin_array();
  for (int i = 0; i < domain::message_status_count; ++i) {
    if ((filter.statuses >> i & 1) != 0) {
      json.string(domain::to_string(static_cast<domain::MessageStatus>(i)));
    }
  }
  json.end_array();
  if (!filter.type.empty()) {
    json.name("type").string(filter.type);
  }
  if (filter.since) {
    json.name("since").time(*filter.since);
  }
  if (filter.until) {
    json.name("until").time(*filter.until);
  }
  if (filter.code_min != 0) {
    const bool is_class = filter.code_min != filter.code_max;
    json.name("code").string(is_class ? std::to_string(filter.code_min / 100) + "xx" : std::to_string(filter.code_min));
  }
  if (!filter.text.empty()) {
    json.name("q").string(filter.text);
  }
  json.end_object();
}

}  // namespace

base::Result<BulkRequest> read_bulk(std::string_view body) {
  const auto members = scan_object(body, domain::limits::json_depth);
  if (!members) {
    return members.error();
  }
  static constexpr std::array rules = {
      MemberRule<BulkRequest>{"filter", read_filter}, MemberRule<BulkRequest>{"rate", read_rate},
      MemberRule<BulkRequest>{"reason", [](std::string_view value, BulkRequest& request,
                                           Faults& faults) { read_reason_member(value, request.reason, faults); }},
      MemberRule<BulkRequest>{"dry_run", read_dry}};
  BulkRequest request;
  Faults faults;
  read_members(*members, rules, request, faults);
  if (!faults.any() && request.filter.webhook.empty()) {
    add_fault(faults, Place::of("filter").below("webhook"), "is required: the webhook whose messages are meant");
  }
  if (faults.any()) {
    return std::move(faults).error(base::ErrorCode::invalid_field);
  }
  return request;
}

void write_task(JsonWriter& json, const TaskText& task) {
  json.begin_object().name("id");
  if (task.id) {
    json.string(base::to_string(*task.id));
  } else {
    json.null();
  }
  json.name("action").string(task.action);
  json.name("state").string(task.state);
  json.name("webhook_id").string(base::to_string(task.webhook));
  json.name("webhook").text_or_null(task.webhook_name);
  json.name("filter");
  write_filter(json, task);
  json.name("rate");
  if (task.rate) {
    json.number(*task.rate);
  } else {
    json.null();
  }
  json.name("uid").number(std::uint64_t{task.uid});
  json.name("reason").text_or_null(task.reason);
  json.name("started_at").time(task.started_at);
  json.name("ended_at").time(task.ended_at);
  json.name("total");
  if (task.total) {
    json.number(*task.total);
  } else {
    json.null();
  }
  json.name("done").number(task.done);
  json.name("failed").number(task.failed).end_object();
}

}  // namespace webhookd::protocol
