// Hands a received request on to a program on this machine, for listen --forward-to and --replay: plain HTTP, one
// connection a request, headers and body as they came; the answer as it comes, without what is about the connection.
#pragma once

#include "control/client/failure.hpp"
#include "domain/url.hpp"
#include "receiver.hpp"

namespace webhookd::whctl {

// https is refused: what is on this machine needs none.
client::Result<domain::Url> read_forward_url(const std::string& text);
// The path is the URL's own, or the request's when the URL has none. Each step takes at most 30 s.
// Of a body over 1 MiB that much is handed back: no sender of webhooks reads so far.
client::Result<HttpAnswer> forward(const domain::Url& to, const ReceivedRequest& request);

}  // namespace webhookd::whctl
