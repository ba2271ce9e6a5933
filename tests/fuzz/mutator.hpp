// Makes inputs from seeds: bytes flipped, inserted, erased, repeated, pieces of other seeds and of the grammars' own
// words put in. The same random numbers give the same inputs. libFuzzer does this better, because it sees what an input
// reaches; this one runs wherever the tests do.
//
// Never here: knowledge of a target.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace webhookd::fuzz {

inline constexpr std::size_t input_bytes_max = 16 * 1024;

// `seeds` is not empty.
std::string mutated(const std::vector<std::string>& seeds, base::Random& random);

}  // namespace webhookd::fuzz
