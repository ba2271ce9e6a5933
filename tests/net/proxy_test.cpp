// Deliveries through an HTTP CONNECT proxy.
#include <doctest/doctest.h>

#include <cstdlib>

#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"
#include "support/test_certificates.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::always;
using test::Authority;
using test::once;
using test::ReceiverSide;
using test::ScriptedReceiver;
using test::ServerContext;

constexpr std::string_view opened = "HTTP/1.1 200 Connection established\r\n\r\n";

// The proxy itself is on loopback and need not be allowed.
DeliveryOptions through(const ScriptedReceiver& proxy) {
  DeliveryOptions options;
  options.egress.proxy = *EgressPolicy::parse_proxy("http://127.0.0.1:" + std::to_string(proxy.port()));
  options.lookup = [](const std::string& host) { return Resolution{{}, "asked for " + host, false}; };
  return options;
}

struct Heard {
  std::mutex mutex;
  std::vector<std::string> heads;
  void add(const std::string& head) {
    const std::lock_guard lock(mutex);
    heads.push_back(head);
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return heads;
  }
};

// Opens every tunnel and plays the receiver at its other end.
ScriptedReceiver::Script tunnel(Heard& heard, SSL_CTX* tls = nullptr) {
  return [&heard, tls](ReceiverSide& side) {
    heard.add(side.read_head());
    side.send(opened);
    if (tls != nullptr && !side.start_tls(tls)) {
      return;
    }
    for (std::string request = side.read_request(); !request.empty(); request = side.read_request()) {
      heard.add(request.substr(0, request.find("\r\n", request.find("Host:"))));
      side.send(test::ok_answer);
    }
  };
}

}  // namespace

TEST_CASE("with a proxy, http and https leave through its CONNECT, by name, and the tunnel is kept alive") {
  const Authority authority("webhookd proxy test root");
  const ServerContext server = authority.server({.names = "DNS:hooks.example"});
  for (const bool is_https : {false, true}) {
    Heard heard;
    ScriptedReceiver proxy({tunnel(heard, is_https ? server.get() : nullptr)});
    DeliveryOptions options = through(proxy);
    options.ca_file = authority.file();
    Harness harness(options);
    const auto webhook = webhook_to(is_https ? "https://hooks.example/in" : "http://hooks.example/in");
    for (int i = 0; i < 2; ++i) {
      const auto outcome = harness.deliver(webhook);
      CAPTURE(outcome.error);
      CHECK(outcome.kind == OutcomeKind::success);
    }
    const std::string target = is_https ? "hooks.example:443" : "hooks.example:80";
    CHECK(heard.all() == std::vector<std::string>{"CONNECT " + target + " HTTP/1.1\r\nHost: " + target +
                                                      "\r\nUser-Agent: webhookd/" WEBHOOKD_VERSION "\r\n\r\n",
                                                  "POST /in HTTP/1.1\r\nHost: hooks.example",
                                                  "POST /in HTTP/1.1\r\nHost: hooks.example"});
    CHECK(proxy.connections() == 1);
  }
}

TEST_CASE("the receiver's certificate is verified through the tunnel, and nothing is sent to another") {
  const Authority authority("webhookd proxy test root");
  const ServerContext server = authority.server({.names = "DNS:other.example"});
  Heard heard;
  ScriptedReceiver proxy({tunnel(heard, server.get())});
  DeliveryOptions options = through(proxy);
  options.ca_file = authority.file();
  Harness harness(options);
  const auto outcome = harness.deliver(webhook_to("https://hooks.example/"));
  CHECK(outcome.kind == OutcomeKind::tls);
  CHECK(outcome.error == "certificate verify failed: hostname mismatch");
  CHECK(heard.all().size() == 1);
}

