// How data is printed: one place for -o, -q, --fields, --no-headers, --no-trunc and colour, so that every command looks
// the same. A command hands over JSON values and a view (views.hpp: which members make which columns). People, that is
// a terminal, get aligned tables, relative times and words; scripts get tab-separated values without a header, RFC 3339
// and the words of the JSON. -o json, jsonl and yaml print the daemon's values as they came.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "channel.hpp"
#include "control/client/failure.hpp"
#include "json.hpp"
#include "table.hpp"

namespace webhookd::whctl {

enum class Format { table, wide, json, jsonl, yaml, csv, name };

std::vector<std::string_view> format_names();
std::optional<Format> parse_format(std::string_view text);

// How the value of a column becomes text.
// tally: a count or a truth, in the tone of its member's name unless it is nothing.
enum class Look { text, word, message_status, list, time, duration, milliseconds, bytes, tally };

struct Column {
  std::string_view header;  // "LAST SUCCESS"
  std::string_view field;   // member of the JSON, "a.b" for one inside another; the name that --fields takes
  Look look = Look::text;
  bool shrinks = false;
  bool is_wide = false;  // only with -o wide
};

struct View {
  std::string_view id_field;
  std::string_view name_field;
  std::vector<Column> columns;  // of a list
  std::vector<Column> details;  // of one object: header is the label
  // Members that neither shows, when the view knows all there are: --fields is then checked on an empty list, too.
  std::optional<std::vector<std::string_view>> others = std::nullopt;
};

struct OutputOptions {
  Format format = Format::table;
  bool ids_only = false;
  bool has_headers = true;
  bool truncates = true;
  bool has_color = false;
  bool is_terminal = false;
  bool is_ascii = false;  // a terminal without UTF-8
  std::size_t width = 80;
  std::vector<std::string> fields;
};

class Output {
 public:
  // `now` is asked only when a relative time is printed: it may be the daemon's clock.
  Output(OutputOptions options, Channel& channel, std::function<base::Time()> now);

  // One of the formats that print whole values.
  bool is_json() const {
    return options_.format == Format::json || options_.format == Format::jsonl || options_.format == Format::yaml;
  }
  bool is_table() const {
    return !options_.ids_only && (options_.format == Format::table || options_.format == Format::wide);
  }
  const OutputOptions& options() const { return options_; }

  client::Result<void> list(const View& view, const std::vector<Json>& items, Json next_cursor = {});
  // From now on lists are parts of one that grows: a header comes once, and times are absolute, because what was
  // printed stays while time goes on. Documents, which end, cannot grow: a usage failure.
  client::Result<void> begin_growing_list();
  // One object in the chosen format; as a table, one row of the view's columns.
  client::Result<void> row(const View& view, Json object);
  // One object; as a table, its details, one a line.
  client::Result<void> object(const View& view, Json object);
  // The single answer of a command that makes something: its id, or the object when a format was asked for.
  client::Result<void> made(const View& view, Json object);

  // Pieces of a screen that a command composes itself (only when is_table()).
  void table(const std::vector<Column>& columns, const std::vector<Json>& items);
  void details(const std::vector<Column>& columns, Json object);
  void heading(std::string_view text);
  void json_block(Json value);
  void raw_json(std::string_view checked);

  // For people the relative form with the time itself; for scripts RFC 3339.
  std::string time_text(Json time, bool with_absolute);
  std::string time_text(base::Time time, bool with_absolute);

 private:
  Cell cell(const Column& column, Json value);
  Cell cell_at(const Column& column, Json object);
  std::string time_for_people(base::Time time);
  Cell shown(Cell cell) const;
  bool is_document() const { return options_.format == Format::json || options_.format == Format::yaml; }
  client::Result<std::vector<Column>> chosen_columns(const View& view, const std::vector<Json>& items) const;
  static std::string_view member_of(const View& view, const std::string& word, Json item);
  std::string chosen_json(const View& view, Json object) const;
  std::string name_of(const View& view, Json object) const;
  bool prints_names() const { return options_.ids_only || options_.format == Format::name; }
  void csv(const std::vector<Column>& columns, const std::vector<Json>& items);

  OutputOptions options_;
  Channel& channel_;
  std::function<base::Time()> now_;
  std::optional<base::Time> known_now_;
  std::optional<TableSoFar> growing_;
  bool has_csv_header_ = false;
};

// "4m ago", "in 2h", "now": one unit, for people.
std::string relative_time(base::Time time, base::Time now);
// "12ms", "1.5s"
std::string milliseconds_for_people(double ms);
// "1.5 MiB"
std::string bytes_for_people(double bytes);

}  // namespace webhookd::whctl
