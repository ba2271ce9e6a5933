// The tool's manual pages and completion files, written from the tables: whctl(1), one page for each command,
// webhookd-api(7) from the routes. tests/docs writes them into man/ and completions/ (./dev docs) and says when what
// is committed there is stale.
#pragma once

#include <vector>

#include "base/mdoc.hpp"

namespace webhookd::whctl {

std::vector<base::ManualPage> manual_pages();
// By the names under which the shells look for them.
std::vector<base::ManualPage> completion_files();

}  // namespace webhookd::whctl
