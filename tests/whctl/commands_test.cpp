#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "scripted_daemon.hpp"
#include "tool.hpp"

using namespace webhookd::whctl::testing;

namespace {

const std::string webhook =
    R"({"id":"wh_0000000000001","display_name":"orders","url":"https://o.example/x","events":["a.b","c.*"],)"
    R"("status":"active","health":"up","waiting":3,"version":4,"created_at":"2026-01-31T11:00:00.000Z"})";

const std::string message =
    R"({"id":"msg_0000000000001","type":"a.b","status":"failed","attempts":2,"created_at":"2026-01-31T11:00:00.000Z",)"
    R"("next_attempt_at":null,"failure":"HTTP 500","webhook":"orders"})";

const std::string clock_body = R"({"now":"2026-01-31T12:00:00.000Z","test":true})";

std::string items(const std::string& inside) { return "{\"items\":[" + inside + "],\"next_cursor\":null}"; }

// A daemon and a tool that talks to it.
struct Bench {
  ScriptedDaemon daemon;
  Setting setting{{{"WHCTL_SOCKET", daemon.socket_path()}, {"NO_COLOR", "1"}}};

  Ran run(const std::vector<std::string>& words) { return run_tool(words, setting); }
  SeenRequest last() { return daemon.seen().back(); }
};

// Standard input that holds `text`.
struct Typed {
  explicit Typed(const std::string& text) {
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(ends[1]);
  }
  ~Typed() { ::close(ends[0]); }
  std::array<int, 2> ends{};
};

void write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(file);
}

}  // namespace

TEST_CASE("without a daemon every command that needs one exits 6 and names the socket") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"list"},
                                                {"status"},
                                                {"show", "x"},
                                                {"logs"},
                                                {"types"},
                                                {"retry", "msg_1"},
                                                {"clock"},
                                                {"delete", "x", "-y"},
                                                {"emit", "a.b", "-d", "1"}}) {
    const auto ran = run_tool(words, {{{"WHCTL_SOCKET", "/nonexistent/s"}}});
    CAPTURE(words.front());
    CHECK(ran.code == 6);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("whctl: /nonexistent/s: no daemon is listening there\nhint: start it with `webhookd`"));
  }
}

TEST_CASE("version and help need no daemon") {
  CHECK(run_tool({"version"}, {}).out == "whctl 0.1.0\n");
  CHECK(run_tool({"help", "create"}, {})
            .out.starts_with("whctl create: makes a webhook and prints its id\n\nExamples:\n"));
  CHECK(run_tool({"create", "--help"}, {}).out == run_tool({"help", "create"}, {}).out);
  CHECK(run_tool({}, {}).code == 2);
  CHECK(run_tool({"--version"}, {}).out == "whctl 0.1.0\n");
  CHECK(run_tool({"help", "nope"}, {}).err == "whctl: nope: unknown command\nhint: `whctl help` lists the commands\n");
}

TEST_CASE("colour that was asked for comes without a terminal as well, in the same tab-separated lines") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(webhook));
  bench.daemon.answer("GET /v1/webhooks/orders", 200, webhook);
  bench.daemon.answer("GET /v1/messages?limit=50", 200, items(message));
  bench.daemon.answer("GET /v1/status", 200, R"({"version":"0.1.0","health":{"up":3,"throttled":0,"down":2}})");
  CHECK(bench.run({"list", "--color", "always"}).out ==
        "wh_0000000000001\torders\thttps://o.example/x\ta.b,c.*\t\x1b[32mactive\x1b[0m\n");
  CHECK(bench.run({"logs", "--color", "always"}).out.find("\t\x1b[31mfailed\x1b[0m\t") != std::string::npos);
  CHECK(bench.run({"show", "orders", "--color=always"}).out.find("\nstatus\t\x1b[32mactive\x1b[0m\n") !=
        std::string::npos);
  const auto status = bench.run({"status", "--color=always"}).out;
  CHECK(status.find("\nhealth.up\t\x1b[32m3\x1b[0m\nhealth.throttled\t0\nhealth.down\t\x1b[31m2\x1b[0m\n") !=
        std::string::npos);
  bench.setting.environment = {{"WHCTL_SOCKET", bench.daemon.socket_path()}, {"CLICOLOR_FORCE", "1"}};
  CHECK(bench.run({"list"}).out.ends_with("\t\x1b[32mactive\x1b[0m\n"));
  CHECK(bench.run({"list", "--color", "never"}).out.ends_with("\tactive\n"));
}

TEST_CASE("a field may be named as the heading of its column, and an unknown one is refused for an empty list, too") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(webhook));
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(""));
  CHECK(bench.run({"list", "--fields", "name", "-o", "jsonl"}).out == "{\"display_name\":\"orders\"}\n");
  CHECK(bench.run({"list", "--fields", "failed_24h,retry.max,tls"}).code == 0);
  const auto ran = bench.run({"list", "--fields", "nope"});
  CHECK(ran.code == 2);
  CHECK(ran.err == "whctl: --fields: there is no member \"nope\"\n");
}

