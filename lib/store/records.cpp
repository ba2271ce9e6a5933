#include "store/records.hpp"

#include <utility>

#include "store/codec.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;
using domain::Attempt;
using domain::Message;
using domain::Webhook;

// Every record type counts its own versions; all but these are at the first.
constexpr std::uint8_t version = 1;
constexpr std::uint8_t webhook_version = 2;  // since 2: tls and auth behind what version 1 has
constexpr std::uint8_t meta_version = 2;     // since 2: the tag keys of restores behind what version 1 has
constexpr std::uint8_t event_version = 2;    // since 2: the origin behind what version 1 has; without one still 1
constexpr std::uint8_t message_version = 2;  // since 2: the latest change before what version 1 has

Error damaged(std::string name, std::string_view why) {
  return {
      ErrorCode::internal, "the record of " + std::move(name) + " in the store is damaged: " + std::string(why), {}};
}

// The value, if the reader read it to its end.
template <class T>
Result<T> finish(RecordReader& reader, T&& value, auto name) {
  if (!reader.finished()) {
    return damaged(name(), reader.fault());
  }
  return std::forward<T>(value);
}

void put_optional_time(RecordWriter& writer, const std::optional<Time>& time) {
  writer.flag(time.has_value());
  if (time) {
    writer.time(*time);
  }
}

std::optional<Time> get_optional_time(RecordReader& reader) {
  return reader.flag() ? std::optional(reader.time()) : std::nullopt;
}

void put_actor(RecordWriter& writer, const domain::Actor& actor) {
  writer.number(actor.uid);
  writer.text(actor.reason);
}

domain::Actor get_actor(RecordReader& reader) {
  domain::Actor actor;
  actor.uid = reader.small_number<std::uint32_t>();
  actor.reason = reader.text();
  return actor;
}

void put_filter(RecordWriter& writer, const MessageFilter& filter) {
  writer.number(filter.webhook.value_or(WebhookId{}).sequence());
  writer.text(filter.type.value_or(""));
  writer.number(filter.statuses);
  put_optional_time(writer, filter.since);
  put_optional_time(writer, filter.until);
  writer.number(filter.code_min);
  writer.number(filter.code_max);
  writer.text(filter.text);
}

MessageFilter get_filter(RecordReader& reader, const TagKeys& tag_keys) {
  MessageFilter filter;
  filter.webhook = id_of<WebhookId>(reader.number(), tag_keys);
  const std::string_view type = reader.text();
  filter.type = type.empty() ? std::nullopt : std::optional(std::string(type));
  filter.statuses = reader.small_number<std::uint32_t>();
  filter.since = get_optional_time(reader);
  filter.until = get_optional_time(reader);
  filter.code_min = reader.small_number<std::uint16_t>();
  filter.code_max = reader.small_number<std::uint16_t>();
  filter.text = reader.text();
  return filter;
}

// Which of a message's optional fields follow.
enum MessageField : unsigned {
  has_settled_at = 1u << 0,
  has_last_attempt_at = 1u << 1,
  has_next_attempt_at = 1u << 2,
  has_own_plan = 1u << 3,  // planned_at is not next_attempt_at
  has_last_outcome = 1u << 4,
  has_cancelled_by = 1u << 5,
  has_retried_by = 1u << 6,
  has_failure = 1u << 7,
};

std::uint8_t fields_of(const Message& message) {
  unsigned fields = 0;
  fields |= message.settled_at ? has_settled_at : 0u;
  fields |= message.last_attempt_at ? has_last_attempt_at : 0u;
  fields |= message.next_attempt_at ? has_next_attempt_at : 0u;
  fields |= message.next_attempt_at != message.planned_at ? has_own_plan : 0u;
  fields |= message.last_outcome ? has_last_outcome : 0u;
  fields |= message.cancelled_by ? has_cancelled_by : 0u;
  fields |= message.retried_by ? has_retried_by : 0u;
  fields |= message.failure.empty() ? 0u : has_failure;
  return static_cast<std::uint8_t>(fields);
}

