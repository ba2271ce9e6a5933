// All files that are written from the tables, by their paths below the project: the tool's pages and completions, the
// daemon's pages.
#pragma once

#include <map>
#include <string>

namespace webhookd::docs {

std::map<std::string, std::string> written_files();

}  // namespace webhookd::docs
