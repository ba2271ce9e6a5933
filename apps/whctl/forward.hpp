// Hands a received request on to a program on this machine, for listen --forward-to and --replay: plain HTTP, one
// connection a request, headers and body as they came. Only the status of the answer is looked at.
#pragma once

#include "control/client/failure.hpp"
#include "domain/url.hpp"
#include "receiver.hpp"

namespace webhookd::whctl {

// https is refused: what is on this machine needs none.
client::Result<domain::Url> read_forward_url(const std::string& text);
// The path is the URL's own, or the request's when the URL has none. Each step takes at most 30 s.
client::Result<int> forward(const domain::Url& to, const ReceivedRequest& request);

}  // namespace webhookd::whctl
