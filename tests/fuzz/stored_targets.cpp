// What is read back from the store's file: records and keys. A record that is changed without its checksum is never
// read; one whose checksum fits, whatever it says, is read without harm, and is the same once it is written again.
#include <array>
#include <optional>

#include "base/check.hpp"
#include "fuzz/targets.hpp"
#include "store/codec.hpp"
#include "store/keys.hpp"
#include "store/records.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;
using namespace std::chrono_literals;

constexpr std::uint64_t sequence = 5;
constexpr std::uint64_t tag_key = 7;
constexpr std::string_view type_name = "api.update";
constexpr std::string_view name_key = "shop";
constexpr base::Time start = base::time_from_ms(1'795'000'000'000);

// The record as it is written again; nothing when it is refused.
using Rewritten = std::optional<std::string>;

struct RecordKind {
  std::string key;
  Rewritten (*rewrite)(std::string_view record);
};

std::string key_text(const store::Key& key) { return std::string(key.view()); }

// `write(value, out)` of what was read.
template <class Read, class Write>
Rewritten rewritten(const Read& read, Write write) {
  if (!read) {
    return std::nullopt;
  }
  std::string out;
  write(*read, out);
  return out;
}

Rewritten rewrite_meta(std::string_view record) { return rewritten(store::decode_meta(record), store::encode_meta); }

Rewritten rewrite_webhook(std::string_view record) {
  return rewritten(store::decode_webhook(sequence, tag_key, record, nullptr),
                   [](const auto& webhook, std::string& out) { store::encode_webhook(webhook, nullptr, out); });
}

Rewritten rewrite_counters(std::string_view record) {
  return rewritten(store::decode_counters(sequence, record),
                   [](const auto& counters, std::string& out) { store::encode_counters(sequence, counters, out); });
}

Rewritten rewrite_type(std::string_view record) {
  return rewritten(store::decode_type(type_name, record), store::encode_type);
}

Rewritten rewrite_message(std::string_view record) {
  return rewritten(store::decode_message(sequence, tag_key, record), [](const auto& stored, std::string& out) {
    store::encode_message(stored.message, stored.change, out);
  });
}

// Its number is in the record and in its key.
Rewritten rewrite_attempt(std::string_view record) {
  return rewritten(store::decode_attempt(sequence, store::attempt_key(sequence, 1).view(), record),
                   [](auto attempt, std::string& out) {
                     attempt.number = 1;
                     store::encode_attempt(sequence, attempt, out);
                   });
}

Rewritten rewrite_task(std::string_view record) {
  return rewritten(store::decode_task(sequence, tag_key, record), store::encode_task);
}

Rewritten rewrite_audit(std::string_view record) {
  return rewritten(store::decode_audit(sequence, record), store::encode_audit);
}

Rewritten rewrite_span(std::string_view record) {
  return rewritten(store::decode_span(sequence, record), store::encode_span);
}

Rewritten rewrite_number(std::string_view record) {
  return rewritten(store::decode_number(store::Table::names, name_key, record),
                   [](std::uint64_t number, std::string& out) { store::encode_number(name_key, number, out); });
}

const std::vector<RecordKind>& record_kinds() {
  static const std::string by_sequence = key_text(store::sequence_key(sequence));
  static const std::vector<RecordKind> kinds = {
      {std::string(store::meta_key), rewrite_meta},
      {by_sequence, rewrite_webhook},
      {by_sequence, rewrite_counters},
      {std::string(type_name), rewrite_type},
      {by_sequence, rewrite_message},
      {key_text(store::attempt_key(sequence, 1)), rewrite_attempt},
      {by_sequence, rewrite_task},
      {by_sequence, rewrite_audit},
      {key_text(store::span_key(sequence)), rewrite_span},
      {std::string(name_key), rewrite_number},
  };
  return kinds;
}

// A record of this version and these fields, under its right checksum.
std::string sealed_record(std::string_view key, std::uint8_t version, std::string_view fields) {
  std::string record;
  store::RecordWriter writer(record, version);
  for (const char byte : fields) {
    writer.byte(static_cast<std::uint8_t>(byte));
  }
  writer.seal(key);
  return record;
}

