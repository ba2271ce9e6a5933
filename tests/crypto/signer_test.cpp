#include "crypto/signer.hpp"

#include <doctest/doctest.h>

#include <array>

#include "base/base64.hpp"

namespace webhookd::crypto {

namespace {

domain::Secret hmac_secret(std::string_view base64) {
  return {domain::SecretKind::hmac_sha256, *base::base64_decode(base64), std::nullopt};
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// The published example of Standard Webhooks.
const domain::Secret published = hmac_secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
constexpr std::string_view published_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t published_time = 1614265330;
constexpr std::string_view published_body = R"({"test": 2432232314})";
constexpr std::string_view published_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

// RFC 8032 section 7.1, test 3.
const domain::Secret rfc8032{domain::SecretKind::ed25519,
                             from_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
                             std::nullopt};

constexpr base::Time now = base::time_from_ms(1'614'265'330'000);

// A rotation, signed by implementations that are not ours: the v1 values by npm standardwebhooks 1.1.1
// (new Webhook(secret).sign(id, sent, body)), the v1a value by `openssl pkeyutl -sign -rawin`, the github
// values by npm @octokit/webhooks-methods (sign(secret, body)) and the stripe values by npm stripe
// (webhooks.generateTestHeaderString), all with the text of the secret.
namespace rotation {
const domain::Secret old_secret{domain::SecretKind::hmac_sha256, std::string(32, 'o'), std::nullopt};
const domain::Secret new_secret{domain::SecretKind::hmac_sha256, std::string(32, 'n'), std::nullopt};
const domain::Secret seed{domain::SecretKind::ed25519, std::string(32, 's'), std::nullopt};
constexpr std::string_view id = "msg_00000000j6hb7";
constexpr std::int64_t sent = 1700000001;
constexpr base::Time at = base::time_from_ms(1'700'000'001'000);
constexpr std::array<std::string_view, 3> body{R"({"type":"subscription.create","data":)",
                                               "{ \"b\" : 1.0, \"n\":\"\xc3\xa9\" }",
                                               R"(,"timestamp":"2023-11-14T22:13:20.123Z"})"};
constexpr std::string_view old_standard = "v1,92PfPmF4f76N3O7mN7wP/q61w8Hydu9tIDPyS1XGkWo=";
constexpr std::string_view new_standard = "v1,rrKbWZdMxB/6xsV5w3vb5gGTdrnMuXhgCwD1w20kSRM=";
constexpr std::string_view seed_standard =
    "v1a,D2b5J2bzz2bqQSGfoljoPIG2DNFOwggSOgbKeyqnOpf5/0ifa7zstGAcvWtLJBj5xq0h0HqHPz03GdF7rrAVDg==";
constexpr std::string_view old_github = "sha256=3e0e4838e9b8a296e940f07f5f538e7fb66c8f5ba02bc32fd485729a94a82c6a";
constexpr std::string_view new_github = "sha256=af308f2cef0ca8d72c24843a51a48811a97d32eb2bb0bcb3f359d5b1c89293b7";
constexpr std::string_view old_stripe = "v1=fdcaece15bf14c0614f9b6663df34a0fb4fc781e723a90ad5f79486784527b16";
constexpr std::string_view new_stripe = "v1=d643052e8205c2c69c9606632bf6580eb3b775ba6a980c96fb9ec7876b7d3c40";

// The secrets as a rotation with a grace leaves them, the newest first.
std::vector<domain::Secret> during(base::Duration grace_left) {
  domain::Secret leaving = old_secret;
  leaving.expires_at = at + grace_left;
  return {new_secret, leaving};
}
}  // namespace rotation

}  // namespace

TEST_CASE("the published Standard Webhooks example is signed as published") {
  Signer signer;
  const std::array<std::string_view, 1> body{published_body};
  CHECK(signer.standard_signature({published}, published_id, published_time, body, now) == published_signature);
}

TEST_CASE("a body in pieces is signed as the whole body, and a signer can be used again") {
  Signer signer;
  const std::array<std::string_view, 3> pieces{R"({"test")", ": ", "2432232314}"};
  for (int round = 0; round < 3; ++round) {
    CHECK(signer.standard_signature({published}, published_id, published_time, pieces, now) == published_signature);
  }
}

TEST_CASE("each valid secret signs, in order, and an expired one does not") {
  Signer signer;
  const std::array<std::string_view, 1> body{published_body};
  domain::Secret expired = published;
  expired.expires_at = now;
  domain::Secret expiring = published;
  expiring.expires_at = now + base::Duration{1};
  const domain::Secret other = hmac_secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

  const std::string alone = signer.standard_signature({other}, published_id, published_time, body, now);
  CHECK(signer.standard_signature({other, expiring}, published_id, published_time, body, now) ==
        alone + " " + std::string(published_signature));
  CHECK(signer.standard_signature({expired, other}, published_id, published_time, body, now) == alone);
  CHECK(signer.standard_signature({expired}, published_id, published_time, body, now).empty());
}

TEST_CASE("an ed25519 secret signs with v1a, which its public key verifies") {
  Signer signer;
  const std::array<std::string_view, 2> body{"{}", ""};
  const std::string header = signer.standard_signature({rfc8032, published}, "msg_1", 1, body, now);
  CHECK(header.starts_with("v1a,"));
  CHECK(header.find(" v1,") != std::string::npos);
  const std::array secrets{rfc8032};
  CHECK(verify_standard(secrets, "msg_1", 1, "{}", header));
  CHECK_FALSE(verify_standard(secrets, "msg_1", 2, "{}", header));
  const auto key = parse_public_key(public_key_text(rfc8032));
  REQUIRE(key.has_value());
  CHECK(verify_by_public_key(*key, "msg_1", 1, "{}", header));
  CHECK_FALSE(verify_by_public_key(*key, "msg_1", 2, "{}", header));
  CHECK_FALSE(verify_by_public_key(std::string(32, 'x'), "msg_1", 1, "{}", header));
  CHECK_FALSE(parse_public_key("whpk_AAAA"));
  CHECK_FALSE(parse_public_key("whsk_" + base::base64_encode(std::string(32, 'x'))));
}

TEST_CASE("the public key of an ed25519 secret is that of RFC 8032") {
  CHECK(public_key_text(rfc8032) ==
        "whpk_" + base::base64_encode(from_hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")));
}

TEST_CASE("verification finds one right signature among others and refuses everything else") {
  const std::array secrets{hmac_secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), published};
  const std::string right(published_signature);
  CHECK(verify_standard(secrets, published_id, published_time, published_body, right));
  CHECK(verify_standard(secrets, published_id, published_time, published_body, "v1,AAAA v2,x " + right));
  for (const std::string& header : {std::string(), std::string("v1,"), std::string("v1,AAAA"), right.substr(3),
                                    "v1a," + right.substr(3), "v1," + right.substr(3, 10), right + "="}) {
    CAPTURE(header);
    CHECK_FALSE(verify_standard(secrets, published_id, published_time, published_body, header));
  }
  CHECK_FALSE(verify_standard(secrets, published_id, published_time, "{}", right));
  CHECK_FALSE(verify_standard(secrets, "msg_other", published_time, published_body, right));
}

TEST_CASE("the github preset signs the body alone, keyed with the text of the secret") {
  Signer signer;
  // echo -n 'Hello, World!' | openssl dgst -sha256 -hmac whsec_a2tra2tra2tra2tra2tra2tra2tra2tr
  const domain::Secret secret{domain::SecretKind::hmac_sha256, std::string(24, 'k'), std::nullopt};
  const std::array<std::string_view, 2> body{"Hello, ", "World!"};
  CHECK(signer.github_signature(secret, body) ==
        "sha256=00c4f6f47b617fae9004683f1516385a7d10d1d30f93376537c187e8fed6edf5");
}

TEST_CASE("the stripe preset signs time and body and names each valid secret, keyed with its text") {
  Signer signer;
  // new Stripe(…).webhooks.generateTestHeaderString({payload: '{}', secret: 'whsec_a2tr…', timestamp: 12345})
  const domain::Secret secret{domain::SecretKind::hmac_sha256, std::string(24, 'k'), std::nullopt};
  const std::array<std::string_view, 1> body{"{}"};
  const std::string one = "v1=b53e72be2b2780214764fa1a51162776dae2bf3067b4b82530edf44a1ca8b555";
  CHECK(signer.stripe_signature({secret}, 12345, body, now) == "t=12345," + one);
  CHECK(signer.stripe_signature({secret, secret}, 12345, body, now) == "t=12345," + one + "," + one);
}

TEST_CASE("before, during and after a rotation the signatures are those of other implementations") {
  using namespace rotation;
  Signer signer;
  const std::string both = std::string(new_standard) + " " + std::string(old_standard);
  CHECK(signer.standard_signature({old_secret}, id, sent, body, at) == old_standard);
  CHECK(signer.standard_signature(during(base::Duration(1)), id, sent, body, at) == both);
  CHECK(signer.standard_signature(during(base::Duration(0)), id, sent, body, at) == new_standard);
  CHECK(signer.standard_signature({seed, new_secret}, id, sent, body, at) ==
        std::string(seed_standard) + " " + std::string(new_standard));
  const std::string whole = std::string(body[0]) + std::string(body[1]) + std::string(body[2]);
  CHECK(verify_standard(std::array{old_secret}, id, sent, whole, both));
  CHECK(verify_standard(std::array{new_secret}, id, sent, whole, both));
  CHECK_FALSE(verify_standard(std::array{old_secret}, id, sent, whole, new_standard));
}

TEST_CASE(
    "the presets sign as the libraries of GitHub and Stripe do, with every secret that is still valid where there is "
    "room for it") {
  using namespace rotation;
  Signer signer;
  CHECK(signer.github_signature(old_secret, body) == old_github);
  CHECK(signer.github_signature(new_secret, body) == new_github);
  const std::string prefix = "t=1700000001,";
  const std::string both = prefix + std::string(new_stripe) + "," + std::string(old_stripe);
  CHECK(signer.stripe_signature({old_secret}, sent, body, at) == prefix + std::string(old_stripe));
  CHECK(signer.stripe_signature(during(base::Duration(1)), sent, body, at) == both);
  CHECK(signer.stripe_signature(during(base::Duration(0)), sent, body, at) == prefix + std::string(new_stripe));
}

TEST_CASE("hex is lower case and comparison is by content") {
  CHECK(hex_encode(std::string_view("\x00\x0f\xff", 3)) == "000fff");
  CHECK(constant_time_equal("abc", "abc"));
  CHECK(constant_time_equal("", ""));
  CHECK_FALSE(constant_time_equal("abc", "abd"));
  CHECK_FALSE(constant_time_equal("abc", "ab"));
}

TEST_CASE("generated secrets have the right size and never repeat") {
  const auto hmac = generate_secret(domain::SecretKind::hmac_sha256);
  const auto ed25519 = generate_secret(domain::SecretKind::ed25519);
  CHECK(hmac.key.size() == 32);
  CHECK(ed25519.key.size() == 32);
  CHECK(generate_secret(domain::SecretKind::hmac_sha256).key != hmac.key);
  CHECK(random_bytes(0).empty());
}

}  // namespace webhookd::crypto
