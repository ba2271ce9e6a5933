// Who may do what: the peer's user id on the socket, through the [access] lists, becomes a role. Root and the daemon's
// own user are admin; whoever no list names has no role.
//
// Never here: what a role is needed for (control/protocol/routes.hpp).
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.hpp"
#include "control/protocol/routes.hpp"
#include "control/server/server.hpp"

namespace webhookd::server {

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
};

class Access {
 public:
  // Looks names up once. Errors: a list names an unknown user or group.
  static base::Result<Access> resolve(const AccessLists& lists);

  // May ask the system's user database (for supplementary groups), so once a session.
  protocol::Role role_of(const Peer& peer) const;

 private:
  struct Rule {
    protocol::Role role;
    bool is_group;
    unsigned number;  // uid or gid
  };
  std::vector<Rule> rules_;
};

}  // namespace webhookd::server
