#include "output.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "parse.hpp"
#include "safe_text.hpp"
#include "yaml.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view absent = "-";

struct NamedFormat {
  std::string_view name;
  Format format;
};
constexpr std::array formats{NamedFormat{"table", Format::table}, NamedFormat{"wide", Format::wide},
                             NamedFormat{"json", Format::json},   NamedFormat{"jsonl", Format::jsonl},
                             NamedFormat{"yaml", Format::yaml},   NamedFormat{"csv", Format::csv},
                             NamedFormat{"name", Format::name}};

struct TonedWord {
  std::string_view word;
  Tone tone;
};
constexpr std::array toned_words{
    TonedWord{"success", Tone::good},       TonedWord{"active", Tone::good},       TonedWord{"up", Tone::good},
    TonedWord{"retrying", Tone::warning},   TonedWord{"throttled", Tone::warning}, TonedWord{"failed", Tone::bad},
    TonedWord{"down", Tone::bad},           TonedWord{"cancelled", Tone::faint},   TonedWord{"inactive", Tone::faint},
    TonedWord{"warning", Tone::warning},    TonedWord{"critical", Tone::bad},      TonedWord{"full", Tone::bad},
    TonedWord{"damaged_records", Tone::bad}};

Tone tone_of(std::string_view word) {
  for (const auto& toned : toned_words) {
    if (toned.word == word) return toned.tone;
  }
  return Tone::plain;
}

std::string capitalised(std::string word) {
  if (!word.empty() && word.front() >= 'a' && word.front() <= 'z') word.front() = static_cast<char>(word.front() - 32);
  return word;
}

Json member_at(Json object, std::string_view path) {
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('.'));
    object = object[name];
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return object;
}

Tone tone_of_tally(const Column& column, Json value) {
  const bool is_nothing = !value.truth() && value.number().value_or(0) == 0;
  return is_nothing ? Tone::plain : tone_of(column.field.substr(column.field.rfind('.') + 1));
}

// The first parts of the names of its members: of `item`, and without one those that the view knows.
std::vector<std::string> member_names(const View& view, const std::vector<Json>& items) {
  std::vector<std::string> names;
  if (!items.empty()) {
    for (const auto& member : items.front().members()) names.push_back(member.name);
    return names;
  }
  for (const auto* columns : {&view.columns, &view.details}) {
    for (const auto& column : *columns) names.emplace_back(column.field.substr(0, column.field.find('.')));
  }
  if (view.others) names.insert(names.end(), view.others->begin(), view.others->end());
  return names;
}

std::string joined_list(Json list) {
  std::vector<std::string> parts;
  for (const auto& element : list.elements()) parts.push_back(element.plain());
  return base::join(parts, ",");
}

}  // namespace

std::vector<std::string_view> format_names() {
  std::vector<std::string_view> names;
  for (const auto& row : formats) names.push_back(row.name);
  return names;
}

std::optional<Format> parse_format(std::string_view text) {
  for (const auto& row : formats) {
    if (row.name == text) return row.format;
  }
  return std::nullopt;
}

std::string relative_time(base::Time time, base::Time now) {
  struct Unit {
    std::int64_t ms;
    std::string_view name;
  };
  constexpr std::array units{Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "m"}, Unit{1000, "s"}};
  const auto away = base::to_ms(time) - base::to_ms(now);
  const auto span = std::abs(away);
  for (const auto& unit : units) {
    if (span < unit.ms) continue;
    const std::string text = std::to_string(span / unit.ms) + std::string(unit.name);
    return away < 0 ? text + " ago" : "in " + text;
  }
  return "now";
}

std::string milliseconds_for_people(double ms) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), ms < 1000 ? "%.0fms" : "%.1fs", ms < 1000 ? ms : ms / 1000);
  return text.data();
}

std::string bytes_for_people(double bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units.at(unit));
  return text.data();
}

Output::Output(OutputOptions options, Channel& channel, std::function<base::Time()> now)
    : options_(std::move(options)), channel_(channel), now_(std::move(now)) {}

std::string Output::time_for_people(base::Time time) {
  if (!known_now_) known_now_ = now_();
  return relative_time(time, *known_now_);
}

std::string Output::time_text(Json time, bool with_absolute) {
  const std::string text = time.plain();
  const auto parsed = options_.is_terminal && !growing_ ? base::parse_time(text) : std::nullopt;
  if (!parsed) return text.empty() ? std::string(absent) : safe_line(text);
  return time_for_people(*parsed) + (with_absolute ? " (" + safe_line(text) + ")" : "");
}

