#include <algorithm>
#include <optional>

#include "control/protocol/cloudevent_codec.hpp"
#include "control/protocol/problems.hpp"
#include "control/server/call_impl.hpp"
#include "control/server/message_answers_impl.hpp"
#include "domain/limits.hpp"

namespace webhookd::server {

namespace {

using engine::EventDraft;
using store::Accepted;
using AcceptResults = std::vector<Result<Accepted>>;

constexpr std::size_t lines_per_commit = 1000;
constexpr std::size_t bytes_per_commit = std::size_t{8} << 20;

EventDraft draft_of(protocol::EventRequest&& event) {
  return {std::move(event.type), std::string(event.data), event.timestamp, std::move(event.idempotency_key)};
}

// The engine and the store know no members; the field at fault is ours to name.
Error with_pointer(Error error) {
  if (error.fields.empty() && error.code == ErrorCode::unknown_type) {
    error.detail = "type: " + error.detail;
    error.fields.push_back({"/type", error.detail});
  } else if (error.fields.empty() && error.code == ErrorCode::idempotency_conflict) {
    error.detail = "idempotency_key: " + error.detail;
    error.fields.push_back({"/idempotency_key", error.detail});
  }
  return error;
}

protocol::AcceptAnswer answer_of(const Accepted& accepted, std::vector<base::FieldError> warnings = {}) {
  protocol::AcceptAnswer answer;
  answer.warnings = std::move(warnings);
  answer.id = accepted.event;
  answer.type = accepted.type;
  answer.timestamp = accepted.timestamp;
  answer.duplicate = accepted.duplicate;
  answer.message_count = accepted.message_count;
  const std::size_t shown = std::min(accepted.messages.size(), domain::limits::messages_in_answer);
  answer.messages.reserve(shown);
  for (std::size_t i = 0; i < shown; ++i) {
    answer.messages.emplace_back(accepted.messages[i].message, accepted.messages[i].webhook);
  }
  return answer;
}

void append_result(std::string& out, const Result<Accepted>& result, std::uint64_t line,
                   std::vector<base::FieldError> warnings = {}) {
  if (result) {
    protocol::append_accept_answer(out, answer_of(*result, std::move(warnings)));
  } else {
    protocol::append_problem(out, with_pointer(result.error()), line);
  }
  out += '\n';
}

Result<protocol::EventRequest> read_one(const Request& request, std::size_t data_bytes_max) {
  if (request.media_type == protocol::media::cloudevents) {
    return protocol::read_cloudevent(request.body, data_bytes_max);
  }
  return request.cloud_event ? protocol::read_binary_cloudevent(*request.cloud_event, request.body, data_bytes_max)
                             : protocol::read_event(request.body, data_bytes_max);
}

// ---- schemas --------------------------------------------------------------------------------------------------

using Mismatches = std::vector<base::FieldError>;

// What the events of one request are held against. Without schemas it costs nothing.
class SchemaGate {
 public:
  SchemaGate(Context& context, const Request& request)
      : context_(context), mode_(context.options.live.schema_mode), counts_(!request.dry_run) {}

  // Once, before the first event.
  asio::awaitable<void> prepare() {
    if (mode_ == SchemaMode::off || context_.schemas.is_filled()) {
      co_return;
    }
    context_.schemas.expect_filling();
    const auto types = co_await read_types(context_);
    if (types) {
      context_.schemas.fill(*types);
    } else {
      unread_ = types.error().detail;
    }
  }
  // What is to be said in the answer; an error when the event is refused for it.
  Result<Mismatches> check(const protocol::EventRequest& event) {
    if (mode_ == SchemaMode::off) {
      return Mismatches();
    }
    Mismatches found = mismatches_of(event);
    if (found.empty()) {
      return found;
    }
    const bool is_refused = mode_ == SchemaMode::enforce;
    auto& seen = is_refused ? context_.schema_mismatches.refused : context_.schema_mismatches.accepted;
    seen += counts_ ? 1 : 0;
    if (!is_refused) {
      return found;
    }
    protocol::Faults faults;
    for (auto& fault : found) {
      faults.add(std::move(fault.pointer), std::move(fault.detail));
    }
    return std::move(faults).error(ErrorCode::schema_mismatch);
  }

