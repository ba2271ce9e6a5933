// What can stand where the cursor is: commands, flags, values that a flag allows, and from the daemon the names of
// webhooks, event types and recent ids. The shells ask by `whctl __complete [--quoted] WORD…`, the last word being the
// unfinished one; the answer is a line `value TAB words` for each offer, and a last line that says how to go on:
// ":" these, ":files" names of files instead.
//
// It answers within 250 ms whatever the daemon does, and is silent about everything that goes wrong: nobody wants an
// error message in the middle of a line. --quoted: the words still have the quotes of the shell (bash).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "console.hpp"
#include "settings.hpp"

namespace webhookd::whctl {

inline constexpr std::string_view completion_word = "__complete";

struct Offer {
  std::string value;
  std::string words;  // of description; may be empty
};

struct Offers {
  std::vector<Offer> list;
  bool wants_files = false;
};

// What the daemon knows for a role, of things that start with `prefix`. The words of the line so far name its socket.
using LiveNames = std::function<std::vector<Offer>(Role role, const std::string& socket, std::string_view prefix)>;

Offers offers_for(const std::vector<std::string>& words, const LiveNames& live);
// A word as the shell would read it, also one whose quote is still open.
std::string without_quotes(std::string_view word);

void print_offers(std::vector<std::string> words, const Environment& environment, const Console& console);

}  // namespace webhookd::whctl
