// The scripts that the shells load, one for each. They know nothing of the commands: they hand the words of the line to
// `whctl __complete` (complete.hpp) and show what it offers.
#pragma once

#include <span>
#include <string_view>

namespace webhookd::whctl {

struct CompletionScript {
  std::string_view shell;
  std::string_view file;  // the name under which the shell looks for it
  std::string_view text;
};

std::span<const CompletionScript> completion_scripts();
// `shell` is one of them.
const CompletionScript* find_completion_script(std::string_view shell);

}  // namespace webhookd::whctl
