#include "whole_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace webhookd::whctl;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("whole_file_test_" + std::to_string(::getpid()));
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
  std::string name(const char* file) const { return (path / file).string(); }
};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a file takes its name only when it is finished, for its owner alone") {
  const Folder folder;
  const std::string name = folder.name("kept");
  std::ofstream(name) << "before";
  WholeFile file(name);
  REQUIRE(file.open().has_value());
  file.write("after");
  CHECK(text_of(name) == "before");
  REQUIRE(file.finish().has_value());
  CHECK(text_of(name) == "after");
  struct stat status {};
  REQUIRE(::stat(name.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK_FALSE(fs::exists(name + ".part"));
}

TEST_CASE("a file that is not finished leaves nothing behind") {
  const Folder folder;
  const std::string name = folder.name("kept");
  {
    WholeFile file(name);
    REQUIRE(file.open().has_value());
    file.write("half");
  }
  CHECK(fs::is_empty(folder.path));
}

TEST_CASE("a directory is not replaced, and what cannot be opened or written is said") {
  const Folder folder;
  fs::create_directory(folder.name("kept"));
  CHECK(WholeFile(folder.name("kept")).open().error().code == "usage");
  CHECK(WholeFile(folder.name("no/such/place")).open().error().code == "io");
  fs::create_symlink("/dev/full", folder.name("full.part"));
  WholeFile file(folder.name("full"));
  REQUIRE(file.open().has_value());  // what was in the way is replaced, not followed
  CHECK(fs::is_regular_file(folder.name("full.part")));
}
