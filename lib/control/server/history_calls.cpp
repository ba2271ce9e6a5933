// Data that leaves a daemon and enters another: events with their messages and attempts, as lines. Both directions hold
// no more than a page at a time, and no snapshot while the peer is slow: a message is told as it stands when its page
// is read.
#include <algorithm>
#include <map>
#include <optional>

#include "control/protocol/cursor.hpp"
#include "control/protocol/history_codec.hpp"
#include "control/protocol/problems.hpp"
#include "control/server/call_impl.hpp"
#include "control/server/message_answers_impl.hpp"

namespace webhookd::server {

namespace {

using domain::EventHistory;
using store::Imported;
using ImportResults = std::vector<Result<Imported>>;
using WebhookNames = std::map<std::string, base::WebhookId, std::less<>>;

// ---- out ------------------------------------------------------------------------------------------------------

asio::awaitable<Result<store::HistoryQuery>> query_of(Context& context, protocol::HistoryFilter filter) {
  store::HistoryQuery query;
  if (!filter.webhook.empty()) {
    const auto state = co_await find_webhook(context, filter.webhook);
    if (!state) {
      co_return state.error();
    }
    query.webhook = state->webhook.id;
  }
  if (!filter.type.empty()) {
    query.type = filter.type;
  }
  query.since = filter.since;
  query.until = filter.until;
  co_return query;
}

asio::awaitable<Result<protocol::HistoryHead>> head_of(Context& context) {
  const auto figures = co_await read_figures(context);
  if (!figures) {
    co_return figures.error();
  }
  store::Store& store = context.world.store;
  store::ChangeQuery nothing;
  nothing.limit = 0;
  auto read = [&store, nothing](Completion<store::ChangePage> done) { store.changes(nothing, std::move(done)); };
  const auto feed = co_await ask<store::ChangePage>(context, std::move(read));
  if (!feed) {
    co_return feed.error();
  }
  protocol::HistoryHead head;
  head.store = figures->store_id;
  head.exported_at = context.world.clock.now();
  head.cursor = protocol::encode_feed_cursor(protocol::FeedPosition{feed->store, feed->newest});
  co_return head;
}

asio::awaitable<Result<store::HistoryPage>> read_page(Context& context, store::HistoryQuery query) {
  store::Store& store = context.world.store;
  auto read = [&store, query = std::move(query)](Completion<store::HistoryPage> done) mutable {
    store.histories(std::move(query), std::move(done));
  };
  return ask<store::HistoryPage>(context, std::move(read));
}

// The messages of webhooks that are being deleted are as good as gone.
std::vector<std::string> name_webhooks(EventHistory& history, const Labels& labels) {
  std::erase_if(history.messages,
                [&](const domain::MessageHistory& message) { return labels.at(message.message.webhook).name.empty(); });
  std::vector<std::string> names;
  names.reserve(history.messages.size());
  for (const domain::MessageHistory& message : history.messages) {
    names.push_back(labels.at(message.message.webhook).name);
  }
  return names;
}

asio::awaitable<Result<std::string>> lines_of(Context& context, store::HistoryPage& page, std::string store,
                                              protocol::HistoryTotals& totals) {
  std::vector<base::WebhookId> webhooks;
  for (const EventHistory& history : page.events) {
    for (const domain::MessageHistory& message : history.messages) {
      webhooks.push_back(message.message.webhook);
    }
  }
  const auto labels = co_await read_labels(context, std::move(webhooks));
  if (!labels) {
    co_return labels.error();
  }
  std::string lines;
  for (EventHistory& history : page.events) {
    const std::vector<std::string> names = name_webhooks(history, *labels);
    protocol::append_history(lines, history, names, store);
    totals.messages += names.size();
  }
  totals.events += page.events.size();
  totals.damaged += page.damaged;
  co_return lines;
}

// False when the peer is gone.
asio::awaitable<Result<bool>> write_pages(Context& context, store::HistoryQuery query, std::string store,
                                          StreamedAnswer& stream) {
  protocol::HistoryTotals totals;
  for (bool at_end = false; !at_end;) {
    auto page = co_await read_page(context, query);
    if (!page) {
      co_return page.error();
    }
    query.after = page->position;
    query.up_to = query.up_to.value_or(page->newest);
    at_end = page->at_end;
    auto lines = co_await lines_of(context, *page, store, totals);
    if (!lines) {
      co_return lines.error();
    }
    if (!lines->empty()) {
      const bool written = co_await stream.write(std::move(*lines));
      if (!written) {
        co_return false;
      }
    }
  }
  std::string last;
  protocol::append_history_end(last, totals);
  const bool written = co_await stream.write(std::move(last));
  co_return written;
}

// ---- in -------------------------------------------------------------------------------------------------------

constexpr std::size_t histories_per_commit = 500;
constexpr std::size_t history_bytes_per_commit = std::size_t{8} << 20;

// What is wrong with a message stands below its place in the line.
void add_message_faults(protocol::Faults& faults, std::size_t index, const Error& error) {
  for (const base::FieldError& field : error.fields) {
    faults.add("/messages/" + std::to_string(index) + field.pointer,
               "messages[" + std::to_string(index) + "]." + field.detail);
  }
}

Result<EventHistory> history_of(std::string_view line, std::size_t data_bytes_max, const WebhookNames& names,
                                base::Time now) {
  auto request = protocol::read_history(line, data_bytes_max);
  if (!request) {
    return request.error();
  }
  protocol::Faults faults;
  if (const auto checked = domain::check_history(*request->history.event, now); !checked) {
    faults.add(checked.error());
  }
  for (std::size_t i = 0; i < request->webhooks.size(); ++i) {
    domain::MessageHistory& message = request->history.messages[i];
    if (const auto checked = domain::check_history(message, now); !checked) {
      add_message_faults(faults, i, checked.error());
    }
    const auto webhook = names.find(request->webhooks[i]);
    if (webhook == names.end()) {
      const std::string why = "webhook: there is no webhook " + request->webhooks[i].substr(0, 256);
      add_message_faults(faults, i, Error{ErrorCode::invalid_field, why, {{"/webhook", why}}});
    } else {
      message.message.webhook = webhook->second;
    }
  }
  if (faults.any()) {
    return std::move(faults).error(ErrorCode::invalid_field);
  }
  return std::move(request->history);
}

asio::awaitable<Result<WebhookNames>> read_names(Context& context) {
  store::Store& store = context.world.store;
  auto list = [&store](Completion<std::vector<store::WebhookState>> done) { store.list_webhooks(std::move(done)); };
  const auto states = co_await ask<std::vector<store::WebhookState>>(context, std::move(list));
  if (!states) {
    co_return states.error();
  }
  WebhookNames names;
  for (const store::WebhookState& state : *states) {
    if (!state.deleting) {
      names.emplace(state.webhook.display_name, state.webhook.id);
    }
  }
  co_return names;
}

// Some lines, read: for each what is wrong with it, or the next history.
struct HistoryChunk {
  struct Line {
    std::uint64_t number;
    std::optional<Error> fault;
  };
  std::vector<Line> lines;
  std::vector<EventHistory> histories;
};

class HistoryReader {
 public:
  HistoryReader(std::string_view text, std::size_t data_bytes_max) : rest_(text), data_bytes_max_(data_bytes_max) {}

