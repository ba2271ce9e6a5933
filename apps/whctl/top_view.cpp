#include "top_view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "output.hpp"
#include "safe_text.hpp"
#include "table.hpp"
#include "text_width.hpp"

namespace webhookd::whctl {

namespace {

constexpr std::size_t label_width = 12;
constexpr std::size_t rate_width = 10;

std::string rate_text(double rate) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), rate < 10 ? "%.1f/s" : "%.0f/s", rate);
  return text.data();
}

std::string padded(std::string text, std::size_t width) {
  const auto columns = display_width(text);
  return columns < width ? text + std::string(width - columns, ' ') : text;
}

struct RateRow {
  std::string_view label;
  double Rates::*member;
  Tone tone;
};
constexpr std::array rate_rows{RateRow{"accepted", &Rates::accepted, Tone::plain},
                               RateRow{"delivered", &Rates::successes, Tone::good},
                               RateRow{"failing", &Rates::failures, Tone::bad}};

std::string rate_line(const RateRow& row, const TopState& state, const Screen& screen) {
  std::vector<double> values;
  for (const auto& rates : state.history) values.push_back(rates.*row.member);
  const double latest = values.empty() ? 0 : values.back();
  const std::size_t used = label_width + rate_width;
  const std::size_t room = screen.width > used ? screen.width - used : 0;
  return padded(std::string(row.label), label_width) + padded(rate_text(latest), rate_width) +
         in_tone(sparkline(values, room, screen.is_ascii), row.tone, screen.has_color);
}

void add(std::vector<std::string>& lines, const Screen& screen, std::string text) {
  if (screen.is_ascii) text = ascii_text(text);
  lines.push_back(cut_to_width(text, std::max<std::size_t>(screen.width, 1), screen.is_ascii ? "..." : "\u2026"));
}

void add_table(std::vector<std::string>& lines, const Screen& screen, const std::vector<TableColumn>& columns,
               std::vector<Row> rows) {
  for (auto& row : rows) {
    for (auto& cell : row) {
      if (screen.is_ascii) cell.text = ascii_text(cell.text);
    }
  }
  const TableLayout layout{screen.width, true, screen.has_color, screen.is_ascii ? "..." : "\u2026"};
  std::string text = aligned_table(columns, std::move(rows), layout);
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.erase(0, lines.back().size() + 1);
  }
}

void add_endpoints(std::vector<std::string>& lines, const TopState& state, const Screen& screen) {
  if (state.endpoints.empty()) return;
  std::vector<Row> rows;
  for (const auto& endpoint : state.endpoints) {
    rows.push_back({{safe_line(endpoint.name)},
                    {safe_line(endpoint.health), endpoint.health == "down" ? Tone::bad : Tone::warning},
                    {safe_line(endpoint.status)},
                    {std::to_string(endpoint.waiting)}});
  }
  lines.emplace_back();
  add_table(lines, screen, {{"ENDPOINT", true}, {"HEALTH"}, {"STATUS"}, {"WAITING"}}, std::move(rows));
}

void add_failures(std::vector<std::string>& lines, const TopState& state, const Screen& screen) {
  if (state.failures.empty()) return;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < state.failures.size(); ++i) {
    const auto& failure = state.failures[i];
    const Tone tone = failure.status == "failed" ? Tone::bad : Tone::warning;
    rows.push_back({{i == state.chosen ? ">" : " "},
                    {safe_line(failure.id)},
                    {safe_line(failure.webhook)},
                    {safe_line(failure.status), tone},
                    {safe_line(failure.failure)}});
  }
  lines.emplace_back();
  add_table(lines, screen, {{" "}, {"MESSAGE"}, {"WEBHOOK", true}, {"STATUS"}, {"FAILURE", true}}, std::move(rows));
}

}  // namespace

Rates rates_between(const Counters& before, const Counters& after, base::Duration span) {
  const double seconds = std::max(0.001, base::to_seconds(span));
  const auto rate = [&](std::uint64_t Counters::*member) {
    // A daemon that was started again counts from nothing.
    return after.*member < before.*member ? 0 : static_cast<double>(after.*member - before.*member) / seconds;
  };
  return {rate(&Counters::accepted), rate(&Counters::successes), rate(&Counters::failures)};
}

std::string sparkline(const std::vector<double>& values, std::size_t width, bool is_ascii) {
  constexpr std::array<std::string_view, 9> blocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t count = std::min(width, values.size());
  const auto first = values.end() - static_cast<std::ptrdiff_t>(count);
  const double highest = count == 0 ? 0 : *std::max_element(first, values.end());
  std::string line;
  for (auto value = first; value != values.end(); ++value) {
    const double share = highest > 0 ? *value / highest : 0;
    const auto height = static_cast<std::size_t>(std::ceil(share * 8));
    line += is_ascii ? std::to_string(height) : std::string(blocks.at(height));
  }
  return line;
}

std::vector<std::string> top_lines(const TopState& state, const Screen& screen) {
  std::vector<std::string> lines;
  add(lines, screen,
      "webhookd " + safe_line(state.version) + ", up " + state.uptime + (state.is_test_clock ? ", test clock" : "") +
          (state.is_stopped ? ", view stopped" : ""));
  add(lines, screen,
      padded("waiting", label_width) + padded(std::to_string(state.now.waiting), rate_width) + "in flight " +
          std::to_string(state.now.in_flight) +
          (state.p99_ms > 0 ? "   attempts take " + milliseconds_for_people(state.p50_ms) + ", p99 " +
                                  milliseconds_for_people(state.p99_ms)
                            : ""));
  for (const auto& row : rate_rows) lines.push_back(rate_line(row, state, screen));
  add_endpoints(lines, state, screen);
  add_failures(lines, state, screen);
  const std::size_t room = std::max<std::size_t>(screen.height, 2) - 1;  // the last line is for the keys
  if (lines.size() > room) lines.resize(room);
  while (lines.size() < room) lines.emplace_back();
  add(lines, screen,
      state.words.empty() ? "up/down choose  enter open  r retry  c cancel  p pause  q leave" : safe_line(state.words));
  return lines;
}

}  // namespace webhookd::whctl
