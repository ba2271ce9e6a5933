// The stream of changes: what it shows, where it goes on, how it ends, and what a slow or silent client costs.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "control/client/response_reader.hpp"
#include "control/daemon_harness.hpp"
#include "control/protocol/cursor.hpp"

namespace {

using namespace control_test;
namespace protocol = webhookd::protocol;

constexpr int patience_ms = 10'000;

// A stream on a connection of its own, read line by line as the lines arrive.
class Lines {
 public:
  Lines(const Daemon& daemon, const std::string& query) : client_(daemon.socket_path()) {
    client_.send("GET /v1/stream" + (query.empty() ? "" : "?" + query) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }

  // The next line that is not empty; fails the test when none comes.
  Json next() {
    while (lines_.empty()) {
      REQUIRE(read_more());
    }
    Json line = Json::parse(lines_.front());
    lines_.erase(lines_.begin());
    return line;
  }
  // The next line with a message.
  Json next_message() {
    for (;;) {
      Json line = next();
      if (line.contains("id")) {
        return line;
      }
    }
  }
  // All messages until the stream ends; the last cursor is kept.
  std::vector<Json> messages() {
    std::vector<Json> found;
    while (!reader_.is_done()) {
      REQUIRE(read_more());
    }
    for (const std::string& text : lines_) {
      Json line = Json::parse(text);
      cursor = line["cursor"];
      if (line.contains("id")) {
        found.push_back(std::move(line));
      }
    }
    lines_.clear();
    return found;
  }
  bool ends() {
    while (!reader_.is_done() && read_more()) {
    }
    return true;
  }
  bool is_quiet() const {
    pollfd readable{client_.descriptor(), POLLIN, 0};
    return lines_.empty() && ::poll(&readable, 1, 100) == 0;
  }
  int descriptor() const { return client_.descriptor(); }
  bool is_whole() const { return reader_.is_done(); }
  std::string cursor;

 private:
  bool read_more() {
    pollfd readable{client_.descriptor(), POLLIN, 0};
    REQUIRE(::poll(&readable, 1, patience_ms) == 1);
    char piece[16384];
    const ssize_t got = ::recv(client_.descriptor(), piece, sizeof piece, 0);
    if (got <= 0) {
      return false;
    }
    return reader_.feed({piece, static_cast<std::size_t>(got)}, [this](std::string_view body) { take(body); });
  }
  void take(std::string_view body) {
    for (const char c : body) {
      if (c != '\n') {
        partial_ += c;
      } else if (!partial_.empty()) {
        lines_.push_back(std::move(partial_));
        partial_.clear();
      }
    }
  }

  Client client_;
  webhookd::client::ResponseReader reader_;
  std::string partial_;
  std::vector<std::string> lines_;
};

std::string refused_parameter(const Daemon& daemon, const std::string& query) {
  const Response refused = daemon.call("GET", "/v1/stream?" + query);
  CHECK(refused.status == 400);
  return refused.json()["errors"][0]["pointer"];
}

}  // namespace

TEST_CASE("a stream begins with the position, then brings each message as it changes") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.emit();
  Lines lines(daemon, "");
  const Json begun = lines.next();
  CHECK(begun.size() == 1);
  CHECK(begun.contains("cursor"));
  const std::string id = daemon.emit()["messages"][0]["id"];
  for (Json line = lines.next_message();; line = lines.next_message()) {
    if (line["id"] != id || line["status"] != "success") {
      continue;  // the event before, or not yet delivered
    }
    CHECK(line["webhook"] == "good");
    CHECK(line["type"] == "subscription.create");
    CHECK(line["attempts"] == 1);
    CHECK(line["cursor"] != begun["cursor"]);
    break;
  }
}

TEST_CASE("from the start without following, a stream has every message once, as it now stands, and ends") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(daemon.emit()["messages"][0]["id"]);
    daemon.message_when(ids.back(), "success");
  }
  Lines lines(daemon, "after=start&follow=false");
  const auto messages = lines.messages();
  REQUIRE(messages.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(messages[i]["id"] == ids[i]);
    CHECK(messages[i]["status"] == "success");
  }
  CHECK(Lines(daemon, "follow=false&after=" + lines.cursor).messages().empty());
  const std::string one_more = daemon.emit()["messages"][0]["id"];
  daemon.message_when(one_more, "success");
  const auto rest = Lines(daemon, "follow=false&after=" + lines.cursor).messages();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0]["id"] == one_more);
}

TEST_CASE("a stream goes on behind any cursor that it gave, without losing or repeating a line") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  for (int i = 0; i < 30; ++i) {
    daemon.message_when(daemon.emit()["messages"][0]["id"], "success");
  }
  const auto all = Lines(daemon, "after=start&follow=false").messages();
  REQUIRE(all.size() == 30);
  std::string cursor = "start";
  for (std::size_t at = 0; at < all.size();) {
    Lines part(daemon, "follow=false&limit=7&after=" + cursor);
    for (const Json& line : part.messages()) {
      CHECK(line == all.at(at++));
    }
    cursor = part.cursor;
  }
  CHECK(Lines(daemon, "follow=false&after=" + cursor).messages().empty());
}

