// The bounds of everything that comes from outside, in one place (behaviour.md sections 2, 4, 5). A value past its
// bound is refused at the border by a message that names the bound; inside, the bounds can be relied on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace webhookd::domain {

using base::Duration;
using base::Time;
using namespace std::chrono_literals;

namespace limits {
inline constexpr std::size_t display_name_characters = 200;
inline constexpr std::size_t description_characters = 1000;
inline constexpr std::size_t url_bytes = 2048;
inline constexpr std::size_t events_per_webhook = 256;
inline constexpr std::size_t event_type_bytes = 128;
inline constexpr std::size_t headers = 32;
inline constexpr std::size_t header_bytes = 8 * 1024;  // names and values together
inline constexpr std::size_t file_path_bytes = 1024;
inline constexpr std::size_t secret_line_bytes = 8 * 1024;  // a secret in a file, and an access token
inline constexpr std::size_t certificate_file_bytes = 64 * 1024;
inline constexpr std::size_t client_id_bytes = 255;
inline constexpr std::size_t scopes = 32;
inline constexpr std::size_t scope_bytes = 128;
inline constexpr std::size_t secrets_per_webhook = 8;
inline constexpr std::size_t hmac_key_bytes_min = 24;
inline constexpr std::size_t hmac_key_bytes_max = 64;
inline constexpr std::size_t ed25519_seed_bytes = 32;
inline constexpr Duration timeout_min = 1s;
inline constexpr Duration timeout_max = 60s;
inline constexpr std::uint32_t in_flight_min = 1;
inline constexpr std::uint32_t in_flight_max = 1024;
inline constexpr double rate_min = 0.01;
inline constexpr double rate_max = 100'000;
inline constexpr Duration retry_initial_min = 1s;
inline constexpr Duration retry_wait_max = 24h;
inline constexpr double retry_factor_min = 1;
inline constexpr double retry_factor_max = 10;
inline constexpr double retry_jitter_max = 0.5;
inline constexpr Duration retry_window_min = 1s;
inline constexpr Duration retry_window_max = 30 * 24h;
inline constexpr Duration retry_after_max = 24h;
inline constexpr std::size_t idempotency_key_bytes = 255;
inline constexpr std::size_t event_data_bytes_default = 1024 * 1024;
inline constexpr std::size_t event_data_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t json_depth = 128;
inline constexpr std::size_t actor_reason_bytes = 500;
inline constexpr std::size_t failure_text_bytes = 200;
inline constexpr std::size_t response_head_bytes = 16 * 1024;
inline constexpr std::size_t response_body_read_bytes = 64 * 1024;
inline constexpr std::size_t response_head_kept_bytes = 4 * 1024;
inline constexpr std::size_t response_body_kept_bytes = 4 * 1024;
inline constexpr int informational_heads = 8;
inline constexpr std::size_t type_description_characters = 1000;
inline constexpr std::size_t type_schema_bytes = 256 * 1024;
inline constexpr std::size_t messages_in_answer = 100;
inline constexpr std::size_t store_id_bytes = 64;
inline constexpr std::size_t attempts_in_history = 200;                // the latest of one message
inline constexpr std::size_t attempt_error_bytes = 2048;               // of a history that comes from outside
inline constexpr std::size_t history_excerpt_bytes = 4 * 1024 * 1024;  // of answers, in one event's history
inline constexpr Duration history_ahead_max = 24h;                     // clocks of two machines differ
}  // namespace limits

}  // namespace webhookd::domain
