#include "sim/simulation.hpp"

#include <doctest/doctest.h>

#include "support/sanitizer.hpp"

using namespace webhookd::sim;

namespace {

constexpr std::uint64_t seeds = webhookd::support::is_sanitized ? 10 : 40;

}  // namespace

TEST_CASE("the promises hold after every step of many lives with crashes at any commit") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.events = 100;
    const SimulationResult result = simulate(options);
    CAPTURE(seed);
    CHECK(result.broken.empty());
    for (const std::string& words : result.broken) {
      MESSAGE(words);
    }
  }
}

TEST_CASE("the same seed gives the same life, another seed another") {
  SimulationOptions options;
  options.events = 60;
  const auto first = simulate(options);
  CHECK(simulate(options).digest == first.digest);
  CHECK(first.attempts > 0);
  options.seed = 2;
  CHECK(simulate(options).digest != first.digest);
}
