#include <algorithm>
#include <limits>

#include "store/lmdb_reads_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

// The merge of two walks over one sequence of numbers: messages, of which those that never changed stand at their own
// number, and changes, of which each names the message that stands there (keys.hpp).
class FeedWalk {
 public:
  FeedWalk(Rows& rows, std::uint64_t first)
      : rows_(rows), messages_(rows.view().cursor(Table::messages)), changes_(rows.view().cursor(Table::changes)) {
    const bool any_message = messages_->seek(sequence_key(first).view());
    const bool any_change = changes_->seek(change_key({first, 0}).view());
    read_message(any_message);
    read_change(any_change);
  }

  // Of what is looked at; `none` at the end.
  std::uint64_t number() const { return std::min(message_, change_.number); }

  // The message that stands at `number`; nothing when its place is another one now, or it is damaged or hidden.
  std::optional<domain::Message> here() { return message_ < change_.number ? unchanged() : changed(); }

  void step() {
    if (message_ < change_.number) {
      read_message(messages_->next());
    } else {
      read_change(changes_->next());
    }
  }

 private:
  void read_message(bool found) { message_ = found ? parse_sequence_key(messages_->key()).value_or(none) : none; }
  void read_change(bool found) {
    change_ = found ? parse_change_key(changes_->key()).value_or(ChangeEntry{none, 0}) : ChangeEntry{none, 0};
  }

  std::optional<domain::Message> unchanged() {
    auto record = decode_message(message_, rows_.tag_keys(), messages_->value());
    if (!record) {
      rows_.damage().add(record.error());
      return std::nullopt;
    }
    return record->change == 0 ? visible(std::move(record->message)) : std::nullopt;
  }

  std::optional<domain::Message> changed() {
    auto record = rows_.any_message_at(change_.message);
    if (!record) {
      return std::nullopt;
    }
    if (!*record || (*record)->change != change_.number) {
      rows_.damage().add(stray_entry());
      return std::nullopt;
    }
    return visible(std::move((*record)->message));
  }

  std::optional<domain::Message> visible(domain::Message message) {
    return rows_.is_deleting(message.webhook.sequence()) ? std::nullopt : std::optional(std::move(message));
  }

  base::Error stray_entry() const {
    return {base::ErrorCode::internal,
            "change " + std::to_string(change_.number) + " does not fit the record of its message " +
                to_string(rows_.id_of<MessageId>(change_.message)),
            {}};
  }

  Rows& rows_;
  std::unique_ptr<Cursor> messages_;
  std::unique_ptr<Cursor> changes_;
  std::uint64_t message_ = none;
  ChangeEntry change_{none, 0};
};

// True when the walk ended before the page was full.
bool fill_page(Rows& rows, const ChangeQuery& query, std::uint64_t end, ChangePage& page) {
  FeedWalk walk(rows, query.after + 1);
  TypeReader types(rows);
  std::size_t looked_at = 0;
  for (; walk.number() <= end; walk.step()) {
    if (page.rows.size() >= query.limit || looked_at++ >= query.scan_limit) {
      return false;
    }
    page.position = walk.number();
    auto message = walk.here();
    if (!message || !matches_message(query, *message)) {
      continue;
    }
    const std::string* type = types.type_of(*message);
    if (type != nullptr && matches_type(query, *message, *type)) {
      page.rows.push_back({walk.number(), std::move(*message), *type});
    }
  }
  return true;
}

}  // namespace

Result<ChangePage> read_changes(Rows& rows, const ChangeQuery& query) {
  const auto meta = rows.meta();
  if (!meta) {
    return meta.error();
  }
  if (!*meta) {
    return base::Error{base::ErrorCode::internal, "the record of the store itself is missing", {}};
  }
  const std::uint64_t newest = (*meta)->next_number - 1;
  if (query.after > newest) {
    return position_is_ahead(query.after, newest);
  }
  ChangePage page{{}, query.after, false, newest, feed_identity((*meta)->store_id, (*meta)->tag_keys.newest())};
  const std::uint64_t end = std::min(query.up_to.value_or(newest), newest);
  page.at_end = fill_page(rows, query, end, page);
  if (page.at_end) {
    page.position = std::max(query.after, end);
  }
  return page;
}

}  // namespace webhookd::store
