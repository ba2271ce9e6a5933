#include "control/protocol/members.hpp"

#include <cmath>
#include <limits>

#include "base/text.hpp"

namespace webhookd::protocol {

namespace {

constexpr double seconds_max = 1e10;

}  // namespace

void add_fault(Faults& faults, const Place& place, std::string_view rule) {
  faults.add(place.pointer, place.name.substr(0, name_shown_max) + ": " + std::string(rule));
}

bool expect_kind(std::string_view value, JsonKind kind, const Place& place, Faults& faults) {
  if (kind_of(value) == kind) {
    return true;
  }
  add_fault(faults, place,
            "must be " + std::string(to_string(kind)) + ", not " + std::string(to_string(kind_of(value))));
  return false;
}

std::optional<std::string> read_string(std::string_view value, const Place& place, Faults& faults) {
  if (!expect_kind(value, JsonKind::string, place, faults)) {
    return std::nullopt;
  }
  auto text = decode_string(value);
  if (!text) {
    add_fault(faults, place, "has a lone surrogate, which is no text");
  }
  return text;
}

std::optional<double> read_number(std::string_view value, const Place& place, Faults& faults) {
  if (!expect_kind(value, JsonKind::number, place, faults)) {
    return std::nullopt;
  }
  auto number = decode_number(value);
  if (!number) {
    add_fault(faults, place, "is beyond every number we can hold");
  }
  return number;
}

std::optional<std::uint32_t> read_count(std::string_view value, const Place& place, Faults& faults) {
  const auto number = read_number(value, place, faults);
  if (!number) {
    return std::nullopt;
  }
  if (*number < 0 || *number > std::numeric_limits<std::uint32_t>::max() || *number != std::floor(*number)) {
    add_fault(faults, place, "must be a whole number");
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

std::optional<base::Duration> read_seconds(std::string_view value, const Place& place, Faults& faults) {
  if (kind_of(value) != JsonKind::number) {
    add_fault(faults, place, "must be a number of seconds, not " + std::string(to_string(kind_of(value))));
    return std::nullopt;
  }
  const auto seconds = decode_number(value);
  if (!seconds || *seconds < 0 || *seconds > seconds_max) {
    add_fault(faults, place, "must be a number of seconds from 0");
    return std::nullopt;
  }
  return base::Duration(std::llround(*seconds * 1000));
}

std::optional<base::Time> read_time(std::string_view value, const Place& place, Faults& faults) {
  const auto text = read_string(value, place, faults);
  if (!text) {
    return std::nullopt;
  }
  const auto time = base::parse_time(*text);
  if (!time) {
    add_fault(faults, place, "must be a time as in RFC 3339, for example 2026-11-23T20:24:45.123Z");
  }
  return time;
}

void add_unknown_member(Faults& faults, const Place& place, std::string_view name,
                        const std::vector<std::string>& known) {
  const auto meant = base::closest(name, known);
  add_fault(faults, place,
            meant ? "is not a member here; did you mean " + *meant + "?"
                  : "is not a member here; there are " + base::join(known, ", "));
}

}  // namespace webhookd::protocol