constexpr int reason_count = 5;
constexpr int outcome_count = 11;
constexpr int trigger_count = 3;

void get_optional_fields(RecordReader& reader, unsigned fields, Message& message) {
  const Time created = message.created_at;
  if ((fields & has_settled_at) != 0) {
    message.settled_at = reader.time(created);
  }
  if ((fields & has_last_attempt_at) != 0) {
    message.last_attempt_at = reader.time(created);
  }
  if ((fields & has_next_attempt_at) != 0) {
    message.next_attempt_at = reader.time(created);
  }
  message.planned_at = (fields & has_own_plan) != 0 ? reader.time(created) : message.next_attempt_at.value_or(created);
  if ((fields & has_last_outcome) != 0) {
    message.last_outcome = reader.choice<domain::OutcomeKind>(outcome_count);
  }
  if ((fields & has_cancelled_by) != 0) {
    message.cancelled_by = get_actor(reader);
  }
  if ((fields & has_retried_by) != 0) {
    message.retried_by = get_actor(reader);
  }
  if ((fields & has_failure) != 0) {
    message.failure = reader.text();
  }
}

constexpr std::uint8_t secret_kinds = 2;  // behind them the same kinds again, sealed

std::string place_of_secrets(std::uint64_t webhook) { return "webhook " + std::to_string(webhook); }

void put_secrets(RecordWriter& writer, const Webhook& webhook, const Sealer* sealer) {
  writer.number(webhook.secrets.size());
  for (const domain::Secret& secret : webhook.secrets) {
    const auto kind = static_cast<std::uint8_t>(secret.kind);
    writer.choice(sealer == nullptr ? kind : static_cast<std::uint8_t>(kind + secret_kinds));
    writer.text(sealer == nullptr ? secret.key : sealer->seal(secret.key, place_of_secrets(webhook.id.sequence())));
    put_optional_time(writer, secret.expires_at);
  }
}

std::string opened(RecordReader& reader, const std::string& sealed, std::uint64_t webhook, const Seals& seals) {
  auto plain = seals.open(sealed, place_of_secrets(webhook));
  if (!plain) {
    reader.fail("a secret cannot be opened: it was sealed with another master key, or altered");
  }
  return plain.value_or(std::string());
}

std::vector<domain::Secret> get_secrets(RecordReader& reader, std::uint64_t webhook, const Seals* seals) {
  std::vector<domain::Secret> secrets(reader.count());
  for (domain::Secret& secret : secrets) {
    const auto kind = reader.choice<std::uint8_t>(2 * secret_kinds);
    secret.kind = static_cast<domain::SecretKind>(kind % secret_kinds);
    secret.key = reader.text();
    if (kind >= secret_kinds && seals != nullptr) {
      secret.key = opened(reader, secret.key, webhook, *seals);
    }
    secret.expires_at = get_optional_time(reader);
  }
  return secrets;
}

void put_policy(RecordWriter& writer, const domain::RetryPolicy& policy) {
  writer.duration(policy.initial);
  writer.real(policy.factor);
  writer.duration(policy.max);
  writer.real(policy.jitter);
  writer.duration(policy.window);
}

domain::RetryPolicy get_policy(RecordReader& reader) {
  domain::RetryPolicy policy;
  policy.initial = reader.duration();
  policy.factor = reader.real();
  policy.max = reader.duration();
  policy.jitter = reader.real();
  policy.window = reader.duration();
  return policy;
}

void get_lists(RecordReader& reader, Webhook& webhook, const Seals* seals) {
  webhook.events.resize(reader.count());
  for (std::string& pattern : webhook.events) {
    pattern = reader.text();
  }
  webhook.headers.resize(reader.count());
  for (domain::Header& header : webhook.headers) {
    header.name = reader.text();
    header.value = reader.text();
  }
  webhook.secrets = get_secrets(reader, webhook.id.sequence(), seals);
}

void put_lists(RecordWriter& writer, const Webhook& webhook, const Sealer* sealer) {
  writer.number(webhook.events.size());
  for (const std::string& pattern : webhook.events) {
    writer.text(pattern);
  }
  writer.number(webhook.headers.size());
  for (const domain::Header& header : webhook.headers) {
    writer.text(header.name);
    writer.text(header.value);
  }
  put_secrets(writer, webhook, sealer);
}

