// The event catalogue: names `resource.verb`, patterns that webhooks subscribe with (a name, `resource.*`, `*`), and
// the types themselves with their advisory schema and example. The built-in types are what the API control plane
// emits; the extension catalogue ships in the same grammar and can be removed (behaviour.md section 3).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace webhookd::domain {

inline constexpr std::string_view ping_type = "webhook.ping";  // reserved for test messages

// `resource.verb`: two or more parts of [A-Za-z][A-Za-z0-9_-]*, joined by dots, at most 128 bytes.
bool is_event_type_name(std::string_view text);
// A name, `resource.*` (any leading parts), or `*`.
bool is_event_pattern(std::string_view text);
bool pattern_matches(std::string_view pattern, std::string_view type);

enum class TypeOrigin { builtin, extension, user };

struct EventType {
  std::string name;
  std::string description;
  std::string schema;   // JSON Schema as text, or empty
  std::string example;  // JSON text, or empty
  TypeOrigin origin = TypeOrigin::user;
  base::Time created_at{};
  bool operator==(const EventType&) const = default;
};

// Present from the first start: built-in and extension types, `webhook.ping` not among them.
const std::vector<EventType>& shipped_catalogue();

}  // namespace webhookd::domain