void check_damage_is_seen(std::string record, std::uint64_t choice, Rewritten (*rewrite)(std::string_view record)) {
  char& changed = record[choice % record.size()];
  changed = static_cast<char>(changed ^ (1 << (choice / record.size() % 8)));
  check(!rewrite(record), "a record with a changed bit is refused");
}

// A byte for the kind, one for the version, the fields.
void run_record(std::string_view input) {
  if (input.size() < 2) {
    return;
  }
  const auto& kinds = record_kinds();
  const RecordKind& kind = kinds[static_cast<unsigned char>(input[0]) % kinds.size()];
  static_cast<void>(kind.rewrite(input.substr(1)));
  const std::string record = sealed_record(kind.key, static_cast<std::uint8_t>(input[1]), input.substr(2));
  if (const auto written = kind.rewrite(record)) {
    const auto again = kind.rewrite(*written);
    check(again == written, "a record that is written reads back the same");
    check_damage_is_seen(*written, choice_of(input), kind.rewrite);
  }
}

Rewritten rewrite_event(std::string_view row) {
  std::string out;
  const auto header = store::decode_event_header(sequence, tag_key, row);
  const auto event = store::decode_event(sequence, tag_key, row);
  check(header || !event, "an event that is read has a header that is read");
  if (!event) {
    return std::nullopt;
  }
  store::encode_event_header(**event, header->first_message, header->message_count, out);
  return out + (*event)->data;
}

