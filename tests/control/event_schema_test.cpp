// The validator of event data: what it says and where, what it refuses to compile, and that no schema and no data make
// it slow. Its grasp of the standard is held against the official suite of JSON Schema, where that is installed.
#include "control/server/event_schema.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/protocol/json_text.hpp"
#include "domain/event_type.hpp"
#include "domain/limits.hpp"

using namespace webhookd;
using server::EventSchema;
using Json = nlohmann::json;

namespace {

// Without a budget these would take hours; a loaded machine under a sanitizer takes seconds.
constexpr auto bounded_time = std::chrono::seconds(30);

using Fields = std::vector<base::FieldError>;

Fields faults_of(std::string_view schema, std::string_view data) {
  const auto compiled = EventSchema::compile(schema);
  REQUIRE_MESSAGE(compiled.has_value(), compiled.error().detail);
  return compiled->faults_of(data, "data");
}

bool matches(std::string_view schema, std::string_view data) { return faults_of(schema, data).empty(); }

// "pointer detail" of each fault.
std::vector<std::string> told(std::string_view schema, std::string_view data) {
  std::vector<std::string> lines;
  for (const auto& fault : faults_of(schema, data)) {
    lines.push_back(fault.pointer + " " + fault.detail);
  }
  return lines;
}

using Lines = std::vector<std::string>;

// What is wrong with a schema; empty when it compiles.
Lines refusals(std::string_view schema) {
  const auto compiled = EventSchema::compile(schema);
  Lines lines;
  if (!compiled) {
    CHECK(compiled.error().code == base::ErrorCode::invalid_field);
    for (const auto& fault : compiled.error().fields) {
      lines.push_back(fault.pointer + " " + fault.detail);
    }
  }
  return lines;
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) {
    text += piece;
  }
  return text;
}

}  // namespace

// ---- what is said -------------------------------------------------------------------------------------------------

TEST_CASE("a fault names the member, the rule and what stands there instead") {
  const std::string_view schema = R"({"type":"object","required":["subscription"],"properties":{
    "subscription":{"type":"object","required":["id","plan"],"properties":{
      "id":{"type":"integer"},"plan":{"type":["integer","null"]},"status":{"enum":["PENDING","APPROVED"]},
      "environments":{"type":"array","items":{"type":"integer"}}}}}})";
  CHECK(told(schema, R"({"subscription":{"id":1,"plan":null,"status":"PENDING","environments":[1,2]}})") == Lines{});
  CHECK(told(schema, R"({"subscription":{"id":"x","status":"OPEN","environments":[1,1.5,true]}})") ==
        Lines{"/data/subscription/id data.subscription.id: must be an integer, not a string",
              R"(/data/subscription/status data.subscription.status: must be one of "PENDING", "APPROVED")",
              "/data/subscription/environments/1 data.subscription.environments[1]: must be an integer, not a number "
              "with a fraction",
              "/data/subscription/environments/2 data.subscription.environments[2]: must be an integer, not a boolean",
              "/data/subscription/plan data.subscription.plan: is required"});
  CHECK(told(schema, "[]") == Lines{"/data data: must be an object, not an array"});
  CHECK(told(schema, "{}") == Lines{"/data/subscription data.subscription: is required"});
}

