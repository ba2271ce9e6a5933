// --help, made from the command table: examples first, because that is what people look for.
#pragma once

#include <string>

#include "commands.hpp"

namespace webhookd::whctl {

// "whctl create NAME --url URL -e TYPE… [flags]"
std::string usage_line(const Command& command);
std::string help_of(const Command& command);
std::string help_of_all();

// The same words on the manual pages.
extern const std::string_view overview_text;
const std::vector<Example>& overview_examples();
// With the values that are allowed.
std::string flag_help(const Flag& flag);
std::string argument_help(const Argument& argument);

}  // namespace webhookd::whctl
