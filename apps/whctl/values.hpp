// Values as people write them on the command line: durations, times, counts, rates, lists. Failures name the flag and
// show how it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "control/client/failure.hpp"
#include "parse.hpp"

namespace webhookd::whctl {

// Of a flag or argument that was given.
client::Result<base::Duration> duration_value(const Invocation& invocation, std::string_view name);
// The same, or 0.
client::Result<base::Duration> span_value(const Invocation& invocation, std::string_view name);
client::Result<std::uint64_t> count_value(const Invocation& invocation, std::string_view name, std::uint64_t max);
// `number`, at least this; nothing when it was not given.
client::Result<std::optional<std::uint64_t>> line_count(const Invocation& invocation, std::uint64_t least);
// RFC 3339, a date, today or yesterday (their first moment, UTC), now, or a duration: that long before now, which is
// asked only when it is needed.
client::Result<base::Time> time_value(const Invocation& invocation, std::string_view name,
                                      const std::function<base::Time()>& now);

// Requests per second of "10/s", "0.5/s" or "10".
client::Result<double> parse_rate(std::string_view flag, std::string_view text);
// A plain decimal number, not negative.
client::Result<double> parse_decimal(std::string_view flag, std::string_view text);
// "a,b" as two words; empty words are dropped.
std::vector<std::string> split_list(std::string_view text);

}  // namespace webhookd::whctl
