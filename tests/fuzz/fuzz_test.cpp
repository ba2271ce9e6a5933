// Every target of the table on its seeds and on thousands of inputs made from them, the same in every run. What breaks
// a property aborts; the input is printed first, so that it can become a test of its own.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <set>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#include "fuzz/mutator.hpp"
#include "fuzz/targets.hpp"
#include "support/sanitizer.hpp"

using namespace webhookd;

namespace {

constexpr std::uint64_t seed = 20261128;
constexpr std::chrono::milliseconds time_each(support::is_sanitized ? 600 : 280);  // for what costs much
constexpr std::size_t inputs_each = 15000;
constexpr double input_seconds_max = support::is_sanitized ? 5 : 1;

// What runs now, for whoever reads that it crashed.
struct Running {
  std::string_view target;
  std::string_view input;
};
Running running;

void print_running() {
  std::fprintf(stderr, "fuzz_test: target %.*s, input \"", static_cast<int>(running.target.size()),
               running.target.data());
  for (const char c : running.input) {
    std::fprintf(stderr, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  std::fprintf(stderr, "\"\n");
}

// Not async-signal-safe; it runs when all is lost anyway.
void print_and_end(int signal) {
  print_running();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const fuzz::Target& target, std::string_view input) {
  running = {target.name, input};
  const std::clock_t begun = std::clock();  // the processor's: others may be using the machine
  target.run(input);
  const double seconds = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  if (seconds > input_seconds_max) {
    print_running();
  }
  CHECK(seconds <= input_seconds_max);
}

std::size_t run_many(const fuzz::Target& target) {
  const auto end = std::chrono::steady_clock::now() + time_each;
  base::Random random(seed);
  std::size_t count = 0;
  for (; count < inputs_each && std::chrono::steady_clock::now() < end; ++count) {
    run(target, fuzz::mutated(target.seeds, random));
  }
  return count;
}

}  // namespace

TEST_CASE("every target has a name of its own and seeds") {
  std::set<std::string_view> names;
  for (const auto& target : fuzz::targets()) {
    CAPTURE(target.name);
    CHECK(names.insert(target.name).second);
    CHECK(!target.seeds.empty());
  }
}

TEST_CASE("the same numbers make the same inputs") {
  base::Random first(seed);
  base::Random second(seed);
  const std::vector<std::string> seeds = {"one", "another"};
  for (int i = 0; i < 1000; ++i) {
    CHECK(fuzz::mutated(seeds, first) == fuzz::mutated(seeds, second));
  }
}

TEST_CASE("no input from outside breaks a property of its parser, or takes long") {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL}) {
    std::signal(signal, print_and_end);
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(print_running);
#endif
  for (const auto& target : fuzz::targets()) {
    run(target, "");
    for (const std::string& input : target.seeds) {
      run(target, input);
    }
    const std::size_t count = run_many(target);
    MESSAGE(std::string(target.name) << ": " << count << " inputs");
  }
}
