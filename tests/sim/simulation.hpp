// A whole life in virtual time from one seed: webhooks of every temper, events, cancels, retries, edits, activation and
// deletion at random moments, crashes at any commit. After each step the promises of reliability.md (1-5) are
// checked by an oracle that knows only what was answered and what the receivers saw. The digest of a run depends on
// nothing but the seed and its size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace webhookd::sim {

struct SimulationOptions {
  std::uint64_t seed = 1;
  int days = 10;
  int events = 400;
  int webhooks = 6;
  int crashes_per_thousand_commits = 10;
};

struct SimulationResult {
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t attempts = 0;
  std::uint64_t commits = 0;
  std::uint64_t crashes = 0;
  std::uint64_t by_status[5] = {};
  std::vector<std::string> broken;  // promises that did not hold, in words; empty: all held
};

SimulationResult simulate(const SimulationOptions& options);

}  // namespace webhookd::sim
