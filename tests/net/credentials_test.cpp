// What attempts authenticate themselves with: a header from a file, and OAuth2 access tokens.
#include <doctest/doctest.h>

#include <deque>
#include <thread>

#include "base/base64.hpp"
#include "control/protocol/token_codec.hpp"
#include "delivery_harness.hpp"
#include "support/scripted_receiver.hpp"
#include "support/temporary_file.hpp"

namespace webhookd::net {

namespace {

using domain::OutcomeKind;
using test::always;
using test::ReceiverSide;
using test::ScriptedReceiver;
using test::TemporaryFile;

std::string header_of(const std::string& request, const std::string& name) {
  const auto at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) {
    return "(none)";
  }
  const auto begin = at + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

std::string answer_of(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string token_answer(const std::string& token, int lifetime = 3600) {
  return answer_of(200, R"({"access_token":")" + token + R"(","token_type":"bearer","expires_in":)" +
                            std::to_string(lifetime) + "}");
}

// Answers each request by a function of it, and keeps the requests.
class Recorder {
 public:
  explicit Recorder(std::function<std::string(const std::string&)> answer)
      : receiver_({[this, answer = std::move(answer)](ReceiverSide& side) {
          for (std::string request = side.read_request(); !request.empty(); request = side.read_request()) {
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(request);
            }
            side.send(answer(request));
          }
        }}) {}

  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string url() const { return receiver_.url(); }

 private:
  std::mutex mutex_;
  std::vector<std::string> requests_;
  ScriptedReceiver receiver_;  // last: its threads use the rest
};

// Tokens t1, t2, … each time somebody asks.
class TokenEndpoint : public Recorder {
 public:
  explicit TokenEndpoint(int lifetime = 3600)
      : Recorder(
            [this, lifetime](const std::string&) { return token_answer("t" + std::to_string(++given_), lifetime); }) {}

 private:
  std::atomic<int> given_ = 0;
};

// Answers 200 to `token`, 401 to anything else.
auto accepts(std::string token) {
  return [token = std::move(token)](const std::string& request) {
    return answer_of(header_of(request, "Authorization") == "Bearer " + token ? 200 : 401, "");
  };
}

DeliveryOptions token_options() {
  DeliveryOptions options = loopback_options();
  options.read_token = protocol::read_access_token;
  return options;
}

struct Client {
  TemporaryFile secret{"s3cret\n"};

  domain::Webhook webhook(const std::string& url, const std::string& token_url,
                          base::Duration timeout = base::Duration(5000)) const {
    domain::Webhook made = webhook_to(url, timeout);
    made.auth = domain::Oauth2{*domain::Url::parse(token_url), "client", secret.path(), {"read", "write"}};
    return made;
  }
};

domain::Webhook webhook_with_file(const std::string& url, const std::string& path) {
  domain::Webhook webhook = webhook_to(url);
  webhook.auth = domain::HeaderFile{"Authorization", path};
  return webhook;
}

}  // namespace

TEST_CASE("the header's value is the line of its file, and a replaced file counts from the next attempt on") {
  Recorder receiver([](const std::string&) { return answer_of(200, ""); });
  Harness harness;
  const TemporaryFile file("Bearer one\n");
  const domain::Webhook webhook = webhook_with_file(receiver.url(), file.path());
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  file.write("Bearer two\r\n");
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  domain::Webhook other = webhook;
  other.auth = domain::HeaderFile{"X-Api-Key", file.path()};
  CHECK(harness.deliver(other).kind == OutcomeKind::success);
  const auto requests = receiver.requests();
  REQUIRE(requests.size() == 4);
  CHECK(header_of(requests[0], "Authorization") == "Bearer one");
  CHECK(header_of(requests[1], "Authorization") == "Bearer one");
  CHECK(header_of(requests[2], "Authorization") == "Bearer two");
  CHECK(header_of(requests[3], "X-Api-Key") == "Bearer two");
  CHECK(header_of(requests[3], "Authorization") == "(none)");
}

TEST_CASE("a file that gives no header value fails the attempt, is named, and its content is not") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness;
  const TemporaryFile file;
  const domain::Webhook webhook = webhook_with_file(receiver.url(), file.path());
  struct Row {
    std::string content;
    std::string words;
  };
  const std::vector<Row> rows = {{"", "it is empty"},
                                 {"\n", "it is empty"},
                                 {"hidden\nhidden\n", "it has more than one line"},
                                 {"hid\x01"
                                  "den",
                                  "its line must be visible ASCII, without blanks around it"},
                                 {" hidden", "its line must be visible ASCII, without blanks around it"},
                                 {"hidden" + std::string(8 * 1024, 'x'), "it is over 8 KiB"}};
  for (const Row& row : rows) {
    file.write(row.content);
    const auto outcome = harness.deliver(webhook);
    CHECK(outcome.kind == OutcomeKind::protocol);
    CHECK(outcome.error == "nothing was sent: auth.file cannot be used (" + row.words + "): " + file.path());
  }
  file.remove();
  CHECK(harness.deliver(webhook).error ==
        "nothing was sent: auth.file cannot be used (No such file or directory): " + file.path());
  CHECK(receiver.connections() == 0);
}

