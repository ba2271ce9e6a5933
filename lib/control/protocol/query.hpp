// Query parameters: which there are (routes.cpp's tables), how they are written in a target, and what the filters of
// the lists mean. Unknown, repeated and malformed parameters are refused, all at once, each by name ("?limit").
//
// GET /v1/messages: webhook (id, unique prefix or name), event (id or unique prefix), type, status (one or more, by
//   commas), since and until (RFC 3339, of created_at; until is exclusive), code ("503" or "5xx"), q (occurs in id,
//   type or failure), order (desc: newest first, the default; asc), limit, cursor.
// GET /v1/stream: the same filters but event, order and cursor; after (a cursor that the stream gave, or start for the
//   beginning of the log; without it from now on), follow (true, the default; false ends at what there is now), limit
//   (lines, then it ends; none by default).
// GET /v1/webhooks: status, event (those that would get this type), search (in name or URL, ignoring case),
//   sort (created, the default; name; status), limit, cursor.
// GET /v1/types: limit, cursor; by name.
// Waits: timeout in seconds, 0 to 3600, default 30.
//
// "+" in a query is a space, as browsers write it; in a time, where no space may be, it is read as the plus it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/members.hpp"
#include "domain/webhook.hpp"

namespace webhookd::protocol {

inline constexpr std::size_t list_limit_default = 50;
inline constexpr std::size_t list_limit_max = 1000;
inline constexpr base::Duration wait_default = std::chrono::seconds(30);
inline constexpr base::Duration wait_max = std::chrono::hours(1);

struct QueryParameter {
  std::string_view name;
  std::string_view schema;  // JSON Schema, for OpenAPI
  std::string_view description;
};

// Nothing when a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

class Query {
 public:
  // Errors: invalid_request; a parameter not among `known`, one given twice, a bad escape.
  static base::Result<Query> parse(std::string_view text, std::span<const QueryParameter> known);

  const std::string* find(std::string_view name) const;
  // Of all parameters but limit and cursor: what a cursor is bound to.
  std::uint64_t list_fingerprint() const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;  // by name
};

struct MessageFilter {
  std::string webhook;                  // as given; empty: any
  std::string event;                    // as given; empty: any
  std::string type;                     // empty: any
  std::uint32_t statuses = 0xffffffff;  // bit i: domain::MessageStatus i
  std::optional<base::Time> since;
  std::optional<base::Time> until;
  std::uint16_t code_min = 0;
  std::uint16_t code_max = 0;
  std::string text;
  bool oldest_first = false;
  std::size_t limit = list_limit_default;
  std::string cursor;  // empty: from the start
};
base::Result<MessageFilter> read_message_filter(const Query& query);

// The same filter as members of a request's body, for what is asked of many messages. Faults stand below `place`.
using FilterValues = std::vector<std::pair<std::string, std::string>>;
MessageFilter read_filter_values(const FilterValues& values, const Place& place, Faults& faults);

struct StreamFilter {
  MessageFilter messages;             // without event, order, limit and cursor
  bool from_start = false;            // else from now on, or
  std::optional<FeedPosition> after;  // behind this
  bool follows = true;
  std::optional<std::uint64_t> lines;  // at most
};
base::Result<StreamFilter> read_stream_filter(const Query& query);

enum class WebhookOrder { created, name, status };
struct WebhookFilter {
  std::optional<domain::WebhookStatus> status;
  std::string event;
  std::string search;
  WebhookOrder order = WebhookOrder::created;
  std::size_t limit = list_limit_default;
  std::string cursor;
};
base::Result<WebhookFilter> read_webhook_filter(const Query& query);

struct PageFilter {
  std::size_t limit = list_limit_default;
  std::string cursor;
};
base::Result<PageFilter> read_page_filter(const Query& query);

// Which events an export has; `webhook` as given, empty: any.
struct HistoryFilter {
  std::string webhook;
  std::string type;
  std::optional<base::Time> since;
  std::optional<base::Time> until;
};
base::Result<HistoryFilter> read_history_filter(const Query& query);

struct AuditFilter {
  std::string user;  // name or number; empty: any, here and below
  std::string operation;
  std::string object;  // id or name
  std::optional<base::Time> since;
  std::optional<base::Time> until;
  std::size_t limit = list_limit_default;
  std::string cursor;
};
// Errors: invalid_request; an operation is one of the routes'.
base::Result<AuditFilter> read_audit_filter(const Query& query);

// Of GET /v1/stats; nothing: not given.
base::Result<std::optional<base::Time>> read_since(const Query& query);
base::Result<base::Duration> read_wait(const Query& query);
base::Result<bool> read_dry_run(const Query& query);

}  // namespace webhookd::protocol