TEST_CASE("a proxy that opens no tunnel is a connect failure with what it said") {
  struct Row {
    ScriptedReceiver::Script script;
    std::string words;
  };
  const std::vector<Row> rows = {
      {once("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
       "answered CONNECT with HTTP 407"},
      {once("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope"), "answered CONNECT with HTTP 403"},
      {once("HTTP/1.1 204 No\r\n\r\n"), "answered CONNECT with HTTP 204"},
      {once("HTTP/1.1 502 Bad Gateway\r\n\r\n"), "answered CONNECT with HTTP 502"},
      {once(std::string(opened) + "HTTP/1.1 200 Forged\r\n\r\n"), "sent bytes behind its answer to CONNECT"},
      {once("SSH-2.0-x\r\n"), "made no sense of CONNECT: the answer is not HTTP/1"},
      {[](ReceiverSide& side) { side.read_head(); }, "gave no answer to CONNECT: it closed the connection"}};
  for (const Row& row : rows) {
    ScriptedReceiver proxy({row.script});
    Harness harness(through(proxy));
    const auto outcome = harness.deliver(webhook_to("http://hooks.example/"));
    CHECK(outcome.kind == OutcomeKind::connect);
    CHECK(outcome.code == 0);
    CHECK(outcome.error == "the proxy 127.0.0.1:" + std::to_string(proxy.port()) + " " + row.words);
    CHECK(outcome.response_body.empty());
  }
}

TEST_CASE("a proxy that cannot be reached, or hangs, is told apart from the receiver") {
  Heard heard;
  ScriptedReceiver proxy({[](ReceiverSide& side) { side.hold(); }});
  DeliveryOptions options = through(proxy);
  {
    Harness harness(options);
    const auto late = harness.deliver(webhook_to("http://hooks.example/", base::Duration(200)));
    CHECK(late.kind == OutcomeKind::timeout);
    CHECK(late.error == "no answer within 200ms (while waiting for the proxy)");
  }
  const std::string port = std::to_string(test::closed_port());
  options.egress.proxy = *EgressPolicy::parse_proxy("http://127.0.0.1:" + port);
  {
    Harness harness(options);
    const auto refused = harness.deliver(webhook_to("http://hooks.example/"));
    CHECK(refused.kind == OutcomeKind::connect);
    CHECK(refused.error == "cannot reach the proxy 127.0.0.1:" + port + ": connection refused by 127.0.0.1:" + port);
  }
  options.egress.proxy = *EgressPolicy::parse_proxy("http://proxy.example:3128");
  Harness harness(options);
  const auto unknown = harness.deliver(webhook_to("http://hooks.example/"));
  CHECK(unknown.kind == OutcomeKind::connect);
  CHECK(unknown.error == "cannot reach the proxy proxy.example:3128: asked for proxy.example");
}

TEST_CASE("policy still holds behind a proxy for what is known here: scheme, ports, literals and localhost") {
  Heard heard;
  ScriptedReceiver proxy({tunnel(heard)});
  DeliveryOptions options = through(proxy);
  options.egress.ports = {80, 443};
  Harness harness(options);
  for (const char* url : {"http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
                          "http://localhost/", "http://intranet/", "http://hooks.example:8080/"}) {
    CAPTURE(url);
    CHECK(harness.deliver(webhook_to(url)).kind == OutcomeKind::denied);
  }
  CHECK(proxy.connections() == 0);
}

TEST_CASE("a tunnel that dies while idle is replaced once, like any connection") {
  const auto answer_then_die = [](ReceiverSide& side) {
    side.read_head();
    side.send(opened);
    side.read_request();
    side.send(test::ok_answer);
    side.read_request();
  };
  Heard heard;
  ScriptedReceiver proxy({answer_then_die, tunnel(heard)});
  Harness harness(through(proxy));
  CHECK(harness.deliver(webhook_to("http://hooks.example/")).kind == OutcomeKind::success);
  CHECK(harness.deliver(webhook_to("http://hooks.example/")).kind == OutcomeKind::success);
  CHECK(proxy.connections() == 2);
}

TEST_CASE("proxy environment variables never count") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  ScriptedReceiver proxy({always(std::string(test::ok_answer))});
  const std::string proxy_url = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy_url.c_str(), 1);
  }
  Harness harness;
  CHECK(harness.deliver(webhook_to(receiver.url())).kind == OutcomeKind::success);
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    unsetenv(name);
  }
  CHECK(receiver.connections() == 1);
  CHECK(proxy.connections() == 0);
}

TEST_CASE("a proxy is http://host:port and nothing more") {
  CHECK(EgressPolicy::parse_proxy("http://10.0.0.1:3128")->port() == 3128);
  CHECK(EgressPolicy::parse_proxy("http://proxy.example")->port() == 80);
  for (const char* text : {"", "proxy.example:3128", "https://proxy.example:3128", "socks5://proxy.example",
                           "http://user:pass@proxy.example", "http://proxy.example/path", "http://proxy.example?x"}) {
    CAPTURE(text);
    CHECK_FALSE(EgressPolicy::parse_proxy(text).has_value());
  }
}

}  // namespace webhookd::net
