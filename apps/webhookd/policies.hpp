// From settings to what the rooms take: the one place that knows which key feeds which room, at the start and at a
// reload alike.
#pragma once

#include "base/result.hpp"
#include "control/server/server.hpp"
#include "engine/engine.hpp"
#include "net/egress.hpp"
#include "settings.hpp"

namespace webhookd::daemon {

// With the addresses of this host's interfaces as they are now. Errors name the key.
base::Result<net::EgressPolicy> egress_policy(const Settings& settings);
// Nothing when metrics.listen is empty.
base::Result<std::optional<server::MetricsPlace>> metrics_place(const Settings& settings);
server::AccessLists access_lists(const Settings& settings);
engine::EngineOptions engine_options(const Settings& settings);
// `policy` refuses address literals already when a webhook is set.
server::LiveOptions live_server_options(const Settings& settings, net::EgressPolicy policy);

}  // namespace webhookd::daemon
