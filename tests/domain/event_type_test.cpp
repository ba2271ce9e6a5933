#include "domain/event_type.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

using namespace webhookd::domain;
using nlohmann::json;

namespace {

const EventType& shipped(std::string_view name) {
  const auto& all = shipped_catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const EventType& type) { return type.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.insert(key);
  }
  return keys;
}

bool has_type(const json& value, const std::string& type) {
  return (type == "integer" && value.is_number_integer()) || (type == "string" && value.is_string()) ||
         (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null()) ||
         (type == "array" && value.is_array()) || (type == "object" && value.is_object());
}

// The part of JSON Schema that the catalogue uses.
bool satisfies(const json& value, const json& schema) {
  const json types = schema.at("type").is_array() ? schema.at("type") : json::array({schema.at("type")});
  if (std::none_of(types.begin(), types.end(), [&](const json& type) { return has_type(value, type); })) {
    return false;
  }
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
    return false;
  }
  if (value.is_array() && schema.contains("items")) {
    return std::all_of(value.begin(), value.end(), [&](const json& item) { return satisfies(item, schema["items"]); });
  }
  if (!value.is_object()) {
    return true;
  }
  for (const auto& name : schema.at("required")) {
    if (!value.contains(name)) {
      return false;
    }
  }
  return std::all_of(value.items().begin(), value.items().end(), [&](const auto& member) {
    return satisfies(member.value(), schema.at("properties").at(member.key()));
  });
}

}  // namespace

TEST_CASE("a type name is two or more parts joined by dots") {
  for (const char* name : {"subscription.create", "a.b", "approvalRequest.create", "a.b.c.d", "x-1.y_2"}) {
    CAPTURE(name);
    CHECK(is_event_type_name(name));
    CHECK(is_event_pattern(name));
  }
  for (const char* name : {"", "subscription", ".create", "a.", "a..b", "1a.b", "a.1b", "a b.c", "a.*", "*", "-a.b",
                           "caf\xc3\xa9.x", "a.b\n", "a/b.c"}) {
    CAPTURE(name);
    CHECK_FALSE(is_event_type_name(name));
  }
  CHECK(is_event_type_name("a." + std::string(126, 'b')));
  CHECK_FALSE(is_event_type_name("a." + std::string(127, 'b')));
}

TEST_CASE("a pattern is a name, a family or everything") {
  CHECK(is_event_pattern("*"));
  CHECK(is_event_pattern("subscription.*"));
  CHECK(is_event_pattern("a.b.*"));
  for (const char* pattern : {"", ".*", "**", "*.create", "a*", "a.*.b", "a.b*", "subscription"}) {
    CAPTURE(pattern);
    CHECK_FALSE(is_event_pattern(pattern));
  }
}

TEST_CASE("a family matches every type below it and nothing beside it") {
  CHECK(pattern_matches("*", "a.b"));
  CHECK(pattern_matches("a.b", "a.b"));
  CHECK_FALSE(pattern_matches("a.b", "a.bc"));
  CHECK(pattern_matches("a.*", "a.b"));
  CHECK(pattern_matches("a.*", "a.b.c"));
  CHECK_FALSE(pattern_matches("a.*", "ab.c"));
  CHECK_FALSE(pattern_matches("a.b.*", "a.b"));
  CHECK_FALSE(pattern_matches("a.*", "a."));
}

TEST_CASE("the shipped catalogue is that of behaviour.md section 3") {
  const std::set<std::string> expected = {"subscription.create",
                                          "subscription.delete",
                                          "subscription.update",
                                          "approvalRequest.create",
                                          "approvalRequest.approve",
                                          "approvalRequest.decline",
                                          "application.create",
                                          "application.update",
                                          "application.delete",
                                          "api.create",
                                          "api.update",
                                          "api.deprecate",
                                          "api.delete",
                                          "apiProduct.create",
                                          "apiProduct.publish",
                                          "apiProduct.unpublish",
                                          "apiProduct.delete",
                                          "credential.create",
                                          "credential.rotate",
                                          "credential.revoke",
                                          "deployment.success",
                                          "deployment.fail",
                                          "environment.connect",
                                          "environment.disconnect",
                                          "user.create",
                                          "user.lock",
                                          "user.unlock",
                                          "user.delete"};
  std::set<std::string> names;
  for (const EventType& type : shipped_catalogue()) {
    names.insert(type.name);
    const bool is_builtin = type.name == "subscription.create" || type.name == "subscription.delete";
    CHECK(type.origin == (is_builtin ? TypeOrigin::builtin : TypeOrigin::extension));
  }
  CHECK(names == expected);
  CHECK(shipped_catalogue().size() == expected.size());
}

TEST_CASE("every shipped type is described, and its example satisfies its schema") {
  for (const EventType& type : shipped_catalogue()) {
    CAPTURE(type.name);
    CHECK(is_event_type_name(type.name));
    CHECK_FALSE(type.description.empty());
    CHECK(satisfies(json::parse(type.example), json::parse(type.schema)));
  }
}

TEST_CASE("subscription.create carries the subscription, the approval request and the user") {
  const json example = json::parse(shipped("subscription.create").example);
  CHECK(keys_of(example) == std::set<std::string>{"subscription", "approvalRequest", "user"});
  CHECK(keys_of(example["subscription"]) ==
        std::set<std::string>{"id", "application", "apiProduct", "plan", "environments", "approvalStatus",
                              "approvalRequest", "deploymentStatus", "apiProductDisplayName", "termsOfUseAccepted"});
  CHECK(keys_of(example["approvalRequest"]) ==
        std::set<std::string>{"id", "subscription", "createdByUser", "createdByOrganization", "resolvingOrganization",
                              "resolvedByUser", "status", "comment", "createdAt", "resolvedAt"});
  CHECK(keys_of(example["user"]) == std::set<std::string>{"id", "organization", "username", "displayName", "email",
                                                          "status", "role", "origin", "termsOfUseAccepted",
                                                          "hasImage"});
}

TEST_CASE("subscription.delete carries the subscription without the terms of use") {
  const json example = json::parse(shipped("subscription.delete").example);
  CHECK(keys_of(example) == std::set<std::string>{"subscription"});
  CHECK_FALSE(example["subscription"].contains("termsOfUseAccepted"));
  CHECK(example["subscription"]["deploymentStatus"] == "DELETION_IN_PROGRESS");
}

TEST_CASE("a schema allows unknown members, because payloads grow") {
  for (const EventType& type : shipped_catalogue()) {
    CHECK(type.schema.find("additionalProperties") == std::string::npos);
  }
}
