#include "receiver.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

using namespace webhookd::whctl;

namespace {

RequestState state_of(const std::string& bytes) {
  ReceivedRequest request;
  std::size_t consumed = 0;
  return read_request(bytes, request, consumed);
}

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

// Sends `bytes` and reads until `count` answers have come.
std::string exchange(std::uint16_t port, const std::string& bytes, int count) {
  const int socket = connect_to(port);
  CHECK(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  std::string answers;
  std::array<char, 4096> buffer{};
  for (int found = 0; found < count;) {
    const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    answers.append(buffer.data(), static_cast<std::size_t>(got));
    found = 0;
    for (auto at = answers.find("\r\n\r\n"); at != std::string::npos; at = answers.find("\r\n\r\n", at + 4)) ++found;
  }
  ::close(socket);
  return answers;
}

}  // namespace

TEST_CASE("a request is read when all of it is there, with its length or in chunks") {
  ReceivedRequest request;
  std::size_t consumed = 0;
  const std::string fixed = "POST /x HTTP/1.1\r\nContent-Length: 2\r\nWebhook-Id: msg_1\r\n\r\nhiPOST";
  CHECK(read_request(fixed, request, consumed) == RequestState::complete);
  CHECK(request.method == "POST");
  CHECK(request.target == "/x");
  CHECK(request.body == "hi");
  CHECK(request.header("webhook-id") == "msg_1");
  CHECK(consumed == fixed.size() - 4);
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
  CHECK(read_request(chunked, request, consumed) == RequestState::complete);
  CHECK(request.body == "hi!");
  CHECK(consumed == chunked.size());
  for (std::size_t cut = 1; cut < chunked.size(); ++cut) {
    CHECK(state_of(chunked.substr(0, cut)) == RequestState::incomplete);
  }
}

TEST_CASE("a request that waits for 100 Continue is recognised, and nonsense is refused") {
  CHECK(state_of("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n") ==
        RequestState::wants_continue);
  CHECK(state_of("hello\r\n\r\n") == RequestState::malformed);
  CHECK(state_of("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n") == RequestState::malformed);
  CHECK(state_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") == RequestState::malformed);
  CHECK(state_of(std::string(70'000, 'x')) == RequestState::malformed);
}

TEST_CASE("requests on one connection are answered in order, until the receiver is told to stop") {
  auto receiver = Receiver::open(0);
  REQUIRE(receiver.has_value());
  std::array<int, 2> stop{};
  REQUIRE(::pipe(stop.data()) == 0);
  std::vector<std::string> targets;
  std::thread server([&] {
    receiver->serve(webhookd::base::Duration{1}, stop[0],
                    [&](const ReceivedRequest& request) -> std::optional<HttpAnswer> {
                      targets.push_back(request.target);
                      return HttpAnswer{targets.size() == 1 ? 500 : 200, {}, {}};
                    });
  });
  const std::string two = "POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nxPOST /b HTTP/1.1\r\nConnection: close\r\n\r\n";
  const auto answers = exchange(receiver->port(), two, 2);
  CHECK(::write(stop[1], "x", 1) == 1);
  server.join();
  CHECK(targets == std::vector<std::string>{"/a", "/b"});
  CHECK(answers.starts_with("HTTP/1.1 500"));
  CHECK(answers.find("HTTP/1.1 200") != std::string::npos);
  ::close(stop[0]);
  ::close(stop[1]);
}

TEST_CASE(
    "an answer is read with its length, in chunks, or until the connection is closed, behind informational ones") {
  HttpAnswer answer;
  const std::string fixed =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi";
  CHECK(read_answer(fixed, false, false, answer) == AnswerState::complete);
  CHECK(answer.status == 201);
  CHECK(answer.body == "hi");
  CHECK(value_of_header(answer.headers, "x-a") == "b");
  for (std::size_t cut = 1; cut < fixed.size(); ++cut) {
    CHECK(read_answer(fixed.substr(0, cut), false, false, answer) == AnswerState::incomplete);
  }
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  CHECK(read_answer(chunked, false, false, answer) == AnswerState::complete);
  CHECK(answer.body == "hi");
  const std::string open_end = "HTTP/1.0 503 Oops\r\n\r\nlater";
  CHECK(read_answer(open_end, false, false, answer) == AnswerState::incomplete);
  CHECK(read_answer(open_end, true, false, answer) == AnswerState::complete);
  CHECK(answer.status == 503);
  CHECK(answer.body == "later");
  CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false, true, answer) == AnswerState::complete);
  CHECK(read_answer("HTTP/1.1 204 No Content\r\n\r\n", false, false, answer) == AnswerState::complete);
  CHECK(read_answer("hello\r\n\r\n", false, false, answer) == AnswerState::malformed);
  CHECK(read_answer("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, false, answer) == AnswerState::malformed);
}

TEST_CASE("what is about a connection is not handed on") {
  const HttpHeaders headers{{"connection", "close, X-Hop"}, {"x-hop", "1"},          {"retry-after", "7"},
                            {"content-length", "3"},        {"keep-alive", "max=5"}, {"content-type", "text/plain"}};
  const HttpHeaders kept{{"retry-after", "7"}, {"content-type", "text/plain"}};
  CHECK(end_to_end(headers) == kept);
  CHECK(text_of_answer({429, kept, "no!"}, true) ==
        "HTTP/1.1 429 whctl\r\nretry-after: 7\r\ncontent-type: text/plain\r\nContent-Length: 3\r\n\r\nno!");
  CHECK(text_of_answer({204, {}, ""}, false) == "HTTP/1.1 204 whctl\r\nConnection: close\r\n\r\n");
}