// A byte for the version, the length of the fields, the fields, the data.
void run_event_row(std::string_view input) {
  static_cast<void>(rewrite_event(input));
  if (input.size() < 2) {
    return;
  }
  const std::string_view rest = input.substr(2);
  const std::string_view fields = rest.substr(0, static_cast<unsigned char>(input[1]));
  const std::string header =
      sealed_record(store::sequence_key(sequence).view(), static_cast<std::uint8_t>(input[0]), fields);
  std::string row = {static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
  row += header;
  row += rest.substr(fields.size());
  if (const auto written = rewrite_event(row)) {
    check(rewrite_event(*written) == written, "an event that is written reads back the same");
    check_damage_is_seen(*written, choice_of(input), rewrite_event);
  }
}

void run_key(std::string_view input) {
  if (const auto due = store::parse_due_key(input); due && store::due_bucket(due->position.due) <= store::max_bucket) {
    const auto again = store::parse_due_key(store::due_key(*due).view());
    check(again && again->webhook == due->webhook && again->position == due->position,
          "a due key that is made again is the same place");
  }
  if (const auto change = store::parse_change_key(input)) {
    check(store::change_key(*change).view() == input, "a key of changes has one spelling");
  }
  if (const auto entry = store::parse_by_webhook_key(input)) {
    const auto again = store::parse_by_webhook_key(store::by_webhook_key(*entry).view());
    check(again && again->webhook == entry->webhook && again->message == entry->message,
          "a key of a webhook's messages that is made again is the same place");
  }
  if (const auto number = store::parse_sequence_key(input)) {
    check(store::sequence_key(*number).view() == input, "a sequence has one key");
  }
  if (const auto bucket = store::parse_span_key(input)) {
    check(store::span_key(*bucket).view() == input, "a bucket has one key");
  }
  static_cast<void>(store::parse_bucket_place(input));
  check(store::name_key(input).size() <= 511, "the key of a name is one that the store can have");
  static_cast<void>(store::decode_schema(input));
}

domain::Webhook full_webhook() {
  domain::Webhook webhook;
  webhook.id = {base::id_value(sequence, tag_key)};
  webhook.display_name = "shop";
  webhook.url = *domain::Url::parse("https://shop.example/hook");
  webhook.events = {"api.*", "subscription.create"};
  webhook.headers = {{"X-Team", "billing"}};
  webhook.secrets = {{domain::SecretKind::ed25519, std::string(32, 's'), start}};
  webhook.rate = 2.5;
  webhook.tls = {"/etc/c", "/etc/k"};
  webhook.auth = domain::Oauth2{*domain::Url::parse("https://login.example/t"), "me", "/etc/s", {"a"}};
  return webhook;
}

domain::Message full_message() {
  domain::Message message = domain::new_message({base::id_value(sequence, tag_key)}, {base::id_value(2, tag_key)},
                                                {base::id_value(3, tag_key)}, start, 24h);
  message.status = domain::MessageStatus::failed;
  message.reason = domain::SettleReason::expired;
  message.settled_at = start + 24h;
  message.next_attempt_at.reset();
  message.last_outcome = domain::OutcomeKind::status;
  message.failure = "HTTP 503";
  message.cancelled_by = domain::Actor{1000, "by hand"};
  return message;
}

domain::Attempt full_attempt() {
  domain::Attempt attempt{1, start, domain::Trigger::probe, "https://shop.example/hook", {}};
  attempt.outcome.kind = domain::OutcomeKind::status;
  attempt.outcome.code = 503;
  attempt.outcome.retry_after = 10s;
  attempt.outcome.response_headers = "HTTP/1.1 503 Busy";
  return attempt;
}

store::BulkTask full_task() {
  store::BulkTask task;
  task.id = {base::id_value(sequence, tag_key)};
  task.filter.webhook = base::WebhookId{base::id_value(2, tag_key)};
  task.filter.type = "a.b";
  task.filter.since = start;
  task.rate = 2.5;
  task.total = 9;
  return task;
}

// As run_record takes it: without the checksum.
std::string record_seed(std::size_t kind, const std::string& record) {
  return std::string(1, static_cast<char>(kind)) + record[0] + record.substr(store::record_overhead);
}

std::vector<std::string> record_seeds() {
  std::array<std::string, 10> records;
  store::Meta meta;
  meta.tag_keys = store::TagKeys(tag_key);
  meta.tag_keys.go_on_with({9, 8});
  store::encode_meta(meta, records[0]);
  store::encode_webhook(full_webhook(), nullptr, records[1]);
  store::encode_counters(sequence, {1, 2, 3, 4, start}, records[2]);
  store::encode_type({std::string(type_name), "d", "{}", "1", domain::TypeOrigin::user, start}, records[3]);
  store::encode_message(full_message(), 12, records[4]);
  store::encode_attempt(sequence, full_attempt(), records[5]);
  store::encode_task(full_task(), records[6]);
  store::encode_audit({sequence, start, 1000, "alice", "admin", "patchWebhook", "wh_1", "shop", "url", "moved"},
                      records[7]);
  store::encode_span({sequence, start, start + 1h}, records[8]);
  store::encode_number(name_key, 77, records[9]);
  std::vector<std::string> seeds;
  for (std::size_t kind = 0; kind < records.size(); ++kind) {
    seeds.push_back(record_seed(kind, records[kind]));
  }
  return seeds;
}

// As run_event_row takes it.
std::string event_seed(const std::optional<domain::Origin>& origin) {
  const domain::Event event{
      {base::id_value(sequence, tag_key)}, "a.b", start - 1h, start, "key", R"({"a":[1,2]})", origin};
  std::string header;
  store::encode_event_header(event, 10, 3, header);
  const std::string fields = header.substr(2 + store::record_overhead);
  return std::string(1, header[2]) + static_cast<char>(fields.size()) + fields + event.data;
}

std::vector<std::string> key_seeds() {
  return {key_text(store::sequence_key(sequence)),
          key_text(store::attempt_key(sequence, 3)),
          key_text(store::due_key({77, {start, 9}})),
          key_text(store::change_key({3, 4})),
          key_text(store::by_webhook_key({77, 123'456'789})),
          key_text(store::span_key(9)),
          std::string(481, 'n'),
          std::string("\0\0\0\4", 4)};
}

}  // namespace

std::vector<Target> stored_targets() {
  return {
      {"record", run_record, record_seeds()},
      {"event_row", run_event_row, {event_seed({}), event_seed(domain::Origin{"00ff", {77}})}},
      {"key", run_key, key_seeds()},
  };
}

}  // namespace webhookd::fuzz
