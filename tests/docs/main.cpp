// Writes man/ and completions/ below the directory that is named: ./dev docs.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "docs/written.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_docs PROJECT-DIRECTORY\n", stderr);
    return 2;
  }
  const std::filesystem::path project = argv[1];
  for (const char* folder : {"man", "completions"}) {
    std::filesystem::remove_all(project / folder);
    std::filesystem::create_directory(project / folder);
  }
  for (const auto& [path, text] : webhookd::docs::written_files()) {
    std::ofstream file(project / path, std::ios::binary);
    file << text;
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 1;
    }
  }
  return 0;
}
