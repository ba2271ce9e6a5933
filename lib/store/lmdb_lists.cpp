#include <algorithm>

#include "store/lmdb_reads_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

using domain::Message;

// Steps through message sequences, of all or of one webhook, upwards or downwards.
class MessageWalk {
 public:
  MessageWalk(Rows& rows, const MessageQuery& query)
      : webhook_(query.webhook ? query.webhook->sequence() : 0),
        up_(query.oldest_first),
        cursor_(rows.view().cursor(query.webhook ? Table::by_webhook : Table::messages)) {}

  // The first one at `sequence` or further on.
  std::optional<std::uint64_t> seek(std::uint64_t sequence) {
    if (webhook_ == 0) {
      const Key key = sequence_key(sequence);
      return here(up_ ? cursor_->seek(key.view()) : cursor_->seek_back(key.view()));
    }
    const Key key = by_webhook_key({webhook_, sequence});
    return here(up_ ? seek_webhook(*cursor_, key.view(), webhook_, max_bucket + 1)
                    : seek_webhook_back(*cursor_, key.view(), webhook_));
  }

  // The one behind the last.
  std::optional<std::uint64_t> step(std::uint64_t last) {
    if (!(up_ ? cursor_->next() : cursor_->previous())) {
      return std::nullopt;
    }
    if (webhook_ != 0) {
      const auto place = parse_bucket_place(cursor_->key());
      if (!place || place->webhook != webhook_) {
        return up_ ? seek(last + 1) : last > 1 ? seek(last - 1) : std::nullopt;
      }
    }
    return here(true);
  }

  // The first one beyond the bucket of `sequence`.
  std::optional<std::uint64_t> leave_bucket(std::uint64_t sequence) {
    const std::uint64_t bucket = message_bucket(sequence);
    if (up_) {
      return bucket < max_bucket ? seek(first_of_message_bucket(bucket + 1)) : std::nullopt;
    }
    return bucket > 0 ? seek(first_of_message_bucket(bucket) - 1) : std::nullopt;
  }

 private:
  std::optional<std::uint64_t> here(bool found) const {
    if (!found) {
      return std::nullopt;
    }
    if (webhook_ == 0) {
      return parse_sequence_key(cursor_->key());
    }
    const auto entry = parse_by_webhook_key(cursor_->key());
    return entry ? std::optional(entry->message) : std::nullopt;
  }

  std::uint64_t webhook_;
  bool up_;
  std::unique_ptr<Cursor> cursor_;
};

// Whether a bucket of messages can hold one of the wanted time; asked once for each bucket on the way.
class TimeFilter {
 public:
  TimeFilter(Rows& rows, const MessageQuery& query) : rows_(rows), query_(query) {
    if (is_needed()) {
      const auto meta = rows.meta();
      filling_ = meta && *meta ? (*meta)->filling : Span{};
    }
  }

  bool excludes(std::uint64_t sequence) {
    const std::uint64_t bucket = message_bucket(sequence);
    if (!is_needed()) {
      return false;
    }
    if (bucket != asked_) {
      asked_ = bucket;
      excluded_ = excludes_bucket(bucket);
    }
    return excluded_;
  }

 private:
  bool is_needed() const { return query_.since || query_.until; }

  bool excludes_bucket(std::uint64_t bucket) {
    Span span = filling_;
    if (bucket != filling_.bucket) {
      const auto record = rows_.view().get(Table::spans, span_key(bucket).view());
      if (!record) {
        return false;
      }
      const auto decoded = decode_span(bucket, *record);
      if (!decoded) {
        rows_.damage().add(decoded.error());
        return false;
      }
      span = *decoded;
    }
    return (query_.since && span.latest < *query_.since) || (query_.until && span.earliest >= *query_.until);
  }

  Rows& rows_;
  const MessageQuery& query_;
  Span filling_;
  std::uint64_t asked_ = max_bucket + 1;
  bool excluded_ = false;
};

std::optional<std::uint64_t> first_of_page(MessageWalk& walk, const MessageQuery& query) {
  if (query.oldest_first) {
    return walk.seek(std::min(query.after_sequence, base::max_sequence) + 1);
  }
  const std::uint64_t end = query.after_sequence == 0 ? base::max_sequence : query.after_sequence - 1;
  return end == 0 ? std::nullopt : walk.seek(std::min(end, base::max_sequence));
}

