#include "control/protocol/token_codec.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace webhookd;
using protocol::read_access_token;

TEST_CASE("a token is read with the lifetime it has, a number or a text, or none") {
  const std::string start = R"({"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer")";
  const auto lifetime_in = [&](const std::string& members) {
    return read_access_token(start + members + "}")->lifetime;
  };
  CHECK(read_access_token(start + "}")->value == "2YotnFZFEjr1zCsicMWpAA");
  CHECK(lifetime_in("") == std::nullopt);
  CHECK(lifetime_in(R"(,"expires_in":3600)") == base::Duration(3'600'000));
  CHECK(lifetime_in(R"(,"expires_in":"3600")") == base::Duration(3'600'000));
  CHECK(lifetime_in(R"(,"expires_in":-1)") == base::Duration(0));
  CHECK(lifetime_in(R"(,"expires_in":1e300)") == base::Duration(1'000'000'000'000));
  CHECK(lifetime_in(R"(,"expires_in":"soon")") == std::nullopt);
  CHECK(lifetime_in(R"(,"expires_in":"")") == std::nullopt);
  CHECK(lifetime_in(R"(,"expires_in":null)") == std::nullopt);
  CHECK(lifetime_in(R"(,"scope":"read","more":[{"a":1}])") == std::nullopt);
}

TEST_CASE("what is no token is refused without a word of the answer but the codes of the RFC") {
  struct Row {
    const char* body;
    const char* words;
  };
  constexpr std::array rows{
      Row{"", "the answer is not a JSON object"},
      Row{"[]", "the answer is not a JSON object"},
      Row{R"({"access_token":"hidden")", "the answer is not a JSON object"},
      Row{R"({"error":"invalid_scope","error_description":"hidden"})", "invalid_scope"},
      Row{R"({"error":"hidden"})", "an unknown error code"},
      Row{R"({"access_token":5,"token_type":"Bearer"})", "the answer has no access_token of visible ASCII"},
      Row{R"({"access_token":"","token_type":"Bearer"})", "the answer has no access_token of visible ASCII"},
      Row{R"({"access_token":"hid den","token_type":"Bearer"})", "the answer has no access_token of visible ASCII"},
      Row{R"({"access_token":"hidden"})", "token_type is not Bearer"},
      Row{R"({"access_token":"hidden","token_type":"mac"})", "token_type is not Bearer"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const auto token = read_access_token(row.body);
    REQUIRE(token.has_error());
    CHECK(token.error().detail == row.words);
  }
  const std::string huge = R"({"token_type":"Bearer","access_token":")" + std::string(8 * 1024 + 1, 'x') + R"("})";
  CHECK(read_access_token(huge).has_error());
}
