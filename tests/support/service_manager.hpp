// What systemd does for a service, as far as a test needs it: a socket that hears what the service says of itself, a
// listening socket opened before the service runs, and a journal that takes records.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::support {

// A datagram socket; what arrives is kept.
class DatagramSocket {
 public:
  explicit DatagramSocket(std::string path);
  ~DatagramSocket();
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;

  const std::string& path() const { return path_; }
  // Takes what has arrived; then everything that ever did.
  const std::vector<std::string>& heard();
  // Waits for a datagram with this text in it.
  bool hears(std::string_view text, std::chrono::milliseconds limit = std::chrono::seconds(20));
  std::size_t count(std::string_view text);

 private:
  std::string path_;
  int socket_ = -1;
  std::vector<std::string> heard_;
};

// Bound and listening, as a socket unit makes it; also while nobody accepts. Kept open over a daemon's end.
class ListeningSocket {
 public:
  explicit ListeningSocket(const std::string& path);
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  int descriptor() const { return socket_; }

 private:
  int socket_ = -1;
};

}  // namespace webhookd::support