TEST_CASE("each keyword says its rule in words") {
  const auto one = [](std::string_view schema, std::string_view data) {
    const auto lines = told(schema, data);
    REQUIRE(lines.size() == 1);
    return lines[0].substr(std::string_view("/data data: ").size());
  };
  CHECK(one(R"({"const":{"a":1}})", "2") == R"(must be {"a":1})");
  CHECK(one(R"({"minLength":2})", R"("x")") == "must have at least 2 characters");
  CHECK(one(R"({"maxLength":1})", R"("xy")") == "must have at most 1 character");
  CHECK(one(R"({"pattern":"^[a-z]+$"})", R"("X")") == "must match the pattern ^[a-z]+$");
  CHECK(one(R"({"minimum":1.50})", "1") == "must be at least 1.50");
  CHECK(one(R"({"exclusiveMinimum":1})", "1") == "must be more than 1");
  CHECK(one(R"({"maximum":1})", "1.0001") == "must be at most 1");
  CHECK(one(R"({"exclusiveMaximum":1})", "1.0") == "must be less than 1");
  CHECK(one(R"({"multipleOf":0.1})", "0.25") == "must be a multiple of 0.1");
  CHECK(one(R"({"minProperties":1})", "{}") == "must have at least 1 member");
  CHECK(one(R"({"maxItems":1})", "[1,2]") == "must have at most 1 item");
  CHECK(one(R"({"uniqueItems":true})", "[1,2,3,2,1]") == "must not have an item twice; [3] equals [1]");
  CHECK(one(R"({"contains":{"type":"string"}})", "[1]") == "must have at least 1 item as `contains` says, has 0");
  CHECK(one(R"({"anyOf":[{"type":"string"},{"type":"null"}]})", "1") == "matches none of the 2 alternatives of anyOf");
  CHECK(one(R"({"oneOf":[{"type":"string"}]})", "1") == "matches none of the 1 alternative of oneOf");
  CHECK(one(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "3") ==
        "must match one of the alternatives of oneOf alone, matches 2");
  CHECK(one(R"({"not":{"type":"number"}})", "3") == "must not match what `not` says");
  CHECK(told(R"({"propertyNames":{"maxLength":1}})", R"({"ab":1})") ==
        Lines{"/data/ab data.ab: must not have this name"});
  CHECK(told(R"({"properties":{"a":false}})", R"({"a":1})") == Lines{"/data/a data.a: is forbidden here"});
  CHECK(told(R"({"dependentRequired":{"a":["b"]}})", R"({"a":1})") == Lines{"/data/b data.b: is required"});
}

TEST_CASE("at most ten faults are told of one event") {
  CHECK(faults_of(R"({"items":{"type":"string"}})", "[" + repeated("1,", 5000) + "1]").size() == 10);
}

TEST_CASE("a pointer is escaped, and a long name is cut") {
  CHECK(told(R"({"additionalProperties":{"type":"string"}})", R"({"a/b~c":1})") ==
        Lines{"/data/a~1b~0c data.a/b~c: must be a string, not a number"});
  const auto faults = faults_of(R"({"additionalProperties":false,"patternProperties":{"x":{"type":"string"}}})",
                                "{\"" + std::string(100'000, 'x') + "\":1}");
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].pointer.size() < 100);
}

// ---- by value -------------------------------------------------------------------------------------------------------

TEST_CASE("numbers are compared by value and to the last digit") {
  CHECK(matches(R"({"type":"integer"})", "1.0"));
  CHECK(matches(R"({"type":"integer"})", "1.5e1"));
  CHECK(matches(R"({"type":"integer"})", "-0.0"));
  CHECK(matches(R"({"type":"integer"})", "123456789012345678901234567890"));
  CHECK_FALSE(matches(R"({"type":"integer"})", "1e-1"));
  CHECK_FALSE(matches(R"({"type":"integer"})", "9007199254740993.5"));
  CHECK(matches(R"({"const":100})", "1e2"));
  CHECK(matches(R"({"enum":[0]})", "-0.0e7"));
  CHECK(matches(R"({"const":1e400})", "10e399"));
  CHECK_FALSE(matches(R"({"const":9007199254740993})", "9007199254740992"));
  CHECK(matches(R"({"maximum":9007199254740993})", "9007199254740993"));
  CHECK_FALSE(matches(R"({"maximum":9007199254740993})", "9007199254740994"));
  CHECK_FALSE(matches(R"({"maximum":1e400})", "1e401"));
  CHECK(matches(R"({"minimum":-1e-400})", "-1e-401"));
  CHECK(matches(R"({"multipleOf":0.01})", "19.99"));
  CHECK(matches(R"({"multipleOf":0.0001})", "0.0075"));
  CHECK(matches(R"({"multipleOf":7})", "7e1000"));
  CHECK_FALSE(matches(R"({"multipleOf":7})", "1e1000"));
  CHECK(matches(R"({"multipleOf":123456789012345678})", "246913578024691356"));
  CHECK_FALSE(matches(R"({"multipleOf":1e308})", "0.5"));
  CHECK(matches(R"({"maximum":1})", "-1e999999999999999999999"));
}

