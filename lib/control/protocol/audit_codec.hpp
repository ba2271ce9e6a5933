// The audit on the wire: {"number":7,"at":"…","uid":1000,"user":"alice",
// "role":"admin","operation":"patchWebhook","object":"wh_…","name":"orders","detail":"url","reason":"moved"}; `uid` is
// null for what webhookd did by itself.
//
// Never here: what is noted (control/server), and how it is kept (store).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "control/protocol/json_write.hpp"

namespace webhookd::protocol {

// The same members as the store's, which this room does not know.
struct AuditText {
  std::uint64_t number = 0;
  base::Time at{};
  std::optional<std::uint32_t> uid;
  std::string_view user;
  std::string_view role;
  std::string_view operation;
  std::string_view object;
  std::string_view name;
  std::string_view detail;
  std::string_view reason;
};
void write_audit_line(JsonWriter& json, const AuditText& line);

// The header Webhookd-Reason: at most 500 bytes of UTF-8 without control characters.
base::Result<std::string> read_reason_header(std::string_view value);

}  // namespace webhookd::protocol
