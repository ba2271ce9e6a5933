#include "control/protocol/query.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/routes.hpp"
#include "domain/event_type.hpp"
#include "domain/message.hpp"

namespace webhookd::protocol {

namespace {

using base::ErrorCode;

void refuse(Faults& faults, std::string_view name, std::string_view rule) {
  const std::string shown(name.substr(0, 64));
  faults.add(pointer_to(shown), shown + ": " + std::string(rule));
}

void refuse_unknown(Faults& faults, std::string_view name, std::span<const QueryParameter> known) {
  std::vector<std::string> names;
  std::transform(known.begin(), known.end(), std::back_inserter(names),
                 [](const QueryParameter& parameter) { return std::string(parameter.name); });
  const auto meant = base::closest(name, names);
  std::string rule = "is not a query parameter here";
  if (meant) {
    rule += "; did you mean " + *meant + "?";
  } else if (!names.empty()) {
    rule += "; there are " + base::join(names, ", ");
  }
  refuse(faults, name, rule);
}

template <class T>
struct Parameter {
  std::string_view name;
  void (*read)(const std::string& text, T& filter, Faults& faults);
};

template <class T>
void read_parameters(const Query& query, std::span<const Parameter<T>> parameters, T& filter, Faults& faults) {
  for (const auto& parameter : parameters) {
    if (const std::string* text = query.find(parameter.name)) {
      parameter.read(*text, filter, faults);
    }
  }
}

template <class T>
base::Result<T> read_parameters(const Query& query, std::span<const Parameter<T>> parameters) {
  T filter;
  Faults faults;
  read_parameters(query, parameters, filter, faults);
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return filter;
}

std::size_t read_limit(const std::string& text, Faults& faults) {
  const auto limit = base::parse_whole_number(text, list_limit_max);
  if (!limit || *limit == 0) {
    refuse(faults, "limit", "must be a whole number from 1 to " + std::to_string(list_limit_max));
    return list_limit_default;
  }
  return static_cast<std::size_t>(*limit);
}

std::optional<base::Time> read_time(std::string_view name, std::string text, Faults& faults) {
  std::replace(text.begin(), text.end(), ' ', '+');
  const auto time = base::parse_time(text);
  if (!time) {
    refuse(faults, name, "must be a time as in RFC 3339, for example 2026-11-23T20:24:45.123Z");
  }
  return time;
}

void read_statuses(const std::string& text, MessageFilter& filter, Faults& faults) {
  filter.statuses = 0;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const auto status = domain::parse_message_status(std::string_view(text).substr(start, end - start));
    if (!status) {
      refuse(faults, "status", "must be one or more of created, retrying, success, failed, cancelled, by commas");
      return;
    }
    filter.statuses |= 1U << static_cast<unsigned>(*status);
    start = end + 1;
  }
}

void read_code(const std::string& text, MessageFilter& filter, Faults& faults) {
  const bool is_class = text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '9';
  const auto number = is_class ? std::optional(0ULL) : base::parse_whole_number(text, 999);
  if (is_class) {
    filter.code_min = static_cast<std::uint16_t>((text[0] - '0') * 100);
    filter.code_max = static_cast<std::uint16_t>(filter.code_min + 99);
  } else if (number && *number >= 100) {
    filter.code_min = filter.code_max = static_cast<std::uint16_t>(*number);
  } else {
    refuse(faults, "code", "must be an HTTP status such as 503, or a class such as 5xx");
  }
}

void read_order(const std::string& text, MessageFilter& filter, Faults& faults) {
  if (text != "asc" && text != "desc") {
    refuse(faults, "order", "must be asc (oldest first) or desc (newest first)");
  }
  filter.oldest_first = text == "asc";
}

void read_type(const std::string& text, MessageFilter& filter, Faults& faults) {
  if (!domain::is_event_type_name(text)) {
    refuse(faults, "type", "must be an event type such as subscription.create");
  }
  filter.type = text;
}

using M = MessageFilter;
// Of the list and of the stream.
constexpr std::array filter_parameters = {
    Parameter<M>{"webhook", [](const std::string& text, M& filter, Faults&) { filter.webhook = text; }},
    Parameter<M>{"type", read_type},
    Parameter<M>{"status", read_statuses},
    Parameter<M>{"since", [](const std::string& text, M& filter,
                             Faults& faults) { filter.since = read_time("since", text, faults); }},
    Parameter<M>{"until", [](const std::string& text, M& filter,
                             Faults& faults) { filter.until = read_time("until", text, faults); }},
    Parameter<M>{"code", read_code},
    Parameter<M>{"q", [](const std::string& text, M& filter, Faults&) { filter.text = text; }},
};
// Of the list alone.
constexpr std::array page_of_messages_parameters = {
    Parameter<M>{"event", [](const std::string& text, M& filter, Faults&) { filter.event = text; }},
    Parameter<M>{"order", read_order},
    Parameter<M>{"limit",
                 [](const std::string& text, M& filter, Faults& faults) { filter.limit = read_limit(text, faults); }},
    Parameter<M>{"cursor", [](const std::string& text, M& filter, Faults&) { filter.cursor = text; }},
};

// What the stream shares with the list of messages, and what is its own.
constexpr std::string_view stream_start = "start";
constexpr std::uint64_t stream_lines_max = 1'000'000'000;

void read_after(const std::string& text, StreamFilter& filter, Faults& faults) {
  filter.from_start = text == stream_start;
  if (filter.from_start) {
    return;
  }
  const auto position = decode_feed_cursor(text);
  if (position) {
    filter.after = *position;
  } else {
    faults.add(position.error().fields.front().pointer, position.error().detail);
  }
}

void read_follow(const std::string& text, StreamFilter& filter, Faults& faults) {
  if (text != "true" && text != "false") {
    refuse(faults, "follow", "must be true or false");
  }
  filter.follows = text != "false";
}

void read_lines(const std::string& text, StreamFilter& filter, Faults& faults) {
  const auto lines = base::parse_whole_number(text, stream_lines_max);
  if (!lines || *lines == 0) {
    refuse(faults, "limit", "must be a whole number from 1 to " + std::to_string(stream_lines_max));
    return;
  }
  filter.lines = *lines;
}

constexpr std::array stream_parameters = {
    Parameter<StreamFilter>{"after", read_after},
    Parameter<StreamFilter>{"follow", read_follow},
    Parameter<StreamFilter>{"limit", read_lines},
};

void read_webhook_status(const std::string& text, WebhookFilter& filter, Faults& faults) {
  for (const auto status : {domain::WebhookStatus::active, domain::WebhookStatus::inactive}) {
    if (text == to_string(status)) {
      filter.status = status;
      return;
    }
  }
  refuse(faults, "status", "must be active or inactive");
}

void read_sort(const std::string& text, WebhookFilter& filter, Faults& faults) {
  static constexpr std::array<std::string_view, 3> names = {"created", "name", "status"};
  const auto* found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) {
    refuse(faults, "sort", "must be created, name or status");
    return;
  }
  filter.order = static_cast<WebhookOrder>(found - names.begin());
}