TEST_CASE("strings are what they decode to, and their length is in code points") {
  CHECK(matches(R"({"const":"aé\"\\"})", R"("\u0061\u00e9\u0022\\")"));
  CHECK(matches(R"({"properties":{"a":{"type":"null"}},"required":["a"]})", R"({"\u0061":null})"));
  CHECK(matches(R"({"maxLength":2,"minLength":2})", R"("\ud83d\ude00ö")"));
  CHECK(matches(R"({"pattern":"^é.$"})", R"("\u00e9ü")"));
  CHECK_FALSE(matches(R"({"const":"\ud800"})", R"("\ud801")"));
  CHECK_FALSE(matches(R"({"enum":[["a","b"]]})", R"(["a\",\"b"])"));
}

TEST_CASE("objects are equal whatever the order of their members, arrays are not") {
  CHECK(matches(R"({"const":{"a":[1,{"b":2,"c":3}],"d":null}})", R"( { "d":null, "a":[1.0,{"c":3,"b":2}] } )"));
  CHECK_FALSE(matches(R"({"const":{"a":1}})", R"({"a":1,"b":1})"));
  CHECK_FALSE(matches(R"({"const":[1,2]})", "[2,1]"));
  CHECK_FALSE(matches(R"({"uniqueItems":true})", R"([{"a":1,"b":2},{"b":2.0,"a":1}])"));
  CHECK(matches(R"({"uniqueItems":true})", R"([1,true,"1",[1],{"1":1},null,0,false])"));
}

// ---- unknown members
// --------------------------------------------------------------------------------------------------

TEST_CASE("unknown members are always allowed, whatever additionalProperties: false wants") {
  const std::string_view closed = R"({"properties":{"a":{"type":"integer"}},"additionalProperties":false})";
  CHECK(matches(closed, R"({"a":1,"grown":true})"));
  CHECK_FALSE(matches(closed, R"({"a":"x","grown":true})"));
  CHECK(matches(R"({"properties":{"a":true},"unevaluatedProperties":false})", R"({"grown":true})"));
}

TEST_CASE("a schema for the others, and a name that is forbidden, are honoured") {
  CHECK_FALSE(matches(R"({"additionalProperties":{"type":"string"}})", R"({"x":1})"));
  CHECK_FALSE(matches(R"({"patternProperties":{"^x-":false},"additionalProperties":false})", R"({"x-a":1})"));
  CHECK_FALSE(matches(R"({"properties":{"old":false}})", R"({"old":1})"));
}

TEST_CASE("alternatives that additionalProperties: false tells apart stay apart, and may grow") {
  const std::string_view schema = R"({"oneOf":[
    {"properties":{"a":true},"required":["a"],"additionalProperties":false},
    {"properties":{"a":true,"b":true},"required":["a","b"],"additionalProperties":false}]})";
  CHECK(matches(schema, R"({"a":1})"));
  CHECK(matches(schema, R"({"a":1,"b":2})"));
  CHECK(matches(schema, R"({"a":1,"b":2,"grown":3})"));
  CHECK_FALSE(matches(schema, R"({"b":2})"));
  CHECK_FALSE(matches(R"({"not":{"properties":{"a":true},"additionalProperties":false}})", R"({"a":1})"));
  CHECK(matches(R"({"not":{"properties":{"a":true},"additionalProperties":false}})", R"({"a":1,"grown":3})"));
}

// ---- what is refused when a type is put
// ---------------------------------------------------------------------------------