 private:
  // A schema that cannot be looked at is said, because nobody can say that the data matches it.
  Mismatches mismatches_of(const protocol::EventRequest& event) {
    const auto found = context_.schemas.find(event.type);
    if (!unread_.empty() && !context_.schemas.is_filled()) {
      return {{"/type", "type: its schema cannot be read: " + unread_}};
    }
    if (!found.unusable.empty()) {
      return {{"/type", "type: its schema cannot be used, put another: " + std::string(found.unusable)}};
    }
    return found.schema != nullptr ? found.schema->faults_of(event.data, "data") : Mismatches();
  }

  Context& context_;
  SchemaMode mode_;
  bool counts_;
  std::string unread_;
};

// ---- accepting, or only rehearsing it -------------------------------------------------------------------------

Result<Accepted> rehearsed(const EventDraft& draft, const Result<void>& type, base::Time now,
                           const std::vector<store::WebhookState>& states) {
  if (!type) {
    return type.error();
  }
  Accepted accepted;
  accepted.type = draft.type;
  accepted.timestamp = draft.timestamp.value_or(now);
  accepted.message_count =
      static_cast<std::uint64_t>(std::count_if(states.begin(), states.end(), [&](const store::WebhookState& state) {
        return !state.deleting && state.webhook.is_active() && state.webhook.wants(draft.type);
      }));
  return accepted;
}

asio::awaitable<Result<AcceptResults>> rehearse(Context& context, std::vector<EventDraft> drafts) {
  store::Store& store = context.world.store;
  auto measure = [&store](Completion<store::StoreFigures> done) { store.figures(std::move(done)); };
  const auto figures = co_await ask<store::StoreFigures>(context, std::move(measure));
  if (!figures) {
    co_return figures.error();
  }
  if (figures->full) {
    co_return refusal(ErrorCode::store_full, "the store is full: new events are refused");
  }
  auto list = [&store](Completion<std::vector<store::WebhookState>> done) { store.list_webhooks(std::move(done)); };
  const auto states = co_await ask<std::vector<store::WebhookState>>(context, std::move(list));
  if (!states) {
    co_return states.error();
  }
  auto call = [drafts = std::move(drafts), &states](engine::Engine& engine, base::Time now,
                                                    Completion<AcceptResults> done) {
    AcceptResults results;
    for (const EventDraft& draft : drafts) {
      results.push_back(rehearsed(draft, engine.check_type(draft.type), now, *states));
    }
    done(std::move(results));
  };
  auto results = co_await on_engine<AcceptResults>(context, std::move(call));
  co_return results;
}

asio::awaitable<Result<AcceptResults>> accept(Context& context, std::vector<EventDraft> drafts, bool dry_run) {
  if (dry_run) {
    return rehearse(context, std::move(drafts));
  }
  auto call = [drafts = std::move(drafts)](engine::Engine& engine, base::Time now,
                                           Completion<AcceptResults> done) mutable {
    engine.accept(std::move(drafts), now, std::move(done));
  };
  return on_engine<AcceptResults>(context, std::move(call));
}

Reply accept_one(Context& context, const Request& request) {
  auto event = read_one(request, context.options.live.event_data_bytes_max);
  if (!event) {
    co_return event.error();
  }
  SchemaGate schemas(context, request);
  co_await schemas.prepare();
  auto warnings = schemas.check(*event);
  if (!warnings) {
    co_return warnings.error();
  }
  std::vector<EventDraft> drafts;
  drafts.push_back(draft_of(std::move(*event)));
  const auto results = co_await accept(context, std::move(drafts), request.dry_run);
  if (!results) {
    co_return results.error();
  }
  const Result<Accepted>& result = results->front();
  if (!result) {
    co_return with_pointer(result.error());
  }
  Answer answer;
  answer.status = result->duplicate || request.dry_run ? 200 : request.route->status;
  protocol::append_accept_answer(answer.body, answer_of(*result, std::move(*warnings)));
  co_return answer;
}

// ---- batches --------------------------------------------------------------------------------------------------

// Some lines of a batch, read: for each, a draft or what is wrong with it, in order.
struct Chunk {
  struct Line {
    std::uint64_t number;
    std::optional<Error> fault;  // none: the next draft
    Mismatches warnings;
  };
  std::vector<Line> lines;
  std::vector<EventDraft> drafts;
};

class BatchReader {
 public:
  BatchReader(std::string_view text, std::size_t data_bytes_max, SchemaGate& schemas)
      : rest_(text), data_bytes_max_(data_bytes_max), schemas_(schemas) {}

