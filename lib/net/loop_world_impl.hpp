// What the attempts of one loop share. All of it is the loop's own or safe to share between loops; it outlives the
// loop's io_context.
#pragma once

#include <memory>

#include "crypto/signer.hpp"
#include "engine/ports.hpp"
#include "net/client_identity.hpp"
#include "net/connection_pool_impl.hpp"
#include "net/delivery.hpp"
#include "net/egress.hpp"
#include "net/resolver.hpp"
#include "net/small_file.hpp"
#include "net/tls.hpp"

namespace webhookd::net {

class Deadlines;
class Tokens;

struct LoopWorld {
  asio::io_context& io;
  std::shared_ptr<const EgressPolicy> egress;  // exchanged as a whole; who looks twice keeps their own
  const TokenReader& read_token;
  Resolver& resolver;
  TlsContext& tls;
  ConnectionPool& pool;
  Deadlines& deadlines;
  crypto::Signer& signer;
  Tokens& tokens;
  base::UniqueFunction<void(engine::AttemptReport)> report;
  bool is_stopping = false;
  SecretLines secrets = {};
  ClientIdentities identities = {};
};

}  // namespace webhookd::net
