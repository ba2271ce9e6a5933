// Text from outside (names, URLs, answers of receivers) made harmless before it reaches a terminal: C0, DEL and C1
// controls, bidirectional and zero-width controls, line separators and invalid UTF-8 are written as escapes, so that
// they can be read and cannot steer. Also how wide a text is on a terminal, and cutting to a width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace webhookd::whctl {

// One line: newline and tab are escaped too ("\n", "\t").
std::string safe_line(std::string_view text);
// Several lines: newline and tab stay.
std::string safe_block(std::string_view text);
// The same JSON value with those code points as \uXXXX. `json` is a JSON text, where they only occur inside strings.
std::string safe_json(std::string_view json);

// Columns on a terminal of text that is already safe: wide characters count two, combining marks none.
std::size_t display_width(std::string_view text);
// At most `width` columns, ending in "…" when something was cut; width >= 1.
std::string cut_to_width(std::string_view text, std::size_t width);

}  // namespace webhookd::whctl
