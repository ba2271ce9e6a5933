// Endpoints that other systems exported as JSON, as webhooks. The mapping, one row a system:
//
//   svix    list or {"data":[…]}: url; name: uid, else description, else id; filterTypes -> events (none: *);
//           description; rateLimit (a second) -> rate; disabled -> inactive; headers
//   convoy  list, {"data":{"content":[…]}}, {"data":[…]}: target_url or url; name: name or title, else uid;
//           description; rate_limit / rate_limit_duration -> rate; http_timeout -> timeout; status other than active ->
//           inactive; events: * (Convoy keeps them in subscriptions)
//   stripe  list or {"data":[…]}: url; name: description, else id; enabled_events -> events; status disabled ->
//           inactive; signature stripe; payload raw
//
// Secrets are in none of these exports: new ones are made. --event replaces the exported event types, which the
// catalogue may not have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "manifest.hpp"

namespace webhookd::whctl {

std::vector<std::string_view> import_sources();
// `source` is one of them; `events` replaces the exported ones unless it is empty.
client::Result<Manifest> manifest_of_export(const std::string& text, std::string_view source,
                                            const std::vector<std::string>& events, const std::string& place);

}  // namespace webhookd::whctl
