// Who did what: the line that goes with a change, and the list of them.
#include <pwd.h>

#include <array>

#include "control/protocol/audit_codec.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/query.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using protocol::JsonWriter;

constexpr std::size_t detail_bytes_max = 500;

// Empty when the user id has no name.
std::string user_name(uid_t uid) {
  std::array<char, 4096> memory{};
  passwd record{};
  passwd* found = nullptr;
  ::getpwuid_r(uid, &record, memory.data(), memory.size(), &found);
  return found == nullptr ? std::string() : found->pw_name;
}

// At the end of a character.
std::string shortened(std::string text) {
  if (text.size() > detail_bytes_max) {
    std::size_t end = detail_bytes_max;
    while (end > 0 && (text[end] & 0xC0) == 0x80) {
      --end;
    }
    text.resize(end);
  }
  return text;
}

protocol::AuditText text_of(const store::AuditLine& line) {
  return {line.number,    line.at,     line.uid,  line.user,   line.role,
          line.operation, line.object, line.name, line.detail, line.reason};
}

asio::awaitable<Result<store::AuditPage>> read_audit_page(Context& context, store::AuditQuery query) {
  store::Store& store = context.world.store;
  auto read = [&store, query = std::move(query)](Completion<store::AuditPage> done) {
    store.list_audit(query, std::move(done));
  };
  return ask<store::AuditPage>(context, std::move(read));
}

}  // namespace

store::Audit audit_of(const Context& context, const Request& request, std::string object, std::string detail,
                      std::string name) {
  const Session& session = *request.session;
  auto line = std::make_shared<store::AuditLine>();
  line->at = context.world.clock.now();
  line->uid = session.peer.uid;
  line->user = user_name(session.peer.uid);
  line->role = to_string(session.role);
  line->operation = request.route->name;
  line->object = std::move(object);
  line->name = std::move(name);
  line->detail = shortened(std::move(detail));
  line->reason = request.reason;
  return line;
}

asio::awaitable<Result<std::uint64_t>> note_in_audit(Context& context, store::Audit audit) {
  store::Store& store = context.world.store;
  auto note = [&store, audit = std::move(audit)](Completion<std::uint64_t> done) {
    store.note_audit(audit, std::move(done));
  };
  return ask<std::uint64_t>(context, std::move(note));
}

Reply list_audit(Context& context, const Request& request) {
  const auto filter = protocol::read_audit_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  const std::uint64_t list = protocol::fingerprint(request.query.list_fingerprint(), request.route->pattern);
  store::AuditQuery query;
  query.since = filter->since;
  query.until = filter->until;
  query.user = filter->user;
  query.operation = filter->operation;
  query.object = filter->object;
  query.limit = filter->limit;
  if (!filter->cursor.empty()) {
    const auto position = protocol::decode_cursor(list, filter->cursor);
    if (!position) {
      co_return position.error();
    }
    query.before = protocol::position_number(*position);
  }
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("items").begin_array();
  std::string cursor;
  for (std::optional<std::uint64_t> next = query.before; next && query.limit > 0;) {
    query.before = *next;
    const auto page = co_await read_audit_page(context, query);
    if (!page) {
      co_return page.error();
    }
    for (const store::AuditLine& line : page->lines) {
      protocol::write_audit_line(json, text_of(line));
    }
    query.limit -= page->lines.size();
    next = page->next;
    cursor = next ? protocol::encode_cursor(list, protocol::number_position(*next)) : std::string();
  }
  json.end_array().name("next_cursor").text_or_null(cursor).end_object();
  co_return answer;
}

}  // namespace webhookd::server
