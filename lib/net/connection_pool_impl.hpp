// Idle keep-alive connections of one loop, by endpoint ("https://host:port"). Bounded for each endpoint and in all;
// closed when idle too long by one timer that runs only while something is idle, so that a daemon without traffic never
// wakes up. A connection is handed out only if nothing has arrived on it: an early close, or bytes that nobody asked
// for, which would be read as the answer to the next request.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "net/connection_impl.hpp"

namespace webhookd::net {

class ConnectionPool {
 public:
  static constexpr std::size_t idle_per_endpoint_max = 64;
  static constexpr std::size_t idle_max = 2048;

  ConnectionPool(asio::io_context& io, Steady::duration keep_for) : sweep_(io.get_executor()), keep_for_(keep_for) {}

  // The one that was used last, or nothing.
  ConnectionPtr take(const std::string& endpoint);
  void put(const std::string& endpoint, ConnectionPtr connection);
  // Closes all: when descriptors are short.
  void clear();
  std::size_t size() const { return size_; }

 private:
  void arm();
  void drop_old();

  std::unordered_map<std::string, std::vector<ConnectionPtr>> idle_;  // the oldest first
  std::size_t size_ = 0;
  Timer sweep_;
  bool is_armed_ = false;
  Steady::duration keep_for_;
};

}  // namespace webhookd::net
