// A webhook's definition as flags, and the same as the JSON of a create or of a merge patch: one table from flag to
// member.
#pragma once

#include <string>

#include "control/client/failure.hpp"
#include "parse.hpp"
#include "session.hpp"

namespace webhookd::whctl {

// The members that the flags of create and edit name, without the braces; "" when none was given.
client::Result<std::string> definition_members(const Invocation& invocation, Session& session);

}  // namespace webhookd::whctl
