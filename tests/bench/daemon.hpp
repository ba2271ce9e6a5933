// The subject: a real webhookd with a data directory of its own, spoken to over its socket only.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/process.hpp"

namespace bench {

class Daemon {
 public:
  // `directory` is made; it should be short, because it holds the socket.
  explicit Daemon(const std::string& directory);

  const std::string& socket() const { return socket_; }
  double cpu_microseconds() const { return process_.cpu_microseconds(); }

  // Throws unless it is answered with 2xx.
  nlohmann::json call(const std::string& method, const std::string& path, const std::string& body = {}) const;
  nlohmann::json status() const;
  // Messages that wait for an attempt or for the commit of its outcome.
  std::uint64_t waiting() const;
  // Returns when `waiting()` is at most `target`; throws when that does not come closer for 30 s.
  void wait_until_waiting(std::uint64_t target) const;

  // Answers its id.
  std::string create_webhook(const std::string& name, const std::string& url, const std::string& pattern,
                             unsigned max_in_flight) const;

 private:
  std::string socket_;
  Process process_;
};

}  // namespace bench
