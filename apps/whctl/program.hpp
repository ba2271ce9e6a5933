// Programs that the tool starts and that own the terminal while they run: pager and editor. Ctrl-C is theirs then.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhookd::whctl {

// Variables that are set for the program unless they are set already.
using Defaults = std::vector<std::pair<std::string, std::string>>;

// What the shell is told to run for a command as the user wrote it, with `arguments` behind it: a lone program takes
// the shell's place, because a shell that waits for a program dies of a Ctrl-C that the program has lived through (dash
// does). What the shell has itself (`:`) cannot take its place.
std::string shell_command(const std::string& command, std::string_view arguments = "");

// Ctrl-C is for the program; one that it kills ends like this.
inline constexpr int ended_by_interrupt = 128 + SIGINT;

// Runs it to its end; its exit code (128 and the signal when one killed it), nothing when it could not be started.
// With `input` it reads that from standard input; without it has ours.
std::optional<int> run_program(const std::vector<std::string>& arguments, const std::optional<std::string>& input,
                               const Defaults& defaults = {});

}  // namespace webhookd::whctl
