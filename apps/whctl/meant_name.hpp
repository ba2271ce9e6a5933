// "did you mean" for names that only the daemon knows: after not_found, the webhook or event type whose name is near
// the one that was given. Asked once, after the failure; whatever goes wrong on the way, the failure stays as it was.
#pragma once

#include "parse.hpp"
#include "session.hpp"

namespace webhookd::whctl {

client::Failure with_meant_name(Session& session, const Invocation& invocation, client::Failure failure);

}  // namespace webhookd::whctl
