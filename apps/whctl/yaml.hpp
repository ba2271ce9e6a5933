// JSON as YAML 1.2: the same members in the same order, numbers as they are spelt, texts without quotes where every
// YAML reader takes them for texts. Everything that could steer a terminal is escaped.
#pragma once

#include <string>
#include <string_view>

namespace webhookd::whctl {

// `checked` is a JSON text; ends in a line feed.
std::string yaml_of(std::string_view checked);

}  // namespace webhookd::whctl
