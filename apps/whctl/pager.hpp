// Long output through the user's pager, as git does it. Ctrl-C belongs to the pager while it runs.
#pragma once

#include <string>

namespace webhookd::whctl {

// Runs the shell command with `text` on its standard input until it ends; false when it could not be run.
bool show_in_pager(const std::string& command, const std::string& text);

}  // namespace webhookd::whctl
