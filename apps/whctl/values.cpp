#include "values.hpp"

#include <charconv>
#include <optional>

#include "base/text.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::uint64_t lines_max = 10'000'000;

constexpr std::string_view duration_form = "a duration is written 500ms, 15s, 1h30m or 10d";
constexpr std::string_view time_form =
    "a time is written 2026-01-31T12:00:00Z, 2026-01-31, today, yesterday, or 1h (ago)";

// "--timeout", or the argument's own name in capitals.
std::string flag_text(std::string_view name) {
  const bool is_argument = !name.empty() && name.front() >= 'A' && name.front() <= 'Z';
  return is_argument ? std::string(name) : "--" + std::string(name);
}

client::Failure wrong(std::string_view name, std::string_view text, std::string_view form) {
  return failure(client::codes::usage, flag_text(name), "cannot read \"" + std::string(text) + "\"", std::string(form));
}

bool is_plain_decimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos && text.front() != '.';
}

}  // namespace

Result<base::Duration> duration_value(const Invocation& invocation, std::string_view name) {
  const auto& text = invocation.value(name);
  const auto duration = base::parse_duration(text);
  if (!duration) return wrong(name, text, duration_form);
  return *duration;
}

Result<base::Duration> span_value(const Invocation& invocation, std::string_view name) {
  const auto& text = invocation.value(name);
  if (text == "0" || text == "0s") return base::Duration{0};
  return duration_value(invocation, name);
}

Result<std::uint64_t> count_value(const Invocation& invocation, std::string_view name, std::uint64_t max) {
  const auto& text = invocation.value(name);
  const auto number = base::parse_whole_number(text, max);
  if (!number) return wrong(name, text, "a whole number, at most " + std::to_string(max));
  return std::uint64_t{*number};
}

Result<std::optional<std::uint64_t>> line_count(const Invocation& invocation, std::uint64_t least) {
  if (!invocation.has("number")) return std::optional<std::uint64_t>();
  const auto given = count_value(invocation, "number", lines_max);
  if (!given) return given.error();
  if (*given < least) return failure(client::codes::usage, "--number", "at least " + std::to_string(least));
  return std::optional<std::uint64_t>(*given);
}

Result<base::Time> time_value(const Invocation& invocation, std::string_view name,
                              const std::function<base::Time()>& now) {
  const auto& text = invocation.value(name);
  if (const auto time = base::parse_time(text)) return *time;
  if (const auto time = base::parse_time(text + "T00:00:00Z")) return *time;
  constexpr base::Duration day = std::chrono::hours(24);
  if (text == "now") return now();
  if (text == "today" || text == "yesterday") {
    const base::Time midnight = std::chrono::floor<std::chrono::days>(now());
    return text == "today" ? midnight : midnight - day;
  }
  const auto ago = base::parse_duration(text);
  if (!ago) return wrong(name, text, time_form);
  return now() - *ago;
}

Result<double> parse_decimal(std::string_view flag, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!is_plain_decimal(text) || error != std::errc() || end != text.data() + text.size()) {
    return wrong(flag, text, "a decimal number, for example 2 or 1.5");
  }
  return value;
}

Result<double> parse_rate(std::string_view flag, std::string_view text) {
  const auto number = text.ends_with("/s") ? text.substr(0, text.size() - 2) : text;
  auto value = parse_decimal(flag, number);
  if (!value) return wrong(flag, text, "a rate is written 10/s or 0.5/s");
  return value;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(','));
    if (!word.empty()) words.emplace_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return words;
}

}  // namespace webhookd::whctl
