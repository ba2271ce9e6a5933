// What toml++ does where it thinks that it is wrong: included before toml++, by every file that includes it. Several of
// the assertions in version 3.3 do not hold for every text ("[{", "x = 1979-05-27 7]"), and by themselves they end the
// process; but a file with a slip in it must not end a daemon that is told to reload, nor the tool. So a text that the
// parser stumbles over is refused like any other that is no TOML, though without its line.
//
// Never here: toml++ itself.
#pragma once

#include <exception>

namespace webhookd::base {

class TomlStumble : public std::exception {
 public:
  const char* what() const noexcept override { return "this is no TOML, in a way that the parser does not expect"; }
};

constexpr void check_toml(bool holds) {
  if (!holds) {
    throw TomlStumble();
  }
}

}  // namespace webhookd::base

#define TOML_ASSERT(expression) ::webhookd::base::check_toml(static_cast<bool>(expression))
