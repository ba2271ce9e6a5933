#include "sim/simulation.hpp"

#include <doctest/doctest.h>

using namespace webhookd::sim;

TEST_CASE("the promises hold after every step of many lives with crashes at any commit") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
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
