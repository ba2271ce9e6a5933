// Bad input: a clear error that names the field, the right exit code, and nothing left behind.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

struct BadUrl {
  const char* url;
  const char* word;  // occurs in the error
};

// reliability.md, "URL grammar" and "Egress policy".
const BadUrl bad_urls[] = {
    {"ftp://a.example.com/", "http"},
    {"http:///x", "host"},
    {"a.example.com", "http"},
    {"http://user@a.example.com/", "user"},
    {"http://a.example.com\\x/", "backslash"},
    {"http://a.example.com/a b", "space"},
    {"http://a.example.com/\x01", "control"},
    {"http://a.example.com/\xc3\xa9", "ASCII"},
    {"http://a%41.example.com/", "%"},
    {"http://a.example.com:/", "port"},
    {"http://a.example.com:080/", "port"},
    {"http://a.example.com:80JUNK/", "port"},
    {"http://a.example.com:99999/", "port"},
    {"http://a.example.com:0/", "port"},
    {"http://a.example.com/#f", "fragment"},
    {"http://[fe80::1%25eth0]/", "zone"},
    {"http://[v1.x]/", "IP version"},
    {"http://127.1/", "ends in a number"},
    {"http://0177.0.0.1/", "plain form"},
    {"http://2130706433/", "ends in a number"},
    {"http://0x7f000001/", "host"},
    {"http://a.0x7f/", "host"},
    {"http://-a.example.com/", "hyphen"},
    {"http://a..example.com/", "empty"},
    {"http://b\xc3\xbc"
     "cher.example/",
     ""},
    {"http://10.0.0.1/", "egress.allow"},
    {"http://169.254.169.254/latest", "egress.allow"},
    {"http://[::ffff:10.0.0.1]/", "egress.allow"},
    {"http://[fd00::1]/", "egress.allow"},
};

void check_refused(const Daemon& daemon, std::vector<std::string> arguments, int exit_code, const std::string& word,
                   const std::string& input = {}) {
  std::string command;
  for (const std::string& argument : arguments) {
    command += argument.substr(0, 60) + " ";
  }
  CAPTURE(command);
  const Ran ran = daemon.whctl(std::move(arguments), input);
  CAPTURE(ran.err.substr(0, 300));
  CHECK(ran.exit_code == exit_code);
  CHECK(ran.out.empty());
  CHECK(ran.err.starts_with("whctl: "));
  CHECK(ran.err.find(word) != std::string::npos);
}

}  // namespace

