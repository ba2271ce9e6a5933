// Rows on paper: an aligned table for a terminal, fitted to its width, tab-separated values for scripts, CSV for
// spreadsheets. Cells are already safe text (safe_text.hpp); nothing here knows what they mean.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::whctl {

enum class Tone { plain, good, warning, bad, faint };

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};

struct TableColumn {
  std::string header;
  bool shrinks = false;  // gives up width when the table is wider than the terminal
};

using Row = std::vector<Cell>;

struct TableLayout {
  std::size_t width = 0;  // columns of the terminal; 0: cut nothing
  bool has_headers = true;
  bool has_color = false;
  std::string_view ellipsis = "\u2026";
};

// What the parts of one table have in common that is printed part by part: the header comes once, and a column is never
// narrower than before.
struct TableSoFar {
  bool has_header = false;
  std::vector<std::size_t> widths;
};

// Columns that shrink give way first, down to eight; when that is not enough the last of them are left out.
std::string aligned_table(std::vector<TableColumn> columns, std::vector<Row> rows, const TableLayout& layout,
                          TableSoFar* so_far = nullptr);
std::string tab_separated(const std::vector<Row>& rows, bool has_color);
// RFC 4180, with LF.
std::string csv_line(const std::vector<std::string>& values);
std::string in_tone(std::string_view text, Tone tone, bool has_color);

}  // namespace webhookd::whctl
