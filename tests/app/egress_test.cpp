// Server-side request forgery against the real daemon: whatever a URL, a name or an answer says, canaries on every
// local address see no connection.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "support/api.hpp"
#include "support/name_server.hpp"
#include "support/private_network.hpp"
#include "support/process.hpp"
#include "support/scripted_receiver.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* event_type = "subscription.create";

// Listens on every address of this host at once, IPv4 and IPv6, and notes which of them was connected to. It answers
// 200, so that a connection that should not have been made would even look like a success.
class Canary {
 public:
  Canary() : listener_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int off = 0;
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
        ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error(std::string("a canary: ") + std::strerror(errno));
    }
    port_ = std::to_string(ntohs(address.sin6_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Canary() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }
  Canary(const Canary&) = delete;
  Canary& operator=(const Canary&) = delete;

  const std::string& port() const { return port_; }
  // Local address -> connections; IPv4 as a dotted quad.
  std::map<std::string, int> connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    connections_.clear();
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 50) == 1) {
        answer(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
      }
    }
  }
  void answer(int descriptor) {
    sockaddr_in6 local{};
    socklen_t size = sizeof local;
    char text[INET6_ADDRSTRLEN] = "";
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &size);
    ::inet_ntop(AF_INET6, &local.sin6_addr, text, sizeof text);
    {
      const std::lock_guard lock(mutex_);
      const std::string address = text;
      ++connections_[address.starts_with("::ffff:") ? address.substr(7) : address];
    }
    const timeval limit{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    test::ReceiverSide side(descriptor, nullptr);
    side.read_request();
    side.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    ::close(descriptor);
  }

  int listener_;
  std::string port_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::map<std::string, int> connections_;
  std::thread thread_;
};

// An IPv4 address of this host that is not loopback; empty when it has none.
std::string interface_address() {
  std::string found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) == 0) {
    for (const ifaddrs* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next) {
      char text[INET_ADDRSTRLEN] = "";
      if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET) {
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof text);
        found = std::string(text).starts_with("127.") ? "" : text;
      }
    }
    ::freeifaddrs(list);
  }
  return found;
}

bool connects(const std::string& address, const std::string& port) {
  const bool is_v6 = address.find(':') != std::string::npos;
  sockaddr_in v4{AF_INET, htons(static_cast<std::uint16_t>(std::stoi(port))), {}, {}};
  sockaddr_in6 v6{AF_INET6, v4.sin_port, 0, {}, 0};
  const int descriptor = ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::inet_pton(is_v6 ? AF_INET6 : AF_INET, address.c_str(), is_v6 ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr);
  const bool is_connected =
      ::connect(descriptor, is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4),
                is_v6 ? sizeof v6 : sizeof v4) == 0;
  ::close(descriptor);
  return is_connected;
}

// The ways to write an address of this host, or of a network that deliveries have no business in.
const std::vector<std::string> hosts_refused = {
    "127.0.0.1",
    "127.0.0.1.",
    "127.0.0.2",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F000001",
    "2130706433",
    "0",
    "0.0.0.0",
    "%31%32%37.0.0.1",
    "127.0.0.1%00.example.com",
    "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",  // full-width digits
    "127\xe3\x80\x82"
    "0.0.1",  // an ideographic full stop
    "user@127.0.0.1",
    "example.com@127.0.0.1",
    "127.0.0.1\\@example.com",
    "127.0.0.1#@example.com",
    "127.0.0.1 example.com",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[::1%25lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[v1.1]",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "ip6-localhost",
    "ip6-loopback",
    "loopback",
};

json definition(const std::string& name, const std::string& url) {
  return {{"display_name", name}, {"url", url}, {"events", {event_type}}, {"timeout", 5}, {"retry", {{"initial", 1}}}};
}

// The first attempt of a message.
json first_attempt(Api& api, const std::string& message) {
  json log;
  eventually([&] {
    log = api.message(message)["attempt_log"];
    return !log.empty();
  });
  return log.empty() ? json(nullptr) : log[0];
}

}  // namespace

