// Base64 (RFC 4648 section 4), the form in which Standard Webhooks writes secrets and signatures. It lives in base
// because domain reads secrets with it and crypto writes signatures with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace webhookd::base {

// The standard alphabet, padded.
std::string base64_encode(std::string_view bytes);
// Appends to `out`, for texts that are built in pieces.
void append_base64(std::string& out, std::string_view bytes);
// Strict: the standard alphabet, full padding, no white space, and zero bits after the last byte; nothing otherwise.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace webhookd::base
