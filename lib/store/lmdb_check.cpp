#include <algorithm>
#include <cstring>

#include "store/lmdb_check_impl.hpp"
#include "store/lmdb_migration_impl.hpp"

namespace webhookd::store {

namespace {

constexpr std::uint64_t rows_between_progress = 10'000;

std::uint64_t sequence_of(std::string_view key) {
  const std::uint64_t sequence = parse_sequence_key(key).value_or(0);
  return sequence <= base::max_sequence ? sequence : 0;
}

std::string_view name_of(Table table) { return table_names[static_cast<std::size_t>(table)]; }

std::string text_of(std::string_view key) {
  std::string text;
  for (const char c : key) {
    text += c >= ' ' && c < 127 ? c : '?';
  }
  return text;
}

}  // namespace

// Tables that others are compared with come first.
const std::array<WholeReading::TableCheck, table_names.size()> WholeReading::table_checks = {{
    {Table::webhooks, &WholeReading::webhook_row},
    {Table::counters, &WholeReading::counters_row},
    {Table::deleting, &WholeReading::deleting_row},
    {Table::names, &WholeReading::name_row},
    {Table::types, &WholeReading::type_row},
    {Table::spans, &WholeReading::span_row},
    {Table::events, &WholeReading::event_row},
    {Table::messages, &WholeReading::message_row},
    {Table::attempts, &WholeReading::attempt_row},
    {Table::due, &WholeReading::due_row},
    {Table::changes, &WholeReading::change_row},
    {Table::by_webhook, &WholeReading::by_webhook_row},
    {Table::tasks, &WholeReading::task_row},
    {Table::audit, &WholeReading::audit_row},
    {Table::idempotency, &WholeReading::idempotency_row},
}};

void WholeReading::find(std::string detail) {
  ++damage_;
  found_({std::string(table_), std::move(detail)});
}

void WholeReading::read() {
  read_identity();
  for (const TableCheck& check : table_checks) {
    read_table(check);
  }
  table_ = "counts";
  compare_counts();
  table_ = "pages";
  compare_pages();
  take_failure("the pages cannot be counted");
}

// What follows in other tables is read all the same.
void WholeReading::take_failure(std::string_view doing) {
  if (view_.has_failed()) {
    find(view_.failure(doing).detail);
    view_.begin_again();
  }
}

bool WholeReading::is_there(Table table) {
  const auto added = std::find_if(migrations().begin(), migrations().end(),
                                  [table](const Migration& step) { return step.adds == name_of(table); });
  const bool is_expected = added == migrations().end() || schema_ > added->from;
  if (!env_.has(table) && is_expected) {
    find("the table is missing");
  }
  return env_.has(table);
}

void WholeReading::read_identity() {
  table_ = "meta";
  const auto record = view_.get_main(meta_key);
  if (!record) {
    find("the record of the store itself is missing");
    return;
  }
  if (auto meta = sound(decode_meta(*record))) {
    meta_ = *meta;
  }
}

void WholeReading::read_table(const TableCheck& check) {
  table_ = name_of(check.table);
  rows_ = 0;
  if (!is_there(check.table)) {
    return;
  }
  progress_(table_, rows_);
  used_pages_ += view_.pages(env_.table(check.table));
  const std::uint64_t expected = view_.rows(check.table);
  const auto cursor = view_.cursor(check.table);
  for (bool more = cursor->first(); more; more = cursor->next()) {
    (this->*check.row)(cursor->key(), cursor->value());
    if (++rows_ % rows_between_progress == 0) {
      progress_(table_, rows_);
    }
  }
  take_failure("it was read up to row " + std::to_string(rows_));
  if (rows_ != expected) {
    find("it should have " + std::to_string(expected) + " rows and has " + std::to_string(rows_));
  }
  progress_(table_, rows_);
}

// ---- rows -----------------------------------------------------------------------------------------------------

bool WholeReading::is_deleting(std::uint64_t webhook) { return has(Table::deleting, sequence_key(webhook).view()); }

std::optional<domain::Webhook> WholeReading::webhook_at(std::uint64_t sequence) {
  const auto record = view_.get(Table::webhooks, sequence_key(sequence).view());
  auto webhook = record ? decode_webhook(sequence, meta_.tag_keys, *record, nullptr) : base::Error{};
  return webhook ? std::optional(std::move(*webhook)) : std::nullopt;
}

std::optional<MessageRecord> WholeReading::message_at(std::uint64_t sequence) {
  const auto record = view_.get(Table::messages, sequence_key(sequence).view());
  auto message = record ? decode_message(sequence, meta_.tag_keys, *record) : base::Error{};
  return message ? std::optional(std::move(*message)) : std::nullopt;
}

void WholeReading::webhook_row(std::string_view key, std::string_view value) {
  const std::uint64_t sequence = sequence_of(key);
  const auto webhook = sound(decode_webhook(sequence, meta_.tag_keys, value, nullptr));
  if (sequence == 0 || sequence >= meta_.next_webhook) {
    find("webhook number " + std::to_string(sequence) + " was never given");
  }
  if (!has(Table::counters, key)) {
    find("webhook number " + std::to_string(sequence) + " has no counters");
  }
  if (webhook && !is_deleting(sequence) && !has(Table::names, name_key(webhook->display_name))) {
    find(to_string(webhook->id) + " is not found by its name");
  }
}

void WholeReading::counters_row(std::string_view key, std::string_view value) {
  const std::uint64_t webhook = sequence_of(key);
  if (const auto counters = sound(decode_counters(webhook, value))) {
    by_webhook_[webhook].kept = counters->waiting;
  }
  if (!has(Table::webhooks, key)) {
    find("counters of webhook number " + std::to_string(webhook) + ", which is not there");
  }
}

void WholeReading::deleting_row(std::string_view key, std::string_view value) {
  sound(decode_number(Table::deleting, key, value));
  if (!has(Table::webhooks, key)) {
    find("webhook number " + std::to_string(sequence_of(key)) + " is being deleted and not there");
  }
}

void WholeReading::name_row(std::string_view key, std::string_view value) {
  const auto sequence = sound(decode_number(Table::names, key, value));
  if (!sequence) {
    return;
  }
  const auto webhook = webhook_at(*sequence);
  if (!webhook || name_key(webhook->display_name) != key || is_deleting(*sequence)) {
    find("the name \"" + text_of(key) + "\" stands for no webhook of that name");
  }
}

void WholeReading::type_row(std::string_view key, std::string_view value) { sound(decode_type(key, value)); }

void WholeReading::span_row(std::string_view key, std::string_view value) {
  const std::uint64_t bucket = parse_span_key(key).value_or(max_bucket);
  sound(decode_span(bucket, value));
  if (bucket > message_bucket(meta_.next_number)) {
    find("times of message bucket " + std::to_string(bucket) + ", which nothing was put in");
  }
}

void WholeReading::event_row(std::string_view key, std::string_view value) {
  const std::uint64_t sequence = sequence_of(key);
  const auto header = sound(decode_event_header(sequence, meta_.tag_keys, value));
  if (!header) {
    return;
  }
  sound(decode_event(sequence, meta_.tag_keys, value));
  if (sequence == 0 || sequence >= meta_.next_event) {
    find("event number " + std::to_string(sequence) + " was never given");
  }
  if (header->first_message + header->message_count > meta_.next_number) {
    find(to_string(header->event.id) + " claims messages that were never given");
  }
  if (header->event.origin && !has(Table::idempotency, origin_key(*header->event.origin))) {
    find(to_string(header->event.id) + " is not found by the id that it had elsewhere");
  }
}

void WholeReading::message_row(std::string_view key, std::string_view value) {
  const std::uint64_t sequence = sequence_of(key);
  const auto record = sound(decode_message(sequence, meta_.tag_keys, value));
  if (sequence == 0 || sequence >= meta_.next_number) {
    find("message number " + std::to_string(sequence) + " was never given");
    return;
  }
  if (record) {
    message_neighbours(record->message);
    message_span(record->message);
    if (record->change != 0 && !has(Table::changes, change_key({record->change, sequence}).view())) {
      find(to_string(record->message.id) + " is not where its latest change stands");
    }
  }
}

void WholeReading::message_neighbours(const domain::Message& message) {
  const std::string id = to_string(message.id);
  const std::uint64_t sequence = message.id.sequence();
  const std::uint64_t webhook = message.webhook.sequence();
  if (!has(Table::webhooks, sequence_key(webhook).view())) {
    find(id + " is of a webhook that is not there");
  }
  if (!has(Table::by_webhook, by_webhook_key({webhook, sequence}).view())) {
    find(id + " is not in the log of its webhook");
  }
  if (message.next_attempt_at && !has(Table::due, due_key({webhook, {*message.next_attempt_at, sequence}}).view())) {
    find(id + " waits and is not in the index by due time");
  }
  if (message.is_waiting() && !message.next_attempt_at) {
    find(id + " waits for nothing");
  }
  const std::uint64_t event = message.event.sequence();
  const auto row = view_.get(Table::events, sequence_key(event).view());
  const auto header = row ? decode_event_header(event, meta_.tag_keys, *row) : base::Error{};
  if (!row ||
      (header && (sequence < header->first_message || sequence >= header->first_message + header->message_count))) {
    find(id + (row ? " is outside the range of its event" : " is of an event that is not there"));
  }
  if (message.is_waiting() && !is_deleting(webhook)) {
    ++by_webhook_[webhook].counted;
    ++waiting_;
  }
}

void WholeReading::message_span(const domain::Message& message) {
  const std::uint64_t bucket = message_bucket(message.id.sequence());
  if (!span_ || span_->bucket != bucket) {
    span_ = Span{bucket, base::time_from_ms(0), base::time_from_ms(std::int64_t{1} << 60)};
    if (bucket == meta_.filling.bucket) {
      span_ = meta_.filling;
    } else if (const auto record = view_.get(Table::spans, span_key(bucket).view())) {
      const auto decoded = decode_span(bucket, *record);
      span_ = decoded ? *decoded : *span_;  // damage was found with its own table
    } else {
      find("message bucket " + std::to_string(bucket) + " has no times");
    }
  }
  if (message.created_at < span_->earliest || message.created_at > span_->latest) {
    find(to_string(message.id) + " is outside the times of its bucket");
  }
}

void WholeReading::attempt_row(std::string_view key, std::string_view value) {
  const std::string_view of_message = key.substr(0, std::min(key.size(), sequence_key(0).view().size()));
  const std::uint64_t message = sequence_of(of_message);
  const auto attempt = sound(decode_attempt(message, key, value));
  if (attempt && attempt_key(message, attempt->number).view() != key) {
    find("an attempt of message number " + std::to_string(message) + " is under another's key");
  }
  if (!has(Table::messages, of_message)) {
    find("an attempt of message number " + std::to_string(message) + ", which is not there");
  }
}

void WholeReading::due_row(std::string_view key, std::string_view) {
  const auto entry = parse_due_key(key);
  if (!entry) {
    find("a key that cannot be read");
    return;
  }
  const auto record = message_at(entry->position.message_sequence);
  if (!record || record->message.next_attempt_at != entry->position.due ||
      record->message.webhook.sequence() != entry->webhook) {
    find("an entry for message number " + std::to_string(entry->position.message_sequence) +
         " that does not fit its record");
  }
}

void WholeReading::change_row(std::string_view key, std::string_view) {
  const auto entry = parse_change_key(key);
  if (!entry) {
    find("a key that cannot be read");
    return;
  }
  if (entry->number >= meta_.next_number) {
    find("change " + std::to_string(entry->number) + " was never given");
  }
  const auto record = message_at(entry->message);
  if (!record || record->change != entry->number) {
    find("change " + std::to_string(entry->number) + " does not fit the record of message number " +
         std::to_string(entry->message));
  }
}

void WholeReading::by_webhook_row(std::string_view key, std::string_view) {
  const auto entry = parse_by_webhook_key(key);
  if (!entry) {
    find("a key that cannot be read");
    return;
  }
  const auto record = message_at(entry->message);
  if (!record || record->message.webhook.sequence() != entry->webhook) {
    find("an entry for message number " + std::to_string(entry->message) + " that does not fit its record");
  }
}

void WholeReading::task_row(std::string_view key, std::string_view value) {
  sound(decode_task(sequence_of(key), meta_.tag_keys, value));
}

void WholeReading::audit_row(std::string_view key, std::string_view value) {
  const std::uint64_t number = sequence_of(key);
  sound(decode_audit(number, value));
  if (number == 0 || number >= meta_.next_number) {
    find("line " + std::to_string(number) + " was never given");
  }
}

void WholeReading::idempotency_row(std::string_view key, std::string_view value) {
  const auto sequence = sound(decode_number(Table::idempotency, key, value));
  if (!sequence) {
    return;
  }
  const auto row = view_.get(Table::events, sequence_key(*sequence).view());
  const auto header = row ? decode_event_header(*sequence, meta_.tag_keys, *row) : base::Error{};
  const bool is_known_by_it = header && (header->event.idempotency_key == key ||
                                         (header->event.origin && origin_key(*header->event.origin) == key));
  if (!row || (header && !is_known_by_it)) {
    find("the key \"" + text_of(key) + "\" stands for no event that was given it");
  }
}

// ---- sums -----------------------------------------------------------------------------------------------------

void WholeReading::compare_counts() {
  struct Count {
    std::string_view what;
    std::uint64_t kept;
    std::uint64_t counted;
  };
  const std::uint64_t webhooks = view_.rows(Table::webhooks);
  const std::uint64_t deleting = view_.rows(Table::deleting);
  for (const Count& count : {Count{"events", meta_.events, view_.rows(Table::events)},
                             Count{"messages", meta_.messages, view_.rows(Table::messages)},
                             Count{"waiting messages", meta_.waiting, waiting_},
                             Count{"webhooks", meta_.webhooks, webhooks - std::min(webhooks, deleting)},
                             Count{"entries of logs", view_.rows(Table::messages), view_.rows(Table::by_webhook)}}) {
    if (count.kept != count.counted) {
      find(std::string(count.what) + ": " + std::to_string(count.kept) + " by the kept count, " +
           std::to_string(count.counted) + " by counting");
    }
  }
  for (const auto& [webhook, waiting] : by_webhook_) {
    if (waiting.kept != waiting.counted) {
      find("waiting messages of webhook number " + std::to_string(webhook) + ": " + std::to_string(waiting.kept) +
           " by its counters, " + std::to_string(waiting.counted) + " by counting");
    }
  }
}

// Each page is used by one table or free. LMDB keeps both numbers itself; that they add up says that neither lost one.
void WholeReading::compare_pages() {
  constexpr std::uint64_t meta_pages = 2;
  used_pages_ += meta_pages + view_.pages(env_.main_table()) + view_.pages(Env::free_table);
  const std::uint64_t free_pages = view_.free_bytes() / env_.page_bytes();
  const std::uint64_t pages = env_.high_water_bytes() / env_.page_bytes();
  if (used_pages_ + free_pages != pages) {
    find(std::to_string(pages) + " pages: " + std::to_string(used_pages_) + " used and " + std::to_string(free_pages) +
         " free");
  }
}

}  // namespace webhookd::store
