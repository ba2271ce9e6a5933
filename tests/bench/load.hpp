// Producers: keep-alive HTTP connections to a Unix socket, each sending its next request when the last was answered.
// Raw epoll, so that the load costs as little as it can beside what is measured; the same for ceiling H and the daemon.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct Load {
  std::string socket;
  unsigned connections = 1;
  std::vector<std::string> requests;  // whole requests as sent, used in turn
  double seconds = 0;                 // ends after this time, or …
  std::uint64_t count = 0;            // … after this many requests, when not 0
};

struct LoadResult {
  std::uint64_t requests = 0;
  double seconds = 0;
  double p50_microseconds = 0;
  double p99_microseconds = 0;
  double rate() const { return static_cast<double>(requests) / seconds; }
};

// Throws when a request is not answered with 2xx.
LoadResult drive(const Load& load);

struct Answer {
  int status = 0;
  std::string body;
};
// One request on a connection of its own.
Answer call(const std::string& socket, const std::string& request);

std::string http_request(const std::string& method, const std::string& path, const std::string& media,
                         const std::string& body);

}  // namespace bench
