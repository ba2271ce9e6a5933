// The unit files, judged by systemd's own tools as they would be installed. Skipped, and said, where they are missing.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/process.hpp"

using namespace webhookd::support;

namespace {

constexpr const char* analyze = "/usr/bin/systemd-analyze";

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The units, with the programs where this build has them: systemd looks whether they are there.
struct Units {
  TemporaryDirectory directory;
  Units() {
    for (const char* name : {"webhookd.service", "webhookd.socket"}) {
      std::string text = text_of(std::string(WEBHOOKD_SOURCE_DIR) + "/apps/webhookd/systemd/" + name);
      replace_all(text, "/usr/bin/webhookd", WEBHOOKD_BINARY);
      replace_all(text, "/usr/bin/whctl", WHCTL_BINARY);
      directory.write(name, text);
    }
  }
  std::string path(const char* name) const { return directory.path() + "/" + name; }
};

bool has_systemd() {
  const bool is_there = std::filesystem::exists(analyze);
  if (!is_there) {
    MESSAGE("SKIPPED: the package systemd is not installed");
  }
  return is_there;
}

}  // namespace

TEST_CASE("systemd finds nothing to say against the unit files") {
  if (!has_systemd()) {
    return;
  }
  const Units units;
  const Ran ran = run({analyze, "--man=no", "verify", units.path("webhookd.service"), units.path("webhookd.socket")});
  CHECK(ran.exit_code == 0);
  CHECK(ran.out + ran.err == "");
}

TEST_CASE("the exposure of the service is at most 1.5 of 10") {
  if (!has_systemd()) {
    return;
  }
  const Units units;
  const Ran ran =
      run({analyze, "security", "--offline=true", "--threshold=15", "--no-pager", units.path("webhookd.service")});
  CAPTURE(ran.out);
  CHECK(ran.exit_code == 0);
}

TEST_CASE("systemd takes the daemon's user as it is described") {
  if (!std::filesystem::exists("/usr/bin/systemd-sysusers")) {
    MESSAGE("SKIPPED: systemd-sysusers is not installed");
    return;
  }
  const TemporaryDirectory root;
  std::filesystem::create_directories(root.path() + "/etc");
  const Ran ran = run({"/usr/bin/systemd-sysusers", "--root=" + root.path(),
                       std::string(WEBHOOKD_SOURCE_DIR) + "/apps/webhookd/systemd/webhookd.sysusers"});
  CAPTURE(ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(text_of(root.path() + "/etc/passwd").find("webhookd:") != std::string::npos);
  CHECK(text_of(root.path() + "/etc/group").find("webhookd:") != std::string::npos);
}
