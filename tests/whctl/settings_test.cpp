#include "settings.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "session.hpp"

using namespace webhookd::whctl;

namespace {

// A configuration folder with a config.toml of that text.
class ConfigFolder {
 public:
  explicit ConfigFolder(const std::string& text) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    REQUIRE(::mkdir((path_ + "/whctl").c_str(), 0700) == 0);
    std::FILE* file = std::fopen(file_path().c_str(), "w");
    REQUIRE(file != nullptr);
    std::fputs(text.c_str(), file);
    std::fclose(file);
  }
  ~ConfigFolder() {
    ::unlink(file_path().c_str());
    ::rmdir((path_ + "/whctl").c_str());
    ::rmdir(path_.c_str());
  }
  const std::string& path() const { return path_; }
  std::string file_path() const { return path_ + "/whctl/config.toml"; }

 private:
  std::string path_ = "/tmp/whctl_config_XXXXXX";
};

using Variables = std::map<std::string, std::string>;

Environment environment_of(const Variables& variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

webhookd::client::Result<Settings> settings(const std::vector<std::string>& words, const Variables& variables) {
  return resolve_settings(*parse(words), environment_of(variables));
}

}  // namespace

TEST_CASE("the socket is the flag's, then the environment's, then the file's, then the system's") {
  const ConfigFolder folder("socket = \"/file\"\n");
  CHECK(settings({"list", "--socket", "/flag"}, {{"WHCTL_SOCKET", "/env"}})->socket_path == "/flag");
  CHECK(settings({"list"}, {{"WHCTL_SOCKET", "/env"}, {"XDG_CONFIG_HOME", folder.path()}})->socket_path == "/env");
  CHECK(settings({"list"}, {{"XDG_CONFIG_HOME", folder.path()}})->socket_path == "/file");
  CHECK(settings({"list"}, {{"XDG_RUNTIME_DIR", "/nonexistent"}})->socket_path == "/run/webhookd/webhookd.sock");
}

TEST_CASE("the format follows the same order, and a wrong one is named with its place") {
  const ConfigFolder folder("output = \"jsonl\"\n");
  CHECK(settings({"list", "-o", "csv"}, {{"WHCTL_OUTPUT", "json"}})->format == Format::csv);
  CHECK(settings({"list"}, {{"WHCTL_OUTPUT", "json"}, {"XDG_CONFIG_HOME", folder.path()}})->format == Format::json);
  CHECK(settings({"list"}, {{"XDG_CONFIG_HOME", folder.path()}})->format == Format::jsonl);
  CHECK(settings({"list"}, {{"WHCTL_OUTPUT", "xml"}}).error().what == "WHCTL_OUTPUT");
  const ConfigFolder wrong("\noutput = \"xml\"\n");
  CHECK(settings({"list"}, {{"XDG_CONFIG_HOME", wrong.path()}}).error().what == wrong.file_path() + ":2: output");
}

TEST_CASE("the pager is WHCTL_PAGER, then the file's, then PAGER, and cat is none") {
  const ConfigFolder folder("pager = \"more\"\n");
  const std::string& file = folder.path();
  CHECK(settings({"list"}, {{"WHCTL_PAGER", "most"}, {"PAGER", "pg"}, {"XDG_CONFIG_HOME", file}})->pager == "most");
  CHECK(settings({"list"}, {{"WHCTL_PAGER", ""}, {"XDG_CONFIG_HOME", file}})->pager == "");
  CHECK(settings({"list"}, {{"PAGER", "pg"}, {"XDG_CONFIG_HOME", file}})->pager == "more");
  CHECK(settings({"list"}, {{"PAGER", "pg"}})->pager == "pg");
  CHECK(settings({"list"}, {{"PAGER", "cat"}})->pager == "");
  CHECK(settings({"list"}, {})->pager == "less");
  CHECK(settings({"list", "--no-pager"}, {{"XDG_CONFIG_HOME", file}})->pager == "");
}

TEST_CASE("what says how the tool is used is not held up by a broken configuration file") {
  const ConfigFolder broken("pager = \n");
  for (const char* command : {"version", "help"}) {
    CHECK(settings({command}, {{"XDG_CONFIG_HOME", broken.path()}}).has_value());
  }
  CHECK_FALSE(settings({"status"}, {{"XDG_CONFIG_HOME", broken.path()}}).has_value());
}

TEST_CASE("a wrong configuration file is refused by file, line and key") {
  const ConfigFolder unknown("\nsokcet = \"/x\"\n");
  const auto key = settings({"list"}, {{"XDG_CONFIG_HOME", unknown.path()}});
  REQUIRE_FALSE(key.has_value());
  CHECK(failure_text(key.error()) ==
        "whctl: " + unknown.file_path() + ":2: unknown key \"sokcet\"\nhint: did you mean socket?\n");
  const ConfigFolder broken("socket = \n");
  const auto syntax = settings({"list"}, {{"XDG_CONFIG_HOME", broken.path()}});
  REQUIRE_FALSE(syntax.has_value());
  CHECK(syntax.error().what == broken.file_path() + ":1");
  const ConfigFolder stumbled_over("[{");
  CHECK(settings({"list"}, {{"XDG_CONFIG_HOME", stumbled_over.path()}}).error().what == stumbled_over.file_path());
  const ConfigFolder kind("socket = 5\n");
  CHECK(settings({"list"}, {{"XDG_CONFIG_HOME", kind.path()}}).error().why == "\"socket\" must be a string");
}

TEST_CASE("colour is by flag, then NO_COLOR, then CLICOLOR_FORCE, then the terminal") {
  Settings automatic;
  Settings always;
  always.color = "always";
  CHECK(wants_color(always, environment_of({{"NO_COLOR", "1"}}), false));
  CHECK_FALSE(wants_color(automatic, environment_of({{"NO_COLOR", "1"}, {"CLICOLOR_FORCE", "1"}}), true));
  CHECK(wants_color(automatic, environment_of({{"CLICOLOR_FORCE", "1"}}), false));
  CHECK_FALSE(wants_color(automatic, environment_of({{"CLICOLOR_FORCE", "0"}}), false));
  CHECK(wants_color(automatic, environment_of({}), true));
  CHECK_FALSE(wants_color(automatic, environment_of({{"TERM", "dumb"}}), true));
}