  bool at_end() const { return rest_.empty(); }
  HistoryChunk next(const WebhookNames& names, base::Time now) {
    HistoryChunk chunk;
    for (std::size_t bytes = 0;
         !at_end() && chunk.lines.size() < histories_per_commit && bytes < history_bytes_per_commit;) {
      const std::string_view line = rest_.substr(0, rest_.find('\n'));
      rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
      ++number_;
      bytes += line.size();
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
        continue;
      }
      auto history = history_of(line, data_bytes_max_, names, now);
      if (history) {
        chunk.histories.push_back(std::move(*history));
        chunk.lines.push_back({number_, std::nullopt});
      } else {
        chunk.lines.push_back({number_, history.error()});
      }
    }
    return chunk;
  }

 private:
  std::string_view rest_;
  std::size_t data_bytes_max_;
  std::uint64_t number_ = 0;
};

// What the import would say, with nothing written.
asio::awaitable<Result<ImportResults>> rehearse_import(Context& context, std::vector<EventHistory> histories) {
  ImportResults results;
  for (const EventHistory& history : histories) {
    const auto known = co_await read_event_detail(context, history.event->origin->event, 0);
    if (!known && known.error().code != ErrorCode::not_found) {
      co_return known.error();
    }
    Imported imported;
    imported.known = known.has_value();
    imported.messages = history.messages.size();
    for (const domain::MessageHistory& message : history.messages) {
      if (!imported.known && message.message.is_waiting()) {
        imported.waiting.push_back(message.message);
      }
    }
    results.push_back(std::move(imported));
  }
  co_return results;
}

asio::awaitable<Result<ImportResults>> take(Context& context, std::vector<EventHistory> histories, bool dry_run) {
  if (dry_run) {
    return rehearse_import(context, std::move(histories));
  }
  auto call = [histories = std::move(histories)](engine::Engine& engine, base::Time now,
                                                 Completion<ImportResults> done) mutable {
    engine.import_histories(std::move(histories), now, std::move(done));
  };
  return on_engine<ImportResults>(context, std::move(call));
}

void append_imported(std::string& out, const Result<Imported>& result, std::uint64_t line) {
  if (!result) {
    protocol::append_problem(out, result.error(), line);
    out += '\n';
    return;
  }
  protocol::HistoryTaken taken;
  if (result->event.is_set()) {
    taken.id = result->event;
  }
  taken.known = result->known;
  taken.messages = result->messages;
  taken.waiting = result->waiting.size();
  protocol::append_history_taken(out, taken);
}

// When the whole call failed, every line that was sent to it did.
std::string answers_to(const HistoryChunk& chunk, const Result<ImportResults>& results) {
  std::string out;
  std::size_t next = 0;
  for (const auto& line : chunk.lines) {
    if (line.fault) {
      append_imported(out, Result<Imported>(*line.fault), line.number);
    } else if (results) {
      append_imported(out, (*results)[next++], line.number);
    } else {
      append_imported(out, Result<Imported>(results.error()), line.number);
    }
  }
  return out;
}

}  // namespace

