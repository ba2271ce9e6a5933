// Webhooks in JSON: the fields of behaviour.md section 2, one table for reading, writing and describing them (the
// OpenAPI schema comes from it). Durations are seconds (numbers, to the millisecond).
//
//   {"id":"wh_…","display_name":"…","url":"…","events":["…"],"status":"active|inactive","status_reason":"manual|gone"|null,
//    "description":"","headers":{"Name":"value"},"signature":"standard","format":"standard","timeout":15,
//    "max_in_flight":16,"rate":null,"retry":{"initial":5,"factor":2,"max":21600,"jitter":0.1,"window":864000},
//    "tls":{"client_cert":"/path","client_key":"/path"}|null,
//    "auth":{"type":"header_file","header":"Authorization","file":"/path"}|
//           {"type":"oauth2","token_url":"…","client_id":"…","client_secret_file":"/path","scopes":["…"]}|null,
//    "version":1,"created_at":"…","updated_at":"…","health":"up|down|throttled"|null,"waiting":0,
//    "failed_last_day":0,"last_success_at":…|null}
//
// A create sends display_name, url and events, and any of status, description, headers, secrets, signature, format,
// timeout, max_in_flight, rate, retry, tls, auth; its answer also has "secrets":["whsec_…"]. A PATCH is a merge patch
// (RFC 7396) of the same members: null takes a member back to its default, "headers":{"X":null} removes one header, and
// "secrets" replaces all; an "auth" of another type replaces the one before. Members kept by the daemon and unknown
// ones are refused. All faults are answered at once.
//
// Secrets in "secrets":[…] of `GET …/secret` and `POST …/secret/rotate` (body {"grace": seconds}, default 86400):
//   {"secrets":[{"secret":"whsec_…","expires_at":null}],"public_keys":["whpk_…"]}
// the newest first; public_keys are those of the ed25519 secrets.
//
// Never here: the catalogue, unique names, egress policy, the generation of secrets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/endpoint.hpp"
#include "domain/webhook.hpp"

namespace webhookd::protocol {

inline constexpr base::Duration rotation_grace_default = std::chrono::hours(24);
inline constexpr base::Duration rotation_grace_max = std::chrono::hours(30 * 24);

// What the daemon knows of a webhook beside its definition.
struct WebhookLive {
  std::optional<domain::Health> health = std::nullopt;
  std::optional<std::uint64_t> waiting = std::nullopt;
  std::optional<std::uint64_t> failed_last_day = std::nullopt;  // since the daemon started
  std::optional<base::Time> last_success_at = std::nullopt;
  std::optional<base::Time> certificate_expires_at = std::nullopt;
};

void write_webhook(JsonWriter& json, const domain::Webhook& webhook, const WebhookLive& live);
// The answer to a create: the same and the secrets.
void write_created_webhook(JsonWriter& json, const domain::Webhook& webhook, const WebhookLive& live);

// `defaults` gives timeout and retry of a webhook that does not say; its other members are those of domain::Webhook.
// The result has passed domain::check_webhook; its `secrets` are empty when none were sent.
base::Result<domain::Webhook> read_webhook(std::string_view body, const domain::Webhook& defaults);
// `current` with the patch applied and checked; id, version, times and what is not named stay.
base::Result<domain::Webhook> patch_webhook(std::string_view body, const domain::Webhook& current,
                                            const domain::Webhook& defaults);
// An operator's activation or deactivation.
void set_status(domain::Webhook& webhook, domain::WebhookStatus status);

void write_secrets(JsonWriter& json, const std::vector<domain::Secret>& secrets,
                   const std::vector<std::string>& public_keys);
// The grace of a rotation; the body may be empty.
base::Result<base::Duration> read_rotation(std::string_view body);

// {member: JSON Schema} for OpenAPI, in the order of the table. `in_request` leaves out what the daemon keeps.
void write_webhook_properties(JsonWriter& json, bool in_request);

}  // namespace webhookd::protocol
