// --help, made from the command table: examples first, because that is what people look for.
#pragma once

#include <string>

#include "commands.hpp"

namespace webhookd::whctl {

// "whctl create NAME --url URL -e TYPE… [flags]"
std::string usage_line(const Command& command);
std::string help_of(const Command& command);
std::string help_of_all();

}  // namespace webhookd::whctl
