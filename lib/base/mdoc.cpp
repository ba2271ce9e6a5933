#include "base/mdoc.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace webhookd::base {

namespace {

// The day of the texts, not of the build: a page that is made again must come out the same.
constexpr std::string_view page_date = "November 24, 2026";

struct Escape {
  char32_t code;
  std::string_view text;
};
// What roff would act on, and the typographic characters of our own prose.
constexpr std::array escapes{Escape{'\\', "\\e"},  Escape{'-', "\\-"},    Escape{'`', "\\(ga"},    Escape{'^', "\\(ha"},
                             Escape{'~', "\\(ti"}, Escape{0x27, "\\(aq"}, Escape{0x2026, "\\&..."}};

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto code = decode_utf8(text, length);
    const auto found =
        std::find_if(escapes.begin(), escapes.end(), [&](const Escape& row) { return code && row.code == *code; });
    length = std::max<std::size_t>(length, 1);
    if (found != escapes.end()) {
      out += found->text;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

// A line of text must not look like a request.
std::string text_line(std::string_view text) {
  const std::string out = escaped(text);
  return out.starts_with('.') ? "\\&" + out : out;
}

// One argument of a macro, quoted so that no word of it is taken for a macro.
std::string argument(std::string_view text) {
  std::string out = "\"";
  for (const char c : escaped(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out + "\"";
}

// Each sentence on a line of its own, which is how roff knows its end.
std::string with_sentences_apart(std::string_view prose) {
  std::string out(prose);
  for (auto at = out.find(". "); at != std::string::npos; at = out.find(". ", at + 1)) out[at + 1] = '\n';
  return out;
}

// Words between backquotes become bold.
std::string with_bold(std::string_view text) {
  const std::string apart = with_sentences_apart(text);
  std::string_view prose = apart;
  std::string out;
  bool is_bold = false;
  while (!prose.empty()) {
    const auto part = prose.substr(0, prose.find('`'));
    out += out.empty() && !is_bold ? text_line(part) : escaped(part);
    prose.remove_prefix(part.size());
    if (prose.empty()) break;
    prose.remove_prefix(1);
    is_bold = !is_bold;
    out += is_bold ? "\\fB" : "\\fR";
  }
  return out;
}

std::string flag_macros(const ManualFlag& flag, bool with_both) {
  std::string text;
  if (flag.letter != 0) text = std::string("Fl ") + flag.letter;
  if (flag.letter == 0 || with_both) {
    text += (text.empty() ? "Fl Fl " : " , Fl Fl ") + std::string(flag.name);
  }
  return flag.value.empty() ? text : text + " Ar " + argument(flag.value);
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

}  // namespace

Mdoc::Mdoc(std::string_view name, char section, std::string_view what) : name_(name), section_(section) {
  line(".\\\" Written by ./dev docs from the tables of the programs: change those.");
  line(".Dd " + std::string(page_date));
  line(".Dt " + upper(name_) + " " + section_);
  line(".Os");
  line(".Sh NAME");
  line(".Nm " + name_);
  line(".Nd " + argument(what));
}

Mdoc& Mdoc::line(std::string_view text) {
  text_.append(text).append("\n");
  return *this;
}

Mdoc& Mdoc::section(std::string_view title) { return line(".Sh " + std::string(title)); }

Mdoc& Mdoc::subsection(std::string_view title) { return line(".Ss " + argument(title)); }

Mdoc& Mdoc::paragraph(std::string_view prose) {
  bool is_first = true;
  while (!prose.empty()) {
    const auto part = prose.substr(0, prose.find("\n\n"));
    prose.remove_prefix(std::min(prose.size(), part.size() + 2));
    const bool follows_heading = text_.rfind("\n.Sh ") == text_.find_last_of('\n', text_.size() - 2) ||
                                 text_.rfind("\n.Ss ") == text_.find_last_of('\n', text_.size() - 2);
    if (!is_first || !follows_heading) line(".Pp");
    is_first = false;
    line(with_bold(part));
  }
  return *this;
}

Mdoc& Mdoc::synopsis(std::string_view program) { return line(".Nm " + argument(program)); }

Mdoc& Mdoc::synopsis_flag(const ManualFlag& flag, bool is_required, bool is_repeated) {
  const std::string macros = flag_macros(flag, false);
  if (is_required) {
    line("." + macros);
  } else {
    line(".Op " + macros);
  }
  return is_repeated ? line(".No ...") : *this;
}

Mdoc& Mdoc::synopsis_argument(std::string_view name, bool is_required, bool is_repeated) {
  return line((is_required ? ".Ar " : ".Op Ar ") + argument(name) + (is_repeated ? " ..." : ""));
}

Mdoc& Mdoc::begin_list() { return line(".Bl -tag -width Ds"); }

Mdoc& Mdoc::end_list() { return line(".El"); }

Mdoc& Mdoc::flag_item(const ManualFlag& flag, std::string_view prose) {
  return line(".It " + flag_macros(flag, true)).line(with_bold(prose));
}

Mdoc& Mdoc::item(std::string_view term, std::string_view prose) {
  return line(".It Sy " + argument(term)).line(with_bold(prose));
}

Mdoc& Mdoc::literal(const std::vector<std::string>& lines) {
  line(".Bd -literal -offset indent");
  for (const auto& text : lines) line(text_line(text));
  return line(".Ed");
}

Mdoc& Mdoc::see_also(const std::vector<std::pair<std::string, char>>& pages) {
  std::vector<std::pair<char, std::string>> sorted;
  for (const auto& [name, number] : pages) {
    if (name != name_) sorted.emplace_back(number, name);
  }
  std::sort(sorted.begin(), sorted.end());
  section("SEE ALSO");
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    line(".Xr " + sorted[i].second + " " + sorted[i].first + (i + 1 < sorted.size() ? " ," : ""));
  }
  return *this;
}

ManualPage Mdoc::page() const { return {name_ + "." + section_, text_}; }

}  // namespace webhookd::base
