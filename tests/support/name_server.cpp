#include "support/name_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "base/text.hpp"

namespace webhookd::support {

namespace {

constexpr std::size_t header_bytes = 12;
constexpr int type_a = 1;
constexpr int type_aaaa = 28;
constexpr std::uint16_t dns_port = 53;

struct Question {
  std::string name;
  int type = 0;
  std::size_t end = 0;  // behind it in the query
};

Question question_of(const std::string& query) {
  Question question;
  std::size_t at = header_bytes;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(query[at]);
    question.name += (question.name.empty() ? "" : ".") + query.substr(at + 1, length);
    at += 1 + length;
  }
  question.end = at + 5;
  if (question.end > query.size()) {
    return {};
  }
  question.type = static_cast<unsigned char>(query[at + 2]);  // the high byte is 0 for both types that we know
  question.name = base::to_lower(question.name);
  return question;
}

std::string two_bytes(std::size_t number) { return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)}; }

// The address in network order when it is of the family that was asked for.
std::string address_bytes(const std::string& text, int type) {
  std::array<char, 16> bytes{};
  if (type == type_a && ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
    return {bytes.data(), 4};
  }
  if (type == type_aaaa && ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    return {bytes.data(), 16};
  }
  return {};
}

}  // namespace

NameServer::NameServer(const std::string& address, std::map<std::string, Answer> names)
    : names_(std::move(names)), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(dns_port);
  ::inet_pton(AF_INET, address.c_str(), &place.sin_addr);
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&place), sizeof place) != 0) {
    throw std::runtime_error("a name server on " + address + ": " + std::strerror(errno));
  }
  thread_ = std::thread([this] { serve(); });
}

NameServer::~NameServer() {
  stopping_ = true;
  thread_.join();
  ::close(socket_);
}

int NameServer::asked(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find({name, type_a});
  return found == asked_.end() ? 0 : found->second;
}

void NameServer::serve() {
  std::array<char, 1500> buffer{};
  while (!stopping_) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 50) != 1) {
      continue;
    }
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t got = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (got > static_cast<ssize_t>(header_bytes)) {
      const std::string answer = answer_to({buffer.data(), static_cast<std::size_t>(got)});
      ::sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
    }
  }
}

std::string NameServer::answer_to(const std::string& query) {
  const Question question = question_of(query);
  const auto known = names_.find(question.name);
  std::vector<std::string> records;
  if (known != names_.end()) {
    int before = 0;
    {
      const std::lock_guard lock(mutex_);
      before = asked_[{question.name, question.type}]++;
    }
    for (const std::string& text : known->second(before)) {
      if (std::string bytes = address_bytes(text, question.type); !bytes.empty()) {
        records.push_back(std::move(bytes));
      }
    }
  }
  const std::string ok_flags("\x85\x80", 2);  // an authoritative answer
  const std::string no_such_name_flags("\x85\x83", 2);
  std::string answer = query.substr(0, 2) + (known == names_.end() ? no_such_name_flags : ok_flags) + two_bytes(1) +
                       two_bytes(records.size()) + two_bytes(0) + two_bytes(0) +
                       query.substr(header_bytes, question.end - header_bytes);
  for (const std::string& record : records) {
    answer += std::string("\xc0\x0c", 2) + two_bytes(static_cast<std::size_t>(question.type)) + two_bytes(1) +
              two_bytes(0) + two_bytes(0) + two_bytes(record.size()) + record;  // of this name, to live 0 s
  }
  return answer;
}

}  // namespace webhookd::support
