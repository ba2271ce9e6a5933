#include "net/resolver.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

namespace webhookd::net {

namespace {

Resolution address_answer(const char* text) { return {{*domain::parse_ipv4(text)}, {}, false}; }

Resolution ask(Resolver& resolver, const std::string& host) {
  auto promise = std::make_shared<std::promise<ResolutionRef>>();
  auto answer = promise->get_future();
  resolver.resolve(host, [promise](ResolutionRef found) { promise->set_value(std::move(found)); });
  REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  return *answer.get();
}

}  // namespace

TEST_CASE("an answer is kept for its time and then asked for again") {
  std::atomic<int> lookups = 0;
  ResolverOptions options;
  options.ttl = base::Duration(40);
  Resolver resolver(options, [&](const std::string&) {
    ++lookups;
    return address_answer("192.0.2.1");
  });
  CHECK(resolver.known("a.example") == nullptr);
  CHECK(ask(resolver, "a.example") == address_answer("192.0.2.1"));
  CHECK(*resolver.known("a.example") == address_answer("192.0.2.1"));
  CHECK(ask(resolver, "a.example") == address_answer("192.0.2.1"));
  CHECK(lookups == 1);
  while (resolver.known("a.example") != nullptr) {
    std::this_thread::yield();
  }
  ask(resolver, "a.example");
  CHECK(lookups == 2);
}

TEST_CASE("a failure is kept for a moment, a shortage not at all") {
  std::atomic<int> lookups = 0;
  Resolver resolver({}, [&](const std::string& host) {
    ++lookups;
    return Resolution{{}, "no", host == "short.example"};
  });
  ask(resolver, "missing.example");
  ask(resolver, "missing.example");
  CHECK(lookups == 1);
  ask(resolver, "short.example");
  ask(resolver, "short.example");
  CHECK(lookups == 3);
}

TEST_CASE("equal names are looked up once while the answer is under way") {
  std::atomic<int> lookups = 0;
  std::atomic<bool> release = false;
  Resolver resolver({}, [&](const std::string&) {
    ++lookups;
    while (!release) {
      std::this_thread::yield();
    }
    return address_answer("192.0.2.1");
  });
  std::atomic<int> answers = 0;
  for (int i = 0; i < 50; ++i) {
    resolver.resolve("same.example", [&](const ResolutionRef&) { ++answers; });
  }
  release = true;
  while (answers < 50) {
    std::this_thread::yield();
  }
  CHECK(lookups == 1);
}

TEST_CASE("names wait for a thread, and past the bound they are a shortage") {
  std::atomic<bool> release = false;
  ResolverOptions options;
  options.threads = 1;
  options.waiting_max = 2;
  std::atomic<int> started = 0;
  Resolver resolver(options, [&](const std::string&) {
    ++started;
    while (!release) {
      std::this_thread::yield();
    }
    return address_answer("192.0.2.1");
  });
  std::atomic<int> answers = 0;
  std::atomic<int> shortages = 0;
  const auto count = [&](const ResolutionRef& answer) {
    ++answers;
    shortages += answer->is_shortage ? 1 : 0;
  };
  resolver.resolve("a.example", count);
  while (started == 0) {
    std::this_thread::yield();
  }
  resolver.resolve("b.example", count);
  resolver.resolve("c.example", count);
  resolver.resolve("d.example", count);
  CHECK(answers == 1);
  CHECK(shortages == 1);
  release = true;
  while (answers < 4) {
    std::this_thread::yield();
  }
  CHECK(shortages == 1);
}

TEST_CASE("localhost is known without a lookup, in both families") {
  Resolver resolver({}, [](const std::string&) { return Resolution{{}, "asked", false}; });
  const ResolutionRef answer = resolver.known("localhost");
  REQUIRE(answer != nullptr);
  CHECK(answer->addresses == std::vector{*domain::parse_ipv4("127.0.0.1"), *domain::parse_ipv6("::1")});
}

TEST_CASE("a resolver ends while a lookup hangs, and nobody is called any more") {
  auto release = std::make_shared<std::atomic<bool>>(false);
  auto left = std::make_shared<std::atomic<bool>>(false);
  auto started = std::make_shared<std::atomic<bool>>(false);
  std::atomic<int> answers = 0;
  {
    Resolver resolver({}, [=](const std::string&) {
      *started = true;
      while (!*release) {
        std::this_thread::yield();
      }
      *left = true;
      return address_answer("192.0.2.1");
    });
    resolver.resolve("hangs.example", [&](const ResolutionRef&) { ++answers; });
    while (!*started) {
      std::this_thread::yield();
    }
  }
  *release = true;
  while (!*left) {
    std::this_thread::yield();
  }
  CHECK(answers == 0);
}

TEST_CASE("the system's lookup reads an address as itself and says why a name fails") {
  CHECK(system_lookup("127.0.0.1").addresses == std::vector{*domain::parse_ipv4("127.0.0.1")});
  const Resolution missing = system_lookup(std::string(300, 'a'));
  CHECK(missing.addresses.empty());
  CHECK_FALSE(missing.error.empty());
}

}  // namespace webhookd::net
