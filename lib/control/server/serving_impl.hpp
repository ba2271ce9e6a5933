// Sessions: reading requests, checking them against the table of routes, writing answers. Private to this folder.
//
// Bounds: 75 s between requests, 30 s for the rest of a head and for a body, 30 s for an answer to be taken, 16 KiB of
// head, and for each route its own size of body. The one sweep a second closes what is past its deadline, so that
// requests pay for no timers.
#pragma once

#include "control/server/call_impl.hpp"

namespace webhookd::server {

// A client could not be let in: told to the log now and then, because it is tried again at once.
void note_failed_accept(Context& context, const std::string& error);
// Accepts until the acceptor is closed.
asio::awaitable<void> accept_sessions(Context& context);
// The loopback port of metrics: errors name the place. Then accepts until the acceptor is closed.
Result<void> listen_for_scrapes(Context& context, const MetricsPlace& place);
asio::awaitable<void> accept_scrapes(Context& context);
// Closes the acceptor, and lets every session end after one last request (server.hpp).
void drain_sessions(Context& context);
// Closes sessions past their deadline, every second.
asio::awaitable<void> sweep_sessions(Context& context);

}  // namespace webhookd::server
