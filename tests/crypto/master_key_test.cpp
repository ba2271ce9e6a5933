#include "crypto/master_key.hpp"

#include <doctest/doctest.h>

#include "crypto/signer.hpp"

using namespace webhookd;
using crypto::MasterKey;

namespace {

const std::string zeros(64, '0');
const std::string counting = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// Behind the key's id and the nonce.
std::string body_of(const std::string& sealed) {
  return crypto::hex_encode(sealed.substr(MasterKey::id_characters + MasterKey::nonce_bytes));
}

}  // namespace

TEST_CASE("a seal is AES-256-GCM: the known answers of its specification (test cases 13 and 14)") {
  const auto key = MasterKey::parse(zeros);
  REQUIRE(key.has_value());
  CHECK(body_of(key->seal("", "", {})) == "530f8afbc74536b9a963b4f1c4cb738b");
  CHECK(body_of(key->seal(std::string(16, '\0'), "", {})) ==
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST_CASE("what was sealed opens with the same key, in the same place, and only there") {
  const auto key = MasterKey::parse(counting + "\n");
  const auto other = MasterKey::parse(zeros);
  REQUIRE(key.has_value());
  REQUIRE(other.has_value());
  const std::string sealed = key->seal("whsec", "webhook 1", crypto::random_nonce());
  CHECK(sealed.starts_with(key->id()));
  CHECK(key->open(sealed, "webhook 1") == "whsec");
  CHECK_FALSE(key->open(sealed, "webhook 2"));
  CHECK_FALSE(other->open(sealed, "webhook 1"));
  CHECK_FALSE(other->open(other->id() + sealed.substr(MasterKey::id_characters), "webhook 1"));
}

TEST_CASE("a seal that lost a byte or had one bit turned does not open") {
  const auto key = MasterKey::parse(counting);
  REQUIRE(key.has_value());
  const std::string sealed = key->seal("whsec", "webhook 1", crypto::random_nonce());
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    CAPTURE(i);
    std::string altered = sealed;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    CHECK_FALSE(key->open(altered, "webhook 1"));
    CHECK_FALSE(key->open(sealed.substr(0, i), "webhook 1"));
  }
}

TEST_CASE("the same secret is never sealed to the same bytes twice") {
  const auto key = MasterKey::parse(counting);
  REQUIRE(key.has_value());
  CHECK(key->seal("whsec", "w", crypto::random_nonce()) != key->seal("whsec", "w", crypto::random_nonce()));
}

TEST_CASE("a key is 64 hexadecimal digits; the error never shows what was given") {
  CHECK(MasterKey::parse(counting)->id() == MasterKey::parse(counting + "\r\n")->id());
  CHECK(MasterKey::parse(counting)->id() != MasterKey::parse(zeros)->id());
  CHECK(MasterKey::parse(counting)->id().size() == MasterKey::id_characters);
  for (const std::string& text : {std::string(), std::string("abc"), counting + "0", counting.substr(1),
                                  counting.substr(1) + "g", " " + counting, counting + "\n" + counting}) {
    const auto key = MasterKey::parse(text);
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().detail.find("64 hexadecimal digits") != std::string::npos);
    CHECK((text.empty() || key.error().detail.find(text) == std::string::npos));
  }
}
