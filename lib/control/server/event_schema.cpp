#include "control/server/event_schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "control/protocol/members.hpp"
#include "control/server/schema_rules_impl.hpp"
#include "control/server/value_place.hpp"

namespace webhookd::server {

namespace {

using protocol::JsonKind;

constexpr std::size_t values_shown_max = 200;  // bytes
constexpr std::size_t patterns_max = 256;      // of one schema: each takes memory of its own
constexpr std::size_t targets_max = 1000;      // each is looked for from the root

struct TypeWord {
  std::string_view word;
  TypeBits bits;
};
constexpr std::array type_words{TypeWord{"null", bit_of(JsonKind::null)},
                                TypeWord{"boolean", bit_of(JsonKind::boolean)},
                                TypeWord{"object", bit_of(JsonKind::object)},
                                TypeWord{"array", bit_of(JsonKind::array)},
                                TypeWord{"number", bit_of(JsonKind::number)},
                                TypeWord{"string", bit_of(JsonKind::string)},
                                TypeWord{"integer", integer_bit}};

// What one subschema says while it is read; what depends on several keywords is settled at its end.
struct Draft {
  SchemaRule rule;
  std::optional<TextRules> text;
  std::optional<NumberRules> number;
  std::optional<ObjectRules> object;
  std::optional<ArrayRules> array;
  std::optional<LogicRules> logic;
  RuleIndex additional_items = no_rule;
  bool has_items_array = false;  // as draft-07 spells prefixItems
  bool has_prefix = false;
};

struct Subject {
  Draft& draft;
  std::string_view value;
  const ValuePlace& place;
};

template <class T>
T& made(std::optional<T>& rules) {
  return rules ? *rules : rules.emplace();
}

template <class T>
RuleIndex added(std::vector<T>& table, std::optional<T>&& row) {
  if (!row) {
    return no_rule;
  }
  table.push_back(std::move(*row));
  return static_cast<RuleIndex>(table.size() - 1);
}

std::uint32_t name_of(ObjectRules& rules, std::string_view text) {
  const auto [found, is_new] = rules.index.try_emplace(std::string(text), rules.names.size());
  if (is_new) {
    rules.names.push_back({std::string(text), no_rule});
  }
  return found->second;
}

class SchemaCompiler {
 public:
  explicit SchemaCompiler(std::string_view text) : text_(text) {}

  base::Result<SchemaRules> run() {
    whole_ = value_at(protocol::next_token(text_, 0));
    rules_.root = subschema(whole_, ValuePlace());
    while (!open_references_.empty() && !is_full()) {
      const OpenReference reference = std::move(open_references_.back());
      open_references_.pop_back();
      resolve(reference);
    }
    if (!faults_.any()) {
      refuse_circles();
    }
    if (faults_.any()) {
      return std::move(faults_).error(base::ErrorCode::invalid_field);
    }
    return std::move(rules_);
  }

 private:
  using Reader = void (SchemaCompiler::*)(Subject&);
  struct Keyword {
    std::string_view name;
    Reader read;
  };
  struct OpenReference {
    RuleIndex from;
    std::string target;
    protocol::Place place;
  };
  static const std::vector<Keyword>& keywords();

  std::string_view value_at(std::size_t at) const { return text_.substr(at, protocol::value_end(text_, at) - at); }
  bool is_full() const { return fault_count_ >= schema_faults_max; }
  void fault(const ValuePlace& place, const std::string& rule) {
    if (!is_full()) {
      fault(spelled(place, "schema"), rule);
    }
  }
  void fault(const protocol::Place& place, const std::string& rule) {
    if (!is_full()) {
      protocol::add_fault(faults_, place, rule);
      ++fault_count_;
    }
  }
  bool expect(std::string_view value, JsonKind kind, const ValuePlace& place) {
    if (protocol::kind_of(value) == kind) {
      return true;
    }
    fault(place, "must be " + std::string(protocol::to_string(kind)) + ", not " +
                     std::string(protocol::to_string(protocol::kind_of(value))));
    return false;
  }
  std::vector<protocol::JsonMember> members(std::string_view object, const ValuePlace& place);

