// Text from outside (names, URLs, answers of receivers) made harmless before it reaches a terminal: C0, DEL and C1
// controls, bidirectional and zero-width controls, line separators and invalid UTF-8 are written as escapes, so that
// they can be read and cannot steer.
#pragma once

#include <string>
#include <string_view>

namespace webhookd::whctl {

// One line: newline and tab are escaped too ("\n", "\t").
std::string safe_line(std::string_view text);
// Several lines: newline and tab stay.
std::string safe_block(std::string_view text);
// The same JSON value with those code points as \uXXXX. `json` is a JSON text, where they only occur inside strings.
std::string safe_json(std::string_view json);

// What a terminal without UTF-8 can show: everything beyond ASCII as an escape. `text` is safe already.
std::string ascii_text(std::string_view text);
// The same value, for JSON.
std::string ascii_json(std::string_view json);

}  // namespace webhookd::whctl