TEST_CASE("a list is tab-separated for a script and an aligned table on a terminal") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(webhook));
  CHECK(bench.run({"list"}).out == "wh_0000000000001\torders\thttps://o.example/x\ta.b,c.*\tactive\n");
  CHECK(bench.run({"list", "-q"}).out == "wh_0000000000001\n");
  CHECK(bench.run({"list", "-o", "name"}).out == "orders\n");
  CHECK(bench.run({"list", "--fields", "version,display_name"}).out == "4\torders\n");
  CHECK(bench.run({"list", "-o", "csv", "--fields", "id,events"}).out == "id,events\nwh_0000000000001,\"a.b,c.*\"\n");
  bench.setting.on_terminal = true;
  CHECK(bench.run({"list"}).out ==
        "ID                NAME    URL                  EVENTS   STATUS\n"
        "wh_0000000000001  orders  https://o.example/x  a.b,c.*  active\n");
}

TEST_CASE("JSON output of a list has items and next_cursor, jsonl one object a line") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(R"({"id":"wh_1","n":1.50},{"id":"wh_2","n":2})"));
  CHECK(bench.run({"list", "-o", "json", "--fields", "n"}).out ==
        "{\n  \"items\": [\n    {\n      \"n\": 1.50\n    },\n    {\n      \"n\": 2\n    }\n  ],\n  \"next_cursor\": "
        "null\n}\n");
  CHECK(bench.run({"list", "-o", "jsonl", "--fields", "id"}).out == "{\"id\":\"wh_1\"}\n{\"id\":\"wh_2\"}\n");
  CHECK(bench.run({"list", "-o", "jsonl"}).out == "{\"id\":\"wh_1\",\"n\":1.50}\n{\"id\":\"wh_2\",\"n\":2}\n");
}

TEST_CASE("an unknown field is a usage failure with the member that was meant") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(webhook));
  const auto ran = bench.run({"list", "--fields", "versoin"});
  CHECK(ran.code == 2);
  CHECK(ran.err == "whctl: --fields: there is no member \"versoin\"\nhint: did you mean version?\n");
}

TEST_CASE("a list follows its cursor") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, R"({"items":[{"id":"wh_1"}],"next_cursor":"c/1"})");
  bench.daemon.answer("GET /v1/webhooks?limit=999&cursor=c%2F1", 200, items(R"({"id":"wh_2"})"));
  bench.daemon.answer("GET /v1/webhooks?limit=999999&cursor=c%2F1", 200, items(R"({"id":"wh_2"})"));
  bench.daemon.answer("GET /v1/webhooks?limit=1000&cursor=c%2F1", 200, items(R"({"id":"wh_2"})"));
  CHECK(bench.run({"list", "-q"}).out == "wh_1\nwh_2\n");
}

TEST_CASE("create sends the definition, prints the id, and says where the secret is") {
  Bench bench;
  bench.daemon.answer("POST /v1/webhooks", 201, webhook);
  const auto ran =
      bench.run({"create", "orders", "--url", "https://o.example/x", "-e", "a.b", "-e", "c.*", "--header", "X-A: b: c",
                 "--timeout", "1500ms", "--rate", "5/s", "--retry-window", "3d", "--inactive"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "wh_0000000000001\n");
  CHECK(ran.err == "signing secret: whctl secret show wh_0000000000001\n");
  CHECK(bench.last().body ==
        R"({"display_name":"orders","url":"https://o.example/x","events":["a.b","c.*"],"status":"inactive",)"
        R"("timeout":1.5,"rate":5,"headers":{"X-A":"b: c"},"retry":{"window":259200}})");
}

TEST_CASE("credentials are named by their files, and taken away by the word none") {
  Bench bench;
  bench.daemon.answer("PATCH /v1/webhooks/orders", 200, webhook);
  CHECK(bench.run({"edit", "orders", "--tls-client-cert", "/c", "--tls-client-key", "/k", "--auth-file", "/t"}).code ==
        0);
  CHECK(bench.last().body ==
        R"({"tls":{"client_cert":"/c","client_key":"/k"},"auth":{"type":"header_file","file":"/t"}})");
  CHECK(bench
            .run({"edit", "orders", "--oauth2-token-url", "https://a.example/", "--oauth2-client-id", "me",
                  "--oauth2-client-secret-file", "/s", "--oauth2-scope", "a", "--oauth2-scope", "b"})
            .code == 0);
  CHECK(bench.last().body ==
        R"({"auth":{"type":"oauth2","token_url":"https://a.example/","client_id":"me","client_secret_file":"/s",)"
        R"("scopes":["a","b"]}})");
  CHECK(bench.run({"edit", "orders", "--tls-client-cert", "none", "--auth-file", "none"}).code == 0);
  CHECK(bench.last().body == R"({"tls":null,"auth":null})");
  const auto both = bench.run({"edit", "orders", "--auth-file", "/t", "--oauth2-client-id", "me"});
  CHECK(both.code == 2);
  CHECK(both.err.find("cannot be combined with --auth-file") != std::string::npos);
}

TEST_CASE("every fault of a definition is printed by its field, and exits 2") {
  Bench bench;
  bench.daemon.answer(
      "POST /v1/webhooks", 422,
      R"({"code":"invalid_field","detail":"x","errors":[{"pointer":"/url","detail":"url: must be http or https"},)"
      R"({"pointer":"/retry/max","detail":"must be at most 24 h"},{"pointer":"/events/0","detail":"unknown"}]})");
  const auto ran = bench.run({"create", "orders", "--url", "ftp://x", "-e", "*"});
  CHECK(ran.code == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "whctl: url: must be http or https\nwhctl: retry.max: must be at most 24 h\nwhctl: events[0]: unknown\n");
}

TEST_CASE("--if-not-exists gives the id of the webhook that has the name") {
  Bench bench;
  bench.daemon.answer("POST /v1/webhooks", 409, R"({"code":"name_taken","detail":"display_name: is taken"})");
  bench.daemon.answer("GET /v1/webhooks/orders", 200, webhook);
  CHECK(bench.run({"create", "orders", "--url", "u", "-e", "*"}).code == 5);
  const auto ran = bench.run({"create", "orders", "--url", "u", "-e", "*", "--if-not-exists"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "wh_0000000000001\n");
}

TEST_CASE("edit sends a merge patch, and nothing to change is a usage failure") {
  Bench bench;
  bench.daemon.answer("PATCH /v1/webhooks/orders", 200, webhook);
  CHECK(bench.run({"edit", "orders", "--name", "o2", "--rate", "none", "--header", "X-A: b"}).code == 0);
  CHECK(bench.last().body == R"({"display_name":"o2","rate":null,"headers":{"X-A":"b"}})");
  CHECK(bench.last().head.find("Content-Type: application/merge-patch+json") != std::string::npos);
  CHECK(bench.run({"edit", "orders"}).code == 2);
}

TEST_CASE("adding and removing event types sends the list with If-Match, and starts over once after a conflict") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks/orders", 200, webhook, "ETag: \"4\"\r\n");
  bench.daemon.answer("PATCH /v1/webhooks/wh_0000000000001", 412, R"({"code":"version_mismatch","detail":"edited"})");
  bench.daemon.answer("PATCH /v1/webhooks/wh_0000000000001", 200, webhook);
  CHECK(bench.run({"edit", "orders", "--add-event", "x.y", "--remove-event", "a.b"}).code == 0);
  CHECK(bench.last().body == R"({"events":["c.*","x.y"]})");
  CHECK(bench.last().head.find("If-Match: \"4\"\r\n") != std::string::npos);
  CHECK(bench.daemon.seen().size() == 4);
  const auto wrong = bench.run({"edit", "orders", "--remove-event", "a.bb"});
  CHECK(wrong.code == 2);
  CHECK(wrong.err == "whctl: --remove-event: \"a.bb\" is not among its events\nhint: did you mean a.b?\n");
}

