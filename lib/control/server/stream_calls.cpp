#include <optional>

#include "control/protocol/cursor.hpp"
#include "control/protocol/message_codec.hpp"
#include "control/server/call_impl.hpp"
#include "control/server/follower_impl.hpp"
#include "control/server/message_answers_impl.hpp"

namespace webhookd::server {

namespace {

using namespace std::chrono_literals;
using protocol::FeedPosition;
using protocol::JsonWriter;

constexpr std::size_t page_rows = 200;
constexpr auto sign_of_life_pause = 15s;

asio::awaitable<Result<store::ChangePage>> read_changes(Context& context, store::ChangeQuery query) {
  store::Store& store = context.world.store;
  auto read = [&store, query = std::move(query)](Completion<store::ChangePage> done) mutable {
    store.changes(std::move(query), std::move(done));
  };
  return ask<store::ChangePage>(context, std::move(read));
}

// One stream: reads a page, writes it, goes on. Nothing is held while the client reads: neither rows nor a snapshot.
class Stream {
 public:
  Stream(Context& context, const Request& request, const protocol::StreamFilter& filter)
      : context_(context),
        follower_(context, request),
        answer_(request, protocol::media::ndjson),
        follows_(filter.follows),
        lines_left_(filter.lines) {}

  // Where to begin. What is wrong is said before the answer begins.
  asio::awaitable<Result<void>> prepare(const protocol::StreamFilter& filter, store::MessageFilter resolved) {
    static_cast<store::MessageFilter&>(query_) = std::move(resolved);
    query_.limit = 0;
    const auto begun = co_await read_changes(context_, query_);
    if (!begun) {
      co_return begun.error();
    }
    if (filter.after && filter.after->store != begun->store) {
      co_return protocol::foreign_feed_cursor();
    }
    if (filter.after && filter.after->number > begun->newest) {
      co_return protocol::early_feed_cursor();
    }
    store_ = begun->store;
    query_.after = filter.after ? filter.after->number : filter.from_start ? 0 : begun->newest;
    if (!follows_) {
      query_.up_to = begun->newest;
    }
    co_return Result<void>();
  }

  // Until the end, or until there is nobody to write to. The error is the store's.
  asio::awaitable<Result<void>> run() {
    bool goes_on = co_await write_position();
    while (goes_on) {
      query_.limit = static_cast<std::size_t>(std::min<std::uint64_t>(lines_left_.value_or(page_rows), page_rows));
      auto page = co_await read_changes(context_, query_);
      if (!page) {
        co_return page.error();
      }
      const bool at_end = page->at_end;
      auto written = co_await write_page(std::move(*page));
      if (!written) {
        co_return written.error();
      }
      goes_on = *written && lines_left_ != 0 && (!at_end || follows_);
      if (goes_on && at_end) {
        goes_on = co_await wait();
      }
    }
    if (query_.after != shown_) {
      co_await write_position();
    }
    co_await answer_.finish();
    co_return Result<void>();
  }

 private:
  std::string cursor_at(std::uint64_t number) const {
    return protocol::encode_feed_cursor(FeedPosition{store_, number});
  }

  asio::awaitable<bool> write_position() {
    std::string line;
    JsonWriter json(line);
    json.begin_object().name("cursor").string(cursor_at(query_.after)).end_object();
    line += '\n';
    shown_ = query_.after;
    last_written_ = std::chrono::steady_clock::now();
    const bool written = co_await answer_.write(std::move(line));
    co_return written;
  }

  asio::awaitable<Result<bool>> write_page(store::ChangePage page) {
    query_.after = page.position;
    if (page.rows.empty()) {
      co_return true;
    }
    std::vector<base::WebhookId> webhooks;
    for (const store::ChangeRow& row : page.rows) {
      webhooks.push_back(row.message.webhook);
    }
    const auto labels = co_await read_labels(context_, std::move(webhooks));
    if (!labels) {
      co_return labels.error();
    }
    std::string lines;
    for (const store::ChangeRow& row : page.rows) {
      JsonWriter json(lines);
      protocol::write_change(json, row.message, row.type, labels->at(row.message.webhook), cursor_at(row.number));
      lines += '\n';
    }
    if (lines_left_) {
      *lines_left_ -= page.rows.size();
    }
    shown_ = page.rows.back().number;
    last_written_ = std::chrono::steady_clock::now();
    const bool written = co_await answer_.write(std::move(lines));
    co_return written;
  }

  // For the next change; meanwhile a sign of life now and then, with the position when that has moved on.
  asio::awaitable<bool> wait() {
    const SteadyTime until = last_written_ + sign_of_life_pause;
    const auto stayed = co_await follower_.next_change(until);
    if (!stayed) {
      co_return false;
    }
    if (std::chrono::steady_clock::now() < until) {
      co_return true;
    }
    bool written = false;
    if (query_.after != shown_) {
      written = co_await write_position();
    } else {
      last_written_ = std::chrono::steady_clock::now();
      std::string empty_line = "\n";
      written = co_await answer_.write(std::move(empty_line));
    }
    co_return written;
  }

  Context& context_;
  Follower follower_;
  StreamedAnswer answer_;
  bool follows_;
  std::optional<std::uint64_t> lines_left_;
  store::ChangeQuery query_;
  std::uint64_t store_ = 0;
  std::uint64_t shown_ = 0;  // the position that the client knows
  SteadyTime last_written_;
};

}  // namespace

Reply stream_changes(Context& context, const Request& request) {
  const auto filter = protocol::read_stream_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  const auto room = Follower::check_room(context);
  if (!room) {
    co_return room.error();
  }
  auto resolved = co_await resolve_filter(context, filter->messages);
  if (!resolved) {
    co_return resolved.error();
  }
  Stream stream(context, request, *filter);
  const auto prepared = co_await stream.prepare(*filter, std::move(*resolved));
  if (!prepared) {
    co_return prepared.error();
  }
  const auto ended = co_await stream.run();
  if (!ended) {
    // The answer has begun: what is left is to cut it off, so that nobody takes it for complete.
    context.world.log.write(base::LogLevel::error, "stream_failed", {{"error", ended.error().detail}});
    boost::system::error_code ignored;
    request.session->socket.close(ignored);
  }
  Answer answer;
  answer.streamed = true;
  co_return answer;
}

}  // namespace webhookd::server
