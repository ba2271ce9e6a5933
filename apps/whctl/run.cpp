#include "run.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "complete.hpp"
#include "help.hpp"
#include "meant_name.hpp"
#include "pager.hpp"
#include "parse.hpp"
#include "session.hpp"

namespace webhookd::whctl {

namespace {

ExitCode fail(const Console& console, const client::Failure& failure) {
  console.out.flush();
  console.err.write(failure_text(failure));
  return exit_code_of(failure.code);
}

// Data that did not get out is a failure, but for a reader that has seen enough (`whctl logs | head`).
ExitCode closed(const Console& console, ExitCode code) {
  console.out.flush();
  const int fault = console.out.fault();
  if (fault == 0 || fault == EPIPE) return code;
  return fail(console, client::failure(client::codes::io, "standard output", std::strerror(fault)));
}

ExitCode explain(const Console& console, const Invocation& invocation) {
  console.out.write(invocation.command == nullptr ? help_of_all() : help_of(*invocation.command));
  return closed(console, ExitCode::done);
}

bool uses_pager(const Settings& settings, const Invocation& invocation, const Console& console) {
  const bool has_an_end = !invocation.has("follow");
  const bool may_be_long = invocation.command->manner == Manner::paged || invocation.command->manner == Manner::itself;
  return has_an_end && may_be_long && console.out_is_terminal && console.in_is_terminal && !settings.pager.empty();
}

ExitCode run_command(const Settings& settings, const Invocation& invocation, const Environment& environment,
                     Console console) {
  Session session(settings, environment, console);
  const auto outcome = invocation.command->run(session, invocation);
  return outcome ? *outcome : fail(console, with_meant_name(session, invocation, outcome.error()));
}

// Collects what the command prints, and shows it through the pager when it is longer than the screen.
ExitCode run_paged(const Settings& settings, const Invocation& invocation, const Environment& environment,
                   Console console) {
  Channel memory;
  Console collecting{memory,
                     console.err,
                     console.in,
                     console.in_is_terminal,
                     console.out_is_terminal,
                     console.err_is_terminal,
                     console.width,
                     console.height};
  const auto code = run_command(settings, invocation, environment, collecting);
  const std::string& text = memory.kept();
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const Paged paged = lines >= console.height ? show_in_pager(settings.pager, text) : Paged::missing;
  if (paged == Paged::missing) console.out.write(text);
  return paged == Paged::interrupted ? ExitCode::interrupted : code;
}

}  // namespace

ExitCode run(const std::vector<std::string>& arguments, const Environment& environment, Console console) {
  if (!arguments.empty() && arguments.front() == completion_word) {
    print_offers({arguments.begin() + 1, arguments.end()}, environment, console);
    return ExitCode::done;
  }
  if (!speaks_utf8(environment)) {
    if (console.out_is_terminal) console.out.limit_to_ascii();
    if (console.err_is_terminal) console.err.limit_to_ascii();
  }
  auto invocation = parse(arguments);
  if (!invocation) return fail(console, invocation.error());
  if (invocation->has("help")) return explain(console, *invocation);
  if (invocation->has("version")) invocation->command = find_command("version");
  if (invocation->command == nullptr) {
    console.err.write(help_of_all());
    return ExitCode::usage;
  }
  const auto settings = resolve_settings(*invocation, environment);
  if (!settings) return fail(console, settings.error());
  const bool is_paged = uses_pager(*settings, *invocation, console);
  return closed(console, (is_paged ? run_paged : run_command)(*settings, *invocation, environment, console));
}

}  // namespace webhookd::whctl
