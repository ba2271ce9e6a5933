// The way to a daemon on another machine: --socket ssh://[user@]host[:port][/path] runs the system's ssh, and there a
// hidden `whctl dial-stdio` that joins its standard input and output to the daemon's socket. Keys, hosts and passwords
// are ssh's business, and what it says goes to the terminal as it is. Access there is by the user that ssh logs in as.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/failure.hpp"

namespace webhookd::whctl {

bool is_ssh_address(std::string_view address);
// The command that is run for an address; a usage failure names what is wrong with it.
client::Result<std::vector<std::string>> ssh_command(std::string_view address);
// For client::ConnectionOptions: nothing for a path of this machine.
std::function<client::Result<int>()> dialler_of(const std::string& address);

}  // namespace webhookd::whctl