Reply export_history(Context& context, const Request& request) {
  auto filter = protocol::read_history_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  auto query = co_await query_of(context, std::move(*filter));
  if (!query) {
    co_return query.error();
  }
  const auto head = co_await head_of(context);
  if (!head) {
    co_return head.error();
  }
  auto audit = audit_of(context, request);
  const auto noted = co_await note_in_audit(context, std::move(audit));
  if (!noted) {
    co_return noted.error();
  }
  StreamedAnswer stream(request, protocol::media::ndjson);
  std::string first;
  protocol::append_history_head(first, *head);
  bool written = co_await stream.write(std::move(first));
  if (written) {
    const auto ended = co_await write_pages(context, std::move(*query), head->store, stream);
    written = ended && *ended;
    if (!ended) {
      context.world.log.write(base::LogLevel::error, "history_failed", {{"error", ended.error().detail}});
    }
  }
  if (written) {
    co_await stream.finish();
  } else {
    boost::system::error_code ignored;
    request.session->socket.close(ignored);  // an export without its last line is none
  }
  Answer answer;
  answer.streamed = true;
  co_return answer;
}

Reply import_history(Context& context, const Request& request) {
  const auto names = co_await read_names(context);
  if (!names) {
    co_return names.error();
  }
  // Before the first of several transactions: none of them can be without its line.
  if (!request.dry_run) {
    auto audit = audit_of(context, request, {}, std::to_string(request.body.size()) + " bytes");
    const auto noted = co_await note_in_audit(context, std::move(audit));
    if (!noted) {
      co_return noted.error();
    }
  }
  HistoryReader reader(request.body, context.options.live.event_data_bytes_max);
  StreamedAnswer stream(request, protocol::media::ndjson);
  while (!reader.at_end()) {
    HistoryChunk chunk = reader.next(*names, context.world.clock.now());
    Result<ImportResults> results{ImportResults()};
    if (!chunk.histories.empty()) {
      results = co_await take(context, std::move(chunk.histories), request.dry_run);
    }
    std::string piece = answers_to(chunk, results);
    const bool written = co_await stream.write(std::move(piece));
    if (!written) {
      break;
    }
  }
  co_await stream.finish();
  Answer answer;
  answer.streamed = true;
  co_return answer;
}

}  // namespace webhookd::server