  bool at_end() const { return rest_.empty(); }
  Chunk next() {
    Chunk chunk;
    for (std::size_t bytes = 0; !at_end() && chunk.lines.size() < lines_per_commit && bytes < bytes_per_commit;) {
      const std::string_view line = next_line();
      bytes += line.size();
      if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
        read(line, chunk);
      }
    }
    return chunk;
  }

 private:
  std::string_view next_line() {
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
    ++number_;
    return line;
  }
  void read(std::string_view line, Chunk& chunk) {
    auto event = protocol::read_event(line, data_bytes_max_);
    if (!event) {
      chunk.lines.push_back({number_, event.error(), {}});
      return;
    }
    auto warnings = schemas_.check(*event);
    if (!warnings) {
      chunk.lines.push_back({number_, warnings.error(), {}});
      return;
    }
    chunk.drafts.push_back(draft_of(std::move(*event)));
    chunk.lines.push_back({number_, std::nullopt, std::move(*warnings)});
  }

  std::string_view rest_;
  std::size_t data_bytes_max_;
  SchemaGate& schemas_;
  std::uint64_t number_ = 0;
};

// What a dry run refuses, it has not lost.
void count_refused(Context& context, const Request& request, const Error& error) {
  if (!request.dry_run) {
    context.tally.count_refused_event(error.code);
  }
}

void count_refused(Context& context, const Request& request, const Chunk& chunk, const Result<AcceptResults>& results) {
  for (const auto& line : chunk.lines) {
    if (line.fault || !results) {
      count_refused(context, request, line.fault ? *line.fault : results.error());
    }
  }
  for (std::size_t i = 0; results && i < results->size(); ++i) {
    if (!(*results)[i]) {
      count_refused(context, request, (*results)[i].error());
    }
  }
}

// The answers of a chunk. When the whole call failed, every line that was sent to it did.
std::string answers_of(Chunk& chunk, const Result<AcceptResults>& results) {
  std::string out;
  std::size_t draft = 0;
  for (auto& line : chunk.lines) {
    if (line.fault) {
      append_result(out, Result<Accepted>(*line.fault), line.number);
    } else if (results) {
      append_result(out, (*results)[draft++], line.number, std::move(line.warnings));
    } else {
      append_result(out, Result<Accepted>(results.error()), line.number);
    }
  }
  return out;
}

Reply accept_batch(Context& context, const Request& request) {
  SchemaGate schemas(context, request);
  co_await schemas.prepare();
  BatchReader reader(request.body, context.options.live.event_data_bytes_max, schemas);
  StreamedAnswer stream(request, protocol::media::ndjson);
  while (!reader.at_end()) {
    Chunk chunk = reader.next();
    Result<AcceptResults> results{AcceptResults()};
    if (!chunk.drafts.empty()) {
      results = co_await accept(context, std::move(chunk.drafts), request.dry_run);
    }
    count_refused(context, request, chunk, results);
    std::string piece = answers_of(chunk, results);
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

}  // namespace

Reply accept_events(Context& context, const Request& request) {
  if (request.media_type == protocol::media::ndjson) {
    auto streamed = co_await accept_batch(context, request);
    co_return streamed;
  }
  auto reply = co_await accept_one(context, request);
  if (!reply) {
    count_refused(context, request, reply.error());
  }
  co_return reply;
}

Reply ping_webhook(Context& context, const Request& request) {
  const auto state = co_await find_webhook(context, request.argument);
  if (!state) {
    co_return state.error();
  }
  Answer answer;
  if (request.dry_run) {
    if (!state->webhook.is_active()) {
      co_return refusal(ErrorCode::webhook_inactive, "the webhook is inactive; activate it first");
    }
    Accepted planned;
    planned.type = domain::ping_type;
    planned.timestamp = context.world.clock.now();
    planned.message_count = 1;
    protocol::append_accept_answer(answer.body, answer_of(planned));
    co_return answer;
  }
  auto call = [id = state->webhook.id](engine::Engine& engine, base::Time now, Completion<Accepted> done) {
    engine.ping(id, now, std::move(done));
  };
  const auto accepted = co_await on_engine<Accepted>(context, std::move(call));
  if (!accepted) {
    co_return accepted.error();
  }
  answer.status = request.route->status;
  protocol::append_accept_answer(answer.body, answer_of(*accepted));
  co_return answer;
}

}  // namespace webhookd::server