TEST_CASE("a token is asked for as RFC 6749 says, sent as Bearer, and kept for the next attempts") {
  TokenEndpoint endpoint;
  Recorder receiver(accepts("t1"));
  Harness harness(token_options());
  const Client client;
  const auto webhook = client.webhook(receiver.url(), endpoint.url());
  for (int i = 0; i < 3; ++i) {
    CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  }
  const auto asked = endpoint.requests();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].starts_with("POST /hook HTTP/1.1\r\n"));
  CHECK(header_of(asked[0], "Authorization") == "Basic " + base::base64_encode("client:s3cret"));
  CHECK(header_of(asked[0], "Content-Type") == "application/x-www-form-urlencoded");
  CHECK(asked[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=read%20write"));
  CHECK(receiver.requests().size() == 3);
}

TEST_CASE("attempts that wait for a token share one request for it") {
  std::atomic<bool> release = false;
  Recorder endpoint([&](const std::string&) {
    while (!release) {
      std::this_thread::yield();
    }
    return token_answer("t1");
  });
  Recorder receiver(accepts("t1"));
  Harness harness(token_options());
  const Client client;
  std::vector<engine::AttemptKey> keys;
  for (int i = 0; i < 20; ++i) {
    keys.push_back(harness.start(client.webhook(receiver.url(), endpoint.url())));
  }
  harness.delivery().abort(keys[0]);  // the one that asked: the request goes on for the others
  CHECK(harness.wait_for(keys[0]).outcome.kind == OutcomeKind::aborted);
  release = true;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    CHECK(harness.wait_for(keys[i]).outcome.kind == OutcomeKind::success);
  }
  CHECK(endpoint.requests().size() == 1);
  CHECK(harness.doubles() == 0);
}

TEST_CASE("a token that the receiver refuses is replaced once, inside the same attempt") {
  TokenEndpoint endpoint;
  Recorder receiver(accepts("t2"));
  Harness harness(token_options());
  const Client client;
  const auto webhook = client.webhook(receiver.url(), endpoint.url());
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  CHECK(endpoint.requests().size() == 2);
  CHECK(receiver.requests().size() == 3);

  Recorder never(accepts("nothing"));
  TokenEndpoint another;
  domain::Webhook refused = client.webhook(never.url(), another.url());
  refused.id.value = 2;
  const auto outcome = harness.deliver(refused);
  CHECK(outcome.kind == OutcomeKind::status);
  CHECK(outcome.code == 401);
  CHECK(another.requests().size() == 2);
  CHECK(never.requests().size() == 2);
}

TEST_CASE("a 401 without a token to blame is just an answer") {
  Recorder receiver([](const std::string&) { return answer_of(401, ""); });
  Harness harness(token_options());
  CHECK(harness.deliver(webhook_to(receiver.url())).code == 401);
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a token is replaced before it expires, and when its terms are edited") {
  TokenEndpoint endpoint(1);
  Recorder receiver([](const std::string&) { return answer_of(200, ""); });
  Harness harness(token_options());
  const Client client;
  auto webhook = client.webhook(receiver.url(), endpoint.url());
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  const auto given_at = std::chrono::steady_clock::now();
  while (endpoint.requests().size() < 2 && std::chrono::steady_clock::now() - given_at < std::chrono::seconds(10)) {
    CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  }
  CHECK(std::chrono::steady_clock::now() - given_at < std::chrono::milliseconds(1000 + 500));
  CHECK(endpoint.requests().size() == 2);
  std::get<domain::Oauth2>(webhook.auth).scopes = {"read"};
  CHECK(harness.deliver(webhook).kind == OutcomeKind::success);
  REQUIRE(endpoint.requests().size() == 3);
  CHECK(endpoint.requests()[2].ends_with("&scope=read"));
}

