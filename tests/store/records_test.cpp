// Records and keys for themselves: order, round trips, and that no damage passes unseen.
#include "store/records.hpp"

#include <algorithm>
#include <limits>

#include "base/checksum.hpp"
#include "store/codec.hpp"
#include "store/harness.hpp"
#include "store/keys.hpp"

namespace webhookd::store_test {

namespace {

constexpr std::uint64_t tag_key = 7;

Message full_message() {
  Message message = domain::new_message(MessageId{base::id_value(5, tag_key)}, WebhookId{base::id_value(2, tag_key)},
                                        EventId{base::id_value(3, tag_key)}, start_time, 24h);
  message.status = MessageStatus::failed;
  message.reason = domain::SettleReason::expired;
  message.settled_at = start_time + 24h;
  message.next_attempt_at.reset();
  message.planned_at = start_time + 23h;
  message.attempts = 300;
  message.window_failures = 20;
  message.last_attempt_at = start_time + 24h - 1ms;
  message.last_code = 503;
  message.last_outcome = domain::OutcomeKind::status;
  message.failure = "HTTP 503";
  message.cancelled_by = domain::Actor{4294967295u, "by hand"};
  message.retried_by = domain::Actor{0, ""};
  return message;
}

std::string event_row(const domain::Event& event) {
  std::string row;
  store::encode_event_header(event, 10, 3, row);
  return row + event.data;
}

domain::Event full_event() {
  return {EventId{base::id_value(3, tag_key)}, "api.update", start_time - 1h, start_time, "key", R"({"a":[1,2]})"};
}

domain::Webhook stored_webhook() {
  domain::Webhook webhook = webhook_named("orders");
  webhook.id = WebhookId{base::id_value(2, tag_key)};
  webhook.version = 3;
  return webhook;
}

// stored_webhook() as the first version of the record wrote it.
constexpr std::string_view webhook_of_version_1 =
    "018fec3419066f72646572732268747470733a2f2f72656365697665722e6578616d706c652f686f6f6b733f783d3102137375627363"
    "72697074696f6e2e637265617465056170692e2a0106582d5465616d0762696c6c696e670200206b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"
    "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b00012000000000000000000000000000000000000000000000000000000000000000000180"
    "a0b697996800000762696c6c696e670000b0ea0110010000000000000440904e000000000000004080dccc149a9999999999b93f80e0"
    "fcb7060380b083c5986880b083c59868";

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

}  // namespace

TEST_CASE("the checksum is CRC-32C, with and without the processor's instruction") {
  CHECK(base::crc32c_by_table(0, "123456789") == 0xe3069283u);  // the check value of the catalogue of CRCs
  CHECK(base::crc32c(0, "123456789") == 0xe3069283u);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    CHECK(base::crc32c(17, text) == base::crc32c_by_table(17, text));
    text += static_cast<char>(i * 37);
  }
  CHECK(base::crc32c(base::crc32c(0, "1234"), "56789") == 0xe3069283u);
}

TEST_CASE("keys sort as what they stand for") {
  using store::DueEntry;
  const auto due = [](Time at, std::uint64_t webhook, std::uint64_t message) {
    return std::string(store::due_key(DueEntry{webhook, {at, message}}).view());
  };
  const Time next_bucket = store::due_bucket_start(store::due_bucket(start_time) + 1);
  const std::vector<std::string> ordered = {due(start_time, 1, 9),         due(start_time + 1ms, 1, 1),
                                            due(start_time + 1ms, 1, 256), due(start_time, 2, 1),
                                            due(start_time, 65536, 1),     due(next_bucket, 1, 1),
                                            due(next_bucket + 1ms, 1, 1),  due(start_time + 300 * 24h, 1, 1)};
  CHECK(std::is_sorted(ordered.begin(), ordered.end()));
  CHECK(store::sequence_key(255).view() < store::sequence_key(256).view());
  CHECK(store::by_webhook_key({9, 8191}).view() < store::by_webhook_key({1, 8192}).view());
}

TEST_CASE("keys are read back as they were made") {
  const auto due = store::parse_due_key(store::due_key({77, {start_time + 123ms, base::max_sequence}}).view());
  REQUIRE(due.has_value());
  CHECK(due->webhook == 77);
  CHECK(due->position == store::DuePosition{start_time + 123ms, base::max_sequence});
  const auto entry = store::parse_by_webhook_key(store::by_webhook_key({77, 123456789}).view());
  REQUIRE(entry.has_value());
  CHECK(entry->message == 123456789);
  const auto change = store::parse_change_key(store::change_key({base::max_sequence, 77}).view());
  REQUIRE(change.has_value());
  CHECK(change->number == base::max_sequence);
  CHECK(change->message == 77);
  CHECK(!store::parse_change_key("short"));
  CHECK(!store::parse_due_key("short"));
  CHECK(!store::parse_by_webhook_key(""));
  CHECK(!store::parse_sequence_key("1234567"));
}

TEST_CASE("a message is read back with every field") {
  std::string record;
  store::encode_message(full_message(), 12, record);
  CHECK(store::decode_message(5, tag_key, record).value() == (store::MessageRecord{full_message(), 12}));
  const Message fresh =
      domain::new_message(MessageId{base::id_value(5, tag_key)}, WebhookId{base::id_value(2, tag_key)},
                          EventId{base::id_value(3, tag_key)}, start_time, 24h);
  store::encode_message(fresh, 0, record);
  CHECK(store::decode_message(5, tag_key, record).value() == (store::MessageRecord{fresh, 0}));
  CHECK(record.size() < 40);
}