TEST_CASE("no way to write a local address gets through the API, and no canary is connected to") {
  const Canary canary;
  Daemon daemon({}, "", "[]");
  Api api(daemon.socket());
  const std::string good = api.create_webhook(definition("good", "https://hooks.example.com/"));
  std::vector<std::string> hosts = hosts_refused;
  if (const std::string own = interface_address(); !own.empty()) {
    hosts.push_back(own);
    hosts.push_back("[::ffff:" + own + "]");
  }
  for (const std::string& host : hosts) {
    CAPTURE(host);
    const std::string url = "http://" + host + ":" + canary.port() + "/hook";
    const json wanted = definition("bad", url);
    CHECK(api.ask("POST", "/v1/webhooks", wanted.dump()).status == 422);
    const ApiAnswer edited = api.ask("PATCH", "/v1/webhooks/" + good, json{{"url", url}}.dump());
    CHECK(edited.status == 422);
    CHECK(edited.body.find("\"/url\"") != std::string::npos);
  }
  CHECK(api.get("/v1/webhooks")["items"].size() == 1);
  CHECK(canary.connections().empty());
}

TEST_CASE("names of this host are denied at every attempt, also when one of their addresses is allowed") {
  Canary canary;
  REQUIRE(connects("127.0.0.1", canary.port()));  // it does sing
  REQUIRE(eventually([&] { return canary.connections().size() == 1; }));
  canary.forget();
  for (const char* allow : {"[]", R"(["127.0.0.1/32"])", R"(["::1/128"])"}) {
    Daemon daemon({}, "", allow);
    Api api(daemon.socket());
    api.create_webhook(definition("a", "http://localhost:" + canary.port() + "/"));
    api.create_webhook(definition("b", "http://LocalHost.:" + canary.port() + "/"));
    api.create_webhook(definition("c", "https://localhost:" + canary.port() + "/"));
    const auto messages = api.emit(event_type);
    REQUIRE(messages.size() == 3);
    for (const std::string& message : messages) {
      const json attempt = first_attempt(api, message);
      CAPTURE(attempt.dump());
      CHECK(attempt["outcome"] == "denied");
      CHECK(attempt["error"].get<std::string>().find("egress.allow") != std::string::npos);
    }
  }
  CHECK(canary.connections().empty());
}

TEST_CASE("redirects and proxies of the environment are never followed") {
  Canary canary;
  const std::string& port = canary.port();
  const std::vector<std::string> heads = {
      "301 Moved\r\nLocation: http://127.0.0.1:" + port + "/",
      "302 Found\r\nLocation: http://localhost:" + port + "/",
      "303 See Other\r\nLocation: http://[::1]:" + port + "/",
      "307 Again\r\nLocation: http://127.0.0.1:" + port + "/",
      "308 For Ever\r\nLocation: //127.0.0.1:" + port + "/",
      "300 Choose\r\nLocation: http://127.0.0.1:" + port + "/",
      "305 Use Proxy\r\nLocation: http://127.0.0.1:" + port + "/",
      "201 Created\r\nLocation: http://127.0.0.1:" + port + "/",
      "200 OK\r\nRefresh: 0; url=http://127.0.0.1:" + port + "/\r\nAlt-Svc: http/1.1=\":" + port + "\"",
  };
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"}) {
    ::setenv(name, ("http://127.0.0.1:" + port).c_str(), 1);
  }
  Daemon daemon({}, "", R"(["127.0.0.0/8", "::1/128"])");  // the canary is allowed: only nobody asked for it
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"}) {
    ::unsetenv(name);
  }
  Api api(daemon.socket());
  std::vector<std::unique_ptr<test::ScriptedReceiver>> receivers;
  for (const std::string& head : heads) {
    receivers.push_back(std::make_unique<test::ScriptedReceiver>(
        std::vector{test::always("HTTP/1.1 " + head + "\r\nContent-Length: 0\r\n\r\n")}));
    api.create_webhook(definition(head.substr(0, 3), receivers.back()->url()));
  }
  const auto messages = api.emit(event_type);
  REQUIRE(messages.size() == heads.size());
  for (const std::string& message : messages) {
    const std::string expected = api.message(message)["webhook"];
    CAPTURE(expected);
    const json attempt = first_attempt(api, message);
    CHECK(attempt["outcome"] == (expected[0] == '2' ? "success" : "status"));
    CHECK(attempt["code"] == std::stoi(expected));
  }
  CHECK(canary.connections().empty());
}

