// The tool as a function: arguments, environment and console in, exit code out. main.cpp gives it the real ones.
#pragma once

#include <string>
#include <vector>

#include "console.hpp"
#include "exit_codes.hpp"
#include "settings.hpp"

namespace webhookd::whctl {

ExitCode run(const std::vector<std::string>& arguments, const Environment& environment, Console console);

}  // namespace webhookd::whctl
