// Manual pages as text: a page is written from the tables of the programs (commands, settings, routes), so that it says
// what the program does. mdoc(7), because it names what a word is (flag, argument, path) and leaves the looks to the
// reader's system; everything that comes in is escaped here. Here because both programs write pages. Nothing here knows
// what a page is about.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhookd::base {

struct ManualPage {
  std::string file;  // "whctl-create.1"
  std::string text;
};

// A flag as people write it: letter 0 for none, value empty for a switch.
struct ManualFlag {
  std::string_view name;
  char letter = 0;
  std::string_view value;
};

class Mdoc {
 public:
  // `section` is 1, 5, 7 or 8; `what` is the one line that apropos(1) shows.
  Mdoc(std::string_view name, char section, std::string_view what);

  Mdoc& section(std::string_view title);
  Mdoc& subsection(std::string_view title);
  // Prose; `words` between backquotes are set bold, an empty line starts a new paragraph.
  Mdoc& paragraph(std::string_view prose);
  // A line of the synopsis: the program, and then its flags and arguments.
  Mdoc& synopsis(std::string_view program);
  Mdoc& synopsis_flag(const ManualFlag& flag, bool is_required, bool is_repeated);
  Mdoc& synopsis_argument(std::string_view name, bool is_required, bool is_repeated);

  Mdoc& begin_list();
  Mdoc& end_list();
  Mdoc& flag_item(const ManualFlag& flag, std::string_view prose);
  Mdoc& item(std::string_view term, std::string_view prose);

  // Lines as they are typed.
  Mdoc& literal(const std::vector<std::string>& lines);
  // Names and sections of other pages; the page itself is left out.
  Mdoc& see_also(const std::vector<std::pair<std::string, char>>& pages);

  ManualPage page() const;

 private:
  Mdoc& line(std::string_view text);

  std::string name_;
  char section_;
  std::string text_;
};

}  // namespace webhookd::base
