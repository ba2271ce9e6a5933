// What servers answer: receivers to the daemon, the daemon to the tool, token endpoints. However the bytes are cut on
// their way, the answer is the same.
#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/random.hpp"
#include "control/client/connection.hpp"
#include "control/client/response_reader.hpp"
#include "control/protocol/problems.hpp"
#include "control/protocol/token_codec.hpp"
#include "domain/header.hpp"
#include "domain/limits.hpp"
#include "fuzz/targets.hpp"
#include "net/response_reader.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;
namespace limits = domain::limits;

struct Read {
  std::uint16_t status = 0;
  bool is_faulty = false;
  bool allows_reuse = false;
  std::string head;
  std::string body;
  bool is_truncated = false;
  std::string retry_after;
  bool operator==(const Read&) const = default;
};

// All bytes that the reader wants, in pieces of 1 … `piece_max` bytes, then the end of the stream.
Read read_in_pieces(std::string_view input, std::uint64_t seed, std::size_t piece_max) {
  base::Random random(seed);
  net::ResponseReader reader;
  reader.begin();
  while (reader.wants_more() && !input.empty()) {
    const auto room = reader.room();
    check(!room.empty(), "a reader that wants more has room");
    const std::size_t count = std::min({room.size(), input.size(), piece_max - random.below(piece_max)});
    std::memcpy(room.data(), input.data(), count);
    reader.add(count);
    input.remove_prefix(count);
  }
  Read read;
  read.allows_reuse = reader.allows_reuse() && input.empty();
  reader.end();
  read.status = reader.status();
  read.is_faulty = !reader.fault().empty();
  read.head = reader.kept_head();
  read.body = reader.kept_body();
  read.is_truncated = reader.is_truncated();
  read.retry_after = reader.retry_after();
  return read;
}

void run_response(std::string_view input) {
  // How much is read past the bound of a body is a matter of how much came at once.
  input = input.substr(0, limits::response_body_read_bytes / 2);
  const std::uint64_t seed = choice_of(input);
  const Read whole = read_in_pieces(input, seed, 1 + input.size());
  check(read_in_pieces(input, seed, 1) == whole, "an answer that drips is the same answer");
  check(read_in_pieces(input, seed + 1, 40) == whole, "an answer in pieces is the same answer");
  check(whole.status == 0 || (whole.status >= 200 && whole.status <= 999), "a status is one of an answer");
  check(whole.status == 0 || !whole.is_faulty, "what has a status has no fault");
  check(whole.head.size() <= limits::response_head_kept_bytes, "the head that is kept is bounded");
  check(whole.body.size() <= limits::response_body_kept_bytes, "the body that is kept is bounded");
}

struct ClientRead {
  bool is_done = false;
  bool keeps_connection = false;
  std::string fault;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool operator==(const ClientRead&) const = default;
};

ClientRead client_read_in_pieces(std::string_view input, std::uint64_t seed, std::size_t piece_max) {
  base::Random random(seed);
  client::ResponseReader reader;
  ClientRead read;
  bool goes_on = true;
  while (goes_on && !input.empty()) {
    const std::size_t count = std::min(input.size(), piece_max - random.below(piece_max));
    goes_on = reader.feed(input.substr(0, count), [&](std::string_view piece) { read.body += piece; });
    input.remove_prefix(count);
  }
  read.is_done = reader.is_done();
  read.keeps_connection = reader.is_done() && reader.keeps_connection();
  read.fault = reader.fault();
  read.status = reader.has_head() ? reader.head().status : 0;
  read.headers = reader.has_head() ? reader.head().headers : std::vector<std::pair<std::string, std::string>>();
  return read;
}

void run_client_response(std::string_view input) {
  const std::uint64_t seed = choice_of(input);
  const ClientRead whole = client_read_in_pieces(input, seed, 1 + input.size());
  check(client_read_in_pieces(input, seed, 1) == whole, "an answer that drips is the same answer");
  check(client_read_in_pieces(input, seed + 1, 40) == whole, "an answer in pieces is the same answer");
  check(whole.body.size() <= input.size(), "a body is made of what came");
}

void run_problem(std::string_view input) {
  const auto failure = client::failure_of(500, input);
  const auto problem = protocol::parse_problem(input);
  check(!failure.code.empty(), "a failure has a code");
  check(!failure.why.empty() || (problem && problem->detail.empty()),
        "a failure has a reason, unless it was given none");
  if (problem) {
    std::string text;
    protocol::append_problem(text, *problem);
    const auto again = protocol::parse_problem(text);
    check(again.has_value() && again->code == problem->code && again->detail == problem->detail &&
              again->fields == problem->fields,
          "a problem that is written reads back the same");
  }
}

void run_token(std::string_view input) {
  const auto token = protocol::read_access_token(input);
  if (token) {
    check(!token->value.empty() && token->value.size() <= limits::secret_line_bytes, "a token is bounded");
    check(domain::is_header_value(token->value), "a token may stand in a header");
    check(!token->lifetime || token->lifetime->count() >= 0, "a lifetime is not negative");
  } else {
    check(!token.error().detail.empty(), "a refusal has words");
  }
}

}  // namespace

std::vector<Target> answer_targets() {
  const std::vector<std::string> answers = {
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.0 503 Busy\r\nRetry-After: 120\r\nConnection: close\r\n\r\nlater",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: "
      "x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 410 Gone\r\nX: " + std::string(300, 'a') + "\r\n folded\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + std::string(9000, 'b'),
      "SSH-2.0-OpenSSH\r\n",
  };
  return {
      {"response", run_response, answers},
      {"client_response", run_client_response, answers},
      {"problem",
       run_problem,
       {R"({"type":"urn:webhookd:problem:invalid_field","title":"x","status":422,"detail":"url: …","code":"invalid_field",)"
        R"("errors":[{"pointer":"/url","detail":"url: is required"}]})",
        R"({"code":"not_found","detail":"","line":3})", R"({"code":"no such code"})", "<html>"}},
      {"token",
       run_token,
       {R"({"access_token":"abc","token_type":"Bearer","expires_in":3600})", R"({"error":"invalid_client"})",
        R"({"access_token":"a","token_type":"bearer","expires_in":"60","scope":"x"})",
        R"({"access_token":"a","token_type":"mac","expires_in":1e300})"}},
  };
}

}  // namespace webhookd::fuzz
