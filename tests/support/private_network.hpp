// A network of a test's own: the calling thread, and every thread and process it starts from then on, sees a network
// with nothing but loopback, where public addresses may be played and names are answered by the test. Needs root (or
// CAP_SYS_ADMIN and CAP_NET_ADMIN); where it cannot be had, the reason is given, so that a test can say why it did not
// run.
#pragma once

#include <string>

namespace webhookd::support {

// Enters it for ever; call it on a thread made for the purpose. `name_server` goes into this network's resolv.conf,
// which is written to `directory`. Empty when that worked, else why it did not.
std::string enter_private_network(const std::string& name_server, const std::string& directory);

// Connections to the address arrive at this host although no interface has it: the rest of the world, played.
void play_address(const std::string& address);
// Gives the address to an interface.
void own_address(const std::string& address);

}  // namespace webhookd::support
