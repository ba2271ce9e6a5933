// The check of data against a compiled schema: one walk over the text, in which every value knows where it begins and,
// once somebody has walked it, where it ends.
#include <algorithm>
#include <bitset>
#include <utility>

#include "base/text.hpp"
#include "control/protocol/members.hpp"
#include "control/server/event_schema.hpp"
#include "control/server/schema_rules_impl.hpp"
#include "control/server/value_place.hpp"

namespace webhookd::server {

namespace {

using protocol::JsonKind;

constexpr std::int64_t budget_base = 1'000'000;
constexpr std::int64_t budget_per_byte = 16;
constexpr std::size_t units_of_a_rule = 10;
constexpr std::size_t units_of_a_member = 15;
constexpr std::size_t recursion_max = 512;  // of 128 levels of data, each through a few references
constexpr std::size_t text_shown_max = 100;

constexpr std::string_view too_complex = "is too complex to be checked against the schema of its type";

struct DataValue {
  std::size_t at;
  std::size_t end = 0;  // 0: nobody has walked it yet
};

std::string joined_types(TypeBits types) {
  std::vector<std::string> words;
  for (unsigned i = 0; i < 6; ++i) {
    const auto kind = static_cast<JsonKind>(i);
    if ((types & bit_of(kind)) != 0) {
      words.emplace_back(protocol::to_string(kind));
    } else if (kind == JsonKind::number && (types & integer_bit) != 0) {
      words.emplace_back("an integer");
    }
  }
  return words.empty() ? "nothing" : base::join(words, " or ");
}

std::string_view word_of(BoundKind kind) {
  constexpr std::string_view words[] = {"at least ", "more than ", "at most ", "less than "};
  return words[static_cast<std::size_t>(kind)];
}

bool is_within(BoundKind kind, int order) {
  switch (kind) {
    case BoundKind::minimum:
      return order >= 0;
    case BoundKind::exclusive_minimum:
      return order > 0;
    case BoundKind::maximum:
      return order <= 0;
    default:
      return order < 0;
  }
}

std::string how_many(std::size_t count, std::string_view word) {
  return std::to_string(count) + " " + std::string(word) + (count == 1 ? "" : "s");
}

// Which of the names that a schema knows have been seen in an object: without allocation as long as they are few.
class SeenNames {
 public:
  explicit SeenNames(std::size_t names) : many_(names > few_.size() ? names : 0) {}
  void add(std::size_t name) {
    if (many_.empty()) {
      few_.set(name);
    } else {
      many_[name] = true;
    }
  }
  bool has(std::size_t name) const { return many_.empty() ? few_.test(name) : many_[name]; }

 private:
  std::bitset<64> few_;
  std::vector<bool> many_;
};

// The text of a string: a piece of the data, or decoded when it has escapes.
class DecodedText {
 public:
  explicit DecodedText(std::string_view raw) : text_(raw.substr(1, raw.size() - 2)) {
    if (text_.find('\\') != std::string_view::npos) {
      decoded_ = protocol::decode_any_string(raw);
      text_ = decoded_;
    }
  }
  DecodedText(const DecodedText&) = delete;
  DecodedText& operator=(const DecodedText&) = delete;
  std::string_view view() const { return text_; }

 private:
  std::string decoded_;
  std::string_view text_;
};

class DataCheck {
 public:
  DataCheck(const SchemaRules& rules, std::string_view data, std::string_view root)
      : rules_(rules),
        data_(data),
        root_(root),
        budget_(budget_base + budget_per_byte * static_cast<std::int64_t>(data.size())) {}

  std::vector<base::FieldError> run() {
    DataValue whole{protocol::next_token(data_, 0)};
    const ValuePlace top;
    apply(rules_.root, whole, top);
    if (budget_.is_over() && faults_.size() < schema_faults_max) {
      const protocol::Place place = protocol::Place::of(root_);
      faults_.push_back({place.pointer, place.name + ": " + std::string(too_complex)});
    }
    return std::move(faults_);
  }

