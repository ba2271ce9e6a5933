// Files that the tool writes: whole or not at all, also for whoever reads them meanwhile.
#pragma once

#include <sys/types.h>

#include <string>

#include "control/client/failure.hpp"

namespace webhookd::whctl {

// Replaces the file in one step. `mode` is that of a new one, as far as the umask lets it.
client::Result<void> write_whole_file(const std::string& path, const std::string& text, mode_t mode);

}  // namespace webhookd::whctl
