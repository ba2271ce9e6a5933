// What is fuzzed: every parser of ours that reads bytes from outside (reliability.md, "fuzzers"). A target is a
// function that gives any bytes to the real parser and checks what must hold of the answer beyond that it comes: what
// was read is written and read back the same, cuts between reads change nothing, damage is seen. A broken property
// aborts (base/check.hpp), as a fuzzer wants it.
//
// The same table is used twice: by fuzz_test.cpp, a few thousand inputs a target in every run of the suite under every
// compiler, and by libfuzzer_main.cpp, which looks for as long as it is let (./dev fuzz).
//
// Never here: input that is not a function of the bytes given, so that a found input always shows the fault again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  std::vector<std::string> seeds;  // inputs that reach deep, from which others are made
};

const std::vector<Target>& targets();

// The rooms of the table.
std::vector<Target> text_targets();      // lib/base, lib/domain, lib/crypto
std::vector<Target> request_targets();   // lib/control/protocol: what clients send
std::vector<Target> document_targets();  // lib/control/protocol and server: JSON, histories, schemas
std::vector<Target> stored_targets();    // lib/store
std::vector<Target> answer_targets();    // lib/net and lib/control/client: what servers answer
std::vector<Target> program_targets();   // apps: configuration, documents, terminals

// A number that depends on every byte: for choices inside a target (where to cut, which bit to flip).
std::uint64_t choice_of(std::string_view input);
// Both sides of the first `separator`; the second is empty when there is none.
struct Halves {
  std::string_view first;
  std::string_view second;
};
Halves split_at_first(std::string_view input, std::string_view separator);

}  // namespace webhookd::fuzz