// The type of a message that the filter lets through; null when it does not.
const std::string* type_if_shown(const MessageFilter& filter, const Message& message, TypeReader& types) {
  if (!matches_message(filter, message)) {
    return nullptr;
  }
  const std::string* type = types.type_of(message);
  return type != nullptr && matches_type(filter, message, *type) ? type : nullptr;
}

// Walks messages by `query` (its limit and scan_limit apart) until `visit` answers false; then the answer is the one
// that it was asked about. Excluded stretches of time are skipped.
template <class Visit>
std::optional<std::uint64_t> walk_messages(Rows& rows, const MessageQuery& query, Visit visit) {
  if (query.webhook && (!rows.is_ours(*query.webhook) || rows.is_deleting(query.webhook->sequence()))) {
    return std::nullopt;
  }
  MessageWalk walk(rows, query);
  TimeFilter times(rows, query);
  auto at = first_of_page(walk, query);
  while (at) {
    if (times.excludes(*at)) {
      at = walk.leave_bucket(*at);
      continue;
    }
    if (!visit(*at)) {
      return at;
    }
    at = walk.step(*at);
  }
  return std::nullopt;
}

}  // namespace

MessagePage read_messages(Rows& rows, const MessageQuery& query) {
  MessagePage page;
  TypeReader types(rows);
  std::size_t looked_at = 0;
  const auto stopped_at = walk_messages(rows, query, [&](std::uint64_t sequence) {
    if (page.rows.size() >= query.limit || looked_at++ >= query.scan_limit) {
      return false;
    }
    auto record = rows.message_at(sequence);
    if (record && *record) {
      Message& message = (*record)->message;
      if (const std::string* type = type_if_shown(query, message, types)) {
        page.rows.push_back({std::move(message), *type});
      }
    }
    return true;
  });
  if (stopped_at) {
    page.next = query.oldest_first ? *stopped_at - 1 : *stopped_at + 1;  // so that this one comes next
  }
  return page;
}

MessageCount count_messages(Rows& rows, const CountQuery& query) {
  MessageQuery walked;
  const MessageFilter& filter = query;
  static_cast<MessageFilter&>(walked) = filter;
  walked.oldest_first = true;
  walked.after_sequence = query.after;
  MessageCount counted;
  TypeReader types(rows);
  std::size_t looked_at = 0;
  const auto stopped_at = walk_messages(rows, walked, [&](std::uint64_t sequence) {
    if (sequence > query.up_to || looked_at++ >= query.scan_limit) {
      return false;
    }
    const auto record = rows.message_at(sequence);
    counted.count += record && *record && type_if_shown(query, (*record)->message, types) != nullptr ? 1 : 0;
    return true;
  });
  if (stopped_at && *stopped_at <= query.up_to) {
    counted.next = *stopped_at - 1;
  }
  return counted;
}

std::vector<MessageId> find_messages(Rows& rows, std::uint64_t low, std::uint64_t high, std::size_t limit) {
  constexpr std::size_t scan_limit = 20'000;
  std::vector<MessageId> found;
  const auto cursor = rows.view().cursor(Table::messages);
  bool more = cursor->seek(sequence_key(low >> base::id_tag_bits).view());
  for (std::size_t looked_at = 0; more && found.size() < limit && looked_at < scan_limit; ++looked_at) {
    const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(0);
    const auto id = rows.id_of<MessageId>(sequence);
    if (id.value > high) {
      break;
    }
    if (id.value >= low) {
      const auto message = rows.message_at(sequence);
      if (!message || *message) {  // a damaged one is there; asking for it says so
        found.push_back(id);
      }
    }
    more = cursor->next();
  }
  return found;
}

std::vector<EventId> find_events(Rows& rows, std::uint64_t low, std::uint64_t high, std::size_t limit) {
  std::vector<EventId> found;
  const auto cursor = rows.view().cursor(Table::events, Reach::ends);
  bool more = cursor->seek(sequence_key(low >> base::id_tag_bits).view());
  for (; more && found.size() < limit; more = cursor->next()) {
    const auto id = rows.id_of<EventId>(parse_sequence_key(cursor->key()).value_or(0));
    if (id.value > high) {
      break;
    }
    if (id.value >= low) {
      found.push_back(id);
    }
  }
  return found;
}

}  // namespace webhookd::store
