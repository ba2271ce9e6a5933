// The event catalogue as the tool needs it beyond its own commands: what a mistyped event type was meant to be.
#pragma once

#include <string>
#include <vector>

#include "session.hpp"

namespace webhookd::whctl {

// "did you mean …?" for the first of `typed` that is not in the catalogue, else where to find it; "" when the catalogue
// cannot be had.
std::string near_type_hint(Session& session, const std::vector<std::string>& typed);
// The failure, with that hint when it is about an unknown event type.
client::Failure with_near_type(Session& session, client::Failure failure, const std::vector<std::string>& typed);

}  // namespace webhookd::whctl