TEST_CASE("without a token the attempt fails with a clear text, without a secret, and nothing is sent") {
  struct Row {
    std::string answer;
    OutcomeKind kind;
    std::string words;
  };
  const std::vector<Row> rows = {
      {answer_of(401, R"({"error":"invalid_client","error_description":"s3cret is wrong"})"), OutcomeKind::protocol,
       "HTTP 401 (invalid_client)"},
      {answer_of(410, "s3cret"), OutcomeKind::protocol, "HTTP 410 (the answer is not a JSON object)"},
      {answer_of(302, ""), OutcomeKind::protocol, "HTTP 302 (the answer is not a JSON object)"},
      {answer_of(200, R"({"token_type":"bearer"})"), OutcomeKind::protocol,
       "HTTP 200 (the answer has no access_token of visible ASCII)"},
      {answer_of(200, R"({"access_token":"a b","token_type":"bearer"})"), OutcomeKind::protocol,
       "HTTP 200 (the answer has no access_token of visible ASCII)"},
      {answer_of(200, R"({"access_token":"a\r\nX: y","token_type":"bearer"})"), OutcomeKind::protocol,
       "HTTP 200 (the answer has no access_token of visible ASCII)"},
      {answer_of(200, R"({"access_token":"t","token_type":"mac"})"), OutcomeKind::protocol,
       "HTTP 200 (token_type is not Bearer)"},
      {answer_of(200, R"({"access_token":"t","token_type":"bearer","x":")" + std::string(70'000, 'x') + R"("})"),
       OutcomeKind::protocol, "HTTP 200 (the answer is not a JSON object)"},
      {"SSH-2.0-x\r\n", OutcomeKind::protocol, "the answer is not HTTP/1"}};
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  Harness harness(token_options());
  const Client client;
  for (const Row& row : rows) {
    Recorder endpoint([&](const std::string&) { return row.answer; });
    const auto outcome = harness.deliver(client.webhook(receiver.url(), endpoint.url()));
    CHECK(outcome.kind == row.kind);
    CHECK(outcome.code == 0);
    CHECK(outcome.error == "no access token from " + domain::Url::parse(endpoint.url())->redacted() + ": " + row.words);
    CHECK(outcome.response_body.empty());
    CHECK(outcome.response_headers.empty());
  }
  CHECK(receiver.connections() == 0);
}

TEST_CASE("a token that lies behind a closed port, a denied address, or nobody's answer is told by its kind") {
  ScriptedReceiver receiver({always(std::string(test::ok_answer))});
  ScriptedReceiver silent({[](ReceiverSide& side) { side.hold(); }});
  Harness harness(token_options());
  const Client client;
  const auto deliver = [&](const std::string& token_url) {
    return harness.deliver(client.webhook(receiver.url(), token_url, base::Duration(300)));
  };
  const auto refused = deliver("http://127.0.0.1:" + std::to_string(test::closed_port()) + "/");
  CHECK(refused.kind == OutcomeKind::connect);
  CHECK(refused.error.find("connection refused by 127.0.0.1:") != std::string::npos);
  const auto denied = deliver("http://127.0.0.2:1/");
  CHECK(denied.kind == OutcomeKind::denied);
  CHECK(denied.error.find("egress.allow") != std::string::npos);
  const auto late = deliver(silent.url());
  CHECK(late.kind == OutcomeKind::timeout);
  CHECK(late.error.starts_with("no access token from " + domain::Url::parse(silent.url())->redacted() + ": no"));
  CHECK(late.duration < base::Duration(1500));
  client.secret.remove();
  const auto missing = deliver(silent.url());
  CHECK(missing.kind == OutcomeKind::protocol);
  CHECK(missing.error == "nothing was sent: auth.client_secret_file cannot be used (No such file or directory): " +
                             client.secret.path());
  CHECK(receiver.connections() == 0);
}

TEST_CASE("attempts that wait for a token are dropped without a report when deliveries end") {
  ScriptedReceiver silent({[](ReceiverSide& side) { side.hold(); }});
  auto harness = std::make_unique<Harness>(token_options());
  const Client client;
  for (int i = 0; i < 10; ++i) {
    harness->start(client.webhook("http://127.0.0.1:1/", silent.url()));
  }
  while (silent.connections() == 0) {
    std::this_thread::yield();
  }
  harness.reset();
}

}  // namespace webhookd::net
