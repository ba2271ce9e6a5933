// `./dev sim --seed N --days D [--events E] [--seeds COUNT]`: runs the simulation and prints each run's digest; exits 1
// when a promise was broken, with the seed that shows it.
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/text.hpp"
#include "sim/simulation.hpp"

namespace {

constexpr const char* usage = "usage: sim [--seed N] [--days D] [--events E] [--seeds COUNT]\n";

struct Arguments {
  webhookd::sim::SimulationOptions options;
  unsigned long long seeds = 1;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; i += 2) {
    const auto value = i + 1 < argc ? webhookd::base::parse_whole_number(argv[i + 1], 1'000'000'000) : std::nullopt;
    if (!value) {
      return false;
    }
    const std::string name = argv[i];
    if (name == "--seed") {
      arguments.options.seed = *value;
    } else if (name == "--days" && *value >= 1 && *value <= 365) {
      arguments.options.days = static_cast<int>(*value);
    } else if (name == "--events" && *value <= 1'000'000) {
      arguments.options.events = static_cast<int>(*value);
    } else if (name == "--seeds") {
      arguments.seeds = *value;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(usage, stderr);
    return 2;
  }
  bool all_held = true;
  for (unsigned long long i = 0; i < arguments.seeds; ++i) {
    auto options = arguments.options;
    options.seed += i;
    const auto result = webhookd::sim::simulate(options);
    std::printf("seed %" PRIu64 "  digest %016" PRIx64 "  events %" PRIu64 "  messages %" PRIu64 "  attempts %" PRIu64
                "  commits %" PRIu64 "  crashes %" PRIu64 "  success %" PRIu64 "  failed %" PRIu64
                "  cancelled %" PRIu64 "\n",
                options.seed, result.digest, result.events, result.messages, result.attempts, result.commits,
                result.crashes, result.by_status[2], result.by_status[3], result.by_status[4]);
    for (const std::string& words : result.broken) {
      std::printf("  broken: %s\n", words.c_str());
    }
    all_held = all_held && result.broken.empty();
  }
  return all_held ? 0 : 1;
}
