#include "support/api.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace webhookd::support {

using nlohmann::json;

ApiAnswer Api::ask(std::string_view method, std::string target, const std::string& body, std::string_view media_type) {
  client::Request request;
  request.method = method;
  request.target = std::move(target);
  request.body = body;
  request.content_type = media_type;
  request.silence_timeout = std::nullopt;
  auto answer = connection_.request(request);
  if (!answer) {
    throw std::runtime_error("no answer to " + request.target + ": " + answer.error().why);
  }
  return {answer->head.status, std::move(answer->body)};
}

json Api::call(std::string_view method, std::string target, const std::string& body) {
  const ApiAnswer answer = ask(method, target, body);
  if (answer.status / 100 != 2) {
    throw std::runtime_error(std::string(method) + " " + target + ": " + std::to_string(answer.status) + " " +
                             answer.body);
  }
  return answer.body.empty() ? json() : json::parse(answer.body);
}

json Api::get(std::string target) { return call("GET", std::move(target)); }

json Api::message(const std::string& id) { return get("/v1/messages/" + id); }

void Api::add_type(const std::string& name) { call("POST", "/v1/types", json{{"name", name}}.dump()); }

std::string Api::create_webhook(const json& definition) {
  return call("POST", "/v1/webhooks", definition.dump()).at("id").get<std::string>();
}

std::vector<std::string> Api::emit(const std::string& type, const std::string& data) {
  const json event = call("POST", "/v1/events", R"({"type":")" + type + R"(","data":)" + data + "}");
  std::vector<std::string> ids;
  for (const json& message : event.at("messages")) {
    ids.push_back(message.at("id").get<std::string>());
  }
  return ids;
}

void Api::emit_many(const std::string& type, std::size_t count) {
  constexpr std::size_t batch = 500;
  for (std::size_t done = 0; done < count; done += batch) {
    std::string lines;
    const std::size_t wanted = std::min(batch, count - done);
    for (std::size_t i = 0; i < wanted; ++i) {
      lines += R"({"type":")" + type + R"(","data":{"n":)" + std::to_string(done + i) + "}}\n";
    }
    const ApiAnswer answer = ask("POST", "/v1/events", lines, "application/x-ndjson");
    const auto answered = std::count(answer.body.begin(), answer.body.end(), '\n');
    if (answer.status != 200 || answered != static_cast<std::ptrdiff_t>(wanted) ||
        answer.body.find("\"status\":") != std::string::npos) {
      throw std::runtime_error("a batch was refused: " + answer.body.substr(0, 500));
    }
  }
}

void Api::advance(std::chrono::milliseconds by) {
  call("POST", "/v1/clock", json{{"advance", static_cast<double>(by.count()) / 1000}}.dump());
}

}  // namespace webhookd::support