TEST_CASE("a header that is not there cannot be removed") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks/orders", 200, R"({"id":"wh_1","headers":{"X-Team":"a"}})", "ETag: \"4\"\r\n");
  bench.daemon.answer("PATCH /v1/webhooks/wh_1", 200, webhook);
  CHECK(bench.run({"edit", "orders", "--remove-header", "x-team"}).code == 0);
  CHECK(bench.last().body == R"({"headers":{"x-team":null}})");
  const auto ran = bench.run({"edit", "orders", "--remove-header", "X-Taem"});
  CHECK(ran.code == 2);
  CHECK(ran.err == "whctl: --remove-header: \"X-Taem\" is not among its headers\nhint: did you mean X-Team?\n");
}

TEST_CASE("two conflicts in a row are exit code 5") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks/orders", 200, webhook, "ETag: \"4\"\r\n");
  bench.daemon.answer("PATCH /v1/webhooks/wh_0000000000001", 412, R"({"code":"version_mismatch","detail":"edited"})");
  const auto ran = bench.run({"edit", "orders", "--add-event", "x.y"});
  CHECK(ran.code == 5);
  CHECK(ran.err.find("somebody else changed it in the meantime") != std::string::npos);
}

TEST_CASE("delete without a terminal needs --yes, and says so before anything is asked of the daemon") {
  Bench bench;
  const auto ran = bench.run({"delete", "orders"});
  CHECK(ran.code == 2);
  CHECK(ran.err ==
        "whctl: --yes: this has to be confirmed, and there is nobody to ask\n"
        "hint: give --yes to do it without a question\n");
  CHECK(bench.daemon.seen().empty());
}

