#include <doctest/doctest.h>

#include "control/client/connection.hpp"
#include "scripted_daemon.hpp"

using namespace webhookd::client;
using webhookd::whctl::testing::ScriptedDaemon;

namespace {

struct Read {
  bool is_good = false;
  bool is_done = false;
  int status = 0;
  std::string body;
  std::string fault;
};

// The answer, cut into pieces of `step` bytes.
Read read(const std::string& bytes, std::size_t step) {
  ResponseReader reader;
  Read result;
  result.is_good = true;
  for (std::size_t at = 0; at < bytes.size() && result.is_good; at += step) {
    const auto piece = std::string_view(bytes).substr(at, step);
    result.is_good = reader.feed(piece, [&](std::string_view part) { result.body.append(part); });
  }
  result.is_done = reader.is_done();
  result.status = reader.head().status;
  result.fault = reader.fault();
  return result;
}

}  // namespace

TEST_CASE("an answer reads the same however its bytes arrive") {
  const std::string fixed = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
  const std::string chunked =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=1\r\nhel\r\n2\r\nlo\r\n0\r\nT: v\r\n\r\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1000}}) {
    CAPTURE(step);
    CHECK(read(fixed, step).body == "hello");
    CHECK(read(fixed, step).is_done);
    CHECK(read(fixed, step).status == 201);
    CHECK(read(chunked, step).body == "hello");
    CHECK(read(chunked, step).is_done);
  }
}

TEST_CASE("an answer that breaks a rule is refused, not guessed at") {
  CHECK(read("SSH-2.0-x\r\n", 4).fault == "the answer is not HTTP/1.1");
  CHECK(read("HTTP/1.1 20\r\n", 100).fault == "the answer is not HTTP/1.1");
  CHECK(read("HTTP/1.1 200 OK\n", 100).fault == "a line of the answer does not end in CR LF");
  CHECK(read("HTTP/1.1 200 OK\r\n\r\n", 100).fault == "the answer does not say how long it is");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 100).fault == "the length of the answer is no number");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 100).fault ==
        "the framing of the answer is not understood");
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 100).fault ==
        "the size of a chunk is no number");
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 100).fault ==
        "a chunk is longer than it says");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", 100).fault == "bytes follow the answer");
  CHECK(read("HTTP/1.1 200 OK\r\n" + std::string(17'000, 'x'), 100).fault == "a line of the answer is too long");
  std::string flood;
  for (int i = 0; i < 9; ++i) flood += "HTTP/1.1 102 X\r\n\r\n";
  CHECK(read(flood, 1000).fault == "too many informational answers");
}

TEST_CASE("a missing daemon is unreachable, and the failure names the socket and how to start it") {
  Connection connection({"/nonexistent/webhookd.sock"});
  Request request;
  request.target = "/v1/status";
  const auto answer = connection.request(request);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == "unreachable");
  CHECK(answer.error().what == "/nonexistent/webhookd.sock");
  CHECK(answer.error().hint.find("start it with `webhookd`") != std::string::npos);
}

TEST_CASE("a socket path that cannot be one is a usage failure") {
  Connection connection({"/" + std::string(107, 'x')});
  CHECK(connection.request(Request{}).error().code == "usage");
}

TEST_CASE("a connection is kept for the next call, and opened anew when the daemon closed it in between") {
  ScriptedDaemon daemon;
  daemon.answer("GET /a", 200, "1");
  daemon.answer("GET /closing", 200, "2", "Connection: close\r\n");
  Connection connection({daemon.socket_path()});
  Request request;
  for (const auto* target : {"/a", "/a", "/closing", "/a"}) {
    request.target = target;
    const auto answer = connection.request(request);
    REQUIRE(answer.has_value());
    CHECK(answer->head.status == 200);
  }
  CHECK(daemon.seen().size() == 4);
}

TEST_CASE("a request of which the daemon took nothing is sent again on a new connection") {
  ScriptedDaemon daemon;
  daemon.answer("POST /a", 200, "1", "Shut: reading\r\n");
  Connection connection({daemon.socket_path()});
  Request request;
  request.method = "POST";
  request.target = "/a";
  for (int call = 1; call <= 5; ++call) {
    const auto answer = connection.request(request);
    REQUIRE(answer.has_value());
    CHECK(answer->head.status == 200);
    CHECK(daemon.seen().size() == static_cast<std::size_t>(call));
  }
}

TEST_CASE("a daemon that dies under a change leaves its outcome unknown, and nothing is sent twice") {
  ScriptedDaemon daemon;
  daemon.answer_raw("POST /v1/events", "");
  Connection connection({daemon.socket_path()});
  Request request;
  request.method = "POST";
  request.target = "/v1/events";
  request.body = "{}";
  const auto answer = connection.request(request);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == "unreachable");
  CHECK(answer.error().why ==
        "the daemon closed the connection before it answered; whether the request took effect is not known");
  CHECK(daemon.seen().size() == 1);
}

TEST_CASE("a daemon that says nothing is given up after the timeout") {
  ScriptedDaemon daemon;
  daemon.answer_raw("GET /slow", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  Connection connection({daemon.socket_path()});
  Request request;
  request.target = "/slow";
  request.silence_timeout = Duration{30};
  CHECK(connection.request(request).error().code == "timed_out");
}

TEST_CASE("names in paths are encoded whole") { CHECK(percent_encode("a b/\xc3\xbc?~") == "a%20b%2F%C3%BC%3F~"); }

TEST_CASE("a problem document gives code, detail and fields; other answers are named by their status") {
  const auto failure = failure_of(
      422,
      R"({"code":"invalid_field","detail":"url: x","status":422,"errors":[{"pointer":"/url","detail":"url: x"}]})");
  CHECK(failure.code == "invalid_field");
  CHECK(failure.why == "url: x");
  REQUIRE(failure.fields.size() == 1);
  CHECK(failure.fields[0].pointer == "/url");
  CHECK(failure_of(404, "<html>").code == "not_found");
  CHECK(failure_of(403, "").code == "forbidden");
  CHECK(failure_of(599, "").code == "internal");
}
