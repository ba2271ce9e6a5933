// An oracle outside our code: a plain HTTP receiver on loopback that counts which webhook-ids it has answered, how
// often, and how many requests stood open at once. One thread, epoll, keep-alive; the answer is drawn from a function.
#pragma once

#include <atomic>
#include <chrono>
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
  int status = 0;                                     // what it is answered with
  std::size_t open = 0;                               // requests without an answer when it arrived, with itself
  std::uint64_t answered = 0;                         // requests that had been answered when it arrived
  std::string header(const std::string& name) const;  // lower-case name; empty when absent
};

struct ReceiverAnswer {
  ReceiverAnswer(int code) : status(code) {}  // NOLINT(google-explicit-constructor): most answers are a status
  ReceiverAnswer(int code, std::string fields, std::chrono::milliseconds wait = {})
      : status(code), headers(std::move(fields)), delay(wait) {}
  int status;
  std::string headers;  // each with CR LF
  std::chrono::milliseconds delay{0};
};

class CountingReceiver {
 public:
  using Answer = std::function<ReceiverAnswer(const ReceivedRequest&)>;
  static constexpr std::size_t remembered_default = 1000;

  // `answer` runs on the receiver's thread.
  explicit CountingReceiver(
      Answer answer = [](const auto&) { return 200; }, std::size_t remembered = remembered_default);
  ~CountingReceiver();
  CountingReceiver(const CountingReceiver&) = delete;
  CountingReceiver& operator=(const CountingReceiver&) = delete;

  std::string url(const std::string& path = "/hook") const;
  std::uint64_t requests() const { return requests_; }
  // webhook-id -> how often it was answered 2xx.
  std::map<std::string, int> successes() const;
  std::size_t distinct_successes() const;
  // The requests themselves, the first that are remembered.
  std::vector<ReceivedRequest> received() const;
  // The most requests that stood open at once since the last call.
  std::size_t take_most_open();

 private:
  using Clock = std::chrono::steady_clock;
  struct Peer {
    std::uint64_t serial = 0;
    std::string in;
    std::size_t open = 0;
  };
  struct Pending {
    int descriptor;
    std::uint64_t serial;  // of the peer; descriptors are used again
    std::string bytes;
  };
  void serve();
  void accept_all();
  int wait_limit() const;
  void answer_due();
  bool read_from(int descriptor, Peer& peer);
  bool take_request(int descriptor, Peer& peer);
  void drop(int descriptor);

  Answer answer_;
  std::size_t remembered_;
  int listener_ = -1;
  int epoll_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> requests_{0};
  mutable std::mutex mutex_;
  std::map<std::string, int> successes_;
  std::vector<ReceivedRequest> received_;
  std::size_t most_open_ = 0;  // by the mutex
  std::size_t open_ = 0;       // by the mutex
  std::uint64_t answered_ = 0;
  std::uint64_t last_serial_ = 0;
  std::map<int, Peer> peers_;
  std::multimap<Clock::time_point, Pending> pending_;
  std::thread thread_;
};

}  // namespace webhookd::support