namespace {

// Public addresses, played inside of the private network.
constexpr const char* public_v4 = "93.184.215.14";
constexpr const char* public_v6 = "2606:2800:21f:cb07::1";
constexpr const char* own_public = "93.184.216.34";  // of an interface of the host

struct Name {
  const char* name;
  std::vector<std::string> addresses;
  const char* outcome;
};

const std::vector<Name> names = {
    {"public.test.example", {public_v4}, "success"},
    {"public6.test.example", {public_v6}, "success"},
    {"loopback.test.example", {"127.0.0.1"}, "denied"},
    {"loopback6.test.example", {"::1"}, "denied"},
    {"zero.test.example", {"0.0.0.0"}, "denied"},
    {"unspecified.test.example", {"::"}, "denied"},
    {"private.test.example", {"10.0.0.1", "192.168.1.1"}, "denied"},
    {"metadata.test.example", {"169.254.169.254"}, "denied"},
    {"mapped.test.example", {"::ffff:127.0.0.1"}, "denied"},
    {"nat64.test.example", {"64:ff9b::7f00:1"}, "denied"},
    {"own.test.example", {own_public}, "denied"},
    {"mixed.test.example", {public_v4, "127.0.0.1"}, "denied"},
    {"mixed-first.test.example", {"127.0.0.1", public_v4}, "denied"},
    {"mixed-families.test.example", {public_v4, "::1"}, "denied"},
    {"mixed-mapped.test.example", {public_v4, "::ffff:7f00:1"}, "denied"},
    {"none.test.example", {}, "dns"},
};
constexpr const char* changing = "changing.test.example";
constexpr const char* turning = "turning.test.example";

std::map<std::string, NameServer::Answer> zone() {
  std::map<std::string, NameServer::Answer> answers;
  for (const Name& row : names) {
    answers[row.name] = [&row](int) { return row.addresses; };
  }
  answers[changing] = [](int before) { return std::vector<std::string>{before == 0 ? public_v4 : "127.0.0.1"}; };
  answers[turning] = [](int before) { return std::vector<std::string>{before % 2 == 0 ? public_v4 : "127.0.0.1"}; };
  return answers;
}

void check_names(Api& api, const Canary& canary) {
  for (const Name& row : names) {
    api.create_webhook(definition(row.name, "http://" + std::string(row.name) + ":" + canary.port() + "/"));
  }
  const auto messages = api.emit(event_type);
  CHECK(messages.size() == names.size());
  std::map<std::string, std::string> outcomes;
  for (const std::string& message : messages) {
    const json attempt = first_attempt(api, message);
    CAPTURE(attempt.dump());
    outcomes[api.message(message)["webhook"]] = attempt.is_null() ? "none" : attempt["outcome"].get<std::string>();
  }
  for (const Name& row : names) {
    CAPTURE(row.name);
    CHECK(outcomes[row.name] == row.outcome);
  }
}

// Emits until the name has been asked often enough, and gives all outcomes there were.
std::set<std::string> outcomes_of(Api& api, const Canary& canary, const NameServer& server, const char* name) {
  api.add_type(name);
  json wanted = definition(name, "http://" + std::string(name) + ":" + canary.port() + "/");
  wanted["events"] = {name};
  api.create_webhook(wanted);
  std::set<std::string> outcomes;
  CHECK(eventually(
      [&] {
        for (const std::string& message : api.emit(name)) {
          outcomes.insert(first_attempt(api, message)["outcome"].get<std::string>());
        }
        return server.asked(name) >= 4;
      },
      60s));
  return outcomes;
}

// On a thread of its own, inside of the private network.
std::string try_names() {
  const TemporaryDirectory directory;
  const std::string refusal = enter_private_network("127.0.0.1", directory.path());
  if (!refusal.empty()) {
    return refusal;
  }
  play_address(public_v4);
  play_address(public_v6);
  own_address(own_public);
  const NameServer server("127.0.0.1", zone());
  const Canary canary;
  Daemon daemon({}, "resolver.ttl = \"1s\"\n", "[]");
  Api api(daemon.socket());
  check_names(api, canary);
  const std::set<std::string> both = {"denied", "success"};
  CHECK(outcomes_of(api, canary, server, changing) == both);
  CHECK(outcomes_of(api, canary, server, turning) == both);
  std::set<std::string> reached;
  for (const auto& [address, count] : canary.connections()) {
    reached.insert(address);
  }
  const std::set<std::string> played = {public_v4, public_v6};
  CHECK(reached == played);
  return {};
}

}  // namespace

TEST_CASE("names that answer local, mixed or changing addresses reach no canary") {
  std::string skipped;
  std::string fault;
  std::thread inside([&] {
    try {
      skipped = try_names();
    } catch (const std::exception& error) {
      fault = error.what();
    }
  });
  inside.join();
  CHECK(fault == "");
  if (!skipped.empty()) {
    MESSAGE("not run, because it needs a network of its own: " << skipped);
  }
}
