#include "complete.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "scripted_daemon.hpp"
#include "tool.hpp"

using namespace webhookd::whctl;
using namespace webhookd::whctl::testing;

namespace {

// Values offered for the words, the last being unfinished; the daemon knows one name for each role.
std::vector<std::string> offered(const std::vector<std::string>& words) {
  const auto offers = offers_for(words, [](Role role, const std::string&, std::string_view) {
    const bool is_message = role == Role::message || role == Role::awaitable || role == Role::cancellable;
    return std::vector<Offer>{{is_message ? "msg_1" : "my orders", ""}};
  });
  std::vector<std::string> values;
  for (const auto& offer : offers.list) values.push_back(offer.value);
  return values;
}

bool offers(const std::vector<std::string>& words, const std::string& value) {
  const auto values = offered(words);
  return std::find(values.begin(), values.end(), value) != values.end();
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("what can stand at the cursor is offered, and nothing else") {
  CHECK(offered({"sec"}) == Values{"secret"});
  CHECK(offered({"secret", ""}) == Values{"show", "rotate", "rotate-master"});
  CHECK(offered({"clock", "a"}) == Values{"advance"});
  CHECK(offered({"show", "my"}) == Values{"my orders"});
  CHECK(offered({"show", "a", ""}).empty());
  CHECK(offered({"delete", "a", "m"}) == Values{"my orders"});
  CHECK(offered({"retry", "msg"}) == Values{"msg_1"});
  CHECK(offered({"create", "x", "--signature", "g"}) == Values{"github"});
  CHECK(offered({"completion", "z"}) == Values{"zsh"});
  CHECK(offered({"help", "types", "s"}) == Values{"show"});
  CHECK(offered({"help", "secret", ""}) == Values{"show", "rotate", "rotate-master"});
  CHECK(offered({"help", "sec"}) == Values{"secret"});
  CHECK(offered({"help", "create", ""}).empty());
  CHECK(offered({"wait", ""}) == Values{"msg_1"});
  CHECK_FALSE(offers({""}, "dial-stdio"));
}

TEST_CASE("flags and their values are read wherever they stand") {
  CHECK(offered({"--color", "n"}) == Values{"never"});
  CHECK(offered({"-o", "js"}) == Values{"json", "jsonl"});
  CHECK(offered({"-o", "json", "deac"}) == Values{"deactivate"});
  CHECK(offered({"list", "--status=in"}) == Values{"--status=inactive"});
  CHECK(offered({"logs", "--status", "failed,s"}) == Values{"failed,success"});
  CHECK_FALSE(offers({"logs", "--status", "failed,"}, "failed,failed"));
  CHECK(offers({"logs", "--status", "failed,"}, "failed,cancelled"));
  CHECK(offers({"list", "--"}, "--sort"));
  CHECK_FALSE(offers({"list", "--sort", "name", "--"}, "--sort"));
  CHECK(offers({"create", "-e", "a.b", "--"}, "--event"));
  CHECK(offered({"show", "--", "my"}) == Values{"my orders"});
  CHECK(offered({"list", "--search", ""}).empty());
}

TEST_CASE("quotes are read as a shell reads them, also when they are still open") {
  CHECK(without_quotes("my\\ o") == "my o");
  CHECK(without_quotes("\"my o") == "my o");
  CHECK(without_quotes("'a\\b'c") == "a\\bc");
  CHECK(without_quotes("\"a\\\"b\\c\"") == "a\"b\\c");
  CHECK(without_quotes("x\\") == "x");
}

TEST_CASE("the daemon is asked for what fits the command and the word, and for all pages of it") {
  ScriptedDaemon daemon;
  daemon.answer("GET /v1/webhooks?limit=1000&search=or", 200,
                R"({"items":[{"id":"wh_1","display_name":"orders"}],"next_cursor":"c/1"})");
  daemon.answer("GET /v1/webhooks?limit=1000&search=or&cursor=c%2F1", 200,
                R"({"items":[{"id":"wh_2","display_name":"orders 2"},{"id":"wh_3","display_name":"for"}]})");
  daemon.answer("GET /v1/messages?limit=50", 200,
                R"({"items":[{"id":"msg_1","event_id":"evt_1","status":"success","type":"a.b","webhook":"orders"}]})");
  daemon.answer("GET /v1/messages?limit=50&status=created,retrying", 200,
                R"({"items":[{"id":"msg_2","event_id":"evt_2","status":"retrying","type":"a.b","webhook":"orders"}]})");
  daemon.answer("GET /v1/tasks?limit=50", 200,
                R"({"items":[{"id":"task_1","state":"done"},{"id":"task_2","state":"running","action":"retry"}]})");
  const auto offered_by = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    return run_tool(words, {{{"WHCTL_SOCKET", daemon.socket_path()}}}).out;
  };
  CHECK(offered_by({"edit", "or"}) == "orders\norders 2\n:\n");
  CHECK(offered_by({"wait", ""}) == "msg_1\tsuccess, a.b to orders\nevt_1\ta.b\ntask_2\trunning, retry\n:\n");
  CHECK(offered_by({"cancel", ""}) == "msg_2\tretrying, a.b to orders\ntask_2\trunning, retry\n:\n");
}

TEST_CASE("a daemon that hangs costs at most 250 ms and no word of complaint") {
  ScriptedDaemon daemon;
  daemon.answer_raw("GET /v1/webhooks?limit=1000", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  const auto start = std::chrono::steady_clock::now();
  const auto ran = run_tool({"__complete", "show", ""}, {{{"WHCTL_SOCKET", daemon.socket_path()}}});
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(250));
  CHECK(ran.code == 0);
  CHECK(ran.out == ":\n");
  CHECK(ran.err.empty());
}
