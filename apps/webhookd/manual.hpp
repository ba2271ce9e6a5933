// The daemon's manual pages, webhookd(8) and webhookd.conf(5), written from its command line and from the table of
// settings. tests/docs writes them into man/ (./dev docs) and says when what is committed there is stale.
#pragma once

#include <vector>

#include "base/mdoc.hpp"

namespace webhookd::daemon {

std::vector<base::ManualPage> manual_pages();

}  // namespace webhookd::daemon
