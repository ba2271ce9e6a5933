// What an OAuth2 token endpoint answers (RFC 6749 sections 5.1 and 5.2):
//   {"access_token":"…","token_type":"Bearer","expires_in":3600} or {"error":"invalid_client"}
//
// Never here: the request for it, and any word of the answer in an error but the codes of the RFC: it may hold a token.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "domain/authentication.hpp"

namespace webhookd::protocol {

// Errors are in words for a log: "invalid_client", or what is wrong with the answer.
base::Result<domain::AccessToken> read_access_token(std::string_view body);

}  // namespace webhookd::protocol