std::string Output::time_text(base::Time time, bool with_absolute) {
  const std::string text = base::format_time(time);
  if (!options_.is_terminal) return text;
  return time_for_people(time) + (with_absolute ? " (" + text + ")" : "");
}

Cell Output::cell(const Column& column, Json value) {
  if (value.is_null()) return {std::string(absent), Tone::plain};
  const std::string plain = column.look == Look::list ? joined_list(value) : value.plain();
  const auto number = value.number();
  switch (column.look) {
    case Look::time:
      return {time_text(value, false), Tone::plain};
    case Look::word:
      return {safe_line(plain), tone_of(plain)};
    case Look::message_status:
      return {options_.is_terminal ? capitalised(safe_line(plain)) : safe_line(plain), tone_of(plain)};
    case Look::bytes:
      if (number && options_.is_terminal) return {bytes_for_people(*number), Tone::plain};
      break;
    case Look::duration:
      if (number && options_.is_terminal && *number > 0 && *number < 1e12) {
        // Above a minute nobody reads milliseconds.
        const auto ms = *number < 60 ? std::llround(*number * 1000) : std::llround(*number) * 1000;
        return {base::format_duration(base::Duration{ms}), Tone::plain};
      }
      break;
    case Look::milliseconds:
      if (number && options_.is_terminal) return {milliseconds_for_people(*number), Tone::plain};
      break;
    case Look::tally:
      return {safe_line(plain), tone_of_tally(column, value)};
    case Look::text:
    case Look::list:
      break;
  }
  return {plain.empty() ? std::string(absent) : safe_line(plain), Tone::plain};
}

Cell Output::shown(Cell cell) const {
  if (options_.is_ascii) cell.text = ascii_text(cell.text);  // before its width counts
  return cell;
}

Cell Output::cell_at(const Column& column, Json object) { return shown(cell(column, member_at(object, column.field))); }

// The member that a word of --fields names: its own name, or that of the column with this heading ("name").
std::string_view Output::member_of(const View& view, const std::string& word, Json item) {
  const auto is_it = [&](const Column& column) { return column.field == word; };
  const bool is_member = std::any_of(view.columns.begin(), view.columns.end(), is_it) ||
                         std::any_of(view.details.begin(), view.details.end(), is_it) ||
                         item.has(std::string_view(word).substr(0, word.find('.')));
  if (is_member) return word;
  for (const auto& column : view.columns) {
    std::string heading = base::to_lower(column.header);
    std::replace(heading.begin(), heading.end(), ' ', '_');
    if (heading == word) return column.field;
  }
  return word;
}

// The columns that the format and --fields ask for. A field that no column and no item knows is a typing error.
Result<std::vector<Column>> Output::chosen_columns(const View& view, const std::vector<Json>& items) const {
  std::vector<Column> columns;
  if (options_.fields.empty()) {
    const bool takes_wide = options_.format == Format::wide || options_.format == Format::csv;
    for (const auto& column : view.columns) {
      if (takes_wide || !column.is_wide) columns.push_back(column);
    }
    return columns;
  }
  for (const auto& word : options_.fields) {
    const std::string_view field = member_of(view, word, items.empty() ? Json() : items.front());
    const auto known = std::find_if(view.columns.begin(), view.columns.end(),
                                    [&](const Column& column) { return column.field == field; });
    if (known != view.columns.end()) {
      columns.push_back(*known);
      continue;
    }
    const auto names = member_names(view, items);
    const bool is_checked = !items.empty() || view.others;
    if (is_checked && std::find(names.begin(), names.end(), field.substr(0, field.find('.'))) == names.end()) {
      return unknown_word("--fields", "there is no member \"" + word + "\"", word, names);
    }
    columns.push_back({field, field, Look::text, true, false});
  }
  return columns;
}

std::string Output::chosen_json(const View& view, Json object) const {
  if (options_.fields.empty()) return std::string(object.raw());
  std::string text = "{}";
  for (const auto& word : options_.fields) {
    const std::string_view field = member_of(view, word, object);
    text = with_value_at(text, field, member_at(object, field).raw());
  }
  return text;
}

std::string Output::name_of(const View& view, Json object) const {
  return safe_line(object[options_.ids_only ? view.id_field : view.name_field].plain());
}

