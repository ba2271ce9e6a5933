// A small HTTP/1.1 receiver on loopback for `whctl listen`: many connections in one loop over poll, keep-alive, bodies
// by Content-Length or chunked, Expect: 100-continue, answers after a delay. It exists to try webhooks out, so it is
// plain and bounded: 256 connections, 64 KiB of head, 32 MiB of body, a minute of silence. It never listens beyond
// loopback.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "control/client/failure.hpp"
#include "http_text.hpp"

namespace webhookd::whctl {

struct ReceivedRequest {
  std::string method;
  std::string target;
  HttpHeaders headers;
  std::string body;

  std::string header(std::string_view name) const;  // "" when absent
};

enum class RequestState { incomplete, wants_continue, complete, malformed };

// Reads the request at the start of `bytes`; `consumed` is how many bytes it took when it is complete. wants_continue
// is incomplete, with a whole head that waits for 100 Continue.
RequestState read_request(std::string_view bytes, ReceivedRequest& request, std::size_t& consumed);

class Receiver {
 public:
  // Port 0: the kernel picks a free one.
  static client::Result<Receiver> open(std::uint16_t port);
  Receiver(Receiver&& other) noexcept;
  Receiver& operator=(Receiver&&) = delete;
  ~Receiver();

  std::uint16_t port() const { return port_; }

  // What to answer; the status `dropped` for nothing: the connection is closed; or nothing at all to stop serving.
  static constexpr int dropped = 0;
  using OnRequest = std::function<std::optional<HttpAnswer>(const ReceivedRequest& request)>;
  // Serves until `stop` (a descriptor) becomes readable or on_request gives nothing.
  void serve(base::Duration delay, int stop, const OnRequest& on_request);

 private:
  struct Peer;
  Receiver(int listener, std::uint16_t port) : listener_(listener), port_(port) {}
  void accept_peers(std::vector<Peer>& peers);

  int listener_;
  std::uint16_t port_;
};

}  // namespace webhookd::whctl
