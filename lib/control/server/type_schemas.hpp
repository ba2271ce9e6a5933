// The schemas of the catalogue, by the name of their type, compiled when an event of the type first needs them. It is
// filled from the store once, for the first event that is to be checked, and follows every put and removal from then
// on; while events.schema is "off" from the start it stays empty.
//
// Never here: waiting, a lock. One thread owns it, the control loop; who fills it reads the store.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/server/event_schema.hpp"
#include "domain/event_type.hpp"

namespace webhookd::server {

class TypeSchemas {
 public:
  struct Found {
    const EventSchema* schema = nullptr;  // none: the type has no schema, or the catalogue no such type
    std::string_view unusable;            // why a schema that an older version stored without a look at it is not used
  };

  bool is_filled() const { return is_filled_; }
  // Before the catalogue is read: what is put or removed from now on is newer than what the reading will bring.
  void expect_filling() { is_followed_ = true; }
  // With the whole catalogue. Once filled, this changes nothing.
  void fill(const std::vector<domain::EventType>& types);
  void put(const domain::EventType& type);
  void remove(const std::string& name);

  // Valid until the next put or removal.
  Found find(const std::string& name);

 private:
  struct Entry {
    std::string text;  // until it is compiled; empty: no schema
    std::optional<EventSchema> schema;
    std::string unusable;
  };
  std::unordered_map<std::string, Entry> entries_;
  bool is_followed_ = false;
  bool is_filled_ = false;
};

}  // namespace webhookd::server
