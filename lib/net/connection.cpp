#include "net/connection_impl.hpp"

namespace webhookd::net {

void part_with(const ConnectionPtr& connection) {
  if (connection->tls) {
    // The record leaves while the call is made, if the socket takes it; what follows ends with the closing.
    connection->tls->async_shutdown([connection](const error_code&) {});
  }
  connection->close();
}

}  // namespace webhookd::net
