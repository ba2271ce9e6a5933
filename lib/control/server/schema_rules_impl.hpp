// A compiled schema: every subschema is a row of one table and names others by their index, so a $ref costs nothing and
// a circle is no problem to own. What a subschema says about one kind of value stands in a table of that kind; most
// subschemas say little, and their rows stay small. Private to event_schema.cpp, which fills it, and schema_check.cpp,
// which reads it.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/protocol/json_text.hpp"
#include "control/server/json_value.hpp"
#include "control/server/schema_pattern.hpp"

namespace webhookd::server {

using RuleIndex = std::uint32_t;
inline constexpr RuleIndex no_rule = std::numeric_limits<RuleIndex>::max();
inline constexpr RuleIndex anything = 0;  // the row of the schema `true`
inline constexpr RuleIndex nothing = 1;   // the row of the schema `false`

using TypeBits = std::uint32_t;
constexpr TypeBits bit_of(protocol::JsonKind kind) { return TypeBits{1} << static_cast<unsigned>(kind); }
inline constexpr TypeBits integer_bit = TypeBits{1} << 6U;
inline constexpr TypeBits any_type = 0x7f;

struct ValueList {
  std::vector<std::string> forms;  // canonical, sorted
  std::string shown;               // for people
};

struct TextRules {
  std::size_t shortest = 0;
  std::optional<std::size_t> longest;
  std::optional<SchemaPattern> pattern;
};

enum class BoundKind { minimum, exclusive_minimum, maximum, exclusive_maximum };

struct NumberRules {
  struct Bound {
    BoundKind kind;
    std::string number;
  };
  std::vector<Bound> bounds;
  std::optional<Divisor> divisor;
  std::string divisor_shown;
};

struct ObjectRules {
  // A member that properties, required or a dependency names.
  struct Name {
    std::string text;
    RuleIndex value = no_rule;  // from properties
  };
  struct Dependency {
    std::uint32_t name;
    std::vector<std::uint32_t> names;  // that are then required
    RuleIndex whole = no_rule;         // what then holds for the object
  };
  std::vector<Name> names;
  std::map<std::string, std::uint32_t, std::less<>> index;
  std::vector<std::uint32_t> required;
  std::vector<Dependency> dependencies;
  std::vector<std::pair<SchemaPattern, RuleIndex>> patterns;
  RuleIndex others = anything;  // additionalProperties
  RuleIndex name_rule = no_rule;
  std::size_t fewest = 0;
  std::optional<std::size_t> most;

  // `next` is where the name is expected: payloads mostly keep the order of their schema.
  std::optional<std::uint32_t> find(std::string_view name, std::size_t next) const {
    if (next < names.size() && names[next].text == name) {
      return static_cast<std::uint32_t>(next);
    }
    const auto found = index.find(name);
    return found == index.end() ? std::nullopt : std::optional(found->second);
  }
};

struct ArrayRules {
  std::vector<RuleIndex> prefix;
  RuleIndex rest = no_rule;
  RuleIndex contains = no_rule;
  std::size_t contains_least = 1;
  std::optional<std::size_t> contains_most;
  std::size_t fewest = 0;
  std::optional<std::size_t> most;
  bool is_unique = false;
};

// What applies to the value as a whole.
struct LogicRules {
  RuleIndex reference = no_rule;
  std::vector<RuleIndex> all;
  std::vector<RuleIndex> any;
  std::vector<RuleIndex> one;
  RuleIndex negated = no_rule;
  RuleIndex condition = no_rule;
  RuleIndex consequence = no_rule;
  RuleIndex alternative = no_rule;
};

struct SchemaRule {
  TypeBits types = any_type;
  RuleIndex values = no_rule;  // the others: rows of the tables below
  RuleIndex constant = no_rule;
  RuleIndex text = no_rule;
  RuleIndex number = no_rule;
  RuleIndex object = no_rule;
  RuleIndex array = no_rule;
  RuleIndex logic = no_rule;
};

struct SchemaRules {
  std::vector<SchemaRule> rules = std::vector<SchemaRule>(2);  // anything and nothing
  std::vector<ValueList> values;
  std::vector<TextRules> texts;
  std::vector<NumberRules> numbers;
  std::vector<ObjectRules> objects;
  std::vector<ArrayRules> arrays;
  std::vector<LogicRules> logics;
  RuleIndex root = anything;
  bool is_closed = false;  // somewhere, additional members are forbidden
};

}  // namespace webhookd::server
