// The daemon's manual pages, webhookd(8), webhookd.conf(5) and webhookd-operations(7), written from its command line
// and from its tables. tests/docs writes them into man/ (./dev docs) and says when what is committed there is stale.
#pragma once

#include <vector>

#include "base/mdoc.hpp"

namespace webhookd::daemon {

std::vector<base::ManualPage> manual_pages();

// operations_manual.cpp
base::ManualPage operations_page();

}  // namespace webhookd::daemon
