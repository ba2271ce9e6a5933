// A name server for tests: UDP on one address, A and AAAA from a table, and each name may answer differently each time
// it is asked. It shares no code with what it tests and speaks just enough of RFC 1035 for getaddrinfo.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace webhookd::support {

class NameServer {
 public:
  // The addresses of a name, IPv4 and IPv6 mixed, given how often that name was asked for this family before.
  using Answer = std::function<std::vector<std::string>(int asked_before)>;

  // `address` is a dotted quad of this host; port 53.
  NameServer(const std::string& address, std::map<std::string, Answer> names);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  // How often a name was asked for its IPv4 addresses.
  int asked(const std::string& name) const;

 private:
  void serve();
  std::string answer_to(const std::string& query);

  std::map<std::string, Answer> names_;
  int socket_ = -1;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int> asked_;
  std::thread thread_;
};

}  // namespace webhookd::support