TEST_CASE("bad input names the field and leaves nothing behind") {
  Daemon daemon;
  daemon.tell({"create", "taken", "--url", "http://127.0.0.1:9/", "-e", "*"});
  const std::string ok_url = "http://a.example.com/";
  for (const BadUrl& bad : bad_urls) {
    CAPTURE(bad.url);
    check_refused(daemon, {"create", "x", "--url", bad.url, "-e", "*"}, 2, "url");
    check_refused(daemon, {"create", "x", "--url", bad.url, "-e", "*"}, 2, bad.word);
  }
  check_refused(daemon, {"create", "x", "--url", ok_url + std::string(2048, 'a'), "-e", "*"}, 2, "2048");
  check_refused(daemon, {"create", "x", "--url", ok_url}, 2, "event");
  check_refused(daemon, {"create", "x", "--url", ok_url, "-e", "subscription.crate"}, 2, "subscription.create");
  check_refused(daemon, {"create", "x", "--url", ok_url, "-e", "*", "--header", "X-A: b\r\nX-B: c"}, 2, "header");
  check_refused(daemon, {"create", "x", "--url", ok_url, "-e", "*", "--header", "Host: evil"}, 2, "Host");
  check_refused(daemon, {"create", "x", "--url", ok_url, "-e", "*", "--timeout", "2m"}, 2, "timeout");
  check_refused(daemon, {"create", "taken", "--url", ok_url, "-e", "*"}, 5, "taken");
  check_refused(daemon, {"create", "\xff\xfe", "--url", ok_url, "-e", "*"}, 2, "UTF-8");
  check_refused(daemon, {"create", "a\nb", "--url", ok_url, "-e", "*"}, 2, "display_name");
  check_refused(daemon, {"show", "wh_0000000000zzz"}, 3, "wh_0000000000zzz");
  check_refused(daemon, {"show", "msg_0000000000zzz"}, 3, "msg_0000000000zzz");
  check_refused(daemon, {"emit", "subscription.crate", "-d", "{}"}, 2, "subscription.create");
  check_refused(daemon, {"emit", "subscription.create", "-d", "{"}, 2, "JSON");
  check_refused(daemon, {"emit", "subscription.create", "-d", "-"}, 2, "data",
                "\"" + std::string(2 * 1024 * 1024, 'x') + "\"");
  check_refused(daemon, {"emit", "subscription.create", "-d", "-"}, 2, "128",
                std::string(200'000, '[') + std::string(200'000, ']'));
  check_refused(daemon, {"emit", "subscription.create", "-d", "-"}, 2, "UTF-8", "\"\xff\"");
  check_refused(daemon, {"emit", "subscription.create", "-d", "{}", "--key", std::string(256, 'k')}, 2, "key");
  check_refused(daemon, {"lits"}, 2, "list");
  const json status = json::parse(daemon.tell({"status", "-o", "json"}));
  CHECK(status["store"]["events"] == 0);
  CHECK(status["store"]["messages"] == 0);
  CHECK(status["store"]["webhooks"] == 1);
}

TEST_CASE("a daemon that does not run, another user, and a bad configuration are told apart") {
  TemporaryDirectory directory;
  const Ran away = run({WHCTL_BINARY, "--socket", directory.path() + "/none.sock", "list"});
  CHECK(away.exit_code == 6);
  CHECK(away.err.find("/none.sock") != std::string::npos);

  const auto check_config = [&](const std::string& text) {
    return run({WEBHOOKD_BINARY, "--check-config", "--config", directory.write("c.toml", text), "--data-dir",
                directory.path(), "--socket", directory.path() + "/s"});
  };
  const Ran unknown = check_config("[delivery]\nthreads = 1\ntimeoot = \"15s\"\n");
  CHECK(unknown.exit_code == 78);
  CHECK(unknown.err.find("c.toml:3: delivery.timeoot: unknown key; did you mean `delivery.timeout`") !=
        std::string::npos);
  const Ran range = check_config("[delivery]\ntimeout = \"2h\"\n");
  CHECK(range.exit_code == 78);
  CHECK(range.err.find("c.toml:2: delivery.timeout: must be a duration like \"15s\" or \"10d\" from 1s to 1m") !=
        std::string::npos);
  CHECK(check_config("[egress]\nallow = [\"10.0.0.0/99\"]\n").exit_code == 78);
  CHECK(check_config("not toml at all").exit_code == 78);
  CHECK(check_config("").exit_code == 0);
  const Ran missing = run({WEBHOOKD_BINARY, "--check-config", "--config", directory.path() + "/none.toml"});
  CHECK(missing.exit_code == 78);
  CHECK(run({WEBHOOKD_BINARY, "--no-such-flag"}).exit_code == 2);
}

TEST_CASE("--check-config refuses what a start would, and each refusal names file, line and key") {
  TemporaryDirectory directory;
  const std::array rows = std::to_array<std::pair<const char*, std::string>>(
      {{"[access]\nread = [\"nosuchuser\"]\n", "2: access.read: "},
       {"[access]\nadmin = [\"@nosuchgroup\"]\n", "2: access.admin: "},
       {"[egress]\nca_file = \"/nonexistent\"\n", "2: egress.ca_file: "},
       {"[egress]\nports = [\"abc\"]\n", "2: egress.ports: "},
       {"[egress]\n\nallow = [\"300.0.0.0/8\"]\n", "3: egress.allow: "},
       {"[egress]\nproxy = \"nonsense\"\n", "2: egress.proxy: "},
       {"[metrics]\nlisten = \"0.0.0.0:9464\"\n", "2: metrics.listen: "},
       {"[secrets]\nmaster_key_file = \"/nonexistent\"\n", "2: secrets.master_key_file "},
       {"[delivery]\nretry.jitter = nan\n", "2: delivery.retry.jitter: "},
       {"[delivery]\nretry.factor = inf\n", "2: delivery.retry.factor: "}});
  for (const auto& [text, place] : rows) {
    CAPTURE(text);
    const std::string file = directory.write("bad.toml", text);
    const Ran checked = run({WEBHOOKD_BINARY, "--check-config", "--config", file, "--data-dir", directory.path() + "/d",
                             "--socket", directory.path() + "/s"});
    CHECK(checked.exit_code == 78);
    CAPTURE(checked.err);
    CHECK(checked.err.find("webhookd: " + file + ":" + place) == 0);
  }
}

TEST_CASE("every default of the configuration can be read back from what --print-config prints") {
  TemporaryDirectory directory;
  const Ran printed = run({WEBHOOKD_BINARY, "--print-config", "--data-dir", directory.path()});
  REQUIRE(printed.exit_code == 0);
  CHECK(printed.out.find("timeout = \"15s\"  # default") != std::string::npos);
  CHECK(printed.out.find("# command line") != std::string::npos);
  const std::string file = directory.write("again.toml", printed.out);
  CHECK(run({WEBHOOKD_BINARY, "--check-config", "--config", file, "--socket", directory.path() + "/s"}).exit_code == 0);
}

TEST_CASE("another user is denied" * doctest::skip(::geteuid() != 0)) {
  Daemon daemon;
  REQUIRE(::chmod(daemon.directory().path().c_str(), 0755) == 0);
  // The build may lie in a home that others cannot enter; the copy is where they can.
  const std::string tool = daemon.directory().path() + "/whctl";
  std::filesystem::copy_file(WHCTL_BINARY, tool);
  // setpriv is part of util-linux, which Debian always has.
  const Ran denied = run({"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/env", tool,
                          "--socket", daemon.socket(), "list"});
  CHECK(denied.exit_code == 4);
  CHECK(denied.err.find("has no role here") != std::string::npos);
}

TEST_CASE("a user named in [access] has that role, whatever the groups of the socket" *
          doctest::skip(::geteuid() != 0)) {
  Daemon daemon({}, "[access]\nread = [\"nobody\"]\n");
  REQUIRE(::chmod(daemon.directory().path().c_str(), 0755) == 0);
  const std::string tool = daemon.directory().path() + "/whctl";
  std::filesystem::copy_file(WHCTL_BINARY, tool);
  const auto as_nobody = [&](std::vector<std::string> arguments) {
    std::vector<std::string> line{"/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup",
                                  "--clear-groups",   "/usr/bin/env",   tool,
                                  "--socket",         daemon.socket()};
    line.insert(line.end(), arguments.begin(), arguments.end());
    return run(line).exit_code;
  };
  CHECK(as_nobody({"list"}) == 0);
  CHECK(as_nobody({"emit", "subscription.create", "-d", "{}"}) == 4);
}