TEST_CASE("delete with --yes says how many waiting messages were cancelled") {
  Bench bench;
  bench.daemon.answer("DELETE /v1/webhooks/orders", 200, R"({"id":"wh_0000000000001","waiting_cancelled":1})");
  const auto ran = bench.run({"delete", "orders", "--yes"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "wh_0000000000001\t1\n");
  CHECK(ran.err == "deleted orders: 1 waiting message cancelled\n");
}

TEST_CASE("one name gives its own exit code, several give 10 when some failed, and each failure is said") {
  Bench bench;
  bench.daemon.answer("POST /v1/messages/msg_1/retry", 200, message);
  bench.daemon.answer("POST /v1/messages/msg_2/retry", 409, R"({"code":"webhook_inactive","detail":"it is inactive"})");
  const auto one = bench.run({"retry", "msg_2"});
  CHECK(one.code == 5);
  CHECK(one.err == "whctl: msg_2: it is inactive\n");
  const auto several = bench.run({"retry", "msg_2", "msg_1", "--reason", "because"});
  CHECK(several.code == 10);
  CHECK(several.out == "msg_0000000000001\ta.b\tfailed\t2\t-\tHTTP 500\n");
  CHECK(several.err == "whctl: msg_2: it is inactive\n");
  CHECK(bench.last().body == R"({"reason":"because"})");
}

TEST_CASE("logs translates its filters, and relative times are of the daemon's clock") {
  Bench bench;
  bench.daemon.answer("GET /v1/clock", 200, clock_body);
  bench.daemon.answer(
      "GET /v1/messages?webhook=or%20ders&type=a.b&status=failed%2Cretrying&code=5xx&q=x%26y&since="
      "2026-01-31T11%3A00%3A00.000Z&order=asc&limit=7",
      200, items(message));
  const auto ran = bench.run({"logs", "or ders", "--event", "a.b", "--status", "failed,retrying", "--code", "5xx",
                              "--grep", "x&y", "--since", "1h", "--reverse", "-n", "7"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "msg_0000000000001\ta.b\tfailed\t2\t2026-01-31T11:00:00.000Z\t-\tHTTP 500\n");
}

TEST_CASE("on a terminal statuses are capitalised and times relative to the daemon's clock") {
  Bench bench;
  bench.setting.on_terminal = true;
  bench.daemon.answer("GET /v1/clock", 200, clock_body);
  bench.daemon.answer("GET /v1/messages?limit=50", 200, items(message));
  CHECK(bench.run({"logs"}).out ==
        "ID                 EVENT  STATUS  ATTEMPTS  TIMESTAMP  NEXT  FAILURE\n"
        "msg_0000000000001  a.b    Failed  2         1h ago     -     HTTP 500\n");
}

TEST_CASE("text of receivers and names cannot steer the terminal") {
  Bench bench;
  bench.daemon.answer("GET /v1/messages?limit=50", 200,
                      items(R"({"id":"msg_1","type":"a.b","status":"failed","failure":"\u001b[2J\u202e\ttab"})"));
  CHECK(bench.run({"logs"}).out == "msg_1\ta.b\tfailed\t-\t-\t-\t\\x1b[2J\\u202e\\ttab\n");
}

TEST_CASE("emit sends the data as it was spelled, and refuses what would end the request early") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1","duplicate":false})");
  CHECK(bench.run({"emit", "a.b", "-d", "{\"b\":1.50, \"a\":1e400}", "--key", "k", "--at", "2026-01-31"}).out ==
        "evt_1\n");
  CHECK(bench.last().body ==
        "{\"type\":\"a.b\",\"data\":{\"b\":1.50, \"a\":1e400},\"timestamp\":\"2026-01-31T00:00:00.000Z\","
        "\"idempotency_key\":\"k\"}");
  const auto count = bench.daemon.seen().size();
  for (const auto* data : {"1},\"type\":\"x.y\"", "", "{", "1 2", "\"\xff\"", "nul"}) {
    CAPTURE(data);
    const auto ran = bench.run({"emit", "a.b", "-d", data});
    CHECK(ran.code == 2);
    CHECK(ran.err.starts_with("whctl: --data: "));
  }
  CHECK(bench.daemon.seen().size() == count);
}

TEST_CASE("emit reads standard input when it is piped") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1"})");
  const Typed typed("[1]\n");
  bench.setting.in = typed.ends[0];
  CHECK(bench.run({"emit", "a.b"}).code == 0);
  CHECK(bench.last().body == "{\"type\":\"a.b\",\"data\":[1]\n}");
}

TEST_CASE("emit --wait exits 8 when a message failed and 9 when one was cancelled") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1"})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 408, R"({"code":"wait_timeout","detail":"later"})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 200,
                      R"({"id":"evt_1","message_count":2,"messages":[{"id":"msg_1","status":"cancelled"},)"
                      R"({"id":"msg_2","status":"failed","failure":"HTTP 500"}]})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 200,
                      R"({"id":"evt_1","message_count":1,"messages":[{"id":"msg_1","status":"cancelled"}]})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 200,
                      R"({"id":"evt_1","message_count":1,"messages":[{"id":"msg_1","status":"success"}]})");
  const auto failed = bench.run({"emit", "a.b", "-d", "1", "--wait"});
  CHECK(failed.code == 8);
  CHECK(failed.out == "evt_1\n");
  CHECK(failed.err == "msg_1 cancelled\nmsg_2 failed: HTTP 500\n");
  CHECK(bench.run({"emit", "a.b", "-d", "1", "--wait"}).code == 9);
  CHECK(bench.run({"emit", "a.b", "-d", "1", "--wait"}).code == 0);
}

TEST_CASE("an event with more messages than its answer lists is judged by the log") {
  Bench bench;
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 200,
                      R"({"id":"evt_1","message_count":200,"messages":[{"id":"msg_1","status":"success"}]})");
  bench.daemon.answer("GET /v1/messages?event=evt_1&status=failed&limit=1", 200, items(message));
  CHECK(bench.run({"wait", "evt_1"}).code == 8);
}

TEST_CASE("wait gives up after its timeout with exit code 7") {
  Bench bench;
  bench.daemon.answer("GET /v1/messages/msg_1/wait?timeout=1", 408, R"({"code":"wait_timeout","detail":"later"})");
  const auto ran = bench.run({"wait", "msg_1", "--timeout", "20ms"});
  CHECK(ran.code == 7);
  CHECK(ran.err == "whctl: msg_1: did not settle within 20ms\n");
}

TEST_CASE("wait for a task gives up after its timeout, too") {
  Bench bench;
  bench.daemon.answer("GET /v1/tasks/task_1", 200, R"({"id":"task_1","state":"running","total":5,"done":1})");
  const auto ran = bench.run({"wait", "task_1", "--timeout", "20ms"});
  CHECK(ran.code == 7);
  CHECK(ran.err.ends_with("whctl: task_1: did not end within 20ms\n"));
}