void put_auth(RecordWriter&, std::monostate) {}

void put_auth(RecordWriter& writer, const domain::HeaderFile& header_file) {
  writer.text(header_file.header);
  writer.text(header_file.file);
}

void put_auth(RecordWriter& writer, const domain::Oauth2& oauth2) {
  writer.text(oauth2.token_url.text());
  writer.text(oauth2.client_id);
  writer.text(oauth2.client_secret_file);
  writer.number(oauth2.scopes.size());
  for (const std::string& scope : oauth2.scopes) {
    writer.text(scope);
  }
}

domain::HeaderFile get_header_file(RecordReader& reader) {
  domain::HeaderFile header_file;
  header_file.header = reader.text();
  header_file.file = reader.text();
  return header_file;
}

domain::Oauth2 get_oauth2(RecordReader& reader) {
  domain::Oauth2 oauth2;
  if (auto url = domain::Url::parse(reader.text())) {
    oauth2.token_url = std::move(*url);
  } else {
    reader.fail("its token URL cannot be read");
  }
  oauth2.client_id = reader.text();
  oauth2.client_secret_file = reader.text();
  oauth2.scopes.resize(reader.count());
  for (std::string& scope : oauth2.scopes) {
    scope = reader.text();
  }
  return oauth2;
}

// The place of an alternative in domain::Authentication is its number in records, for ever.
void put_credentials(RecordWriter& writer, const Webhook& webhook) {
  writer.text(webhook.tls.client_cert);
  writer.text(webhook.tls.client_key);
  writer.byte(static_cast<std::uint8_t>(webhook.auth.index()));
  std::visit([&](const auto& auth) { put_auth(writer, auth); }, webhook.auth);
}

void get_credentials(RecordReader& reader, Webhook& webhook) {
  webhook.tls.client_cert = reader.text();
  webhook.tls.client_key = reader.text();
  switch (reader.byte()) {
    case 0:
      break;
    case 1:
      webhook.auth = get_header_file(reader);
      break;
    case 2:
      webhook.auth = get_oauth2(reader);
      break;
    default:
      reader.fail("a choice is out of range");
  }
}

// An event's row: the size of its header (2 bytes), the header as a record, the data.
constexpr std::size_t header_size_width = 2;

struct EventRow {
  std::string_view header;
  std::string_view data;
};

std::optional<EventRow> split_event_row(std::string_view row) {
  if (row.size() < header_size_width) {
    return std::nullopt;
  }
  const std::size_t size =
      static_cast<unsigned char>(row[0]) | (static_cast<std::size_t>(static_cast<unsigned char>(row[1])) << 8);
  row.remove_prefix(header_size_width);
  if (size > row.size()) {
    return std::nullopt;
  }
  return EventRow{row.substr(0, size), row.substr(size)};
}

struct ParsedEvent {
  EventHeader header;
  std::uint32_t data_checksum = 0;
  std::string_view data;
};

Result<ParsedEvent> parse_event(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view row) {
  const auto name = [&] { return to_string(id_of<EventId>(sequence, tag_keys)); };
  const auto parts = split_event_row(row);
  if (!parts) {
    return damaged(name(), "it ends early");
  }
  const std::uint8_t found = record_version(parts->header);
  RecordReader reader(sequence_key(sequence).view(), parts->header, found == event_version ? event_version : version);
  ParsedEvent parsed;
  domain::Event& event = parsed.header.event;
  event.id = id_of<EventId>(sequence, tag_keys);
  event.accepted_at = reader.time();
  event.timestamp = reader.time(event.accepted_at);
  event.type = reader.text();
  event.idempotency_key = reader.text();
  parsed.header.first_message = reader.number();
  parsed.header.message_count = reader.number();
  parsed.header.data_size = reader.number();
  parsed.data_checksum = reader.word();
  if (found == event_version) {
    event.origin.emplace().store = reader.text();
    event.origin->event = EventId{reader.number()};
  }
  parsed.data = parts->data;
  if (reader.finished() && parsed.header.data_size != parts->data.size()) {
    reader.fail("its data has another size");
  }
  return finish(reader, std::move(parsed), name);
}

}  // namespace

