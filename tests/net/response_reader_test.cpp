#include "net/response_reader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "domain/limits.hpp"

namespace webhookd::net {

namespace {

// Feeds `bytes` in steps of `step`, as far as the reader wants them; the rest stays unread.
std::size_t feed(ResponseReader& reader, std::string_view bytes, std::size_t step) {
  std::size_t fed = 0;
  while (reader.wants_more() && fed < bytes.size()) {
    const auto room = reader.room();
    const std::size_t count = std::min({step, room.size(), bytes.size() - fed});
    std::memcpy(room.data(), bytes.data() + fed, count);
    reader.add(count);
    fed += count;
  }
  return fed;
}

struct Read {
  std::uint16_t status = 0;
  std::string head;
  std::string body;
  std::string fault;
  bool allows_reuse = false;
  bool operator==(const Read&) const = default;
};

Read read_all(std::string_view bytes, std::size_t step, bool then_end = false) {
  ResponseReader reader;
  reader.begin();
  feed(reader, bytes, step);
  if (then_end) {
    reader.end();
  }
  return {reader.status(), reader.kept_head(), reader.kept_body(), reader.fault(), reader.allows_reuse()};
}

const std::string chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n";
const std::string no_chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
const std::string plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string informed = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + plain;
const std::string bare = "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace

TEST_CASE("an answer reads the same whole and in pieces of any size") {
  for (const std::string& bytes : {chunked, no_chunks, plain, informed, bare}) {
    const Read whole = read_all(bytes, bytes.size());
    CHECK(whole.status == 200);
    CHECK(whole.fault.empty());
    CHECK(whole.allows_reuse);
    for (std::size_t step = 1; step < bytes.size(); ++step) {
      CHECK(read_all(bytes, step) == whole);
    }
  }
  CHECK(read_all(chunked, 7).body == "hello world");
  CHECK(read_all(bare, 7).head == "HTTP/1.1 200\r\nContent-Length: 5");
}

TEST_CASE("every prefix of an answer is a reset, a success, or still open, never a fault") {
  for (const std::string& bytes : {chunked, no_chunks, plain, informed, bare}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Read read = read_all(std::string_view(bytes).substr(0, size), 3, true);
      CHECK(read.fault.empty());
      CHECK_FALSE(read.allows_reuse);
    }
  }
}

TEST_CASE("a reader serves one answer after the other") {
  ResponseReader reader;
  for (int i = 0; i < 3; ++i) {
    reader.begin();
    CHECK_FALSE(reader.has_bytes());
    CHECK(feed(reader, chunked, 10) == chunked.size());
    CHECK(reader.allows_reuse());
    CHECK(reader.kept_body() == "hello world");
  }
}

TEST_CASE("leftover bytes forbid another use of the connection") {
  CHECK_FALSE(read_all(plain + "x", 4096).allows_reuse);
  CHECK_FALSE(read_all(chunked + "HTTP/1.1 200 OK\r\n\r\n", 4096).allows_reuse);
  CHECK_FALSE(read_all("HTTP/1.1 204 No Content\r\n\r\nx", 4096).allows_reuse);
}

TEST_CASE("a head may have 16 KiB and not one byte more") {
  const std::string start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  const std::size_t limit = domain::limits::response_head_bytes;
  for (const std::size_t size : {limit, limit + 1}) {
    std::string head = start;
    while (head.size() + 2 + 1000 + 2 < size) {
      head += "X: " + std::string(495, 'a') + "\r\n";
    }
    head += "Y: " + std::string(size - head.size() - 7, 'b') + "\r\n\r\n";
    REQUIRE(head.size() == size);
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, size}) {
      const Read read = read_all(head, step);
      CHECK(read.status == (size <= limit ? 200 : 0));
      CHECK(read.fault.empty() == (size <= limit));
    }
  }
}

TEST_CASE("of a body 64 KiB are read and 4 KiB kept") {
  for (const std::size_t size : {std::size_t{65'536}, std::size_t{65'537}}) {
    const std::string bytes =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
    ResponseReader reader;
    reader.begin();
    const std::size_t fed = feed(reader, bytes, 1000);
    CHECK(reader.status() == 200);
    CHECK(reader.kept_body() == std::string(4096, 'x'));
    CHECK(reader.is_truncated());
    CHECK(reader.allows_reuse() == (size == 65'536));
    CHECK((fed == bytes.size()) == (size == 65'536));
  }
}

TEST_CASE("a body that only an end can close is read no further than what is kept") {
  ResponseReader reader;
  reader.begin();
  const std::size_t fed = feed(reader, "HTTP/1.1 200 OK\r\n\r\n" + std::string(60'000, 'x'), 1000);
  CHECK(fed < 7000);
  CHECK(reader.kept_body().size() == 4096);
}

TEST_CASE("retry-after is taken from the final head alone") {
  ResponseReader reader;
  reader.begin();
  feed(reader,
       "HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 2\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\nRetry-After: 3\r\n\r\n",
       4096);
  CHECK(reader.status() == 503);
  CHECK(reader.retry_after() == "2");
}

TEST_CASE("what is plainly not HTTP is refused at its first bytes") {
  for (const char* bytes : {"S", "HTTP/2", "HTTP/0.9", "\r\n", "http/1.1", "HTTQ", "\x16\x03"}) {
    CAPTURE(bytes);
    CHECK(read_all(bytes, 1).fault == "the answer is not HTTP/1");
  }
  CHECK(read_all("HTTP/1.", 1).fault.empty());
}

TEST_CASE("random damage to an answer never breaks the reader or its bounds") {
  std::uint64_t state = 1;
  const auto random = [&](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random(2) == 0 ? chunked : informed;
    for (std::size_t changes = 1 + random(4); changes > 0; --changes) {
      bytes[random(bytes.size())] = static_cast<char>(random(256));
    }
    ResponseReader reader;
    reader.begin();
    feed(reader, bytes, 1 + random(40));
    reader.end();
    CHECK(reader.kept_body().size() <= 4096);
    CHECK_FALSE((reader.is_head_complete() && !reader.fault().empty()));
  }
}

}  // namespace webhookd::net
