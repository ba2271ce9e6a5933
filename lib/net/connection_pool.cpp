#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "net/connection_pool_impl.hpp"

namespace webhookd::net {

namespace {

constexpr Steady::duration sweep_step_min = std::chrono::milliseconds(100);

bool is_quiet(Connection& connection) {
  char byte = 0;
  const ssize_t got = recv(connection.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

ConnectionPtr ConnectionPool::take(const std::string& endpoint) {
  const auto found = idle_.find(endpoint);
  if (found == idle_.end()) {
    return nullptr;
  }
  auto& idle = found->second;
  while (!idle.empty()) {
    ConnectionPtr connection = std::move(idle.back());
    idle.pop_back();
    --size_;
    if (is_quiet(*connection)) {
      return connection;
    }
  }
  return nullptr;
}

void ConnectionPool::put(const std::string& endpoint, ConnectionPtr connection) {
  auto& idle = idle_[endpoint];
  if (size_ >= idle_max || idle.size() >= idle_per_endpoint_max) {
    part_with(connection);
    return;
  }
  connection->idle_since = Steady::now();
  connection->is_reused = true;
  idle.push_back(std::move(connection));
  ++size_;
  if (!is_armed_) {
    arm();
  }
}

void ConnectionPool::clear() {
  for (const auto& [endpoint, idle] : idle_) {
    std::for_each(idle.begin(), idle.end(), part_with);
  }
  idle_.clear();
  size_ = 0;
}

void ConnectionPool::arm() {
  auto oldest = Steady::time_point::max();
  for (const auto& [endpoint, idle] : idle_) {
    oldest = idle.empty() ? oldest : std::min(oldest, idle.front()->idle_since);
  }
  is_armed_ = size_ > 0;
  if (!is_armed_) {
    return;
  }
  sweep_.expires_at(std::max(oldest + keep_for_, Steady::now() + sweep_step_min));
  sweep_.async_wait([this](error_code ec) {
    if (!ec) {
      drop_old();
      arm();
    }
  });
}

void ConnectionPool::drop_old() {
  const auto limit = Steady::now() - keep_for_;
  const auto leaves = [&](const ConnectionPtr& connection) {
    const bool is_old = connection->idle_since <= limit;
    if (is_old) {
      part_with(connection);
    }
    return is_old;
  };
  for (auto& [endpoint, idle] : idle_) {
    size_ -= std::erase_if(idle, leaves);
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace webhookd::net