using F = WebhookFilter;
constexpr std::array webhook_parameters = {
    Parameter<F>{"status", read_webhook_status},
    Parameter<F>{"event", [](const std::string& text, F& filter, Faults&) { filter.event = text; }},
    Parameter<F>{"search", [](const std::string& text, F& filter, Faults&) { filter.search = text; }},
    Parameter<F>{"sort", read_sort},
    Parameter<F>{"limit",
                 [](const std::string& text, F& filter, Faults& faults) { filter.limit = read_limit(text, faults); }},
    Parameter<F>{"cursor", [](const std::string& text, F& filter, Faults&) { filter.cursor = text; }},
};

using P = PageFilter;
constexpr std::array page_parameters = {
    Parameter<P>{"limit",
                 [](const std::string& text, P& filter, Faults& faults) { filter.limit = read_limit(text, faults); }},
    Parameter<P>{"cursor", [](const std::string& text, P& filter, Faults&) { filter.cursor = text; }},
};

void read_operation(const std::string& text, AuditFilter& filter, Faults& faults) {
  std::vector<std::string> names;
  for (const Route& route : routes()) {
    names.emplace_back(route.name);
  }
  if (std::find(names.begin(), names.end(), text) == names.end()) {
    const auto meant = base::closest(text, names);
    refuse(faults, "operation",
           "must be an operation of the API, such as patchWebhook" +
               (meant ? "; did you mean " + *meant + "?" : std::string()));
  }
  filter.operation = text;
}

using A = AuditFilter;
constexpr std::array audit_parameters = {
    Parameter<A>{"user", [](const std::string& text, A& filter, Faults&) { filter.user = text; }},
    Parameter<A>{"operation", read_operation},
    Parameter<A>{"object", [](const std::string& text, A& filter, Faults&) { filter.object = text; }},
    Parameter<A>{"since", [](const std::string& text, A& filter,
                             Faults& faults) { filter.since = read_time("since", text, faults); }},
    Parameter<A>{"until", [](const std::string& text, A& filter,
                             Faults& faults) { filter.until = read_time("until", text, faults); }},
    Parameter<A>{"limit",
                 [](const std::string& text, A& filter, Faults& faults) { filter.limit = read_limit(text, faults); }},
    Parameter<A>{"cursor", [](const std::string& text, A& filter, Faults&) { filter.cursor = text; }},
};

std::optional<int> hex_digit(char c) {
  if (base::is_digit(c)) {
    return c - '0';
  }
  const char lower = base::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? std::optional(lower - 'a' + 10) : std::nullopt;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[at] != '%') {
      out += text[at];
    } else {
      const auto high = at + 2 < text.size() ? hex_digit(text[at + 1]) : std::nullopt;
      const auto low = high ? hex_digit(text[at + 2]) : std::nullopt;
      if (!low) {
        return std::nullopt;
      }
      out += static_cast<char>(*high * 16 + *low);
      at += 2;
    }
  }
  return out;
}

