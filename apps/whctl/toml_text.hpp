// TOML as the declarative commands need it: a document read as the JSON of the same values, and JSON objects written as
// tables. toml++ is seen by toml_text.cpp and settings.cpp alone. Written keys keep the order of the JSON; reading does
// not promise one.
#pragma once

#include <string>
#include <string_view>

#include "control/client/failure.hpp"
#include "json.hpp"

namespace webhookd::whctl {

// Faults name the file (as `name`) and the line.
client::Result<std::string> json_of_toml(std::string_view text, const std::string& name);
// One `key = value` a line; objects inside become inline tables, long texts with lines become '''texts'''.
std::string toml_members(Json object);

}  // namespace webhookd::whctl
