// The table as people see it, held against files: three widths, with and without colour, with UTF-8 and in the C
// locale. WHCTL_WRITE_GOLDEN=1 writes the files anew; look at the difference before you commit it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "scripted_daemon.hpp"
#include "tool.hpp"

using namespace webhookd::whctl::testing;

namespace {

const std::string folder = std::string(WEBHOOKD_SOURCE_DIR) + "/tests/whctl/golden/";

const std::string webhooks =
    R"({"items":[{"id":"wh_0000000000001","display_name":"orders","url":"https://orders.example/hook?team=billing&x=1",)"
    R"("events":["subscription.create","subscription.delete"],"status":"active","health":"up","waiting":0},)"
    R"({"id":"wh_0000000000002","display_name":"注文の通知","url":"https://例え.example/受信","events":["*"],)"
    R"("status":"inactive","health":null,"waiting":12},)"
    R"({"id":"wh_0000000000003","display_name":"Prüfung e\u0301 \u001b[31mred\u202e","url":"http://a.example",)"
    R"("events":["api.*"],"status":"active","health":"down","waiting":3}],"next_cursor":null})";

const std::string messages =
    R"({"items":[{"id":"msg_0000000000001","type":"subscription.create","status":"retrying","attempts":3,)"
    R"("created_at":"2026-01-31T11:00:00.000Z","next_attempt_at":"2026-01-31T12:05:00.000Z",)"
    R"("failure":"HTTP 500: \u001b]0;owned\u0007 日本語の答え"},)"
    R"({"id":"msg_0000000000002","type":"api.create","status":"success","attempts":1,)"
    R"("created_at":"2026-01-30T11:00:00.000Z","next_attempt_at":null,"failure":null},)"
    R"({"id":"msg_0000000000003","type":"api.create","status":"failed","attempts":50,)"
    R"("created_at":"2026-01-20T11:00:00.000Z","next_attempt_at":null,"failure":"timeout"}],"next_cursor":null})";

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void compare(const std::string& name, const std::string& text) {
  CAPTURE(name);
  const std::string path = folder + name + ".txt";
  if (std::getenv("WHCTL_WRITE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  CHECK(text == read(path));
}

}  // namespace

TEST_CASE("tables are as the golden files show them") {
  ScriptedDaemon daemon;
  daemon.answer("GET /v1/webhooks?limit=1000", 200, webhooks);
  daemon.answer("GET /v1/messages?limit=50", 200, messages);
  daemon.answer("GET /v1/clock", 200, R"({"now":"2026-01-31T12:00:00.000Z","test":true})");
  for (const std::string command : {"list", "logs"}) {
    for (const std::size_t width : {std::size_t{40}, std::size_t{80}, std::size_t{200}}) {
      for (const std::string color : {"always", "never"}) {
        for (const std::string locale : {"C.UTF-8", "C"}) {
          Setting setting{{{"WHCTL_SOCKET", daemon.socket_path()}, {"LC_ALL", locale}, {"WHCTL_PAGER", ""}}};
          setting.on_terminal = true;
          setting.width = width;
          std::string name = command;
          name += "-" + std::to_string(width) + (color == "always" ? "-color" : "") + (locale == "C" ? "-ascii" : "");
          compare(name, run_tool({command, "-o", width == 200 ? "wide" : "table", "--color", color}, setting).out);
        }
      }
    }
  }
}
