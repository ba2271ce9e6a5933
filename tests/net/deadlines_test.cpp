#include <doctest/doctest.h>

#include <boost/asio/post.hpp>
#include <functional>

#include "net/deadlines_impl.hpp"

using namespace webhookd::net;
using namespace std::chrono_literals;

namespace {

struct Noted final : Expiring {
  explicit Noted(std::function<void()> what) : then(std::move(what)) {}
  void expire() override { then(); }

  std::function<void()> then;
};

}  // namespace

TEST_CASE("the later a crowd of deadlines is, the larger is the slice that expires at once") {
  CHECK(Deadlines::slice(0ms) == 64);
  CHECK(Deadlines::slice(50ms) == 96);
  CHECK(Deadlines::slice(100ms) == 128);
  CHECK(Deadlines::slice(10s) == 64 * 101);
}

TEST_CASE("deadlines expire in their order, not before their time, and those given back never") {
  asio::io_context io{1};
  Deadlines deadlines(io);
  const auto now = Steady::now();
  std::string order;
  bool is_early = false;
  const auto noted = [&](char name, Steady::time_point at) {
    return std::make_shared<Noted>([&, name, at] {
      order += name;
      is_early = is_early || Steady::now() < at;
    });
  };
  deadlines.add(now + 30ms, noted('c', now + 30ms));
  deadlines.add(now + 10ms, noted('a', now + 10ms));
  const auto given_back = deadlines.add(now + 5ms, noted('x', now + 5ms));
  deadlines.add(now + 20ms, noted('b', now + 20ms));
  deadlines.remove(given_back);
  io.run();
  CHECK(order == "abc");
  CHECK_FALSE(is_early);
}

TEST_CASE("what is posted gets its turn while a crowd expires") {
  constexpr int crowd = 1000;
  asio::io_context io{1};
  Deadlines deadlines(io);
  int expired = 0;
  int turns = 0;
  std::function<void()> take_turn = [&] {
    ++turns;
    if (expired < crowd) {
      asio::post(io, take_turn);
    }
  };
  const auto at = Steady::now() + 1ms;
  for (int i = 0; i < crowd; ++i) {
    deadlines.add(at, std::make_shared<Noted>([&] {
                    ++expired;
                    turns = expired == 1 ? 0 : turns;
                  }));
  }
  asio::post(io, take_turn);
  io.run();
  CHECK(expired == crowd);
  CHECK(turns > 1);
}

TEST_CASE("a deadline keeps whom it is for until it has expired or was given back") {
  asio::io_context io{1};
  Deadlines deadlines(io);
  auto expires = std::make_shared<Noted>([] {});
  auto leaves = std::make_shared<Noted>([] {});
  deadlines.add(Steady::now() + 1ms, expires);
  const auto ticket = deadlines.add(Steady::now() + 1ms, leaves);
  CHECK(leaves.use_count() == 2);
  deadlines.remove(ticket);
  CHECK(leaves.use_count() == 1);
  io.run();
  CHECK(expires.use_count() == 1);
}