TEST_CASE("a wait survives a daemon that goes away for less than --wait-daemon") {
  Bench bench;
  bench.daemon.answer_raw("GET /v1/messages/msg_1/wait?timeout=30", "");
  bench.daemon.answer("GET /v1/messages/msg_1/wait?timeout=30", 503, R"({"code":"unavailable","detail":"stopping"})");
  bench.daemon.answer("GET /v1/messages/msg_1/wait?timeout=30", 200, R"({"id":"msg_1","status":"success"})");
  CHECK(bench.run({"wait", "msg_1", "--wait-daemon", "20s"}).code == 0);
  bench.daemon.answer_raw("GET /v1/messages/msg_2/wait?timeout=30", "");
  CHECK(bench.run({"wait", "msg_2"}).code == 6);
}

TEST_CASE("what was accepted is printed also when the wait for it comes to nothing") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1","message_count":1})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=1", 408, R"({"code":"wait_timeout","detail":"later"})");
  const auto whole = bench.run({"emit", "a.b", "-d", "1", "--wait", "--timeout", "20ms", "-o", "jsonl"});
  CHECK(whole.code == 7);
  CHECK(whole.out == "{\"id\":\"evt_1\",\"message_count\":1}\n");
  CHECK(whole.err.starts_with("waiting for evt_1\n"));
  bench.daemon.answer("POST /v1/webhooks/orders/ping", 202, R"({"id":"evt_2","messages":[{"id":"msg_2"}]})");
  bench.daemon.answer("GET /v1/messages/msg_2/wait?timeout=1", 408, R"({"code":"wait_timeout","detail":"later"})");
  bench.daemon.answer("GET /v1/messages/msg_2/wait?timeout=30", 200, R"({"id":"msg_2","status":"success"})");
  const auto timed = bench.run({"ping", "orders", "--wait", "--timeout", "20ms"});
  CHECK(timed.code == 7);
  CHECK(timed.out == "msg_2\n");
  const auto patient = bench.run({"ping", "orders", "--wait"});
  CHECK(patient.code == 0);
  CHECK(patient.out == "msg_2\n");
  CHECK(patient.err.starts_with("waiting until it is delivered, or has failed at the end of"));
}

TEST_CASE("an event that no webhook wants is said, because there is nothing to wait for") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1","message_count":0,"messages":[]})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=30", 200, R"({"id":"evt_1","message_count":0,"messages":[]})");
  const auto ran = bench.run({"emit", "a.b", "-d", "1", "--wait"});
  CHECK(ran.code == 0);
  CHECK(ran.err == "no webhook wants it: there is nothing to wait for\n");
}

TEST_CASE("one secret may take the place of another at once") {
  Bench bench;
  bench.daemon.answer("POST /v1/webhooks/orders/secret/rotate", 200, R"({"secrets":[{"secret":"whsec_x"}]})");
  for (const char* grace : {"0", "0s"}) {
    CHECK(bench.run({"secret", "rotate", "orders", "--grace", grace}).code == 0);
    CHECK(bench.last().body == R"({"grace":0})");
  }
}

TEST_CASE("limits in messages are those that count, and what does not go with a batch is said for what it is") {
  Bench bench;
  CHECK(bench.run({"create", "a", "--url", "u", "-e", "*", "--max-in-flight", "abc"}).err.find("at most 1024") !=
        std::string::npos);
  CHECK(bench.run({"emit", "--batch", "-", "--wait"}).err ==
        "whctl: --wait: does not go with --batch: only one event is waited for\n");
  CHECK(bench.run({"backup", "-"}).code == 2);
  for (const char* format : {"yaml", "csv", "name"}) {
    const auto ran = bench.run({"export", "-o", format});
    CHECK(ran.code == 2);
    CHECK(ran.err.find("TOML or JSON") != std::string::npos);
  }
  CHECK(bench.daemon.seen().empty());
}

TEST_CASE("show of a task is its state") {
  Bench bench;
  bench.daemon.answer("GET /v1/tasks/task_1", 200, R"({"id":"task_1","state":"running","total":5,"done":1})");
  CHECK(bench.run({"show", "task_1"}).out.starts_with("id\ttask_1\n"));
}

TEST_CASE("a name that is near is a hint, whoever found it, and is said once") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks/A", 404,
                      R"({"code":"not_found","detail":"there is no webhook A; did you mean a?"})");
  CHECK(bench.run({"show", "A"}).err == "whctl: there is no webhook A\nhint: did you mean a?\n");
}

TEST_CASE("what is wrong in a document is said with its file and its place, and once that nothing was changed") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(""));
  bench.daemon.answer("GET /v1/types?limit=1000", 200, items(""));
  bench.daemon.answer(
      "POST /v1/webhooks?dry_run=true", 422,
      R"({"code":"invalid_field","detail":"x","errors":[{"pointer":"/events","detail":"events: is required"}]})");
  const std::string document = "[[webhook]]\ndisplay_name = \"a\"\n[[webhook]]\ndisplay_name = \"e\"\n";
  const std::string said =
      "whctl: standard input: a: events: is required\nwhctl: standard input: e: events: is required\n";
  const Typed applied(document);
  bench.setting.in = applied.ends[0];
  CHECK(bench.run({"apply", "-f", "-"}).err == said + "hint: nothing was changed\n");
  const Typed compared(document);
  bench.setting.in = compared.ends[0];
  CHECK(bench.run({"diff", "-f", "-"}).err == said);
}