 private:
  // All of these say whether the value matches. While `quiet_` the first fault is enough, and nothing is told.
  bool apply(RuleIndex index, DataValue& value, const ValuePlace& place);
  bool apply_parts(const SchemaRule& rule, JsonKind kind, DataValue& value, const ValuePlace& place);
  bool is_of_type(TypeBits types, JsonKind kind, DataValue& value, const ValuePlace& place);
  bool is_listed(const ValueList& list, const DataValue& value, const ValuePlace& place);
  bool text(const TextRules& rules, DataValue& value, const ValuePlace& place);
  bool number(const NumberRules& rules, DataValue& value, const ValuePlace& place);
  bool object(const ObjectRules& rules, DataValue& value, const ValuePlace& place);
  bool member(const ObjectRules& rules, std::string_view name, std::optional<std::uint32_t> known, DataValue& value,
              const ValuePlace& place);
  bool name(const ObjectRules& rules, DataValue& name_value, const ValuePlace& place);
  bool is_complete(const ObjectRules& rules, const SeenNames& seen, DataValue& value, const ValuePlace& place);
  bool required(const ObjectRules& rules, const std::vector<std::uint32_t>& names, const SeenNames& seen,
                const ValuePlace& place);
  bool array(const ArrayRules& rules, DataValue& value, const ValuePlace& place);
  bool element(const ArrayRules& rules, std::size_t index, DataValue& value, const ValuePlace& place);
  bool array_as_a_whole(const ArrayRules& rules, std::size_t count, std::size_t matches, const DataValue& value,
                        const ValuePlace& place);
  bool logic(const LogicRules& rules, DataValue& value, const ValuePlace& place);
  bool alternatives(const LogicRules& rules, DataValue& value, const ValuePlace& place);
  bool exactly_one(const std::vector<RuleIndex>& rules, DataValue& value, const ValuePlace& place);

  bool matches(RuleIndex index, DataValue& value, const ValuePlace& place) {
    ++quiet_;
    const bool good = apply(index, value, place);
    --quiet_;
    return good;
  }
  bool matches_by(bool is_strict, RuleIndex index, DataValue& value, const ValuePlace& place) {
    const bool before = std::exchange(is_strict_, is_strict);
    const bool good = matches(index, value, place);
    is_strict_ = before;
    return good;
  }
  std::size_t end_of(DataValue& value) {
    if (value.end == 0) {
      value.end = protocol::value_end(data_, value.at);
      budget_.spend(value.end - value.at);
    }
    return value.end;
  }
  // Past what stands between two tokens, which may be long.
  std::size_t after(std::size_t at) {
    const std::size_t next = protocol::next_token(data_, at);
    budget_.spend(next - at);
    return next;
  }
  std::string_view raw(DataValue& value) { return data_.substr(value.at, end_of(value) - value.at); }
  JsonKind kind_at(std::size_t at) const { return protocol::kind_of(data_.substr(at)); }

  // After a fault: whether there is no use in going on.
  bool is_done() const { return quiet_ > 0 || faults_.size() >= schema_faults_max || budget_.is_over(); }
  template <class Detail>
  bool fail(const ValuePlace& place, Detail detail) {
    if (!is_done()) {
      const protocol::Place spelled_place = spelled(place, root_);
      protocol::Faults told;
      protocol::add_fault(told, spelled_place, detail());
      faults_.push_back(std::move(told).error(base::ErrorCode::invalid_field).fields.front());
    }
    return false;
  }

