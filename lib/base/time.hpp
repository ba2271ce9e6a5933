// Points in time and spans as values with units; no clock is read here. Time is wall-clock UTC in milliseconds
// because deadlines and due times outlive the process. Text is RFC 3339 in UTC; spans are "15s", "1h30m", "10d".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace webhookd::base {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;
using namespace std::chrono_literals;

constexpr Time time_from_ms(std::int64_t ms) { return Time{Duration{ms}}; }
constexpr std::int64_t to_ms(Time time) { return time.time_since_epoch().count(); }
constexpr std::int64_t to_unix_seconds(Time time) { return to_ms(time) / 1000; }
constexpr double to_seconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

// "2026-11-23T20:24:45.123Z"
std::string format_time(Time time);
// RFC 3339 with any offset and any number of fraction digits (cut to ms), years 1970 … 9999.
std::optional<Time> parse_time(std::string_view text);
// RFC 9110 section 5.6.7, as Retry-After uses it: IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT") and both obsolete
// forms, one of which has a year of two digits, which `now` makes whole.
std::optional<Time> parse_http_date(std::string_view text, Time now);

// Positive, one or more of <whole or decimal number><ms|s|m|h|d|w>, largest unit first: "500ms", "1.5s", "1h30m".
std::optional<Duration> parse_duration(std::string_view text);
// The units that it knows, for people: "ms, s, m, h, d, w".
std::string duration_units();
// The shortest spelling that parse_duration reads back: "10d", "1h30m", "1s500ms".
std::string format_duration(Duration duration);

}  // namespace webhookd::base