std::uint32_t decode_schema(std::string_view record) {
  std::uint32_t schema = 0;
  for (std::size_t i = 0; record.size() == 4 && i < 4; ++i) {
    schema = (schema << 8) | static_cast<unsigned char>(record[i]);
  }
  return schema;
}

std::string store_id_text(std::uint64_t id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    text += digits[(id >> shift) & 15];
  }
  return text;
}

void encode_meta(const Meta& meta, std::string& out) {
  RecordWriter writer(out, meta_version);
  for (const std::uint64_t number :
       {meta.store_id, meta.tag_keys.first(), meta.next_event, meta.next_number, meta.next_webhook, meta.events,
        meta.messages, meta.waiting, meta.webhooks, meta.filling.bucket}) {
    writer.number(number);
  }
  writer.time(meta.filling.earliest);
  writer.time(meta.filling.latest);
  writer.number(meta.tag_keys.later().size());
  for (const TagKeys::Later& later : meta.tag_keys.later()) {
    writer.number(later.from);
    writer.number(later.key);
  }
  writer.seal(meta_key);
}

Result<Meta> decode_meta(std::string_view record) {
  const bool has_later_keys = record_version(record) != 1;
  RecordReader reader(meta_key, record, has_later_keys ? meta_version : version);
  Meta meta;
  std::uint64_t first_key = 0;
  for (std::uint64_t* number : {&meta.store_id, &first_key, &meta.next_event, &meta.next_number, &meta.next_webhook,
                                &meta.events, &meta.messages, &meta.waiting, &meta.webhooks, &meta.filling.bucket}) {
    *number = reader.number();
  }
  meta.filling.earliest = reader.time();
  meta.filling.latest = reader.time();
  meta.tag_keys = first_key;
  for (std::size_t left = has_later_keys ? reader.count() : 0; left > 0; --left) {
    const std::uint64_t from = reader.number();
    meta.tag_keys.go_on_with({from, reader.number()});
  }
  return finish(reader, std::move(meta), [] { return std::string("the store itself"); });
}

void encode_webhook(const Webhook& webhook, const Sealer* sealer, std::string& out) {
  RecordWriter writer(out, webhook_version);
  writer.text(webhook.display_name);
  writer.text(webhook.url.text());
  put_lists(writer, webhook, sealer);
  writer.choice(webhook.status);
  writer.choice(webhook.status_reason);
  writer.text(webhook.description);
  writer.choice(webhook.signature);
  writer.choice(webhook.format);
  writer.duration(webhook.timeout);
  writer.number(webhook.max_in_flight);
  writer.flag(webhook.rate.has_value());
  writer.real(webhook.rate.value_or(0));
  put_policy(writer, webhook.retry);
  writer.number(webhook.version);
  writer.time(webhook.created_at);
  writer.time(webhook.updated_at);
  put_credentials(writer, webhook);
  writer.seal(sequence_key(webhook.id.sequence()).view());
}

Result<Webhook> decode_webhook(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record,
                               const Seals* seals) {
  const bool has_credentials = record_version(record) != 1;
  RecordReader reader(sequence_key(sequence).view(), record, has_credentials ? webhook_version : version);
  Webhook webhook;
  webhook.id = id_of<WebhookId>(sequence, tag_keys);
  webhook.display_name = reader.text();
  const std::string_view url = reader.text();
  get_lists(reader, webhook, seals);
  webhook.status = reader.choice<domain::WebhookStatus>(2);
  webhook.status_reason = reader.choice<domain::InactiveReason>(3);
  webhook.description = reader.text();
  webhook.signature = reader.choice<domain::SignatureScheme>(4);
  webhook.format = reader.choice<domain::PayloadFormat>(4);
  webhook.timeout = reader.duration();
  webhook.max_in_flight = reader.small_number<std::uint32_t>();
  const bool has_rate = reader.flag();
  const double rate = reader.real();
  webhook.rate = has_rate ? std::optional(rate) : std::nullopt;
  webhook.retry = get_policy(reader);
  webhook.version = reader.number();
  webhook.created_at = reader.time();
  webhook.updated_at = reader.time();
  if (has_credentials) {
    get_credentials(reader, webhook);
  }
  if (auto parsed = domain::Url::parse(url)) {
    webhook.url = std::move(*parsed);
  } else {
    reader.fail("its URL cannot be read");
  }
  return finish(reader, std::move(webhook), [&] { return to_string(id_of<WebhookId>(sequence, tag_keys)); });
}