TEST_CASE("times as far apart as times can be are read back") {
  domain::Event event = full_event();
  event.accepted_at = base::time_from_ms(std::numeric_limits<std::int64_t>::min());
  event.timestamp = base::time_from_ms(std::numeric_limits<std::int64_t>::max());
  CHECK(*store::decode_event(3, tag_key, event_row(event)).value() == event);
}

TEST_CASE("a message of the first version of its record is read, as never changed") {
  std::string record;
  const Message message = full_message();
  store::encode_message(message, 0, record);
  // What version 1 wrote is what version 2 writes behind the change.
  std::string old;
  store::RecordWriter writer(old, 1);
  for (const char byte : record.substr(store::record_overhead + 1)) {
    writer.byte(static_cast<std::uint8_t>(byte));
  }
  writer.seal(store::sequence_key(5).view());
  CHECK(store::decode_message(5, tag_key, old).value() == (store::MessageRecord{message, 0}));
}

TEST_CASE("a webhook is read back with every field, however it authenticates") {
  domain::Oauth2 oauth2{domain::Url::parse("https://login.example/token").value(), "client", "/etc/secret", {"a", "b"}};
  for (const domain::Authentication& auth :
       {domain::Authentication(), domain::Authentication(domain::HeaderFile{"X-Key", "/etc/key"}),
        domain::Authentication(oauth2)}) {
    domain::Webhook webhook = stored_webhook();
    webhook.tls = {"/etc/client.pem", "/etc/client.key"};
    webhook.auth = auth;
    std::string record;
    store::encode_webhook(webhook, nullptr, record);
    CHECK(store::decode_webhook(2, tag_key, record, nullptr).value() == webhook);
    for (std::size_t size = 0; size < record.size(); ++size) {
      CHECK(!store::decode_webhook(2, tag_key, record.substr(0, size), nullptr).has_value());
    }
  }
}

TEST_CASE("a webhook of the first version of its record is read, without credentials, and written in the newest") {
  const std::string old = from_hex(webhook_of_version_1);
  const auto webhook = store::decode_webhook(2, tag_key, old, nullptr);
  REQUIRE(webhook.has_value());
  CHECK(*webhook == stored_webhook());
  std::string record;
  store::encode_webhook(*webhook, nullptr, record);
  CHECK(record[0] == 2);
  CHECK(store::decode_webhook(2, tag_key, record, nullptr).value() == *webhook);
  std::string newer = record;
  newer[0] = 3;
  CHECK(!store::decode_webhook(2, tag_key, newer, nullptr).has_value());
}

TEST_CASE("times before and long after today are kept") {
  Message message = full_message();
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{-5}, std::int64_t{253402300799999}}) {
    message.created_at = base::time_from_ms(ms);
    std::string record;
    store::encode_message(message, 0, record);
    CHECK(store::decode_message(5, tag_key, record).value().message == message);
  }
}

TEST_CASE("an event is read back, its head alone or with its data") {
  const auto event = full_event();
  const std::string row = event_row(event);
  CHECK(*store::decode_event(3, tag_key, row).value() == event);
  const auto header = store::decode_event_header(3, tag_key, row).value();
  CHECK(header.event.type == "api.update");
  CHECK(header.first_message == 10);
  CHECK(header.message_count == 3);
  CHECK(header.data_size == event.data.size());
}

TEST_CASE("every flipped bit, every cut and every longer record is noticed") {
  std::string record;
  store::encode_message(full_message(), 12, record);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK(!store::decode_message(5, tag_key, damaged).has_value());
  }
  const std::string row = event_row(full_event());
  for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
    std::string damaged = row;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK(!store::decode_event(3, tag_key, damaged).has_value());
  }
  for (std::size_t size = 0; size < record.size(); ++size) {
    CHECK(!store::decode_message(5, tag_key, record.substr(0, size)).has_value());
  }
  for (std::size_t size = 0; size < row.size(); ++size) {
    CHECK(!store::decode_event(3, tag_key, row.substr(0, size)).has_value());
  }
  CHECK(!store::decode_message(5, tag_key, record + '\0').has_value());
  CHECK(!store::decode_event(3, tag_key, row + ' ').has_value());
}

TEST_CASE("a record under another key is damaged, and the error names it") {
  std::string record;
  store::encode_message(full_message(), 12, record);
  const auto moved = store::decode_message(6, tag_key, record);
  REQUIRE(!moved.has_value());
  CHECK(moved.error().code == ErrorCode::internal);
  CHECK(moved.error().detail.find(base::encode_id("msg_", base::id_value(6, tag_key))) != std::string::npos);
}

TEST_CASE("a webhook's name is a key of LMDB however long it is") {
  CHECK(store::name_key("short") == "short");
  const std::string longest(800, 'n');
  CHECK(store::name_key(longest).size() <= 511);
  CHECK(store::name_key(longest) != store::name_key(longest + "n"));
  CHECK(store::name_key(longest) != store::name_key(longest.substr(0, 799) + "m"));
}

}  // namespace webhookd::store_test
