// The JSON Schema of an event type, compiled once, and the check of an event's data against it.
//
// Why one of our own: what Debian 12 has will not do on the accept path of a daemon. valijson compares the items of
// uniqueItems each with each, matches with std::regex (which ends the process on long strings) and compiles one anew
// for each date-time; RapidJSON knows draft 4 alone; both want the data as a tree, and numbers as doubles. This one
// reads the text in place, one pass where the schema allows it, and allocates nothing for a payload that matches.
//
// What it knows: draft 2020-12, and the spellings of draft-07 (items as an array, additionalItems, dependencies,
// definitions). $ref points into the schema itself (#, #/$defs/name). Numbers are compared by value, lengths are code
// points. format, title, contentEncoding and every unknown keyword are annotations, as the standard has it. Patterns
// are RE2's. A repeated member of the data counts as often as it stands there.
//
// Payloads grow, and unknown members are always allowed (behaviour.md section 3): additionalProperties: false and
// unevaluatedProperties: false refuse nobody. A schema as the value of additionalProperties is honoured, and so is a
// false under a name or a pattern, which forbids just that. Where a false tells alternatives apart it still does:
// oneOf refuses what several alternatives match as written, but not what they match for having let a member pass; not
// refuses what its schema matches as written.
//
// What it cannot honour is refused when the type is put, with a pointer, never passed over: a $ref to elsewhere, to
// nowhere, or round in a circle; an $id inside; $dynamicRef; unevaluatedItems; a schema as unevaluatedProperties; a
// pattern that RE2 has not; multipleOf with more than 18 digits.
//
// Everything is bounded: recursion by depth, work by a budget that grows with the data. What is over budget is a fault
// of its own ("too complex"), so a schema that is exponential in itself ends like any other.
//
// Never here: what becomes of an event with faults; that is event_calls.cpp's, by events.schema.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace webhookd::server {

inline constexpr std::size_t schema_faults_max = 10;  // told of one event, or of one schema

struct SchemaRules;

class EventSchema {
 public:
  // `text` passed check_json. Errors: invalid_field, with pointers that begin with /schema.
  static base::Result<EventSchema> compile(std::string_view text);

  // What is wrong with `data`, which passed check_json with limits::json_depth; nothing when it matches. Pointers begin
  // with "/" and `root`, details with `root`.
  std::vector<base::FieldError> faults_of(std::string_view data, std::string_view root) const;

 private:
  explicit EventSchema(std::shared_ptr<const SchemaRules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const SchemaRules> rules_;
};

}  // namespace webhookd::server