TEST_CASE("a batch reports refused lines by their number, counts blank ones, and exits 10") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 200,
                      "{\"id\":\"evt_1\",\"duplicate\":false}\n{\"code\":\"unknown_type\",\"detail\":\"type: no\"}\n"
                      "{\"id\":\"evt_2\",\"duplicate\":true}\n");
  const Typed typed("{\"a\":1}\n\n{\"b\":2}\n{\"c\":3}");
  bench.setting.in = typed.ends[0];
  const auto ran = bench.run({"emit", "--batch", "-"});
  CHECK(ran.code == 10);
  CHECK(ran.out == "evt_1\nevt_2\n");
  CHECK(ran.err == "whctl: line 3: unknown_type: type: no\n4 lines: 1 accepted, 1 duplicates, 1 refused\n");
  CHECK(bench.last().body == "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
  CHECK(bench.last().head.find("Content-Type: application/x-ndjson") != std::string::npos);
}

TEST_CASE("warnings about an accepted event are printed, and it exits 0 all the same") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201,
                      R"({"id":"evt_1","warnings":[{"pointer":"/data/id","detail":"data.id: must be an integer"},)"
                      R"({"pointer":"/data/x","detail":"data.x\u001b: is required"}]})");
  const auto ran = bench.run({"emit", "order.paid", "-d", "{}"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "evt_1\n");
  CHECK(ran.err == "whctl: warning: data.id: must be an integer\nwhctl: warning: data.x\\x1b: is required\n");
  CHECK(bench.run({"emit", "order.paid", "-d", "{}", "-q"}).err == "");
}

TEST_CASE("a batch warns of its first lines alone, and counts the others") {
  Bench bench;
  std::string lines;
  std::string answers;
  for (int i = 0; i < 100; ++i) {
    lines += "{\"a\":1}\n";
    answers += R"({"id":"evt_1","warnings":[{"pointer":"/data","detail":"data: no"},{"pointer":"","detail":"x"}]})";
    answers += "\n";
  }
  bench.daemon.answer("POST /v1/events", 200, answers);
  const Typed typed(lines);
  bench.setting.in = typed.ends[0];
  const auto ran = bench.run({"emit", "--batch", "-"});
  CHECK(ran.code == 0);
  CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 6);
  CHECK(ran.err.starts_with("whctl: warning: line 1: data: no (and 1 more)\n"));
  CHECK(ran.err.ends_with("100 lines: 100 accepted, 0 duplicates, 0 refused, 100 with warnings\n"));
}

TEST_CASE("a long batch goes out in requests of a thousand lines") {
  Bench bench;
  std::string answers;
  for (int i = 0; i < 1000; ++i) answers += "{\"id\":\"evt_1\"}\n";
  bench.daemon.answer("POST /v1/events", 200, answers);
  bench.daemon.answer("POST /v1/events", 200, answers);
  bench.daemon.answer("POST /v1/events", 200, "{\"id\":\"evt_1\"}\n");
  std::string lines;
  for (int i = 0; i < 2001; ++i) lines += "{}\n";
  const Typed typed(lines);
  bench.setting.in = typed.ends[0];
  const auto ran = bench.run({"emit", "--batch", "-", "-o", "jsonl"});
  CHECK(ran.code == 0);
  CHECK(ran.err == "2001 lines: 2001 accepted, 0 duplicates, 0 refused\n");
  CHECK(bench.daemon.seen().size() == 3);
}

TEST_CASE("a batch whose daemon goes away says which lines have no answer") {
  Bench bench;
  bench.daemon.answer_raw("POST /v1/events", "");
  const Typed typed("{}\n{}\n");
  bench.setting.in = typed.ends[0];
  const auto ran = bench.run({"emit", "--batch", "-"});
  CHECK(ran.code == 6);
  CHECK(ran.err.starts_with("stopped: 0 accepted, 0 duplicates, 0 refused\nlines 1 to 2: no answer\nwhctl: "));
}

TEST_CASE("show of a message has its attempts, its plan and its payload as it came") {
  Bench bench;
  bench.setting.on_terminal = true;
  bench.daemon.answer("GET /v1/clock", 200, clock_body);
  bench.daemon.answer("GET /v1/webhooks/wh_1", 200,
                      R"({"status":"active","retry":{"initial":5,"factor":2,"max":21600,"jitter":0.1}})");
  bench.daemon.answer(
      "GET /v1/messages/msg_1", 200,
      R"({"id":"msg_1","webhook_id":"wh_1","type":"a.b","status":"retrying","attempts":1,"next_attempt_at":"2026-01-31T12:05:00.000Z",)"
      R"("deadline":"2026-02-10T12:00:00.000Z","payload":{"z":1.50,"a":2},"attempt_log":[{"number":1,)"
      R"("at":"2026-01-31T11:59:50.000Z","duration_ms":12,"trigger":"automatic","outcome":"status","code":500,)"
      R"("error":"HTTP 500","response_body":"oops"}]})");
  CHECK(bench.run({"show", "msg_1"}).out ==
        "Id:             msg_1\n"
        "Webhook id:     wh_1\n"
        "Type:           a.b\n"
        "Status:         Retrying\n"
        "Attempts:       1\n"
        "Next attempt:   in 5m (2026-01-31T12:05:00.000Z)\n"
        "Deadline:       in 10d (2026-02-10T12:00:00.000Z)\n"
        "\nPlan\n"
        "attempt 2 in 5m (2026-01-31T12:05:00.000Z)\n"
        "attempt 3 in 5m (2026-01-31T12:05:10.000Z)\n"
        "attempt 4 in 5m (2026-01-31T12:05:30.000Z)\n"
        "attempt 5 in 6m (2026-01-31T12:06:10.000Z)\n"
        "and 48 more while it fails, the last one in 10d (2026-02-10T12:00:00.000Z)\n"
        "\nAttempts\n"
        "#  AT       TRIGGER    OUTCOME  CODE  TOOK  ERROR     ANSWER\n"
        "1  10s ago  automatic  status   500   12ms  HTTP 500  oops\n"
        "\nPayload\n"
        "{\n  \"z\": 1.50,\n  \"a\": 2\n}\n");
}

