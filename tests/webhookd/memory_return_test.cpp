#include "memory_return.hpp"

#include <doctest/doctest.h>

using namespace webhookd::daemon;
using namespace std::chrono_literals;

namespace {

constexpr MemoryReturn::Time burst{1000s};

}  // namespace

TEST_CASE("memory goes back once, five seconds after a burst has ended") {
  MemoryReturn memory;
  CHECK(memory.look(burst, 5000, true).next == burst + 5s);
  CHECK(memory.look(burst + 4s, 9000, false).next == burst + 9s);
  CHECK_FALSE(memory.look(burst + 8s, 9000, false).trims);
  const auto step = memory.look(burst + 9s, 9000, false);
  CHECK(step.trims);
  CHECK_FALSE(step.next);
  const auto later = memory.look(burst + 1h, 9000, false);
  CHECK_FALSE(later.trims);
  CHECK_FALSE(later.next);
}

TEST_CASE("while attempts are under way nothing is given back") {
  MemoryReturn memory;
  CHECK_FALSE(memory.look(burst, 5000, true).trims);
  CHECK_FALSE(memory.look(burst + 1h, 5000, true).trims);
  CHECK(memory.look(burst + 1h + 5s, 5000, false).trims);
}

TEST_CASE("a little work wakes nobody") {
  MemoryReturn memory;
  const auto step = memory.look(burst, 999, false);
  CHECK_FALSE(step.trims);
  CHECK_FALSE(step.next);
}
