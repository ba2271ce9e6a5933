#include "run.hpp"

#include <cerrno>
#include <cstring>

#include "complete.hpp"
#include "help.hpp"
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

}  // namespace

ExitCode run(const std::vector<std::string>& arguments, const Environment& environment, Console console) {
  if (!arguments.empty() && arguments.front() == completion_word) {
    print_offers({arguments.begin() + 1, arguments.end()}, environment, console);
    return ExitCode::done;
  }
  const auto invocation = parse(arguments);
  if (!invocation) return fail(console, invocation.error());
  if (invocation->has("help")) return explain(console, *invocation);
  if (invocation->command == nullptr) {
    console.err.write(help_of_all());
    return ExitCode::usage;
  }
  const auto settings = resolve_settings(*invocation, environment);
  if (!settings) return fail(console, settings.error());
  Session session(*settings, environment, console);
  const auto outcome = invocation->command->run(session, *invocation);
  if (!outcome) return fail(console, outcome.error());
  return closed(console, *outcome);
}

}  // namespace webhookd::whctl
