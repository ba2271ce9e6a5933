#include "store/lmdb_reads_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

namespace {

// What is left of an event's messages, with their attempts; those that are damaged were reported, and are counted.
domain::EventHistory history_of(Rows& rows, const EventHeader& header, const domain::Event& event,
                                const HistoryQuery& query, std::uint64_t& damaged) {
  domain::EventHistory history{std::make_shared<domain::Event>(event), {}};
  const std::uint64_t end = header.first_message + header.message_count;
  const auto cursor = rows.view().cursor(Table::messages);
  bool more = header.message_count > 0 && cursor->seek(sequence_key(header.first_message).view());
  for (; more; more = cursor->next()) {
    const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(end);
    if (sequence >= end) {
      break;
    }
    const auto record = rows.message_at(sequence);
    if (!record) {
      ++damaged;
    } else if (*record && (!query.webhook || *query.webhook == (*record)->message.webhook)) {
      history.messages.push_back({(*record)->message, latest_attempts(rows, sequence)});
    }
  }
  cut_excerpts(history);
  return history;
}

// Nothing: it is not asked for, or damaged.
std::optional<domain::EventHistory> read_history(Rows& rows, std::uint64_t sequence, const HistoryQuery& query,
                                                 HistoryPage& page) {
  const auto header = rows.event_header(sequence);
  if (!header || !*header) {
    page.damaged += header ? 0 : 1;
    return std::nullopt;
  }
  if (!matches_event(query, (*header)->event)) {
    return std::nullopt;
  }
  const auto event = rows.event(sequence);
  if (!event || !*event) {
    page.damaged += event ? 0 : 1;
    return std::nullopt;
  }
  auto history = history_of(rows, **header, ***event, query, page.damaged);
  if (query.webhook && history.messages.empty()) {
    return std::nullopt;
  }
  return history;
}

}  // namespace

HistoryPage read_histories(Rows& rows, const HistoryQuery& query) {
  HistoryPage page;
  page.position = query.after;
  const auto last = rows.view().cursor(Table::events, Reach::ends);
  page.newest = last->last() ? parse_sequence_key(last->key()).value_or(0) : 0;
  const std::uint64_t end = query.up_to.value_or(page.newest);
  std::size_t bytes = 0;
  std::size_t scanned = 0;
  const auto cursor = rows.view().cursor(Table::events, Reach::ends);
  bool more = cursor->seek(sequence_key(query.after + 1).view());
  for (; more; more = cursor->next()) {
    const std::uint64_t sequence = parse_sequence_key(cursor->key()).value_or(0);
    if (sequence > end) {
      break;
    }
    if (page.events.size() == query.limit || bytes >= query.bytes || scanned++ == query.scan_limit) {
      return page;
    }
    page.position = sequence;
    if (auto history = read_history(rows, sequence, query, page)) {
      bytes += size_of(*history);
      page.events.push_back(std::move(*history));
    }
  }
  page.at_end = true;
  return page;
}

}  // namespace webhookd::store
