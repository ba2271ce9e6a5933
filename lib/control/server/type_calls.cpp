#include <algorithm>

#include "base/text.hpp"
#include "control/protocol/cursor.hpp"
#include "control/protocol/event_codec.hpp"
#include "control/protocol/problems.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using domain::EventType;
using protocol::JsonWriter;

const EventType* type_named(const std::vector<EventType>& types, std::string_view name) {
  const auto found = std::find_if(types.begin(), types.end(), [&](const EventType& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

Error no_such_type(const std::string& name, const std::vector<EventType>& types) {
  std::vector<std::string> names;
  std::transform(types.begin(), types.end(), std::back_inserter(names),
                 [](const EventType& type) { return type.name; });
  Error error{ErrorCode::not_found, "there is no event type " + name.substr(0, 256), {}};
  if (const auto meant = base::closest(name, names)) {
    error.detail += "; did you mean " + *meant + "?";
  }
  return error;
}

Error reserved(const std::string& name) {
  return {ErrorCode::type_reserved, name + " is reserved for test messages", {}};
}

Answer type_answer(unsigned status, const EventType& type) {
  Answer answer;
  answer.status = status;
  JsonWriter json(answer.body);
  protocol::write_event_type(json, type);
  return answer;
}

// A type as it may be stored: its schema can be used, and its example matches it, for trigger emits the example.
Result<EventType> read_type(const Request& request, std::string_view name) {
  auto type = protocol::read_event_type(request.body, name);
  if (!type || type->schema.empty()) {
    return type;
  }
  const auto schema = EventSchema::compile(type->schema);
  if (!schema) {
    return schema.error();
  }
  if (type->example.empty()) {
    return type;
  }
  protocol::Faults faults;
  for (auto& fault : schema->faults_of(type->example, "example")) {
    faults.add(std::move(fault.pointer), std::move(fault.detail));
  }
  return faults.any() ? std::move(faults).error(ErrorCode::invalid_field) : type;
}

Reply store_type(Context& context, const Request& request, EventType type, unsigned status) {
  if (type.name == domain::ping_type) {
    co_return reserved(type.name);
  }
  if (request.dry_run) {
    co_return type_answer(200, type);
  }
  auto audit = audit_of(context, request, type.name);
  auto call = [type = std::move(type), audit = std::move(audit)](engine::Engine& engine, base::Time,
                                                                 Completion<EventType> done) mutable {
    engine.put_type(std::move(type), std::move(done), std::move(audit));
  };
  const auto stored = co_await on_engine<EventType>(context, std::move(call));
  if (!stored) {
    co_return stored.error();
  }
  context.schemas.put(*stored);
  co_return type_answer(status, *stored);
}

// What removing the type would be refused with.
asio::awaitable<Result<void>> rehearse_removal(Context& context, std::string name) {
  if (name == domain::ping_type) {
    co_return reserved(name);
  }
  auto check = [name = std::move(name)](engine::Engine& engine, base::Time, Completion<void> done) {
    done(engine.check_removal(name));
  };
  const auto allowed = co_await on_engine<void>(context, std::move(check));
  co_return allowed;
}

Answer page_answer(std::vector<EventType> types, const std::string& after, std::size_t limit, std::uint64_t list) {
  std::erase_if(types, [&](const EventType& type) { return type.name <= after; });
  std::sort(types.begin(), types.end(), [](const EventType& a, const EventType& b) { return a.name < b.name; });
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("items").begin_array();
  for (std::size_t i = 0; i < std::min(types.size(), limit); ++i) {
    protocol::write_event_type(json, types[i]);
  }
  const std::string next = types.size() > limit ? protocol::encode_cursor(list, types[limit - 1].name) : "";
  json.end_array().name("next_cursor").text_or_null(next).end_object();
  return answer;
}

Answer removed_answer(const std::string& name) {
  Answer answer;
  JsonWriter json(answer.body);
  json.begin_object().name("name").string(name).end_object();
  return answer;
}

}  // namespace

asio::awaitable<Result<std::vector<EventType>>> read_types(Context& context) {
  store::Store& store = context.world.store;
  auto list = [&store](Completion<std::vector<EventType>> done) { store.list_types(std::move(done)); };
  return ask<std::vector<EventType>>(context, std::move(list));
}

Reply list_types(Context& context, const Request& request) {
  const auto filter = protocol::read_page_filter(request.query);
  if (!filter) {
    co_return filter.error();
  }
  const std::uint64_t list = protocol::fingerprint(request.query.list_fingerprint(), request.route->pattern);
  std::string after;
  if (!filter->cursor.empty()) {
    auto position = protocol::decode_cursor(list, filter->cursor);
    if (!position) {
      co_return position.error();
    }
    after = std::move(*position);
  }
  auto types = co_await read_types(context);
  if (!types) {
    co_return types.error();
  }
  co_return page_answer(std::move(*types), after, filter->limit, list);
}

Reply show_type(Context& context, const Request& request) {
  const auto types = co_await read_types(context);
  if (!types) {
    co_return types.error();
  }
  const EventType* type = type_named(*types, request.argument);
  if (type == nullptr) {
    co_return no_such_type(request.argument, *types);
  }
  co_return type_answer(200, *type);
}

Reply create_type(Context& context, const Request& request) {
  auto type = read_type(request, {});
  if (!type) {
    co_return type.error();
  }
  const auto types = co_await read_types(context);
  if (!types) {
    co_return types.error();
  }
  if (type_named(*types, type->name) != nullptr) {
    Error error = base::field_error("/name", "name: " + type->name + " is in the catalogue");
    error.code = ErrorCode::type_exists;
    co_return error;
  }
  type->created_at = context.world.clock.now();
  auto answer = co_await store_type(context, request, std::move(*type), request.route->status);
  co_return answer;
}

Reply put_type(Context& context, const Request& request) {
  auto type = read_type(request, request.argument);
  if (!type) {
    co_return type.error();
  }
  const auto types = co_await read_types(context);
  if (!types) {
    co_return types.error();
  }
  const EventType* present = type_named(*types, type->name);
  type->created_at = present != nullptr ? present->created_at : context.world.clock.now();
  type->origin = present != nullptr ? present->origin : type->origin;
  const unsigned status = present != nullptr ? 200 : 201;
  auto answer = co_await store_type(context, request, std::move(*type), status);
  co_return answer;
}

Reply delete_type(Context& context, const Request& request) {
  const auto types = co_await read_types(context);
  if (!types) {
    co_return types.error();
  }
  if (request.argument != domain::ping_type && type_named(*types, request.argument) == nullptr) {
    co_return no_such_type(request.argument, *types);
  }
  if (request.dry_run) {
    const auto allowed = co_await rehearse_removal(context, request.argument);
    if (!allowed) {
      co_return allowed.error();
    }
    co_return removed_answer(request.argument);
  }
  auto call = [name = request.argument, audit = audit_of(context, request, request.argument)](
                  engine::Engine& engine, base::Time, Completion<std::string> done) mutable {
    engine.remove_type(name, std::move(done), std::move(audit));
  };
  const auto removed = co_await on_engine<std::string>(context, std::move(call));
  if (!removed) {
    co_return removed.error();
  }
  context.schemas.remove(request.argument);
  co_return removed_answer(request.argument);
}

}  // namespace webhookd::server
