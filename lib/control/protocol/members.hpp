// Reading the members of a request against a table of what may stand there: kinds are checked, unknown names are
// refused with the name that was probably meant, and every fault is collected with its pointer and begins with the
// field's name.
//
// Never here: the rules of any one field; those are domain's.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "control/protocol/json_text.hpp"
#include "control/protocol/problems.hpp"

namespace webhookd::protocol {

// Where a value stands, for messages: the pointer "/retry/max" and the name "retry.max".
struct Place {
  std::string pointer;
  std::string name;

  static Place of(std::string_view member) { return {pointer_to(member), std::string(member)}; }
  Place below(std::string_view member) const {
    return {pointer + pointer_to(member), name + "." + std::string(member)};
  }
  Place at(std::size_t index) const {
    return {pointer + "/" + std::to_string(index), name + "[" + std::to_string(index) + "]"};
  }
};

void add_fault(Faults& faults, const Place& place, std::string_view rule);

// Each gives the value, or adds a fault that names the kind that is expected.
bool expect_kind(std::string_view value, JsonKind kind, const Place& place, Faults& faults);
std::optional<std::string> read_string(std::string_view value, const Place& place, Faults& faults);
std::optional<double> read_number(std::string_view value, const Place& place, Faults& faults);
// A whole number from 0 to 4294967295.
std::optional<std::uint32_t> read_count(std::string_view value, const Place& place, Faults& faults);
// Seconds, to the millisecond; 0 to about 300 years.
std::optional<base::Duration> read_seconds(std::string_view value, const Place& place, Faults& faults);
std::optional<base::Time> read_time(std::string_view value, const Place& place, Faults& faults);

// "is not a member here; did you mean …".
void add_unknown_member(Faults& faults, const Place& place, std::string_view name,
                        const std::vector<std::string>& known);

// Calls the reader of each member; `Target` is whatever the readers of one request fill in.
template <class Target>
struct MemberRule {
  std::string_view name;
  void (*read)(std::string_view value, Target& target, Faults& faults);
};

template <class Target, std::size_t N>
void read_members(const std::vector<JsonMember>& members, const std::array<MemberRule<Target>, N>& rules,
                  Target& target, Faults& faults) {
  for (const JsonMember& member : members) {
    const MemberRule<Target>* known = nullptr;
    for (const auto& rule : rules) {
      known = rule.name == member.name ? &rule : known;
    }
    if (known != nullptr) {
      known->read(member.value, target, faults);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& rule : rules) {
      names.emplace_back(rule.name);
    }
    add_unknown_member(faults, Place::of(member.name), member.name, names);
  }
}

}  // namespace webhookd::protocol
