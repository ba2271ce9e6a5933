// An oracle outside our code: a plain HTTP receiver on loopback that counts which webhook-ids it has answered, and how
// often. One thread, epoll, keep-alive; the status is drawn from a function.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace webhookd::support {

struct ReceivedRequest {
  std::string head;
  std::string body;
  std::string header(const std::string& name) const;  // lower-case name; empty when absent
};

class CountingReceiver {
 public:
  // `answer` gives the status of each request; it runs on the receiver's thread.
  explicit CountingReceiver(std::function<int(const ReceivedRequest&)> answer = [](const auto&) { return 200; });
  ~CountingReceiver();
  CountingReceiver(const CountingReceiver&) = delete;
  CountingReceiver& operator=(const CountingReceiver&) = delete;

  std::string url(const std::string& path = "/hook") const;
  std::uint64_t requests() const { return requests_; }
  // webhook-id -> how often it was answered 2xx.
  std::map<std::string, int> successes() const;
  std::size_t distinct_successes() const;
  // The requests themselves, the first thousand.
  std::vector<ReceivedRequest> received() const;

 private:
  struct Peer {
    std::string in;
    std::string out;
  };
  void serve();
  bool read_from(int descriptor, Peer& peer);
  bool take_request(Peer& peer);
  static bool flush(int descriptor, Peer& peer);

  std::function<int(const ReceivedRequest&)> answer_;
  int listener_ = -1;
  int epoll_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> requests_{0};
  mutable std::mutex mutex_;
  std::map<std::string, int> successes_;
  std::vector<ReceivedRequest> received_;
  std::map<int, Peer> peers_;
  std::thread thread_;
};

}  // namespace webhookd::support
