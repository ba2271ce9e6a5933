#include "pager.hpp"

#include "program.hpp"

namespace webhookd::whctl {

namespace {

// What less does when the user has not said: leave short texts on the screen, keep colours.
constexpr const char* less_manners = "FRX";

}  // namespace

Paged show_in_pager(const std::string& command, const std::string& text) {
  constexpr int not_found = 127;
  const auto ended = run_program({"/bin/sh", "-c", shell_command(command)}, text, {{"LESS", less_manners}});
  if (ended == ended_by_interrupt) return Paged::interrupted;
  return ended && *ended != not_found ? Paged::shown : Paged::missing;
}

}  // namespace webhookd::whctl
