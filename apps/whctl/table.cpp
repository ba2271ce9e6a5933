#include "table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "text_width.hpp"

namespace webhookd::whctl {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t shrunk_width_min = 8;

std::string_view escape_of(Tone tone) {
  switch (tone) {
    case Tone::good:
      return "\x1b[32m";
    case Tone::warning:
      return "\x1b[33m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::faint:
      return "\x1b[2m";
    case Tone::plain:
      break;
  }
  return "";
}

std::vector<std::size_t> natural_widths(const std::vector<TableColumn>& columns, const std::vector<Row>& rows,
                                        bool has_headers) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t width = has_headers ? display_width(columns[i].header) : 0;
    for (const auto& row : rows) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  return widths;
}

std::size_t total_width(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
}

// Takes from the widest column that may shrink, until the table fits or nothing can give.
void shrink(std::vector<std::size_t>& widths, const std::vector<TableColumn>& columns, std::size_t terminal) {
  for (std::size_t total = total_width(widths); total > terminal; --total) {
    std::size_t widest = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool may_give = columns[i].shrinks && widths[i] > shrunk_width_min;
      if (may_give && (widest == columns.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns.size()) return;
    --widths[widest];
  }
}

// What the table is when it is too wide however much it shrinks: without the last of the columns that may shrink; the
// first of them stays. Nothing to take away: false.
bool drop_column(std::vector<TableColumn>& columns, std::vector<Row>& rows, std::vector<std::size_t>& widths) {
  const auto may_go = [](const TableColumn& column) { return column.shrinks; };
  const auto first = std::find_if(columns.begin(), columns.end(), may_go);
  const auto last = std::find_if(columns.rbegin(), columns.rend(), may_go);
  if (last == columns.rend() || std::prev(last.base()) == first) return false;
  const auto place = std::prev(last.base()) - columns.begin();
  columns.erase(columns.begin() + place);
  widths.erase(widths.begin() + place);
  for (auto& row : rows) row.erase(row.begin() + place);
  return true;
}

// The widths that fit, of the columns that are left.
std::vector<std::size_t> fitted(std::vector<TableColumn>& columns, std::vector<Row>& rows,
                                std::vector<std::size_t> natural, std::size_t terminal) {
  for (;;) {
    auto widths = natural;
    shrink(widths, columns, terminal);
    if (total_width(widths) <= terminal || !drop_column(columns, rows, natural)) return widths;
  }
}

void append_row(std::string& out, const Row& row, const std::vector<std::size_t>& widths, bool has_color,
                std::string_view ellipsis) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = cut_to_width(row[i].text, std::max<std::size_t>(widths[i], 1), ellipsis);
    out += in_tone(text, row[i].tone, has_color);
    if (i + 1 < row.size()) out.append(widths[i] - std::min(widths[i], display_width(text)) + gap, ' ');
  }
  out += '\n';
}

bool needs_quotes(std::string_view value) { return value.find_first_of(",\"\r\n") != std::string_view::npos; }

}  // namespace

std::string in_tone(std::string_view text, Tone tone, bool has_color) {
  if (!has_color || tone == Tone::plain) return std::string(text);
  return std::string(escape_of(tone)).append(text).append("\x1b[0m");
}

std::string aligned_table(std::vector<TableColumn> columns, std::vector<Row> rows, const TableLayout& layout,
                          TableSoFar* so_far) {
  if (columns.empty()) return {};
  auto widths = natural_widths(columns, rows, layout.has_headers);
  if (so_far != nullptr) {
    so_far->widths.resize(widths.size());
    std::transform(widths.begin(), widths.end(), so_far->widths.begin(), widths.begin(),
                   [](std::size_t now, std::size_t before) { return std::max(now, before); });
    so_far->widths = widths;
  }
  if (layout.width > 0) widths = fitted(columns, rows, std::move(widths), layout.width);
  std::string out;
  if (layout.has_headers && (so_far == nullptr || !std::exchange(so_far->has_header, true))) {
    Row header;
    for (const auto& column : columns) header.push_back({column.header, Tone::plain});
    append_row(out, header, widths, false, layout.ellipsis);
  }
  for (const auto& row : rows) append_row(out, row, widths, layout.has_color, layout.ellipsis);
  return out;
}

std::string tab_separated(const std::vector<Row>& rows, bool has_color) {
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += '\t';
      out += in_tone(row[i].text, row[i].tone, has_color);
    }
    out += '\n';
  }
  return out;
}

std::string csv_line(const std::vector<std::string>& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    if (!needs_quotes(values[i])) {
      out += values[i];
      continue;
    }
    out += '"';
    for (const char c : values[i]) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  return out + '\n';
}

}  // namespace webhookd::whctl
