// A whole daemon but for the network: the real server on a real socket, the real engine on a thread of its own, the
// memory store, and a transport whose receivers are decided by the path of the URL: /ok answers 200, /500 answers 500,
// /gone 410, /hang never. And a client that speaks HTTP by hand, so that it can also speak it badly.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "control/server/server.hpp"

namespace control_test {

using Json = nlohmann::json;

struct Response {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;
  Json json() const { return Json::parse(body); }
  // The value of a header, or empty.
  std::string header(std::string_view name) const;
};

// One connection; calls fail the test when the peer is silent for 10 s.
class Client {
 public:
  explicit Client(const std::string& socket_path);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Response call(std::string_view method, std::string_view target, std::string_view body = {},
                std::string_view headers = {});
  void send(std::string_view bytes);
  // What send gave up on, because the peer closed, is no failure.
  void send_what_goes(std::string_view bytes);
  Response receive();
  bool is_closed_by_peer();  // waits for it
  int descriptor() const { return descriptor_; }

 private:
  bool read_more();
  int descriptor_;
  std::string unread_;
};

struct DaemonSettings {
  std::size_t event_data_bytes_max = 1024 * 1024;
  std::size_t sessions_max = 1024;
  webhookd::server::SchemaMode schema_mode = webhookd::server::SchemaMode::warn;
  bool test_clock = true;
  webhookd::server::AccessLists access;
};

class Daemon {
 public:
  explicit Daemon(DaemonSettings settings = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::string& socket_path() const;
  webhookd::server::Server& server();
  void stop_server();
  void set_full(bool full);
  // Completions of the engine are held back while set: calls stay unanswered.
  void hold_engine(bool held);

  // One call on a connection of its own.
  Response call(std::string_view method, std::string_view target, std::string_view body = {},
                std::string_view headers = {}) const;
  // A webhook at http://receiver.example.com/PATH for all types; its id.
  std::string add_webhook(std::string_view name, std::string_view path = "/ok") const;
  // The id of an accepted subscription.create event.
  Json emit(std::string_view data = "{}") const;
  // Asks until the message has this status, at most 10 s.
  Json message_when(const std::string& id, std::string_view status) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace control_test