TEST_CASE("a schema that is none is refused with the place of each fault") {
  CHECK(refusals(R"({"type":"integr"})") == Lines{"/schema/type schema.type: is no type; did you mean integer?"});
  CHECK(refusals(R"({"properties":{"a":{"items":{"type":["null","x1"]}}},"required":"a","minLength":-1})") ==
        Lines{"/schema/properties/a/items/type/1 schema.properties.a.items.type[1]: must be one of null, boolean, "
              "object, array, number, string, integer",
              "/schema/required schema.required: must be an array, not a string",
              "/schema/minLength schema.minLength: must be a whole number from 0 to 4294967295"});
  CHECK(refusals(R"({"$defs":{"unused":{"pattern":"("}}})").size() == 1);
  CHECK(refusals(R"({"properties":{"a":1}})") ==
        Lines{"/schema/properties/a schema.properties.a: must be a schema, that is an object or a boolean, not a "
              "number"});
  CHECK(refusals(R"({"type":"string","type":"null"})") == Lines{"/schema/type schema.type: stands there twice"});
  CHECK(refusals(R"({"exclusiveMaximum":true,"maximum":3})") ==
        Lines{"/schema/exclusiveMaximum schema.exclusiveMaximum: must be a number, not a boolean"});
  CHECK(refusals(R"({"allOf":[]})") == Lines{"/schema/allOf schema.allOf: must have a schema in it"});
  CHECK(refusals(R"({"enum":[]})") == Lines{"/schema/enum schema.enum: must have a value in it"});
  CHECK(refusals(R"({"multipleOf":0})").size() == 1);
  CHECK(refusals(R"({"multipleOf":-1})").size() == 1);
  CHECK(refusals(R"({"properties":{)" + repeated(R"("a":{"type":1},)", 50) + R"("b":true}})").size() == 10);
}

TEST_CASE("what cannot be honoured is refused, not passed over") {
  for (const std::string_view schema :
       {R"({"$ref":"https://example.com/other.json"})", R"({"$ref":"other.json#/$defs/a"})", R"({"$ref":"#anchor"})",
        R"({"properties":{"a":{"$dynamicRef":"#x"}}})", R"({"$recursiveRef":"#"})", R"({"unevaluatedItems":false})",
        R"({"unevaluatedProperties":{"type":"string"}})", R"x({"pattern":"(?=x)"})x", R"({"pattern":"(a)\\1"})",
        R"x({"patternProperties":{"(?!x)":true}})x", R"({"$defs":{"a":{"$id":"https://example.com/a"}}})",
        R"({"multipleOf":1.234567890123456789})"}) {
    CAPTURE(schema);
    const Lines lines = refusals(schema);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("/schema/"));
  }
}

TEST_CASE("a reference that leads nowhere or round in a circle is refused") {
  CHECK(refusals(R"({"$ref":"#/$defs/none"})") == Lines{"/schema/$ref schema.$ref: points to nothing in this schema"});
  CHECK(refusals(R"({"$ref":"#"})") == Lines{"/schema/$ref schema.$ref: leads round in a circle without end"});
  CHECK(refusals(R"({"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"not":{"$ref":"#/$defs/b"}}]},
                     "b":{"if":{"$ref":"#/$defs/a"}}}})")
            .size() == 1);
  std::string chain = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 900; ++i) {
    chain += "\"d" + std::to_string(i) + R"(":{"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"},";
  }
  CHECK(refusals(chain + R"("d900":{"type":"string"}}})").empty());
  CHECK(refusals(chain + R"("d900":{"$ref":"#/$defs/d3"}}})").size() == 1);
}

TEST_CASE("references point anywhere into the schema, to itself among them") {
  const std::string_view tree = R"({"$id":"https://example.com/tree","type":"object","required":["v"],"properties":{
    "v":{"type":"integer"},"next":{"$ref":"#"},"other":{"$ref":"https://example.com/tree#/properties/v"},
    "odd":{"$ref":"#/$defs/a~1b%25"}},"$defs":{"a/b%":{"const":1}}})";
  CHECK(matches(tree, R"({"v":1,"next":{"v":2,"next":{"v":3}},"other":4,"odd":1})"));
  CHECK(told(tree, R"({"v":1,"next":{"v":2,"next":{"v":"x"}},"other":"y","odd":2})") ==
        Lines{"/data/next/next/v data.next.next.v: must be an integer, not a string",
              "/data/other data.other: must be an integer, not a string", "/data/odd data.odd: must be 1"});
}