TEST_CASE("a stream shows what its filters let through, and its position moves on with the rest") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.add_webhook("bad", "/500");
  const Json messages = daemon.emit()["messages"];
  for (const Json& message : messages) {
    const std::string id = message["id"];
    daemon.message_when(id,
                        daemon.call("GET", "/v1/messages/" + id).json()["webhook"] == "bad" ? "retrying" : "success");
  }
  const auto shown = [&](const std::string& filter) {
    return Lines(daemon, "after=start&follow=false&" + filter).messages();
  };
  CHECK(shown("webhook=bad").size() == 1);
  CHECK(shown("code=5xx").size() == 1);
  CHECK(shown("status=success,failed").size() == 1);
  CHECK(shown("q=HTTP+500").at(0)["webhook"] == "bad");
  CHECK(shown("type=subscription.delete").empty());
  CHECK(shown("until=2001-01-01T00:00:00Z").empty());
  Lines nothing(daemon, "after=start&follow=false&type=subscription.delete");
  CHECK(nothing.messages().empty());
  CHECK(Lines(daemon, "follow=false&after=" + nothing.cursor).messages().empty());
}

TEST_CASE("without a cursor and without following, a stream says where now is") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.message_when(daemon.emit()["messages"][0]["id"], "success");
  Lines now(daemon, "follow=false");
  CHECK(now.messages().empty());
  CHECK(!now.cursor.empty());
  const std::string id = daemon.emit()["messages"][0]["id"];
  daemon.message_when(id, "success");
  CHECK(Lines(daemon, "follow=false&after=" + now.cursor).messages().at(0)["id"] == id);
}

TEST_CASE("a cursor of a list, of another store, of the future or of nobody is refused by name") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.emit();
  daemon.emit();
  const std::string list_cursor = daemon.call("GET", "/v1/messages?limit=1").json()["next_cursor"];
  CHECK(refused_parameter(daemon, "after=" + list_cursor) == "/after");
  CHECK(refused_parameter(daemon, "after=nonsense") == "/after");
  CHECK(refused_parameter(daemon, "after=" + protocol::encode_feed_cursor({12345, 1})) == "/after");
  Lines now(daemon, "follow=false");
  now.messages();
  auto position = protocol::decode_feed_cursor(now.cursor).value();
  position.number += 1'000'000;
  CHECK(refused_parameter(daemon, "after=" + protocol::encode_feed_cursor(position)) == "/after");
  CHECK(refused_parameter(daemon, "follow=perhaps") == "/follow");
  CHECK(refused_parameter(daemon, "limit=0") == "/limit");
  CHECK(refused_parameter(daemon, "order=asc") == "/order");
}

TEST_CASE("a stream is quiet while nothing changes, and a second request may follow one that ended") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  daemon.message_when(daemon.emit()["messages"][0]["id"], "success");
  Lines lines(daemon, "");
  lines.next();
  CHECK(lines.is_quiet());
  Client client(daemon.socket_path());
  CHECK(client.call("GET", "/v1/stream?follow=false").status == 200);
  CHECK(client.call("GET", "/healthz").status == 200);
}

TEST_CASE("a client that does not read holds up nobody, and finds everything when it reads") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  Lines slow(daemon, "after=start");
  std::string batch;
  for (int i = 0; i < 500; ++i) {
    batch += R"({"type":"subscription.create","data":1})"
             "\n";
  }
  constexpr std::size_t events = 4000;
  for (std::size_t done = 0; done < events; done += 500) {
    CHECK(daemon.call("POST", "/v1/events", batch, "Content-Type: application/x-ndjson\r\n").status == 200);
  }
  std::vector<std::string> settled;
  while (settled.size() < events) {
    const Json line = slow.next_message();
    if (line["status"] == "success") {
      settled.push_back(line["id"]);
    }
  }
  std::sort(settled.begin(), settled.end());
  CHECK(std::adjacent_find(settled.begin(), settled.end()) == settled.end());
}

TEST_CASE("when the daemon stops taking requests a stream ends as a whole answer") {
  Daemon daemon;
  daemon.add_webhook("good", "/ok");
  Lines draining(daemon, "");
  draining.next();
  daemon.server().drain();
  CHECK(draining.ends());
  CHECK(draining.is_whole());
}

TEST_CASE("the server ends under a stream without waiting for it") {
  Daemon daemon;
  daemon.add_webhook("good", "/ok");
  Lines lines(daemon, "");
  lines.next();
  daemon.stop_server();
  CHECK(lines.ends());
}

TEST_CASE("there are only so many waits and streams at once, and one that left makes room") {
  const Daemon daemon;
  daemon.add_webhook("good", "/ok");
  std::vector<std::unique_ptr<Lines>> many;
  for (int i = 0; i < 256; ++i) {
    many.push_back(std::make_unique<Lines>(daemon, ""));
    many.back()->next();
  }
  CHECK(daemon.call("GET", "/v1/stream").status == 503);
  many.clear();
  daemon.emit();  // a change: the server looks who is still there
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < deadline) {
    status = daemon.call("GET", "/v1/stream?follow=false").status;
  }
  CHECK(status == 200);
}