  RuleIndex subschema(std::string_view value, const ValuePlace& place);
  void read_keywords(std::string_view value, Draft& draft, const ValuePlace& place);
  void settle(RuleIndex index, Draft&& draft);
  void settle_items(Draft& draft);
  std::vector<RuleIndex> subschemas(std::string_view value, const ValuePlace& place);
  std::vector<std::string> names(std::string_view value, const ValuePlace& place);
  std::optional<std::size_t> count(const Subject& subject);
  std::optional<SchemaPattern> pattern(const std::string& text, const ValuePlace& place);
  void resolve(const OpenReference& reference);
  std::optional<std::string_view> step_into(std::string_view value, const std::string& token);
  std::vector<RuleIndex> in_place(RuleIndex index) const;
  void refuse_circles();

  // The keywords.
  void read_type(Subject& subject);
  void read_enum(Subject& subject);
  void read_const(Subject& subject);
  void read_reference(Subject& subject);
  void read_definitions(Subject& subject);
  void read_inner_id(Subject& subject);
  void read_properties(Subject& subject);
  void read_pattern_properties(Subject& subject);
  void read_additional_properties(Subject& subject);
  void read_required(Subject& subject);
  void read_dependencies(Subject& subject);
  void read_items(Subject& subject);
  void read_prefix_items(Subject& subject);
  void read_unique_items(Subject& subject);
  void read_pattern(Subject& subject);
  void read_multiple(Subject& subject);
  void read_unevaluated_properties(Subject& subject);
  void read_unevaluated_items(Subject& subject);
  void refuse_dynamic(Subject& subject);
  template <BoundKind kind>
  void read_bound(Subject& subject);
  template <auto part, auto member>
  void read_limit(Subject& subject);
  template <auto part, auto member>
  void read_part(Subject& subject);
  template <auto member>
  void read_list(Subject& subject);
  void read_additional_items(Subject& subject);

