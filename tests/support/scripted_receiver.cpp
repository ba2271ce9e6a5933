#include "support/scripted_receiver.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace webhookd::test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

template <class Address>
int bound_socket(int family, Address address, in_port_t Address::*port_of, std::uint16_t& port) {
  const int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof address;
  if (descriptor < 0 || bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no socket on loopback for a test");
  }
  port = ntohs(address.*port_of);
  return descriptor;
}

int bound_socket(std::uint16_t& port, Loopback family = Loopback::ipv4) {
  if (family == Loopback::ipv4) {
    return bound_socket(AF_INET, loopback(0), &sockaddr_in::sin_port, port);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return bound_socket(AF_INET6, address, &sockaddr_in6::sin6_port, port);
}

// "" when it showed none.
std::string client_name(ssl_st* tls) {
  X509* certificate = SSL_get1_peer_certificate(tls);
  if (certificate == nullptr) {
    return {};
  }
  char name[64] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

std::size_t content_length(const std::string& head) {
  constexpr std::string_view name = "\r\nContent-Length: ";
  const auto at = head.find(name);
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

}  // namespace

ReceiverSide::~ReceiverSide() {
  if (owns_tls_) {
    SSL_free(tls_);
  }
}

bool ReceiverSide::start_tls(ssl_ctx_st* context) {
  tls_ = SSL_new(context);
  owns_tls_ = true;
  SSL_set_fd(tls_, descriptor_);
  return SSL_accept(tls_) == 1;
}

long ReceiverSide::receive(char* bytes, std::size_t size) {
  return tls_ != nullptr ? SSL_read(tls_, bytes, static_cast<int>(size)) : recv(descriptor_, bytes, size, 0);
}

std::string ReceiverSide::read_head() {
  char bytes[4096];
  std::size_t end = 0;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    const long got = receive(bytes, sizeof bytes);
    if (got <= 0) {
      return {};
    }
    pending_.append(bytes, static_cast<std::size_t>(got));
  }
  std::string head = pending_.substr(0, end + 4);
  pending_.erase(0, end + 4);
  return head;
}

std::string ReceiverSide::read_request() {
  std::string request = read_head();
  const std::size_t length = content_length(request);
  char bytes[16384];
  while (!request.empty() && pending_.size() < length) {
    const long got = receive(bytes, sizeof bytes);
    if (got <= 0) {
      return {};
    }
    pending_.append(bytes, static_cast<std::size_t>(got));
  }
  request += pending_.substr(0, length);
  pending_.erase(0, std::min(length, pending_.size()));
  return request;
}

bool ReceiverSide::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long sent = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                      : ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void ReceiverSide::send_repeatedly(std::string_view bytes, int count) {
  for (int i = 0; i < count && send(bytes); ++i) {
  }
}

void ReceiverSide::drip(std::string_view bytes) {
  for (const char byte : bytes) {
    pollfd peer{descriptor_, POLLRDHUP, 0};
    if (!send({&byte, 1}) || poll(&peer, 1, 20) != 0) {
      return;
    }
  }
}

void ReceiverSide::hold() {
  char bytes[4096];
  while (receive(bytes, sizeof bytes) > 0) {
  }
}

void ReceiverSide::close() { shutdown(descriptor_, SHUT_RDWR); }

void ReceiverSide::reset() {
  const linger at_once{1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

ScriptedReceiver::ScriptedReceiver(std::vector<Script> scripts, ssl_ctx_st* tls, Loopback family)
    : scripts_(std::move(scripts)), tls_(tls), listener_(bound_socket(port_, family)) {
  if (listen(listener_, 512) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedReceiver::~ScriptedReceiver() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int descriptor : open_) {
      shutdown(descriptor, SHUT_RDWR);
    }
  }
  acceptor_.join();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  ::close(listener_);
}

std::string ScriptedReceiver::url(std::string_view scheme, std::string_view host) const {
  return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(port_) + "/hook";
}

std::vector<std::string> ScriptedReceiver::clients() {
  const std::lock_guard lock(mutex_);
  return clients_;
}

void ScriptedReceiver::accept_all() {
  for (std::size_t index = 0;; ++index) {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) {
      return;
    }
    const std::lock_guard lock(mutex_);
    if (is_ending_) {
      ::close(descriptor);
      return;
    }
    open_.push_back(descriptor);
    ++connections_;
    threads_.emplace_back([this, descriptor, index] { serve(descriptor, index); });
  }
}

void ScriptedReceiver::serve(int descriptor, std::size_t index) {
  sigset_t broken_pipe;  // OpenSSL writes without MSG_NOSIGNAL
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  ssl_st* tls = nullptr;
  bool is_open = true;
  if (tls_ != nullptr) {
    tls = SSL_new(tls_);
    SSL_set_fd(tls, descriptor);
    is_open = SSL_accept(tls) == 1;
    handshakes_ += is_open ? 1 : 0;
    resumed_ += is_open && SSL_session_reused(tls) == 1 ? 1 : 0;
    const std::lock_guard lock(mutex_);
    if (is_open) {
      clients_.push_back(client_name(tls));
    }
  }
  if (is_open) {
    ReceiverSide side(descriptor, tls);
    scripts_[std::min(index, scripts_.size() - 1)](side);
  }
  if (tls != nullptr) {
    SSL_set_shutdown(tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // or OpenSSL forgets the session that it kept
  }
  SSL_free(tls);
  const std::lock_guard lock(mutex_);
  std::erase(open_, descriptor);
  ::close(descriptor);
}

ScriptedReceiver::Script always(std::string answer) {
  return [answer = std::move(answer)](ReceiverSide& side) {
    while (!side.read_request().empty() && side.send(answer)) {
    }
  };
}

ScriptedReceiver::Script once(std::string bytes) {
  return [bytes = std::move(bytes)](ReceiverSide& side) {
    side.read_request();
    side.send(bytes);
    side.hold();
  };
}

std::uint16_t closed_port() {
  std::uint16_t port = 0;
  ::close(bound_socket(port));
  return port;
}

}  // namespace webhookd::test