// ---- bounds
// -------------------------------------------------------------------------------------------------------------

TEST_CASE("a schema that is exponential in itself ends, and says that it is too complex") {
  std::string schema = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"}";
    schema += "\"d" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  schema += R"("d40":{"type":"integer"}}})";
  const auto start = std::chrono::steady_clock::now();
  CHECK(told(schema, "1") == Lines{"/data data: is too complex to be checked against the schema of its type"});
  CHECK(std::chrono::steady_clock::now() - start < bounded_time);
}

TEST_CASE("hostile data costs bounded time, whatever keyword it meets") {
  const std::size_t bytes = 1 << 20;
  const std::string numbers = "[" + repeated("1,", bytes / 2) + "2]";
  const std::string spaces = "[" + std::string(bytes, ' ') + "1]";
  const std::string long_string = "\"" + std::string(bytes, 'a') + "\"";
  const std::string deep = repeated("[", 128) + repeated("]", 128);
  const std::string deep_objects = repeated(R"({"a":)", 127) + numbers + repeated("}", 127);
  std::string many_allof = R"({"allOf":[)" + repeated(R"({"const":[]},)", 2000) + "true]}";
  const std::vector<std::string> schemas{
      R"({"uniqueItems":true})",
      R"({"enum":[[1],{"a":1}]})",
      R"({"pattern":"^(a+)+$"})",
      R"({"pattern":"(x+x+)+y|(a|a)*b"})",
      R"({"additionalProperties":{"$ref":"#"},"items":{"$ref":"#"},"uniqueItems":true,"enum":[1]})",
      R"({"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"},"minItems":1}]})",
      R"({"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}})",
      many_allof,
  };
  for (const auto& schema : schemas) {
    const auto compiled = EventSchema::compile(schema);
    REQUIRE_MESSAGE(compiled.has_value(), compiled.error().detail);
    for (const auto* data : {&numbers, &spaces, &long_string, &deep, &deep_objects}) {
      const auto start = std::chrono::steady_clock::now();
      (void)compiled->faults_of(*data, "data");
      const auto took = std::chrono::steady_clock::now() - start;
      CAPTURE(schema.substr(0, 80));
      CAPTURE(data->substr(0, 20));
      CHECK(took < bounded_time);
    }
  }
}

TEST_CASE("the largest schemas compile in bounded time") {
  const std::size_t bytes = domain::limits::type_schema_bytes;
  const std::vector<std::string> schemas{
      R"({"anyOf":[)" + repeated("{},", bytes / 3 - 10) + "{}]}",
      repeated(R"({"not":)", 120) + R"({"enum":[)" + repeated("1,", bytes / 2 - 1000) + "2]}" + repeated("}", 120),
      R"({"required":[)" + repeated(R"("a",)", bytes / 4 - 10) + R"("a"]})",
      R"({"patternProperties":{)" + repeated(R"("a{1000}":true,)", 1000) + R"("b":true}})",
  };
  for (const auto& schema : schemas) {
    REQUIRE(protocol::check_json(schema, domain::limits::json_depth).has_value());
    const auto start = std::chrono::steady_clock::now();
    (void)EventSchema::compile(schema);
    const auto took = std::chrono::steady_clock::now() - start;
    CAPTURE(schema.substr(0, 40));
    CHECK(took < bounded_time);
  }
}