void encode_counters(std::uint64_t webhook, const WebhookCounters& counters, std::string& out) {
  RecordWriter writer(out, version);
  writer.number(counters.waiting);
  writer.number(counters.success);
  writer.number(counters.failed);
  writer.number(counters.cancelled);
  put_optional_time(writer, counters.last_success_at);
  writer.seal(sequence_key(webhook).view());
}

Result<WebhookCounters> decode_counters(std::uint64_t webhook, std::string_view record) {
  RecordReader reader(sequence_key(webhook).view(), record, version);
  WebhookCounters counters;
  counters.waiting = reader.number();
  counters.success = reader.number();
  counters.failed = reader.number();
  counters.cancelled = reader.number();
  counters.last_success_at = get_optional_time(reader);
  return finish(reader, std::move(counters),
                [&] { return "the counters of webhook number " + std::to_string(webhook); });
}

void encode_type(const domain::EventType& type, std::string& out) {
  RecordWriter writer(out, version);
  writer.text(type.description);
  writer.text(type.schema);
  writer.text(type.example);
  writer.choice(type.origin);
  writer.time(type.created_at);
  writer.seal(type.name);
}

Result<domain::EventType> decode_type(std::string_view name, std::string_view record) {
  RecordReader reader(name, record, version);
  domain::EventType type;
  type.name = name;
  type.description = reader.text();
  type.schema = reader.text();
  type.example = reader.text();
  type.origin = reader.choice<domain::TypeOrigin>(3);
  type.created_at = reader.time();
  return finish(reader, std::move(type), [&] { return "event type " + std::string(name); });
}

void encode_event_header(const domain::Event& event, std::uint64_t first_message, std::uint64_t message_count,
                         std::string& out) {
  RecordWriter writer(out, event.origin ? event_version : version);
  writer.time(event.accepted_at);
  writer.time(event.timestamp, event.accepted_at);
  writer.text(event.type);
  writer.text(event.idempotency_key);
  writer.number(first_message);
  writer.number(message_count);
  writer.number(event.data.size());
  writer.word(base::crc32c(0, event.data));
  if (event.origin) {
    writer.text(event.origin->store);
    writer.number(event.origin->event.value);
  }
  writer.seal(sequence_key(event.id.sequence()).view());
  const std::array<char, header_size_width> size = {static_cast<char>(out.size()), static_cast<char>(out.size() >> 8)};
  out.insert(0, size.data(), size.size());
}

Result<EventHeader> decode_event_header(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view row) {
  auto parsed = parse_event(sequence, tag_keys, row);
  if (!parsed) {
    return parsed.error();
  }
  return std::move(parsed->header);
}

Result<std::shared_ptr<domain::Event>> decode_event(std::uint64_t sequence, const TagKeys& tag_keys,
                                                    std::string_view row) {
  auto parsed = parse_event(sequence, tag_keys, row);
  if (!parsed) {
    return parsed.error();
  }
  if (base::crc32c(0, parsed->data) != parsed->data_checksum) {
    return damaged(to_string(parsed->header.event.id), "the checksum of its data does not fit");
  }
  auto event = std::make_shared<domain::Event>(std::move(parsed->header.event));
  event->data = parsed->data;
  return event;
}