  const SchemaRules& rules_;
  std::string_view data_;
  std::string_view root_;
  WorkBudget budget_;
  std::size_t depth_ = 0;
  std::size_t quiet_ = 0;
  bool is_strict_ = false;  // additionalProperties: false counts as it is written
  std::vector<base::FieldError> faults_;
};

bool DataCheck::apply(RuleIndex index, DataValue& value, const ValuePlace& place) {
  if (index == anything) {
    return true;
  }
  if (index == nothing) {
    return fail(place, [] { return "is forbidden here"; });
  }
  if (depth_ == recursion_max) {
    budget_.end();
  }
  if (!budget_.spend(units_of_a_rule)) {
    return false;
  }
  ++depth_;
  const SchemaRule& rule = rules_.rules[index];
  const JsonKind kind = kind_at(value.at);
  bool good = is_of_type(rule.types, kind, value, place);  // of another type, the rest says nothing new
  good = good && apply_parts(rule, kind, value, place);
  --depth_;
  return good;
}

bool DataCheck::apply_parts(const SchemaRule& rule, JsonKind kind, DataValue& value, const ValuePlace& place) {
  bool good = true;
  const auto part = [&](RuleIndex index, const auto& table, auto check) {
    if (index != no_rule && (good || !is_done())) {
      good = (this->*check)(table[index], value, place) && good;
    }
  };
  part(rule.values, rules_.values, &DataCheck::is_listed);
  part(rule.constant, rules_.values, &DataCheck::is_listed);
  switch (kind) {
    case JsonKind::string:
      part(rule.text, rules_.texts, &DataCheck::text);
      break;
    case JsonKind::number:
      part(rule.number, rules_.numbers, &DataCheck::number);
      break;
    case JsonKind::object:
      part(rule.object, rules_.objects, &DataCheck::object);
      break;
    case JsonKind::array:
      part(rule.array, rules_.arrays, &DataCheck::array);
      break;
    default:
      break;
  }
  part(rule.logic, rules_.logics, &DataCheck::logic);
  return good;
}

bool DataCheck::is_of_type(TypeBits types, JsonKind kind, DataValue& value, const ValuePlace& place) {
  if ((types & bit_of(kind)) != 0) {
    return true;
  }
  const bool wants_integer = kind == JsonKind::number && (types & integer_bit) != 0;
  if (wants_integer && DecimalNumber::of(raw(value)).is_whole()) {
    return true;
  }
  return fail(place, [&] {
    return "must be " + joined_types(types) + ", not " +
           (wants_integer ? "a number with a fraction" : std::string(protocol::to_string(kind)));
  });
}

bool DataCheck::is_listed(const ValueList& list, const DataValue& value, const ValuePlace& place) {
  std::string buffer;
  const std::string_view form = canonical_form(data_, value.at, buffer, budget_);
  if (std::binary_search(list.forms.begin(), list.forms.end(), form)) {
    return true;
  }
  return fail(place, [&] { return "must be " + list.shown; });
}

bool DataCheck::text(const TextRules& rules, DataValue& value, const ValuePlace& place) {
  const DecodedText decoded(raw(value));
  const std::string_view content = decoded.view();
  bool good = true;
  if (rules.shortest > 0 || rules.longest) {
    const std::size_t length = base::count_code_points(content);
    budget_.spend(content.size());
    if (length < rules.shortest) {
      good = fail(place, [&] { return "must have at least " + how_many(rules.shortest, "character"); });
    } else if (rules.longest && length > *rules.longest) {
      good = fail(place, [&] { return "must have at most " + how_many(*rules.longest, "character"); });
    }
  }
  if (!rules.pattern || (!good && is_done()) ||
      !budget_.spend(units_of_a_member + content.size() * rules.pattern->units_per_byte())) {
    return good;
  }
  if (rules.pattern->is_found_in(content)) {
    return good;
  }
  return fail(place, [&] { return "must match the pattern " + rules.pattern->text().substr(0, text_shown_max); });
}

bool DataCheck::number(const NumberRules& rules, DataValue& value, const ValuePlace& place) {
  const DecimalNumber given = DecimalNumber::of(raw(value));
  bool good = true;
  for (const auto& bound : rules.bounds) {
    if (!is_within(bound.kind, compare(given, DecimalNumber::of(bound.number)))) {
      good = fail(place, [&] {
        return "must be " + std::string(word_of(bound.kind)) + bound.number.substr(0, text_shown_max);
      });
    }
  }
  budget_.spend(given.digits() * 8);
  if (rules.divisor && !budget_.is_over() && !rules.divisor->divides(given)) {
    good = fail(place, [&] { return "must be a multiple of " + rules.divisor_shown; });
  }
  return good;
}

// ---- objects ----------------------------------------------------------------------------------------------------

bool DataCheck::object(const ObjectRules& rules, DataValue& value, const ValuePlace& place) {
  SeenNames seen(rules.names.size());
  bool good = true;
  std::size_t count = 0;
  std::size_t expected = 0;
  std::size_t at = after(value.at + 1);
  for (; data_[at] != '}'; ++count) {
    DataValue name_value{at, protocol::string_end(data_, at)};
    const DecodedText decoded(raw(name_value));
    if (!budget_.spend(units_of_a_member + name_value.end - at)) {
      return false;
    }
    const auto known = rules.find(decoded.view(), expected);
    if (known) {
      seen.add(*known);
      expected = *known + 1;
    }
    DataValue member_value{after(name_value.end)};
    const ValuePlace member_place = place.below(decoded.view());
    good = name(rules, name_value, member_place) && good;
    good = member(rules, decoded.view(), known, member_value, member_place) && good;
    if (!good && is_done()) {
      return false;
    }
    at = after(end_of(member_value));
  }
  value.end = at + 1;
  if (count < rules.fewest) {
    good = fail(place, [&] { return "must have at least " + how_many(rules.fewest, "member"); });
  } else if (rules.most && count > *rules.most) {
    good = fail(place, [&] { return "must have at most " + how_many(*rules.most, "member"); });
  }
  return is_complete(rules, seen, value, place) && good;
}

bool DataCheck::name(const ObjectRules& rules, DataValue& name_value, const ValuePlace& place) {
  if (rules.name_rule == no_rule || matches(rules.name_rule, name_value, place)) {
    return true;
  }
  return fail(place, [] { return "must not have this name"; });
}

bool DataCheck::member(const ObjectRules& rules, std::string_view name, std::optional<std::uint32_t> known,
                       DataValue& value, const ValuePlace& place) {
  const RuleIndex declared = known ? rules.names[*known].value : no_rule;
  bool is_other = declared == no_rule;
  bool good = is_other || apply(declared, value, place);
  for (const auto& [pattern, rule] : rules.patterns) {
    if (!budget_.spend(units_of_a_member + name.size() * pattern.units_per_byte())) {
      return false;
    }
    if (pattern.is_found_in(name)) {
      is_other = false;
      good = apply(rule, value, place) && good;
    }
  }
  const bool is_welcome = rules.others == nothing && !is_strict_;
  if (is_other && !is_welcome) {
    good = apply(rules.others, value, place) && good;
  }
  return good;
}

bool DataCheck::required(const ObjectRules& rules, const std::vector<std::uint32_t>& names, const SeenNames& seen,
                         const ValuePlace& place) {
  bool good = true;
  budget_.spend(names.size());
  for (const std::uint32_t index : names) {
    if (!seen.has(index)) {
      const ValuePlace missing = place.below(rules.names[index].text);
      good = fail(missing, [] { return "is required"; });
      if (is_done()) {
        break;
      }
    }
  }
  return good;
}

bool DataCheck::is_complete(const ObjectRules& rules, const SeenNames& seen, DataValue& value,
                            const ValuePlace& place) {
  bool good = required(rules, rules.required, seen, place);
  for (const auto& dependency : rules.dependencies) {
    if (!good && is_done()) {
      break;
    }
    if (seen.has(dependency.name)) {
      good = required(rules, dependency.names, seen, place) && good;
      good = (dependency.whole == no_rule || apply(dependency.whole, value, place)) && good;
    }
  }
  return good;
}

// ---- arrays -----------------------------------------------------------------------------------------------------

bool DataCheck::array(const ArrayRules& rules, DataValue& value, const ValuePlace& place) {
  bool good = true;
  std::size_t count = 0;
  std::size_t matching = 0;
  std::size_t at = after(value.at + 1);
  for (; data_[at] != ']'; ++count) {
    if (!budget_.spend(units_of_a_member)) {
      return false;
    }
    DataValue item{at};
    const ValuePlace item_place = place.at(count);
    good = element(rules, count, item, item_place) && good;
    if (!good && is_done()) {
      return false;
    }
    if (rules.contains != no_rule) {
      matching += matches(rules.contains, item, item_place) ? 1 : 0;
    }
    at = after(end_of(item));
  }
  value.end = at + 1;
  return array_as_a_whole(rules, count, matching, value, place) && good;
}

bool DataCheck::element(const ArrayRules& rules, std::size_t index, DataValue& value, const ValuePlace& place) {
  const RuleIndex rule = index < rules.prefix.size() ? rules.prefix[index] : rules.rest;
  return rule == no_rule || apply(rule, value, place);
}

bool DataCheck::array_as_a_whole(const ArrayRules& rules, std::size_t count, std::size_t matching,
                                 const DataValue& value, const ValuePlace& place) {
  bool good = true;
  if (count < rules.fewest) {
    good = fail(place, [&] { return "must have at least " + how_many(rules.fewest, "item"); });
  } else if (rules.most && count > *rules.most) {
    good = fail(place, [&] { return "must have at most " + how_many(*rules.most, "item"); });
  }
  if (rules.contains != no_rule && matching < rules.contains_least) {
    good = fail(place, [&] {
      return "must have at least " + how_many(rules.contains_least, "item") + " as `contains` says, has " +
             std::to_string(matching);
    });
  } else if (rules.contains != no_rule && rules.contains_most && matching > *rules.contains_most) {
    good = fail(place, [&] {
      return "must have at most " + how_many(*rules.contains_most, "item") + " as `contains` says, has " +
             std::to_string(matching);
    });
  }
  if (!rules.is_unique || (!good && is_done())) {
    return good;
  }
  const auto repeated = find_repetition(data_, value.at, budget_);
  if (!repeated) {
    return good;
  }
  return fail(place, [&] {
    return "must not have an item twice; [" + std::to_string(repeated->second) + "] equals [" +
           std::to_string(repeated->first) + "]";
  });
}

// ---- what applies to the value as a whole -------------------------------------------------------------------------

bool DataCheck::logic(const LogicRules& rules, DataValue& value, const ValuePlace& place) {
  bool good = rules.reference == no_rule || apply(rules.reference, value, place);
  for (const RuleIndex each : rules.all) {
    if (!good && is_done()) {
      return false;
    }
    good = apply(each, value, place) && good;
  }
  if (!good && is_done()) {
    return false;
  }
  good = alternatives(rules, value, place) && good;
  if (rules.negated != no_rule && matches_by(!is_strict_, rules.negated, value, place)) {
    good = fail(place, [] { return "must not match what `not` says"; });
  }
  if (rules.condition != no_rule && (good || !is_done())) {
    const RuleIndex then = matches(rules.condition, value, place) ? rules.consequence : rules.alternative;
    good = (then == no_rule || apply(then, value, place)) && good;
  }
  return good;
}

bool DataCheck::alternatives(const LogicRules& rules, DataValue& value, const ValuePlace& place) {
  bool good = rules.any.empty() || std::any_of(rules.any.begin(), rules.any.end(),
                                               [&](RuleIndex each) { return matches(each, value, place); });
  if (!good) {
    fail(place, [&] { return "matches none of the " + how_many(rules.any.size(), "alternative") + " of anyOf"; });
  }
  if (!rules.one.empty() && (good || !is_done())) {
    good = exactly_one(rules.one, value, place) && good;
  }
  return good;
}

// Alternatives may be told apart by the members that they forbid; only as written does more than one match count.
bool DataCheck::exactly_one(const std::vector<RuleIndex>& rules, DataValue& value, const ValuePlace& place) {
  std::size_t as_written = 0;
  for (const RuleIndex each : rules) {
    as_written += matches_by(is_strict_ || rules_.is_closed, each, value, place) ? 1 : 0;
  }
  if (as_written == 1) {
    return true;
  }
  if (as_written > 1) {
    return fail(place, [&] {
      return "must match one of the alternatives of oneOf alone, matches " + std::to_string(as_written);
    });
  }
  const bool may_be_grown = rules_.is_closed && !is_strict_;
  const bool good = may_be_grown && std::any_of(rules.begin(), rules.end(),
                                                [&](RuleIndex each) { return matches(each, value, place); });
  return good ||
         fail(place, [&] { return "matches none of the " + how_many(rules.size(), "alternative") + " of oneOf"; });
}

}  // namespace

std::vector<base::FieldError> EventSchema::faults_of(std::string_view data, std::string_view root) const {
  return DataCheck(*rules_, data, root).run();
}

}  // namespace webhookd::server