void Output::csv(const std::vector<Column>& columns, const std::vector<Json>& items) {
  std::vector<std::string> values;
  for (const auto& column : columns) values.emplace_back(column.field);
  const bool has_begun = growing_ && std::exchange(has_csv_header_, true);
  if (options_.has_headers && !has_begun) channel_.write(csv_line(values));
  for (const auto& item : items) {
    values.clear();
    for (const auto& column : columns) {
      const Json value = member_at(item, column.field);
      values.push_back(safe_line(value.is_array() ? joined_list(value) : value.plain()));
    }
    channel_.write(csv_line(values));
  }
}

Result<void> Output::list(const View& view, const std::vector<Json>& items, Json next_cursor) {
  if (prints_names()) {
    for (const auto& item : items) channel_.line(name_of(view, item));
    return {};
  }
  const auto columns = chosen_columns(view, items);
  if (!columns) return columns.error();
  if (options_.format == Format::jsonl) {
    for (const auto& item : items) channel_.line(safe_json(compact_json(chosen_json(view, item))));
  } else if (is_document()) {
    std::string text = "{\"items\":[";
    for (const auto& item : items) {
      if (text.back() == '}') text += ',';
      text += chosen_json(view, item);
    }
    raw_json(text + "],\"next_cursor\":" + std::string(next_cursor.raw()) + "}");
  } else if (options_.format == Format::csv) {
    csv(*columns, items);
  } else {
    table(*columns, items);
  }
  return {};
}

Result<void> Output::begin_growing_list() {
  if (is_document() && !prints_names()) {
    return failure(client::codes::usage, "--output", "json and yaml are one document, which here has no end",
                   "-o jsonl prints a line for each");
  }
  growing_.emplace();
  return {};
}

Result<void> Output::row(const View& view, Json object) {
  if (!is_document() || options_.ids_only) return list(view, {object});
  return this->object(view, object);
}

Result<void> Output::object(const View& view, Json object) {
  if (is_table() && options_.fields.empty()) {
    details(view.details, object);
    return {};
  }
  if (!is_document() || options_.ids_only) return list(view, {object});
  const auto columns = chosen_columns(view, {object});
  if (!columns) return columns.error();
  raw_json(chosen_json(view, object));
  return {};
}

Result<void> Output::made(const View& view, Json object) {
  if (is_table() && options_.fields.empty()) {
    channel_.line(safe_line(object[view.id_field].plain()));
    return {};
  }
  return row(view, object);
}

void Output::table(const std::vector<Column>& columns, const std::vector<Json>& items) {
  std::vector<TableColumn> headers;
  for (const auto& column : columns) headers.push_back({std::string(column.header), column.shrinks});
  std::vector<Row> rows;
  for (const auto& item : items) {
    Row row;
    for (const auto& column : columns) row.push_back(cell_at(column, item));
    rows.push_back(std::move(row));
  }
  if (!options_.is_terminal) {
    channel_.write(tab_separated(rows, options_.has_color));
    return;
  }
  const TableLayout layout{options_.truncates ? options_.width : 0, options_.has_headers, options_.has_color,
                           options_.is_ascii ? "..." : "\u2026"};
  if (!rows.empty()) channel_.write(aligned_table(headers, rows, layout, growing_ ? &*growing_ : nullptr));
}

void Output::details(const std::vector<Column>& columns, Json object) {
  std::size_t width = 0;
  for (const auto& column : columns) width = std::max(width, column.header.size());
  for (const auto& column : columns) {
    const Json value = member_at(object, column.field);
    if (!options_.is_terminal) {
      const Cell detail = cell(column, value);
      channel_.line(std::string(column.field) + "\t" + in_tone(detail.text, detail.tone, options_.has_color));
      continue;
    }
    if (value.is_null() || value.raw() == "\"\"") continue;
    Cell detail = cell(column, value);
    if (column.look == Look::time) detail.text = time_text(value, true);
    channel_.line(std::string(column.header) + ":" + std::string(width - column.header.size() + 2, ' ') +
                  in_tone(detail.text, detail.tone, options_.has_color));
  }
}

void Output::heading(std::string_view text) { channel_.line("\n" + std::string(text)); }

void Output::json_block(Json value) {
  const std::string text = safe_json(pretty_json(value.raw()));
  channel_.line(options_.is_ascii ? ascii_json(text) : text);
}

void Output::raw_json(std::string_view checked) {
  if (options_.format == Format::yaml) {
    channel_.write(yaml_of(checked));
    return;
  }
  const std::string text = safe_json(options_.format == Format::jsonl ? compact_json(checked) : pretty_json(checked));
  channel_.line(options_.is_ascii ? ascii_json(text) : text);
}

}  // namespace webhookd::whctl
