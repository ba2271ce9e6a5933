// What `whctl top` shows, as a function of what is known: no terminal, no clock, no daemon here. Rates are differences
// of the daemon's counters between two looks.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace webhookd::whctl {

struct Counters {
  std::uint64_t accepted = 0;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t waiting = 0;
  std::uint64_t in_flight = 0;
};

// A second's worth, of the latest looks; the oldest first.
struct Rates {
  double accepted = 0;
  double successes = 0;
  double failures = 0;
};

struct TroubledEndpoint {
  std::string name;
  std::string health;
  std::string status;
  std::uint64_t waiting = 0;
};

struct RecentFailure {
  std::string id;
  std::string webhook;
  std::string type;
  std::string status;
  std::string failure;
};

struct TopState {
  std::string version;
  std::string uptime;
  bool is_test_clock = false;
  bool is_stopped = false;
  Counters now;
  double p50_ms = 0;  // of attempts, this minute
  double p99_ms = 0;
  std::deque<Rates> history;
  std::vector<TroubledEndpoint> endpoints;
  std::vector<RecentFailure> failures;
  std::size_t chosen = 0;  // of failures
  std::string words;       // what the last key did, or why the daemon cannot be asked
};

struct Screen {
  std::size_t width = 80;
  std::size_t height = 24;
  bool has_color = false;
  bool is_ascii = false;
};

// Lines, at most as many and as wide as the screen; texts from outside made safe.
std::vector<std::string> top_lines(const TopState& state, const Screen& screen);
Rates rates_between(const Counters& before, const Counters& after, base::Duration span);
// The latest `width` values as blocks of eight heights; digits 0 to 8 without UTF-8.
std::string sparkline(const std::vector<double>& values, std::size_t width, bool is_ascii);

}  // namespace webhookd::whctl
