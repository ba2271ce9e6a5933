// Webhooks and event types as one document, TOML ([[webhook]], [[type]]) or JSON ({"webhook":[…],"type":[…]}), for
// export, diff, apply, import and for the editor. The members are those of the API; besides, durations may be written
// "15s", a rate "10/s", and `secret_file` names a file with the signing secrets (relative to the document), because
// secrets themselves never stand in one. In TOML `schema` and `example` of a type are texts that hold JSON.
//
// A member that is left out means its default, but for `status` and the secrets, which then stay as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/failure.hpp"
#include "json.hpp"

namespace webhookd::whctl {

struct Declared {
  std::string name;
  std::string members;               // a JSON object as the API takes it, without secrets
  std::vector<std::string> secrets;  // of `secret_file`; empty when there is none
};

struct Manifest {
  std::vector<Declared> webhooks;
  std::vector<Declared> types;
};

// `place` is what faults name; files are looked up in `folder`.
client::Result<Manifest> read_manifest(std::string_view text, const std::string& place, const std::string& folder);
// One webhook's members, as the editor shows them.
client::Result<Declared> read_webhook_toml(std::string_view text, const std::string& place, const std::string& folder);

// What the API says of a webhook or type, without what the daemon keeps and what is empty.
std::string declared_webhook(Json webhook);
std::string declared_type(Json type);
bool is_kept_by_daemon(std::string_view member);

// `webhooks` and `types` are declared members; written in this order.
std::string manifest_toml(const std::vector<std::string>& webhooks, const std::vector<std::string>& types);
std::string manifest_json(const std::vector<std::string>& webhooks, const std::vector<std::string>& types);
// With durations as people write them.
std::string webhook_toml(Json declared);

}  // namespace webhookd::whctl
