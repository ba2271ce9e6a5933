// Randomness is passed in, never drawn from the environment: the same seed gives the same run. The daemon seeds
// its generator from the kernel once, in the composition root; simulations and tests pass a literal.
#pragma once

#include <cstdint>

namespace webhookd::base {

// Spreads the bits of `value`; a bijection (SplitMix64's finaliser).
constexpr std::uint64_t mix64(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// SplitMix64: small, fast, good enough for jitter and simulation. Secrets never come from here.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15ULL); }
  // 0 … bound-1; bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // -1 … 1
  double signed_unit() { return static_cast<double>(next() >> 11) * 0x1.0p-52 - 1.0; }

 private:
  std::uint64_t state_;
};

}  // namespace webhookd::base
