// edit in the user's editor, with shell commands as editors.
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "scripted_daemon.hpp"
#include "tool.hpp"

using namespace webhookd::whctl::testing;

namespace {

const std::string orders_webhook =
    R"({"id":"wh_1","display_name":"orders","url":"https://o.example/x","events":["a.b"],"status":"active",)"
    R"("description":"","headers":{},"timeout":15,"rate":5,"retry":{"initial":5,"window":864000},"version":4})";

struct Editing {
  Editing() { daemon.answer("GET /v1/webhooks/orders", 200, orders_webhook, "ETag: \"4\"\r\n"); }
  Ran edit(const std::string& editor) {
    const Setting setting{
        {{"WHCTL_SOCKET", daemon.socket_path()}, {"EDITOR", editor}, {"LC_ALL", "C.UTF-8"}}, true, 80, 1000, -1};
    return run_tool({"edit", "orders"}, setting);
  }
  ScriptedDaemon daemon;
};

std::string kept_file(const Ran& ran) {
  std::smatch found;
  const bool is_named = std::regex_search(ran.err, found, std::regex("your text is kept in (\\S+)\n"));
  return is_named ? found[1].str() : "";
}

}  // namespace

TEST_CASE("the definition is shown as TOML, and the difference is sent with If-Match") {
  Editing editing;
  editing.daemon.answer("PATCH /v1/webhooks/wh_1", 200, orders_webhook);
  const auto ran = editing.edit("sed -i -e s,/x,/y, -e /rate/d -e 's/\"5s\"/\"1m\"/'");
  CHECK(ran.code == 0);
  CHECK(ran.out == "wh_1\n");
  CHECK(editing.daemon.seen().back().body ==
        R"({"display_name":"orders","events":["a.b"],"retry":{"initial":60,"window":864000},"status":"active",)"
        R"("timeout":15,"url":"https://o.example/y","description":null,"headers":null,"rate":null})");
  CHECK(editing.daemon.seen().back().head.find("If-Match: \"4\"\r\n") != std::string::npos);
}

TEST_CASE("a text left as it was sends nothing") {
  Editing editing;
  const auto ran = editing.edit("true");
  CHECK(ran.code == 0);
  CHECK(ran.err == "nothing was changed\n");
  CHECK(editing.daemon.seen().size() == 1);
}

TEST_CASE("an editor that fails sends nothing") {
  Editing editing;
  CHECK(editing.edit("false").code == 1);
  CHECK(editing.daemon.seen().size() == 1);
}

TEST_CASE("a conflict shows both versions and keeps the user's text") {
  Editing editing;
  editing.daemon.answer("GET /v1/webhooks/wh_1", 200,
                        R"({"id":"wh_1","display_name":"orders","url":"https://theirs.example/","events":["a.b"]})",
                        "ETag: \"5\"\r\n");
  editing.daemon.answer("PATCH /v1/webhooks/wh_1", 412, R"({"code":"version_mismatch","detail":"it was edited"})");
  const auto ran = editing.edit("sed -i s,o.example/x,mine.example/,");
  CHECK(ran.code == 5);
  CHECK(ran.err.find("--- as it is now\n") != std::string::npos);
  CHECK(ran.err.find("url = \"https://theirs.example/\"") != std::string::npos);
  CHECK(ran.err.find("--- your text\n") != std::string::npos);
  const std::string file = kept_file(ran);
  REQUIRE(file != "");
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  CHECK(text.str().find("url = \"https://mine.example/\"") != std::string::npos);
  CHECK(::unlink(file.c_str()) == 0);
}

TEST_CASE("a text that cannot be read is kept, and the line is named") {
  Editing editing;
  const auto ran = editing.edit("sed -i '2s/.*/broken/'");
  CHECK(ran.code == 2);
  CHECK(ran.err.find(".toml:2: ") != std::string::npos);
  CHECK(::unlink(kept_file(ran).c_str()) == 0);
}
