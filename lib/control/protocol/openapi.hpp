// GET /v1/openapi.json: the table of routes as an OpenAPI 3.1 document, with the schemas of what goes in and out and a
// `webhooks` section for what the daemon sends to receivers.
#pragma once

#include <string>

namespace webhookd::protocol {

std::string openapi_document();

}  // namespace webhookd::protocol
