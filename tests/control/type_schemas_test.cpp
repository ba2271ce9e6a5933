#include "control/server/type_schemas.hpp"

#include <doctest/doctest.h>

using namespace webhookd;
using server::TypeSchemas;

namespace {

domain::EventType type_with(std::string schema) {
  domain::EventType type;
  type.name = "invoice.paid";
  type.schema = std::move(schema);
  return type;
}

bool takes_numbers(TypeSchemas& schemas) {
  const auto found = schemas.find("invoice.paid");
  return found.schema == nullptr || found.schema->faults_of("1", "data").empty();
}

const std::string strings_alone = R"({"type":"string"})";
const std::string numbers_alone = R"({"type":"number"})";

}  // namespace

TEST_CASE("what was put or removed while the catalogue was read is newer than what was read") {
  TypeSchemas put;
  put.expect_filling();
  put.put(type_with(numbers_alone));
  put.fill({type_with(strings_alone)});
  CHECK(takes_numbers(put));
  TypeSchemas removed;
  removed.expect_filling();
  removed.remove("invoice.paid");
  removed.fill({type_with(strings_alone)});
  CHECK(takes_numbers(removed));
}

TEST_CASE("a list that comes late changes nothing") {
  TypeSchemas schemas;
  schemas.expect_filling();
  schemas.fill({type_with(strings_alone)});
  schemas.remove("invoice.paid");
  schemas.fill({type_with(strings_alone)});
  CHECK(takes_numbers(schemas));
}

TEST_CASE("as long as nobody asks for schemas, nothing is kept of them") {
  TypeSchemas schemas;
  schemas.put(type_with(strings_alone));
  CHECK(takes_numbers(schemas));
  CHECK_FALSE(schemas.is_filled());
}

TEST_CASE("a schema that an older version stored and that cannot be used says why, each time") {
  TypeSchemas schemas;
  schemas.expect_filling();
  schemas.fill({type_with(R"({"$ref":"https://example.com/x"})")});
  for (int i = 0; i < 2; ++i) {
    const auto found = schemas.find("invoice.paid");
    CHECK(found.schema == nullptr);
    CHECK(found.unusable.starts_with("schema.$ref: must point into this schema"));
  }
  CHECK(schemas.find("no.such").unusable.empty());
}
