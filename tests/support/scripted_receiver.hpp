// A receiver on loopback that does exactly what a test says, byte by byte, on plain blocking sockets: one thread for
// each connection, one script for each connection in order of arrival (the last script serves all that follow). It
// shares no code with what it tests. Ending it ends every script: its sockets are shut down and its threads joined.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace webhookd::test {

// The receiver's end of one connection. Calls fail softly when the peer or the test has gone: reads give what there is.
class ReceiverSide {
 public:
  ReceiverSide(int descriptor, ssl_st* tls) : descriptor_(descriptor), tls_(tls) {}
  ~ReceiverSide();
  ReceiverSide(const ReceiverSide&) = delete;
  ReceiverSide& operator=(const ReceiverSide&) = delete;

  // From here on inside of TLS, as behind a proxy's CONNECT; false when the handshake failed.
  bool start_tls(ssl_ctx_st* context);
  // Head and body by Content-Length; empty when the peer closed first.
  std::string read_request();
  std::string read_head();
  // False when the peer has gone.
  bool send(std::string_view bytes);
  // Repeats `bytes` until the peer has gone or `count` were sent.
  void send_repeatedly(std::string_view bytes, int count);
  // One byte each 20 ms, until the peer has gone.
  void drip(std::string_view bytes);
  // Waits until the peer closes or the test ends.
  void hold();
  void close();
  // The peer sees ECONNRESET.
  void reset();

 private:
  long receive(char* bytes, std::size_t size);

  int descriptor_;
  ssl_st* tls_;
  bool owns_tls_ = false;
  std::string pending_;
};

enum class Loopback { ipv4, ipv6 };

class ScriptedReceiver {
 public:
  using Script = std::function<void(ReceiverSide&)>;

  // With `tls` the scripts speak inside of it; a failed handshake ends the connection before its script.
  explicit ScriptedReceiver(std::vector<Script> scripts, ssl_ctx_st* tls = nullptr, Loopback family = Loopback::ipv4);
  ~ScriptedReceiver();
  ScriptedReceiver(const ScriptedReceiver&) = delete;
  ScriptedReceiver& operator=(const ScriptedReceiver&) = delete;

  std::uint16_t port() const { return port_; }
  // "http://127.0.0.1:PORT/path"
  std::string url(std::string_view scheme = "http", std::string_view host = "127.0.0.1") const;
  int connections() const { return connections_; }
  int handshakes() const { return handshakes_; }
  int resumed_handshakes() const { return resumed_; }
  // The common names of the client certificates that were shown, in order of arrival.
  std::vector<std::string> clients();

 private:
  void accept_all();
  void serve(int descriptor, std::size_t index);

  std::vector<Script> scripts_;
  ssl_ctx_st* tls_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<int> connections_ = 0;
  std::atomic<int> handshakes_ = 0;
  std::atomic<int> resumed_ = 0;
  std::mutex mutex_;
  bool is_ending_ = false;
  std::vector<std::string> clients_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A script that answers every request of its connection with the same bytes.
ScriptedReceiver::Script always(std::string answer);
// Reads one request, sends `bytes`, and waits for the peer to close.
ScriptedReceiver::Script once(std::string bytes);
// A port of loopback on which nobody listens.
std::uint16_t closed_port();

inline constexpr std::string_view ok_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace webhookd::test
