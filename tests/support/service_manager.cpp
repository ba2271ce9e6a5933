#include "support/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "support/process.hpp"

namespace webhookd::support {

namespace {

int bound_socket(const std::string& path, int kind) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::runtime_error("the path of a socket is too long: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int socket = ::socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot bind " + path);
  }
  return socket;
}

}  // namespace

DatagramSocket::DatagramSocket(std::string path)
    : path_(std::move(path)), socket_(bound_socket(path_, SOCK_DGRAM | SOCK_NONBLOCK)) {}

DatagramSocket::~DatagramSocket() { ::close(socket_); }

const std::vector<std::string>& DatagramSocket::heard() {
  std::array<char, 65536> buffer{};
  ssize_t got = 0;
  while ((got = ::recv(socket_, buffer.data(), buffer.size(), 0)) >= 0) {
    heard_.emplace_back(buffer.data(), static_cast<std::size_t>(got));
  }
  return heard_;
}

std::size_t DatagramSocket::count(std::string_view text) {
  const auto& all = heard();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [text](const std::string& one) { return one.find(text) != std::string::npos; }));
}

bool DatagramSocket::hears(std::string_view text, std::chrono::milliseconds limit) {
  return eventually([&] { return count(text) > 0; }, limit);
}

ListeningSocket::ListeningSocket(const std::string& path) : socket_(bound_socket(path, SOCK_STREAM)) {
  if (::listen(socket_, SOMAXCONN) != 0) {
    throw std::runtime_error("cannot listen on " + path);
  }
}

ListeningSocket::~ListeningSocket() { ::close(socket_); }

}  // namespace webhookd::support
