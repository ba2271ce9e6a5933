#include "control/server/type_schemas.hpp"

#include <utility>

namespace webhookd::server {

void TypeSchemas::fill(const std::vector<domain::EventType>& types) {
  if (is_filled_) {
    return;
  }
  for (const auto& type : types) {
    entries_.try_emplace(type.name, Entry{type.schema, std::nullopt, {}});
  }
  is_filled_ = true;
}

void TypeSchemas::put(const domain::EventType& type) {
  if (is_followed_) {
    entries_.insert_or_assign(type.name, Entry{type.schema, std::nullopt, {}});
  }
}

// An entry without a schema keeps a list of before the removal from bringing it back.
void TypeSchemas::remove(const std::string& name) {
  if (is_filled_) {
    entries_.erase(name);
  } else if (is_followed_) {
    entries_.insert_or_assign(name, Entry{});
  }
}

TypeSchemas::Found TypeSchemas::find(const std::string& name) {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) {
    return {};
  }
  auto& [text, schema, unusable] = entry->second;
  if (!schema && !text.empty()) {
    auto compiled = EventSchema::compile(std::exchange(text, {}));
    if (compiled) {
      schema = std::move(*compiled);
    } else {
      unusable = compiled.error().detail;
    }
  }
  return {schema ? &*schema : nullptr, unusable};
}

}  // namespace webhookd::server