void encode_message(const Message& message, std::uint64_t change, std::string& out) {
  RecordWriter writer(out, message_version);
  writer.number(change);
  const unsigned fields = fields_of(message);
  writer.byte(static_cast<std::uint8_t>(fields));
  writer.choice(message.status);
  writer.choice(message.reason);
  writer.number(message.webhook.sequence());
  writer.number(message.event.sequence());
  writer.time(message.created_at);
  writer.time(message.deadline, message.created_at);
  writer.number(message.attempts);
  writer.number(message.window_failures);
  writer.number(message.last_code);
  for (const std::optional<Time>& time : {message.settled_at, message.last_attempt_at, message.next_attempt_at}) {
    if (time) {
      writer.time(*time, message.created_at);
    }
  }
  if ((fields & has_own_plan) != 0) {
    writer.time(message.planned_at, message.created_at);
  }
  if (message.last_outcome) {
    writer.choice(*message.last_outcome);
  }
  for (const std::optional<domain::Actor>* actor : {&message.cancelled_by, &message.retried_by}) {
    if (*actor) {
      put_actor(writer, **actor);
    }
  }
  if ((fields & has_failure) != 0) {
    writer.text(message.failure);
  }
  writer.seal(sequence_key(message.id.sequence()).view());
}

Result<MessageRecord> decode_message(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record) {
  const bool has_change = record_version(record) != 1;
  RecordReader reader(sequence_key(sequence).view(), record, has_change ? message_version : version);
  MessageRecord stored;
  Message& message = stored.message;
  stored.change = has_change ? reader.number() : 0;
  const unsigned fields = reader.byte();
  message.id = id_of<MessageId>(sequence, tag_keys);
  message.status = reader.choice<domain::MessageStatus>(domain::message_status_count);
  message.reason = reader.choice<domain::SettleReason>(reason_count);
  message.webhook = id_of<WebhookId>(reader.number(), tag_keys);
  message.event = id_of<EventId>(reader.number(), tag_keys);
  message.created_at = reader.time();
  message.deadline = reader.time(message.created_at);
  message.attempts = reader.small_number<std::uint32_t>();
  message.window_failures = reader.small_number<std::uint32_t>();
  message.last_code = reader.small_number<std::uint16_t>();
  get_optional_fields(reader, fields, message);
  return finish(reader, std::move(stored), [&] { return to_string(id_of<MessageId>(sequence, tag_keys)); });
}

void encode_attempt(std::uint64_t message, const Attempt& attempt, std::string& out) {
  RecordWriter writer(out, version);
  const domain::Outcome& outcome = attempt.outcome;
  writer.time(attempt.at);
  writer.choice(attempt.trigger);
  writer.text(attempt.url);
  writer.choice(outcome.kind);
  writer.number(outcome.code);
  writer.text(outcome.error);
  writer.flag(outcome.retry_after.has_value());
  writer.duration(outcome.retry_after.value_or(Duration{}));
  writer.text(outcome.response_headers);
  writer.text(outcome.response_body);
  writer.flag(outcome.response_truncated);
  writer.duration(outcome.duration);
  writer.number(attempt.number);
  writer.seal(attempt_key(message, attempt.number).view());
}

Result<Attempt> decode_attempt(std::uint64_t message, std::string_view key, std::string_view record) {
  RecordReader reader(key, record, version);
  Attempt attempt;
  domain::Outcome& outcome = attempt.outcome;
  attempt.at = reader.time();
  attempt.trigger = reader.choice<domain::Trigger>(trigger_count);
  attempt.url = reader.text();
  outcome.kind = reader.choice<domain::OutcomeKind>(outcome_count);
  outcome.code = reader.small_number<std::uint16_t>();
  outcome.error = reader.text();
  const bool has_retry_after = reader.flag();
  const Duration retry_after = reader.duration();
  outcome.retry_after = has_retry_after ? std::optional(retry_after) : std::nullopt;
  outcome.response_headers = reader.text();
  outcome.response_body = reader.text();
  outcome.response_truncated = reader.flag();
  outcome.duration = reader.duration();
  attempt.number = reader.small_number<std::uint32_t>();
  return finish(reader, std::move(attempt), [&] { return "an attempt of message number " + std::to_string(message); });
}

