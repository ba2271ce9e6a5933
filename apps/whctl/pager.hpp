// Long output through the user's pager, as git does it. Ctrl-C belongs to the pager while it runs.
#pragma once

#include <string>

namespace webhookd::whctl {

enum class Paged { shown, interrupted, missing };  // missing: it could not be run

// Runs the shell command with `text` on its standard input until it ends.
Paged show_in_pager(const std::string& command, const std::string& text);

}  // namespace webhookd::whctl