TEST_CASE("what looks like a message's id may be a webhook's name") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks/msg_router", 200, webhook);
  CHECK(bench.run({"show", "msg_router", "-q"}).out == "wh_0000000000001\n");
  CHECK(bench.run({"show", "msg_other"}).code == 3);
}

TEST_CASE("an ambiguous prefix exits 2 with the daemon's candidates") {
  Bench bench;
  bench.daemon.answer("GET /v1/messages/msg_0", 400,
                      R"({"code":"ambiguous_id","detail":"msg_0 fits several messages: msg_01, msg_02, and more",)"
                      R"("errors":[{"pointer":"","detail":"msg_01"},{"pointer":"","detail":"msg_02"}]})");
  const auto ran = bench.run({"show", "msg_0"});
  CHECK(ran.code == 2);
  CHECK(ran.err == "whctl: msg_0 fits several messages\n  msg_01\n  msg_02\n  and more\n");
}

TEST_CASE("trigger emits the example with its changes") {
  Bench bench;
  bench.daemon.answer("GET /v1/types/a.b", 200, R"({"name":"a.b","example":{"s":{"id":1,"n":"x"}}})");
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1"})");
  CHECK(bench.run({"trigger", "a.b", "--set", "s.id=42"}).code == 0);
  CHECK(bench.last().body == R"({"type":"a.b","data":{"s":{"id":42,"n":"x"}}})");
  CHECK(bench.run({"trigger", "a.b", "--set", "s.id=x"}).code == 2);
}

TEST_CASE("api prints what the daemon answers and exits by its code") {
  Bench bench;
  bench.daemon.answer("GET /v1/x", 200, "{\"b\": 1}");
  CHECK(bench.run({"api", "get", "/v1/x"}).out == "{\"b\": 1}");
  const auto missing = bench.run({"api", "GET", "/v1/y"});
  CHECK(missing.code == 3);
  CHECK(missing.out.starts_with("{\"code\":\"not_found\""));
  CHECK(bench.run({"api", "GET", "/v1 x"}).code == 2);
}

TEST_CASE("clock prints the time, and moves it in seconds") {
  Bench bench;
  bench.daemon.answer("GET /v1/clock", 200, clock_body);
  bench.daemon.answer("POST /v1/clock", 200, clock_body);
  CHECK(bench.run({"clock"}).out == "2026-01-31T12:00:00.000Z\n");
  CHECK(bench.run({"clock", "advance", "1d12h"}).code == 0);
  CHECK(bench.last().body == R"({"advance":129600})");
}

TEST_CASE("a daemon of another version is mentioned once, on standard error") {
  Bench bench;
  bench.daemon.answer("GET /v1/status", 200, R"({"version":"9.9.9"})", "Webhookd-Version: 9.9.9\r\n");
  const auto ran = bench.run({"status", "-o", "json"});
  CHECK(ran.code == 0);
  CHECK(ran.err == "whctl 0.1.0 talks to webhookd 9.9.9: they are meant to be the same version\n");
}

