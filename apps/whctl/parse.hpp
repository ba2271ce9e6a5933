// From the words of the command line to an Invocation, by the command table. CLI11 splits words into flags and
// arguments and is seen by parse.cpp alone; what is missing, unknown or not among the choices is found and said here,
// in the tool's own words, with what was probably meant. No command runs while parsing.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "control/client/failure.hpp"

namespace webhookd::whctl {

// A command and its words. Every name asked for must be in the table.
class Invocation {
 public:
  const Command* command = nullptr;                                    // nothing when no command was given
  std::map<std::string, std::vector<std::string>, std::less<>> words;  // by flag name, or ARGUMENT name

  bool has(std::string_view name) const { return words.contains(name); }
  // Of a repeated flag or argument: all, in order.
  const std::vector<std::string>& all(std::string_view name) const;
  // The last one given, or "".
  const std::string& value(std::string_view name) const;
};

client::Result<Invocation> parse(const std::vector<std::string>& arguments);

// A usage failure with "did you mean" when one of `candidates` is near.
client::Failure unknown_word(std::string what, std::string why, std::string_view word,
                             const std::vector<std::string>& candidates);

}  // namespace webhookd::whctl
