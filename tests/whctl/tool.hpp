// Runs the tool in the test's own process: arguments in, exit code and both outputs out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "run.hpp"

namespace webhookd::whctl::testing {

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

struct Setting {
  std::map<std::string, std::string> environment;
  bool on_terminal = false;
  std::size_t width = 80;
  std::size_t height = 1000;
  int in = -1;  // descriptor
};

inline Ran run_tool(const std::vector<std::string>& arguments, const Setting& setting) {
  Channel out;
  Channel err;
  Console console{out, err};
  console.in = setting.in;
  console.in_is_terminal = setting.on_terminal;
  console.out_is_terminal = setting.on_terminal;
  console.width = setting.width;
  console.height = setting.height;
  const Environment environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = setting.environment.find(std::string(name));
    return found == setting.environment.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  Ran ran;
  ran.code = static_cast<int>(run(arguments, environment, console));
  ran.out = out.kept();
  ran.err = err.kept();
  return ran;
}

}  // namespace webhookd::whctl::testing
