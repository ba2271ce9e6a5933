#include "support/private_network.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace webhookd::support {

namespace {

std::string why(const std::string& what) { return what + ": " + std::strerror(errno); }

// One request to the kernel's routing socket: a header of type T, then attributes. Throws unless it is acknowledged.
template <class T>
class RouteRequest {
 public:
  RouteRequest(std::uint16_t type, const T& payload) : body_(reinterpret_cast<const char*>(&payload), sizeof payload) {
    pad();
    header_.nlmsg_type = type;
    header_.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  }
  void add(std::uint16_t type, const std::string& value) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size()));
    body_.append(reinterpret_cast<const char*>(&attribute), sizeof attribute);
    body_ += value;
    pad();
  }
  void send(const std::string& what) {
    header_.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + body_.size());
    const std::string request = std::string(reinterpret_cast<const char*>(&header_), sizeof header_) + body_;
    const int link = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    std::array<char, 4096> answer{};
    const bool is_answered = ::send(link, request.data(), request.size(), 0) > 0 &&
                             ::recv(link, answer.data(), answer.size(), 0) >= ssize_t{NLMSG_LENGTH(sizeof(nlmsgerr))};
    ::close(link);
    nlmsgerr result{};
    std::memcpy(&result, answer.data() + NLMSG_HDRLEN, sizeof result);
    if (!is_answered || result.error != 0) {
      throw std::runtime_error(what + ": " + std::strerror(-result.error));
    }
  }

 private:
  void pad() { body_.resize(NLMSG_ALIGN(body_.size()), '\0'); }
  nlmsghdr header_{};
  std::string body_;
};

struct Address {
  int family;
  std::string bytes;
};

Address parse(const std::string& text) {
  std::array<char, 16> bytes{};
  const bool is_v6 = text.find(':') != std::string::npos;
  if (::inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) != 1) {
    throw std::runtime_error("no address: " + text);
  }
  return {is_v6 ? AF_INET6 : AF_INET, {bytes.data(), is_v6 ? std::size_t{16} : std::size_t{4}}};
}

std::string loopback_index() {
  const unsigned index = ::if_nametoindex("lo");
  return {reinterpret_cast<const char*>(&index), sizeof index};
}

void raise_loopback() {
  ifinfomsg link{};
  link.ifi_family = AF_UNSPEC;
  link.ifi_index = static_cast<int>(::if_nametoindex("lo"));
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  RouteRequest<ifinfomsg>(RTM_NEWLINK, link).send("cannot raise loopback");
}

}  // namespace

std::string enter_private_network(const std::string& name_server, const std::string& directory) {
  const std::string resolv_conf = directory + "/resolv.conf";
  std::ofstream(resolv_conf) << "nameserver " << name_server << "\noptions timeout:1 attempts:2\n";
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return why("no network namespace of our own");
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) {
    return why("no resolv.conf of our own");
  }
  raise_loopback();
  return {};
}

void play_address(const std::string& address) {
  const Address parsed = parse(address);
  rtmsg route{};
  route.rtm_family = static_cast<unsigned char>(parsed.family);
  route.rtm_dst_len = static_cast<unsigned char>(parsed.bytes.size() * 8);
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  RouteRequest<rtmsg> request(RTM_NEWROUTE, route);
  request.add(RTA_DST, parsed.bytes);
  request.add(RTA_OIF, loopback_index());
  request.send("cannot play " + address);
}

void own_address(const std::string& address) {
  const Address parsed = parse(address);
  ifaddrmsg owned{};
  owned.ifa_family = static_cast<unsigned char>(parsed.family);
  owned.ifa_prefixlen = static_cast<unsigned char>(parsed.bytes.size() * 8);
  owned.ifa_index = ::if_nametoindex("lo");
  RouteRequest<ifaddrmsg> request(RTM_NEWADDR, owned);
  request.add(IFA_LOCAL, parsed.bytes);
  request.add(IFA_ADDRESS, parsed.bytes);
  request.send("cannot own " + address);
}

}  // namespace webhookd::support
