// The program behind `./dev fuzz`: libFuzzer with one target of the table.
//
//   fuzz                        prints the names of all targets
//   fuzz NAME DIRECTORY …       libFuzzer's own command line, behind the name; a directory that is empty gets the seeds
//   fuzz NAME FILE              runs one input, as libFuzzer does: how a found input is shown again
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fuzz/targets.hpp"

namespace {

const webhookd::fuzz::Target* target = nullptr;

const webhookd::fuzz::Target* find_target(std::string_view name) {
  const auto& all = webhookd::fuzz::targets();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

void print_names() {
  for (const auto& one : webhookd::fuzz::targets()) {
    std::printf("%.*s\n", static_cast<int>(one.name.size()), one.name.data());
  }
}

void write_seeds(const std::filesystem::path& directory) {
  std::size_t number = 0;
  for (const std::string& seed : target->seeds) {
    std::ofstream(directory / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
  }
}

}  // namespace

// libFuzzer's own names.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc < 2) {
    print_names();
    std::exit(0);
  }
  char** arguments = *argv;
  target = find_target(arguments[1]);
  if (target == nullptr) {
    std::fprintf(stderr, "fuzz: no target of this name: %s\n", arguments[1]);
    std::exit(2);
  }
  std::rotate(arguments + 1, arguments + 2, arguments + *argc);  // libFuzzer sees what is behind the name
  --*argc;
  if (*argc > 1 && std::filesystem::is_directory(arguments[1]) && std::filesystem::is_empty(arguments[1])) {
    write_seeds(arguments[1]);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