TEST_CASE("data as deep as it may be is followed by a recursive schema") {
  const std::string data = repeated(R"({"a":)", 126) + "{}" + repeated("}", 126);
  CHECK(matches(R"({"allOf":[{"$ref":"#/$defs/n"}],"$defs":{"n":{"properties":{"a":{"$ref":"#"}}}}})", data));
}

// ---- what ships
// -------------------------------------------------------------------------------------------------------

TEST_CASE("every shipped type has a schema that compiles, and an example that matches it") {
  for (const auto& type : domain::shipped_catalogue()) {
    CAPTURE(type.name);
    CHECK(told(type.schema, type.example) == Lines{});
    CHECK_FALSE(told(type.schema, "{}").empty());
  }
}

// ---- the official suite
// -------------------------------------------------------------------------------------------------

namespace {

// What is different here on purpose: of a file or folder, a group, or one test of a group.
struct Exception {
  std::string_view file;
  std::string_view group;  // empty: all
  std::string_view test;   // empty: all
  std::string_view reason;
};
const std::vector<Exception> exceptions = {
    {"refRemote.json", "", "", "nothing is fetched: a $ref to elsewhere is refused"},
    {"definitions.json", "", "", "it refers to the metaschema, which is elsewhere"},
    {"ref.json", "remote ref, containing refs itself", "", "it refers to the metaschema"},
    {"ref.json", "Recursive references between schemas", "", "an $id inside a schema is refused"},
    {"ref.json", "ref overrides any sibling keywords", "ref valid, maxItems ignored",
     "beside a $ref the others count, as they do since 2019"},
    {"ref.json", "root pointer ref", "mismatch", "additionalProperties: false refuses no unknown member"},
    {"ref.json", "root pointer ref", "recursive mismatch", "additionalProperties: false refuses no unknown member"},
    {"additionalProperties.json", "additionalProperties being false does not allow other properties",
     "an additional property is invalid", "additionalProperties: false refuses no unknown member"},
    {"additionalProperties.json", "non-ASCII pattern with additionalProperties", "not matching the pattern is invalid",
     "additionalProperties: false refuses no unknown member"},
    {"optional/format", "", "", "format is an annotation"},
    {"optional/content.json", "", "", "contentMediaType and contentEncoding are annotations"},
    {"optional/ecmascript-regex.json", "ECMA 262 regex non-compliance", "", "formats; patterns are RE2's"},
};

bool is_excepted(const std::string& file, const std::string& group, const std::string& test) {
  return std::any_of(exceptions.begin(), exceptions.end(), [&](const Exception& row) {
    return file.starts_with(row.file) && (row.group.empty() || row.group == group) &&
           (row.test.empty() || row.test == test);
  });
}

std::size_t run_group(const std::string& file, const Json& group) {
  const std::string name = group["description"];
  if (is_excepted(file, name, "")) {
    return 0;
  }
  const auto schema = EventSchema::compile(group["schema"].dump());
  INFO(file, ": ", name);
  CHECK_MESSAGE(schema.has_value(), schema.error().detail);
  std::size_t count = 0;
  for (const Json& test : group["tests"]) {
    const std::string described = test["description"];
    if (schema && !is_excepted(file, name, described)) {
      CAPTURE(described);
      CHECK(schema->faults_of(test["data"].dump(), "data").empty() == test["valid"].get<bool>());
      ++count;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("the official suite of JSON Schema agrees, but where we differ on purpose") {
  const std::filesystem::path suite = "/usr/share/json-schema-test-suite/tests";
  if (!std::filesystem::exists(suite)) {
    MESSAGE("skipped: the package json-schema-test-suite is not installed");
    return;
  }
  std::size_t count = 0;
  for (const char* draft : {"draft6", "draft7"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(suite / draft)) {
      const std::string file = entry.path().lexically_relative(suite / draft).string();
      if (entry.is_regular_file() && !is_excepted(file, "", "")) {
        for (const Json& group : Json::parse(std::ifstream(entry.path()))) {
          count += run_group(file, group);
        }
      }
    }
  }
  CHECK(count > 700);
}
