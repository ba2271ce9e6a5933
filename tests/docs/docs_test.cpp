// What is committed in man/ and completions/ is what the tables say, and the pages are clean.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "docs/written.hpp"

namespace {

namespace fs = std::filesystem;
const fs::path project = WEBHOOKD_SOURCE_DIR;

std::map<std::string, std::string> committed_files() {
  std::map<std::string, std::string> files;
  for (const char* folder : {"man", "completions"}) {
    for (const auto& entry : fs::directory_iterator(project / folder)) {
      std::ostringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      files[std::string(folder) + "/" + entry.path().filename().string()] = text.str();
    }
  }
  return files;
}

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

// Runs `command` on every file of the folder; what it printed.
int run_on(const std::string& command, const std::string& pattern) {
  return std::system(("cd '" + project.string() + "' && " + command + " " + pattern + " >&2").c_str());
}

}  // namespace

TEST_CASE("man/ and completions/ are as the tables say; ./dev docs writes them anew") {
  const auto written = webhookd::docs::written_files();
  const auto committed = committed_files();
  for (const auto& [file, text] : written) {
    const std::string path = file;
    CAPTURE(path);
    REQUIRE(committed.contains(path));
    CHECK_MESSAGE(committed.at(path) == text, "stale: run ./dev docs");
  }
  for (const auto& [file, text] : committed) {
    const std::string path = file;
    CAPTURE(path);
    CHECK_MESSAGE(written.contains(path), "nothing writes this file any more: run ./dev docs");
  }
}

TEST_CASE("every manual page is clean") {
  if (!is_installed("mandoc")) {
    std::cout << "skipped: mandoc is not installed (./dev lint installs it)\n";
    return;
  }
  CHECK(run_on("mandoc -T lint -W warning", "man/*.[0-9]") == 0);
}

TEST_CASE("the completion scripts are scripts of their shells") {
  for (const auto& [shell, file] :
       {std::pair{"bash", "whctl.bash"}, std::pair{"zsh", "_whctl"}, std::pair{"fish", "whctl.fish"}}) {
    if (!is_installed(shell)) {
      std::cout << "skipped: " << shell << " is not installed\n";
      continue;
    }
    CHECK(run_on(std::string(shell) + " -n", std::string("completions/") + file) == 0);
  }
}