base::Result<Query> Query::parse(std::string_view text, std::span<const QueryParameter> known) {
  Query query;
  Faults faults;
  while (!text.empty() && !faults.any()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.empty()) {
      continue;
    }
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto name = percent_decode(part.substr(0, equals), true);
    auto value = percent_decode(part.substr(std::min(equals + 1, part.size())), true);
    if (!name || !value || !base::is_valid_utf8(*value) || !base::is_valid_utf8(*name)) {
      refuse(faults, name ? *name : part.substr(0, equals), "is not percent-encoded UTF-8");
    } else if (std::none_of(known.begin(), known.end(), [&](const auto& one) { return one.name == *name; })) {
      refuse_unknown(faults, *name, known);
    } else if (query.find(*name) != nullptr) {
      refuse(faults, *name, "is given twice");
    } else {
      query.values_.emplace_back(*name, std::move(*value));
    }
  }
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  std::sort(query.values_.begin(), query.values_.end());
  return query;
}

const std::string* Query::find(std::string_view name) const {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  return found == values_.end() ? nullptr : &found->second;
}

std::uint64_t Query::list_fingerprint() const {
  std::uint64_t sum = 0;
  for (const auto& [name, value] : values_) {
    if (name != "limit" && name != "cursor") {
      sum = fingerprint(fingerprint(sum, name), value);
    }
  }
  return sum;
}

base::Result<MessageFilter> read_message_filter(const Query& query) {
  MessageFilter filter;
  Faults faults;
  read_parameters<M>(query, filter_parameters, filter, faults);
  read_parameters<M>(query, page_of_messages_parameters, filter, faults);
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return filter;
}

MessageFilter read_filter_values(const FilterValues& values, const Place& place, Faults& faults) {
  MessageFilter filter;
  for (const auto& entry : values) {
    const auto& [name, value] = entry;
    const auto parameter = std::find_if(filter_parameters.begin(), filter_parameters.end(),
                                        [&](const auto& known) { return known.name == entry.first; });
    if (parameter == filter_parameters.end()) {
      std::vector<std::string> names;
      for (const auto& known : filter_parameters) {
        names.emplace_back(known.name);
      }
      add_unknown_member(faults, place.below(name), name, names);
      continue;
    }
    Faults of_value;
    parameter->read(value, filter, of_value);
    if (of_value.any()) {
      const std::string detail = std::move(of_value).error(ErrorCode::invalid_field).fields.front().detail;
      add_fault(faults, place.below(name), std::string_view(detail).substr(detail.find(": ") + 2));
    }
  }
  return filter;
}

base::Result<StreamFilter> read_stream_filter(const Query& query) {
  StreamFilter filter;
  Faults faults;
  read_parameters<M>(query, filter_parameters, filter.messages, faults);
  read_parameters<StreamFilter>(query, stream_parameters, filter, faults);
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return filter;
}

base::Result<WebhookFilter> read_webhook_filter(const Query& query) {
  return read_parameters<F>(query, webhook_parameters);
}

base::Result<HistoryFilter> read_history_filter(const Query& query) {
  auto filter = read_message_filter(query);
  if (!filter) {
    return filter.error();
  }
  return HistoryFilter{std::move(filter->webhook), std::move(filter->type), filter->since, filter->until};
}

base::Result<AuditFilter> read_audit_filter(const Query& query) { return read_parameters<A>(query, audit_parameters); }

base::Result<PageFilter> read_page_filter(const Query& query) { return read_parameters<P>(query, page_parameters); }

base::Result<std::optional<base::Time>> read_since(const Query& query) {
  const std::string* text = query.find("since");
  if (text == nullptr) {
    return std::optional<base::Time>();
  }
  Faults faults;
  const auto time = read_time("since", *text, faults);
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return time;
}

base::Result<base::Duration> read_wait(const Query& query) {
  const std::string* text = query.find("timeout");
  if (text == nullptr) {
    return wait_default;
  }
  double seconds = 0;
  const auto [end, fault] =
      std::from_chars(text->data(), text->data() + text->size(), seconds, std::chars_format::fixed);
  const double most = base::to_seconds(wait_max);
  if (fault != std::errc{} || end != text->data() + text->size() || !(seconds >= 0 && seconds <= most)) {
    Faults faults;
    refuse(faults, "timeout", "must be a number of seconds from 0 to 3600");
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return base::Duration(static_cast<base::Duration::rep>(seconds * 1000));
}

base::Result<bool> read_dry_run(const Query& query) {
  const std::string* text = query.find("dry_run");
  if (text == nullptr || *text == "false") {
    return false;
  }
  if (*text != "true" && *text != "") {
    Faults faults;
    refuse(faults, "dry_run", "must be true or false");
    return std::move(faults).error(ErrorCode::invalid_request);
  }
  return true;
}

}  // namespace webhookd::protocol
