#include "base/id.hpp"

#include <doctest/doctest.h>

#include <unordered_set>

#include "base/random.hpp"

using namespace webhookd::base;

TEST_CASE("an id is its prefix and 13 digits, and reads back") {
  const MessageId id{id_value(1, 7)};
  const std::string text = to_string(id);
  CHECK(text.starts_with("msg_"));
  CHECK(text.size() == 4 + 13);
  CHECK(parse_message_id(text) == id);
  CHECK_FALSE(parse_webhook_id(text));
  CHECK_FALSE(parse_event_id(text));
}

TEST_CASE("ids sort by creation, as numbers and as text") {
  for (const std::uint64_t sequence : {1ULL, 2ULL, 31ULL, 32ULL, 1'000'000ULL, (1ULL << 43)}) {
    const EventId earlier{id_value(sequence, 99)};
    const EventId later{id_value(sequence + 1, 99)};
    CHECK(earlier < later);
    CHECK(to_string(earlier) < to_string(later));
    CHECK(earlier.sequence() == sequence);
  }
}

TEST_CASE("the same sequence number in another store is another id") { CHECK(id_value(5, 1) != id_value(5, 2)); }

TEST_CASE("what is not an id is refused") {
  for (const char* text :
       {"", "wh_", "wh_0000000000000x", "wh_000000000000", "wh_000000000000i", "wh_000000000000O", "wh_000000000000A",
        "msg_0000000000000", "wh_z000000000000", "wh-0000000000000", " wh_0000000000000"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_webhook_id(text));
  }
  CHECK(parse_webhook_id("wh_fzzzzzzzzzzzz") == WebhookId{~0ULL});
}

TEST_CASE("a prefix names the range of ids that begin with it") {
  const WebhookId id{id_value(12345, 3)};
  const std::string text = to_string(id);
  for (std::size_t length = 4; length <= text.size(); ++length) {
    const auto range = decode_id_prefix("wh_", text.substr(0, length));
    REQUIRE(range);
    CHECK(range->first <= id.value);
    CHECK(range->second >= id.value);
    CHECK(encode_id("wh_", range->first).starts_with(text.substr(0, length)));
    CHECK(encode_id("wh_", range->second).starts_with(text.substr(0, length)));
  }
  CHECK_FALSE(decode_id_prefix("wh_", "wh_"));
  CHECK_FALSE(decode_id_prefix("wh_", "msg_1"));
  CHECK_FALSE(decode_id_prefix("wh_", "wh_00000000000000"));
  CHECK_FALSE(decode_id_prefix("wh_", "wh_!"));
}

TEST_CASE("the same seed draws the same numbers") {
  Random a(42);
  Random b(42);
  std::unordered_set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t drawn = a.next();
    CHECK(drawn == b.next());
    seen.insert(drawn);
    const double unit = a.signed_unit();
    CHECK(unit == b.signed_unit());
    CHECK(unit >= -1.0);
    CHECK(unit <= 1.0);
    CHECK(a.below(7) == b.below(7));
  }
  CHECK(seen.size() == 1000);
}