TEST_CASE("what is signed verifies, and what was changed does not") {
  std::string folder = "/tmp/whctl_sign_XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string file = folder + "/key";
  write_file(file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  // The example of the Standard Webhooks libraries.
  const std::string body = R"({"test": 2432232314})";
  const std::vector<std::string> about{"--secret-file", file,        "--id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                       "--timestamp",   "1614265330"};
  const auto run_on = [&](std::vector<std::string> words, const std::string& text) {
    words.insert(words.end(), about.begin(), about.end());
    const Typed typed(text);
    return run_tool(words, {{}, false, 80, 1000, typed.ends[0]});
  };
  const std::string signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  CHECK(run_on({"sign", "-q"}, body).out == signature + "\n");
  CHECK(run_on({"verify", "--signature", signature}, body).code == 0);
  CHECK(run_on({"verify", "--signature", signature}, body + " ").code == 1);
  // RFC 8032, the second half of whose pair is public.
  write_file(file, "whsk_xaqN9D+fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc=\n");
  const auto by_pair = run_on({"sign", "-q"}, body).out;
  CHECK(by_pair.starts_with("v1a,"));
  write_file(file, "whpk_/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n");
  CHECK(run_on({"verify", "--signature", by_pair.substr(0, by_pair.size() - 1)}, body).code == 0);
  CHECK(run_on({"verify", "--signature", by_pair.substr(0, by_pair.size() - 1)}, body + " ").code == 1);
  CHECK(run_on({"sign"}, body).code == 2);
  ::unlink(file.c_str());
  ::rmdir(folder.c_str());
}

TEST_CASE("what is longer than the screen goes through the pager, and --no-pager keeps it on the screen") {
  Bench bench;
  const std::string file = bench.daemon.socket_path() + ".paged";
  bench.setting.on_terminal = true;
  bench.setting.height = 2;
  bench.setting.environment["WHCTL_PAGER"] = "cat > " + file;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(webhook));
  CHECK(bench.run({"list"}).out == "");
  CHECK(::access(file.c_str(), F_OK) == 0);
  CHECK(::unlink(file.c_str()) == 0);
  CHECK(bench.run({"list", "--no-pager"}).out.starts_with("ID "));
  bench.setting.environment["WHCTL_PAGER"] = "exit 127";
  CHECK(bench.run({"list"}).out.starts_with("ID "));
  bench.setting.height = 1000;
  bench.setting.environment["WHCTL_PAGER"] = "cat > " + file;
  CHECK(bench.run({"list"}).out.starts_with("ID "));
}

TEST_CASE("YAML output of a list has items and next_cursor") {
  Bench bench;
  bench.daemon.answer("GET /v1/webhooks?limit=1000", 200, items(R"({"id":"wh_1","size":1.50})"));
  CHECK(bench.run({"list", "-o", "yaml"}).out == "items:\n  -\n    id: wh_1\n    size: 1.50\nnext_cursor: null\n");
}

TEST_CASE("yesterday and today begin at midnight of the daemon's clock") {
  Bench bench;
  bench.daemon.answer("GET /v1/clock", 200, clock_body);
  bench.daemon.answer("GET /v1/messages?since=2026-01-30T00%3A00%3A00.000Z&until=2026-01-31T00%3A00%3A00.000Z&limit=50",
                      200, items(message));
  CHECK(bench.run({"logs", "--since", "yesterday", "--until", "today", "-q"}).out == "msg_0000000000001\n");
}

TEST_CASE("--timeout ends a wait with 7, and means nothing without --wait") {
  Bench bench;
  bench.daemon.answer("POST /v1/events", 201, R"({"id":"evt_1"})");
  bench.daemon.answer("GET /v1/events/evt_1/wait?timeout=1", 408, R"({"code":"wait_timeout","detail":"later"})");
  CHECK(bench.run({"emit", "a.b", "-d", "1", "--wait", "--timeout", "20ms"}).code == 7);
  const auto count = bench.daemon.seen().size();
  CHECK(bench.run({"emit", "a.b", "-d", "1", "--timeout", "20ms"}).code == 2);
  CHECK(bench.daemon.seen().size() == count);
}

TEST_CASE("changes behind a cursor are asked for with all filters, and printed oldest first") {
  Bench bench;
  const std::string line = message.substr(0, message.size() - 1);
  bench.daemon.answer("GET /v1/stream?webhook=orders&status=failed&code=5xx&after=abc&follow=false&limit=2", 200,
                      R"({"cursor":"abc"})"
                      "\n" +
                          line +
                          R"(,"cursor":"abd"})"
                          "\n");
  const auto ran =
      bench.run({"logs", "orders", "--status", "failed", "--code", "5xx", "--after-cursor", "abc", "-n", "2"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "msg_0000000000001\ta.b\tfailed\t2\t2026-01-31T11:00:00.000Z\t-\tHTTP 500\n");
  const auto whole = bench.run(
      {"logs", "orders", "--status", "failed", "--code", "5xx", "--after-cursor", "abc", "-n", "2", "-o", "json"});
  CHECK(whole.out.find(R"("next_cursor": "abd")") != std::string::npos);
}

TEST_CASE("lines of the history have a cursor, as those of changes have, and a wrong one is its file's fault") {
  Bench bench;
  bench.daemon.answer("GET /v1/stream?follow=false", 200, "{\"cursor\":\"abc\"}\n");
  bench.daemon.answer("GET /v1/messages?limit=1", 200, items(message));
  bench.daemon.answer("GET /v1/stream?after=abc", 400, R"({"code":"forbidden","detail":"enough"})");
  const auto ran = bench.run({"logs", "-f", "-n", "1", "-o", "jsonl", "--fields", "id,cursor"});
  CHECK(ran.out == "{\"id\":\"msg_0000000000001\",\"cursor\":\"abc\"}\n");
  const std::string file = bench.daemon.socket_path() + ".cursor";
  write_file(file, "zzz\n");
  bench.daemon.answer("GET /v1/stream?after=zzz&follow=false", 400,
                      R"({"code":"invalid_request","detail":"x","errors":[{"pointer":"?after",)"
                      R"("detail":"after: is not a cursor that we gave"}]})");
  CHECK(bench.run({"logs", "--cursor-file", file}).err == "whctl: " + file + ": after: is not a cursor that we gave\n");
  ::unlink(file.c_str());
}

TEST_CASE("logs refuses what has no meaning for changes") {
  Bench bench;
  CHECK(bench.run({"logs", "-f", "--reverse"}).err.find("--reverse: changes have one order") != std::string::npos);
  CHECK(bench.run({"logs", "-f", "-o", "json"}).err.find("-o jsonl") != std::string::npos);
  CHECK(bench.run({"logs", "-f", "--after-cursor", "x", "-n", "3"}).err.find("--number") != std::string::npos);
  CHECK(bench.run({"logs", "--after-cursor", "x", "-n", "0"}).code == 2);
  CHECK(bench.run({"logs", "--cursor-file", "/nonexistent/folder/file"}).code == 3);
}
