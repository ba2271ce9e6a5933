#include "base/base64.hpp"

#include <doctest/doctest.h>

#include <array>

namespace webhookd::base {

TEST_CASE("base64 writes and reads the vectors of RFC 4648 section 10") {
  struct Row {
    const char* bytes;
    const char* text;
  };
  constexpr std::array rows{Row{"", ""},
                            Row{"f", "Zg=="},
                            Row{"fo", "Zm8="},
                            Row{"foo", "Zm9v"},
                            Row{"foob", "Zm9vYg=="},
                            Row{"fooba", "Zm9vYmE="},
                            Row{"foobar", "Zm9vYmFy"}};
  for (const Row& row : rows) {
    CHECK(base64_encode(row.bytes) == row.text);
    CHECK(base64_decode(row.text) == row.bytes);
  }
}

TEST_CASE("base64 keeps every byte value") {
  std::string bytes;
  for (int value = 0; value < 256; ++value) {
    bytes += static_cast<char>(value);
  }
  CHECK(base64_decode(base64_encode(bytes)) == bytes);
}

TEST_CASE("base64 refuses what is not the one spelling of some bytes") {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v\n", " Zm9v", "Zm-_", "Zh==", "Zm9=", "Zg==Zg=="}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text).has_value());
  }
}

}  // namespace webhookd::base
