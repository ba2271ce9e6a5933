// The API of a daemon under test, called directly on its socket: a test that makes thousands of calls cannot start a
// whctl for each. One connection, one call at a time; a second thread takes an Api of its own.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/connection.hpp"

namespace webhookd::support {

struct ApiAnswer {
  int status = 0;
  std::string body;
};

class Api {
 public:
  explicit Api(std::string socket) : connection_(client::ConnectionOptions{.socket_path = std::move(socket)}) {}

  // Whatever the status is; throws when there is no answer. For as long as it takes.
  ApiAnswer ask(std::string_view method, std::string target, const std::string& body = {},
                std::string_view media_type = "application/json");
  // The JSON of a 2xx answer; throws on any other.
  nlohmann::json call(std::string_view method, std::string target, const std::string& body = {});
  nlohmann::json get(std::string target);

  void add_type(const std::string& name);
  // `definition` is a webhook's JSON; gives the id.
  std::string create_webhook(const nlohmann::json& definition);
  // The ids of the event's messages, the first hundred.
  std::vector<std::string> emit(const std::string& type, const std::string& data = "{}");
  // As many events as `count`, as batches; throws when one is refused.
  void emit_many(const std::string& type, std::size_t count);
  // The message in detail.
  nlohmann::json message(const std::string& id);
  // A test clock.
  void advance(std::chrono::milliseconds by);

 private:
  client::Connection connection_;
};

}  // namespace webhookd::support