void encode_task(const BulkTask& task, std::string& out) {
  RecordWriter writer(out, version);
  writer.choice(task.action);
  writer.choice(task.state);
  put_filter(writer, task.filter);
  put_actor(writer, task.actor);
  writer.flag(task.rate.has_value());
  writer.real(task.rate.value_or(0));
  writer.time(task.started_at);
  put_optional_time(writer, task.ended_at);
  writer.number(task.up_to);
  writer.number(task.position);
  writer.flag(task.total.has_value());
  writer.number(task.total.value_or(0));
  writer.number(task.done);
  writer.number(task.failed);
  writer.seal(sequence_key(task.id.sequence()).view());
}

Result<BulkTask> decode_task(std::uint64_t sequence, const TagKeys& tag_keys, std::string_view record) {
  RecordReader reader(sequence_key(sequence).view(), record, version);
  BulkTask task;
  task.id = id_of<TaskId>(sequence, tag_keys);
  task.action = reader.choice<BulkAction>(2);
  task.state = reader.choice<BulkState>(3);
  task.filter = get_filter(reader, tag_keys);
  task.actor = get_actor(reader);
  const bool has_rate = reader.flag();
  const double rate = reader.real();
  task.rate = has_rate ? std::optional(rate) : std::nullopt;
  task.started_at = reader.time();
  task.ended_at = get_optional_time(reader);
  task.up_to = reader.number();
  task.position = reader.number();
  const bool has_total = reader.flag();
  const std::uint64_t total = reader.number();
  task.total = has_total ? std::optional(total) : std::nullopt;
  task.done = reader.number();
  task.failed = reader.number();
  return finish(reader, std::move(task), [&] { return to_string(id_of<TaskId>(sequence, tag_keys)); });
}

void encode_audit(const AuditLine& line, std::string& out) {
  RecordWriter writer(out, version);
  writer.time(line.at);
  writer.flag(line.uid.has_value());
  writer.number(line.uid.value_or(0));
  for (const std::string* text :
       {&line.user, &line.role, &line.operation, &line.object, &line.name, &line.detail, &line.reason}) {
    writer.text(*text);
  }
  writer.seal(sequence_key(line.number).view());
}

Result<AuditLine> decode_audit(std::uint64_t number, std::string_view record) {
  RecordReader reader(sequence_key(number).view(), record, version);
  AuditLine line;
  line.number = number;
  line.at = reader.time();
  const bool has_uid = reader.flag();
  const auto uid = reader.small_number<std::uint32_t>();
  line.uid = has_uid ? std::optional(uid) : std::nullopt;
  for (std::string* text :
       {&line.user, &line.role, &line.operation, &line.object, &line.name, &line.detail, &line.reason}) {
    *text = reader.text();
  }
  return finish(reader, std::move(line), [&] { return "line " + std::to_string(number) + " of the audit"; });
}

void encode_span(const Span& span, std::string& out) {
  RecordWriter writer(out, version);
  writer.time(span.earliest);
  writer.time(span.latest);
  writer.seal(span_key(span.bucket).view());
}

Result<Span> decode_span(std::uint64_t bucket, std::string_view record) {
  RecordReader reader(span_key(bucket).view(), record, version);
  Span span;
  span.bucket = bucket;
  span.earliest = reader.time();
  span.latest = reader.time();
  return finish(reader, std::move(span), [&] { return "the times of message bucket " + std::to_string(bucket); });
}

void encode_number(std::string_view key, std::uint64_t number, std::string& out) {
  RecordWriter writer(out, version);
  writer.number(number);
  writer.seal(key);
}

Result<std::uint64_t> decode_number(Table table, std::string_view key, std::string_view record) {
  RecordReader reader(key, record, version);
  const std::uint64_t number = reader.number();
  return finish(reader, std::uint64_t{number}, [&] {
    return std::string("an entry of ") + table_names[static_cast<std::size_t>(table)] + " for \"" + std::string(key) +
           "\"";
  });
}

}  // namespace webhookd::store