  std::string_view text_;
  std::string_view whole_;
  SchemaRules rules_;
  protocol::Faults faults_;
  std::size_t fault_count_ = 0;
  std::size_t pattern_count_ = 0;
  RuleIndex current_ = anything;                      // the subschema that is being read
  std::string own_id_;                                // the root's $id
  std::unordered_map<const char*, RuleIndex> known_;  // subschemas by where they stand
  std::vector<OpenReference> open_references_;
  std::unordered_map<const char*, std::map<std::string, std::string_view>> opened_;  // what references went through
  std::map<std::string, RuleIndex> targets_;                                         // of references that were resolved
  std::map<RuleIndex, protocol::Place> references_;  // who refers, and where that is said
};

// ---- one subschema ----------------------------------------------------------------------------------------------

std::vector<protocol::JsonMember> SchemaCompiler::members(std::string_view object, const ValuePlace& place) {
  auto found = protocol::members_of(object);
  std::set<std::string_view> seen;
  for (const auto& member : found) {
    if (!seen.insert(member.name).second) {
      fault(place.below(member.name), "stands there twice");
    }
  }
  return found;
}

RuleIndex SchemaCompiler::subschema(std::string_view value, const ValuePlace& place) {
  const JsonKind kind = protocol::kind_of(value);
  if (kind == JsonKind::boolean) {
    return value == "true" ? anything : nothing;
  }
  if (kind != JsonKind::object) {
    fault(place, "must be a schema, that is an object or a boolean, not " + std::string(protocol::to_string(kind)));
    return anything;
  }
  const auto [known, is_new] = known_.try_emplace(value.data(), static_cast<RuleIndex>(rules_.rules.size()));
  const RuleIndex index = known->second;
  if (is_new && !is_full()) {
    rules_.rules.emplace_back();
    const RuleIndex outer = std::exchange(current_, index);
    Draft draft;
    read_keywords(value, draft, place);
    settle(index, std::move(draft));
    current_ = outer;
  }
  return is_full() ? anything : index;
}

void SchemaCompiler::read_keywords(std::string_view value, Draft& draft, const ValuePlace& place) {
  for (const auto& member : members(value, place)) {
    const auto& known = keywords();
    const auto keyword =
        std::find_if(known.begin(), known.end(), [&](const Keyword& row) { return row.name == member.name; });
    if (keyword != known.end() && !is_full()) {
      const ValuePlace below = place.below(member.name);
      Subject subject{draft, member.value, below};
      (this->*keyword->read)(subject);
    }
  }
}

void SchemaCompiler::settle(RuleIndex index, Draft&& draft) {
  settle_items(draft);
  draft.rule.text = added(rules_.texts, std::move(draft.text));
  draft.rule.number = added(rules_.numbers, std::move(draft.number));
  draft.rule.object = added(rules_.objects, std::move(draft.object));
  draft.rule.array = added(rules_.arrays, std::move(draft.array));
  draft.rule.logic = added(rules_.logics, std::move(draft.logic));
  rules_.rules[index] = draft.rule;
}

// additionalItems speaks only beside items as an array, as draft-07 has it.
void SchemaCompiler::settle_items(Draft& draft) {
  if (draft.has_items_array && draft.additional_items != no_rule) {
    made(draft.array).rest = draft.additional_items;
  }
}

std::vector<RuleIndex> SchemaCompiler::subschemas(std::string_view value, const ValuePlace& place) {
  std::vector<RuleIndex> found;
  if (!expect(value, JsonKind::array, place)) {
    return found;
  }
  std::size_t index = 0;
  for (const auto element : protocol::elements_of(value)) {
    found.push_back(subschema(element, place.at(index++)));
  }
  return found;
}

std::vector<std::string> SchemaCompiler::names(std::string_view value, const ValuePlace& place) {
  std::vector<std::string> found;
  if (!expect(value, JsonKind::array, place)) {
    return found;
  }
  std::size_t index = 0;
  for (const auto element : protocol::elements_of(value)) {
    if (expect(element, JsonKind::string, place.at(index++))) {
      found.push_back(protocol::decode_any_string(element));
    }
  }
  return found;
}

std::optional<std::size_t> SchemaCompiler::count(const Subject& subject) {
  if (!expect(subject.value, JsonKind::number, subject.place)) {
    return std::nullopt;
  }
  protocol::Faults told;
  const auto number = protocol::read_count(subject.value, protocol::Place(), told);
  if (!number) {
    fault(subject.place, "must be a whole number from 0 to 4294967295");
    return std::nullopt;
  }
  return *number;
}

std::optional<SchemaPattern> SchemaCompiler::pattern(const std::string& text, const ValuePlace& place) {
  if (++pattern_count_ > patterns_max) {
    fault(place, "is one pattern too many; a schema may have " + std::to_string(patterns_max));
    return std::nullopt;
  }
  auto compiled = SchemaPattern::compile(text);
  if (!compiled) {
    fault(place, compiled.error().detail);
    return std::nullopt;
  }
  return std::move(*compiled);
}

// ---- references -------------------------------------------------------------------------------------------------

std::string unescaped(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool is_escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    name += is_escape ? (token[++i] == '0' ? '~' : '/') : token[i];
  }
  return name;
}

// The value that one token of a JSON pointer (RFC 6901) leads to. What is stepped into is taken apart once.
std::optional<std::string_view> SchemaCompiler::step_into(std::string_view value, const std::string& token) {
  const auto [opened, is_new] = opened_.try_emplace(value.data());
  auto& parts = opened->second;
  if (is_new && protocol::kind_of(value) == JsonKind::object) {
    for (const auto& member : protocol::members_of(value)) {
      parts.emplace(member.name, member.value);
    }
  } else if (is_new && protocol::kind_of(value) == JsonKind::array) {
    for (const auto element : protocol::elements_of(value)) {
      parts.emplace(std::to_string(parts.size()), element);
    }
  }
  const auto part = parts.find(token);
  return part == parts.end() ? std::nullopt : std::optional(part->second);
}

// "%25" and its like, as a fragment of a URI has them.
void SchemaCompiler::resolve(const OpenReference& reference) {
  if (const auto known = targets_.find(reference.target); known != targets_.end()) {
    rules_.logics[rules_.rules[reference.from].logic].reference = known->second;
    return;
  }
  if (targets_.size() == targets_max) {
    fault(reference.place, "is one place too many to refer to; a schema may have " + std::to_string(targets_max));
    return;
  }
  std::string_view target = reference.target;
  if (!own_id_.empty() && target.starts_with(own_id_)) {
    target.remove_prefix(own_id_.size());
  }
  const auto decoded = protocol::percent_decode(target.substr(target.starts_with('#') ? 1 : 0), false);
  const std::string pointer = decoded.value_or("%");  // begins with no slash, so it is refused
  const bool is_local = target.empty() || target.starts_with('#');
  if (!is_local || (!pointer.empty() && pointer.front() != '/')) {
    fault(reference.place, "must point into this schema, for example #/$defs/name; others are not fetched");
    return;
  }
  std::optional<std::string_view> found = whole_;
  std::deque<std::string> tokens;
  std::deque<ValuePlace> way(1);
  for (std::size_t at = 0; found && at < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    tokens.push_back(unescaped(std::string_view(pointer).substr(at + 1, end - at - 1)));
    way.push_back(way.back().below(tokens.back()));
    found = step_into(*found, tokens.back());
    at = end;
  }
  if (!found) {
    fault(reference.place, "points to nothing in this schema");
    return;
  }
  const RuleIndex leads_to = subschema(*found, way.back());
  targets_.emplace(reference.target, leads_to);
  rules_.logics[rules_.rules[reference.from].logic].reference = leads_to;
}

// Those that apply to the same value as `index` does.
std::vector<RuleIndex> SchemaCompiler::in_place(RuleIndex index) const {
  std::vector<RuleIndex> found;
  const SchemaRule& rule = rules_.rules[index];
  if (rule.logic != no_rule) {
    const LogicRules& logic = rules_.logics[rule.logic];
    for (const auto* list : {&logic.all, &logic.any, &logic.one}) {
      found.insert(found.end(), list->begin(), list->end());
    }
    for (const RuleIndex one :
         {logic.reference, logic.negated, logic.condition, logic.consequence, logic.alternative}) {
      found.push_back(one);
    }
  }
  if (rule.object != no_rule) {
    for (const auto& dependency : rules_.objects[rule.object].dependencies) {
      found.push_back(dependency.whole);
    }
  }
  std::erase_if(found, [](RuleIndex one) { return one == no_rule || one <= nothing; });
  return found;
}

// A schema that applies itself to the same value would never end. Depth first, with the way on a stack of our own,
// because a chain of references may be long.
void SchemaCompiler::refuse_circles() {
  enum class Mark : char { fresh, on_the_way, done };
  struct Step {
    RuleIndex index;
    std::vector<RuleIndex> next;
  };
  std::vector<Mark> marks(rules_.rules.size(), Mark::fresh);
  std::vector<Step> way;
  for (const auto& [start, place] : references_) {
    if (marks[start] != Mark::fresh) {
      continue;
    }
    marks[start] = Mark::on_the_way;
    way.push_back({start, in_place(start)});
    while (!way.empty()) {
      if (way.back().next.empty()) {
        marks[way.back().index] = Mark::done;
        way.pop_back();
        continue;
      }
      const RuleIndex next = way.back().next.back();
      way.back().next.pop_back();
      if (marks[next] == Mark::on_the_way) {
        fault(place, "leads round in a circle without end");
        return;
      }
      if (marks[next] == Mark::fresh) {
        marks[next] = Mark::on_the_way;
        way.push_back({next, in_place(next)});
      }
    }
  }
}

// ---- keywords of any value --------------------------------------------------------------------------------------

void SchemaCompiler::read_type(Subject& subject) {
  const bool is_list = protocol::kind_of(subject.value) == JsonKind::array;
  TypeBits bits = 0;
  std::size_t index = 0;
  for (const auto element : is_list ? protocol::elements_of(subject.value) : std::vector{subject.value}) {
    const ValuePlace place = is_list ? subject.place.at(index++) : subject.place;
    if (!expect(element, JsonKind::string, place)) {
      continue;
    }
    const std::string word = protocol::decode_any_string(element);
    std::vector<std::string> all;
    for (const auto& row : type_words) {
      all.emplace_back(row.word);
      bits |= row.word == word ? row.bits : TypeBits{0};
    }
    if (std::find(all.begin(), all.end(), word) == all.end()) {
      const auto meant = base::closest(word, all);
      fault(place, meant ? "is no type; did you mean " + *meant + "?" : "must be one of " + base::join(all, ", "));
    }
  }
  if (is_list && index == 0) {
    fault(subject.place, "must name a type");
  }
  subject.draft.rule.types = bits;
}

ValueList listed(const std::vector<std::string_view>& values) {
  WorkBudget budget(std::numeric_limits<std::int64_t>::max());
  ValueList list;
  for (const auto value : values) {
    std::string buffer;
    list.forms.emplace_back(canonical_form(value, 0, buffer, budget));
    if (list.shown.size() < values_shown_max) {
      list.shown.append(list.shown.empty() ? "" : ", ").append(value.substr(0, values_shown_max));
      list.shown += value.size() > values_shown_max || list.shown.size() >= values_shown_max ? " …" : "";
    }
  }
  std::sort(list.forms.begin(), list.forms.end());
  return list;
}

void SchemaCompiler::read_enum(Subject& subject) {
  if (expect(subject.value, JsonKind::array, subject.place)) {
    std::optional<ValueList> list = listed(protocol::elements_of(subject.value));
    if (list->forms.empty()) {
      fault(subject.place, "must have a value in it");
    }
    list->shown = (list->forms.size() == 1 ? "" : "one of ") + list->shown;
    subject.draft.rule.values = added(rules_.values, std::move(list));
  }
}

void SchemaCompiler::read_const(Subject& subject) {
  subject.draft.rule.constant = added(rules_.values, std::optional(listed({subject.value})));
}

void SchemaCompiler::read_reference(Subject& subject) {
  if (expect(subject.value, JsonKind::string, subject.place)) {
    made(subject.draft.logic);
    const protocol::Place place = spelled(subject.place, "schema");
    references_.emplace(current_, place);
    open_references_.push_back({current_, protocol::decode_any_string(subject.value), place});
  }
}

void SchemaCompiler::read_definitions(Subject& subject) {
  if (expect(subject.value, JsonKind::object, subject.place)) {
    for (const auto& member : members(subject.value, subject.place)) {
      subschema(member.value, subject.place.below(member.name));
    }
  }
}

// The root may have a name; one inside would change what the references around it mean.
void SchemaCompiler::read_inner_id(Subject& subject) {
  if (!expect(subject.value, JsonKind::string, subject.place)) {
    return;
  }
  const std::string id = protocol::decode_any_string(subject.value);
  if (subject.place.above->above == nullptr) {
    own_id_ = id.substr(0, id.find('#'));
  } else if (!id.starts_with('#')) {
    fault(subject.place, "stands inside a schema, which is not supported; use $defs and #/$defs/name");
  }
}

void SchemaCompiler::refuse_dynamic(Subject& subject) { fault(subject.place, "is not supported; use $ref"); }

template <auto part, auto member>
void SchemaCompiler::read_part(Subject& subject) {
  const RuleIndex index = subschema(subject.value, subject.place);
  made(subject.draft.*part).*member = index;
}

template <auto member>
void SchemaCompiler::read_list(Subject& subject) {
  auto found = subschemas(subject.value, subject.place);
  if (found.empty() && !faults_.any()) {
    fault(subject.place, "must have a schema in it");
  }
  made(subject.draft.logic).*member = std::move(found);
}

// Counts: all kinds of minimum are plain, all kinds of maximum optional.
template <auto part, auto member>
void SchemaCompiler::read_limit(Subject& subject) {
  if (const auto number = count(subject)) {
    made(subject.draft.*part).*member = *number;
  }
}

// ---- keywords of strings and numbers ----------------------------------------------------------------------------

void SchemaCompiler::read_pattern(Subject& subject) {
  if (expect(subject.value, JsonKind::string, subject.place)) {
    made(subject.draft.text).pattern = pattern(protocol::decode_any_string(subject.value), subject.place);
  }
}

template <BoundKind kind>
void SchemaCompiler::read_bound(Subject& subject) {
  if (expect(subject.value, JsonKind::number, subject.place)) {
    made(subject.draft.number).bounds.push_back({kind, std::string(subject.value)});
  }
}

void SchemaCompiler::read_multiple(Subject& subject) {
  if (!expect(subject.value, JsonKind::number, subject.place)) {
    return;
  }
  NumberRules& rules = made(subject.draft.number);
  rules.divisor = Divisor::of(DecimalNumber::of(subject.value));
  rules.divisor_shown = subject.value.substr(0, values_shown_max);
  if (!rules.divisor) {
    fault(subject.place, "must be above 0 and have at most 18 significant digits");
  }
}

// ---- keywords of objects ----------------------------------------------------------------------------------------

void SchemaCompiler::read_properties(Subject& subject) {
  if (!expect(subject.value, JsonKind::object, subject.place)) {
    return;
  }
  for (const auto& member : members(subject.value, subject.place)) {
    const RuleIndex index = subschema(member.value, subject.place.below(member.name));
    ObjectRules& rules = made(subject.draft.object);
    rules.names[name_of(rules, member.name)].value = index;
  }
}

void SchemaCompiler::read_pattern_properties(Subject& subject) {
  if (!expect(subject.value, JsonKind::object, subject.place)) {
    return;
  }
  for (const auto& member : members(subject.value, subject.place)) {
    const ValuePlace below = subject.place.below(member.name);
    auto name = pattern(member.name, below);
    const RuleIndex index = subschema(member.value, below);
    if (name) {
      made(subject.draft.object).patterns.emplace_back(std::move(*name), index);
    }
  }
}

void SchemaCompiler::read_additional_properties(Subject& subject) {
  const RuleIndex index = subschema(subject.value, subject.place);
  made(subject.draft.object).others = index;
  rules_.is_closed = rules_.is_closed || index == nothing;
}

void SchemaCompiler::read_required(Subject& subject) {
  for (const auto& name : names(subject.value, subject.place)) {
    ObjectRules& rules = made(subject.draft.object);
    rules.required.push_back(name_of(rules, name));
  }
}

// dependencies of draft-07, and the two keywords that took its place.
void SchemaCompiler::read_dependencies(Subject& subject) {
  if (!expect(subject.value, JsonKind::object, subject.place)) {
    return;
  }
  const bool takes_names = subject.place.member == "dependentRequired";
  const bool takes_schemas = subject.place.member == "dependentSchemas";
  for (const auto& member : members(subject.value, subject.place)) {
    const ValuePlace below = subject.place.below(member.name);
    const bool is_array = protocol::kind_of(member.value) == JsonKind::array;
    ObjectRules::Dependency dependency{0, {}, no_rule};
    std::vector<std::string> wanted;
    if (takes_names || (is_array && !takes_schemas)) {
      wanted = names(member.value, below);
    } else {
      dependency.whole = subschema(member.value, below);
    }
    ObjectRules& rules = made(subject.draft.object);
    dependency.name = name_of(rules, member.name);
    std::transform(wanted.begin(), wanted.end(), std::back_inserter(dependency.names),
                   [&](const std::string& name) { return name_of(rules, name); });
    rules.dependencies.push_back(std::move(dependency));
  }
}

void SchemaCompiler::read_unevaluated_properties(Subject& subject) {
  if (protocol::kind_of(subject.value) != JsonKind::boolean) {
    fault(subject.place, "is not supported as a schema; use additionalProperties");
  }
}

// ---- keywords of arrays -----------------------------------------------------------------------------------------

void SchemaCompiler::read_items(Subject& subject) {
  if (protocol::kind_of(subject.value) == JsonKind::array) {
    auto prefix = subschemas(subject.value, subject.place);
    subject.draft.has_items_array = true;
    made(subject.draft.array).prefix = std::move(prefix);
  } else {
    const RuleIndex index = subschema(subject.value, subject.place);
    made(subject.draft.array).rest = index;
  }
  if (subject.draft.has_items_array && subject.draft.has_prefix) {
    fault(subject.place, "must be one schema beside prefixItems");
  }
}

void SchemaCompiler::read_prefix_items(Subject& subject) {
  auto prefix = subschemas(subject.value, subject.place);
  subject.draft.has_prefix = true;
  made(subject.draft.array).prefix = std::move(prefix);
  if (subject.draft.has_items_array) {
    fault(subject.place, "does not go with an array of items");
  }
}

void SchemaCompiler::read_additional_items(Subject& subject) {
  subject.draft.additional_items = subschema(subject.value, subject.place);
}

void SchemaCompiler::read_unique_items(Subject& subject) {
  if (expect(subject.value, JsonKind::boolean, subject.place)) {
    made(subject.draft.array).is_unique = subject.value == "true";
  }
}

void SchemaCompiler::read_unevaluated_items(Subject& subject) {
  if (subject.value != "true") {
    fault(subject.place, "is not supported; use items");
  }
}

const std::vector<SchemaCompiler::Keyword>& SchemaCompiler::keywords() {
  using C = SchemaCompiler;
  using T = TextRules;
  using O = ObjectRules;
  using A = ArrayRules;
  using L = LogicRules;
  static const std::vector<Keyword> rows = {
      {"type", &C::read_type},
      {"enum", &C::read_enum},
      {"const", &C::read_const},
      {"$ref", &C::read_reference},
      {"$defs", &C::read_definitions},
      {"definitions", &C::read_definitions},
      {"$id", &C::read_inner_id},
      {"$dynamicRef", &C::refuse_dynamic},
      {"$recursiveRef", &C::refuse_dynamic},
      {"allOf", &C::read_list<&L::all>},
      {"anyOf", &C::read_list<&L::any>},
      {"oneOf", &C::read_list<&L::one>},
      {"not", &C::read_part<&Draft::logic, &L::negated>},
      {"if", &C::read_part<&Draft::logic, &L::condition>},
      {"then", &C::read_part<&Draft::logic, &L::consequence>},
      {"else", &C::read_part<&Draft::logic, &L::alternative>},
      {"minLength", &C::read_limit<&Draft::text, &T::shortest>},
      {"maxLength", &C::read_limit<&Draft::text, &T::longest>},
      {"pattern", &C::read_pattern},
      {"minimum", &C::read_bound<BoundKind::minimum>},
      {"exclusiveMinimum", &C::read_bound<BoundKind::exclusive_minimum>},
      {"maximum", &C::read_bound<BoundKind::maximum>},
      {"exclusiveMaximum", &C::read_bound<BoundKind::exclusive_maximum>},
      {"multipleOf", &C::read_multiple},
      {"properties", &C::read_properties},
      {"patternProperties", &C::read_pattern_properties},
      {"additionalProperties", &C::read_additional_properties},
      {"unevaluatedProperties", &C::read_unevaluated_properties},
      {"propertyNames", &C::read_part<&Draft::object, &O::name_rule>},
      {"required", &C::read_required},
      {"dependentRequired", &C::read_dependencies},
      {"dependentSchemas", &C::read_dependencies},
      {"dependencies", &C::read_dependencies},
      {"minProperties", &C::read_limit<&Draft::object, &O::fewest>},
      {"maxProperties", &C::read_limit<&Draft::object, &O::most>},
      {"items", &C::read_items},
      {"prefixItems", &C::read_prefix_items},
      {"additionalItems", &C::read_additional_items},
      {"unevaluatedItems", &C::read_unevaluated_items},
      {"contains", &C::read_part<&Draft::array, &A::contains>},
      {"minContains", &C::read_limit<&Draft::array, &A::contains_least>},
      {"maxContains", &C::read_limit<&Draft::array, &A::contains_most>},
      {"minItems", &C::read_limit<&Draft::array, &A::fewest>},
      {"maxItems", &C::read_limit<&Draft::array, &A::most>},
      {"uniqueItems", &C::read_unique_items},
  };
  return rows;
}

}  // namespace

base::Result<EventSchema> EventSchema::compile(std::string_view text) {
  auto rules = SchemaCompiler(text).run();
  if (!rules) {
    return rules.error();
  }
  return EventSchema(std::make_shared<const SchemaRules>(std::move(*rules)));
}

}  // namespace webhookd::server
