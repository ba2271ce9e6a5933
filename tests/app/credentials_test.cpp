// What a webhook shows its receiver, set with whctl and sent by the real daemon: a client certificate, an OAuth2 token,
// a header from a file; and all of it through a proxy. What net does in every case is tests/net.
#include <doctest/doctest.h>

#include <mutex>

#include "support/api.hpp"
#include "support/process.hpp"
#include "support/scripted_receiver.hpp"
#include "support/test_certificates.hpp"

namespace {

using namespace webhookd::support;
using webhookd::test::Authority;
using webhookd::test::ReceiverSide;
using webhookd::test::ScriptedReceiver;

// The requests that a receiver heard, over all of its connections.
class Heard {
 public:
  void add(std::string request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> requests_;
};

std::string answer_of(int status, const std::string& body = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// Answers every request by a function of it.
template <class Answer>
ScriptedReceiver::Script answering(Heard& heard, Answer answer) {
  return [&heard, answer](ReceiverSide& side) {
    for (std::string request = side.read_request(); !request.empty(); request = side.read_request()) {
      const std::string bytes = answer(request);
      heard.add(std::move(request));
      side.send(bytes);
    }
  };
}

bool has(const std::string& request, const std::string& line) {
  return request.find("\r\n" + line + "\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a webhook with a client certificate is delivered to a receiver that wants one") {
  const Authority authority("webhookd credentials test root");
  const auto server = authority.server_for_clients();
  Heard heard;
  ScriptedReceiver receiver({answering(heard, [](const auto&) { return answer_of(200); })}, server.get());
  const auto files = authority.client("orders");
  const Daemon daemon({}, "ca_file = \"" + authority.file() + "\"\n");
  daemon.tell({"create", "secured", "--url", receiver.url("https"), "-e", "subscription.create", "--tls-client-cert",
               files->certificate.path(), "--tls-client-key", files->key.path()});
  CHECK(daemon.whctl({"trigger", "subscription.create", "--wait", "--timeout", "30s"}).exit_code == 0);
  CHECK(receiver.clients() == std::vector<std::string>{"orders"});
}

TEST_CASE("a token is fetched once, used again, and replaced once when the receiver refuses it") {
  Heard asked;
  std::atomic<int> given{0};
  const ScriptedReceiver tokens({answering(asked, [&](const auto&) {
    return answer_of(
        200, R"({"access_token":"t)" + std::to_string(++given) + R"(","token_type":"bearer","expires_in":3600})");
  })});
  std::atomic<int> accepted{1};
  Heard heard;
  const ScriptedReceiver receiver({answering(heard, [&](const std::string& request) {
    return answer_of(has(request, "Authorization: Bearer t" + std::to_string(accepted.load())) ? 200 : 401);
  })});
  const Daemon daemon;
  const std::string secret = daemon.directory().write("client-secret", "s3cret\n");
  daemon.tell({"create", "guarded", "--url", receiver.url(), "-e", "subscription.create", "--oauth2-token-url",
               tokens.url(), "--oauth2-client-id", "client", "--oauth2-client-secret-file", secret, "--oauth2-scope",
               "events"});
  const auto deliver = [&] {
    return daemon.whctl({"trigger", "subscription.create", "--wait", "--timeout", "30s"}).exit_code;
  };
  CHECK(deliver() == 0);
  CHECK(deliver() == 0);
  CHECK(given == 1);
  accepted = 2;  // the first one is refused from now on
  CHECK(deliver() == 0);
  CHECK(given == 2);
  REQUIRE(!asked.all().empty());
  CHECK(asked.all()[0].find("grant_type=client_credentials") != std::string::npos);
  CHECK(asked.all()[0].find("scope=events") != std::string::npos);
  // The secret is in no answer and no log.
  CHECK(daemon.tell({"show", "guarded", "-o", "json"}).find("s3cret") == std::string::npos);
  CHECK(daemon.log().find("s3cret") == std::string::npos);
}

TEST_CASE("the Authorization header comes from its file, and the file's next line counts from the next attempt on") {
  Heard heard;
  const ScriptedReceiver receiver({answering(heard, [](const auto&) { return answer_of(200); })});
  const Daemon daemon;
  const std::string file = daemon.directory().write("authorization", "Bearer one\n");
  daemon.tell({"create", "filed", "--url", receiver.url(), "-e", "subscription.create", "--auth-file", file});
  CHECK(daemon.whctl({"trigger", "subscription.create", "--wait", "--timeout", "30s"}).exit_code == 0);
  daemon.directory().write("authorization", "Bearer two\n");
  CHECK(daemon.whctl({"trigger", "subscription.create", "--wait", "--timeout", "30s"}).exit_code == 0);
  REQUIRE(heard.all().size() == 2);
  CHECK(has(heard.all()[0], "Authorization: Bearer one"));
  CHECK(has(heard.all()[1], "Authorization: Bearer two"));
  CHECK(daemon.tell({"show", "filed", "-o", "json"}).find("Bearer") == std::string::npos);
}

TEST_CASE("with egress.proxy every request leaves through the proxy, by name") {
  Heard heard;
  const ScriptedReceiver proxy({[&heard](ReceiverSide& side) {
    heard.add(side.read_head());
    side.send("HTTP/1.1 200 Connection established\r\n\r\n");
    heard.add(side.read_request());
    side.send(webhookd::test::ok_answer);
    side.hold();
  }});
  const Daemon daemon({}, "proxy = \"http://127.0.0.1:" + std::to_string(proxy.port()) + "\"\n", "[]");
  daemon.tell({"create", "proxied", "--url", "http://hooks.example.com/in", "-e", "subscription.create"});
  CHECK(daemon.whctl({"trigger", "subscription.create", "--wait", "--timeout", "30s"}).exit_code == 0);
  REQUIRE(heard.all().size() == 2);
  CHECK(heard.all()[0].starts_with("CONNECT hooks.example.com:80 HTTP/1.1\r\n"));
  CHECK(heard.all()[1].starts_with("POST /in HTTP/1.1\r\nHost: hooks.example.com\r\n"));
}
