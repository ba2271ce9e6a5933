// why, for every state a message can be in.
#include <doctest/doctest.h>

#include "scripted_daemon.hpp"
#include "tool.hpp"

using namespace webhookd::whctl::testing;

namespace {

// What is said of a message with these members, at 12:00, whose webhook has those.
struct Said {
  std::string cause;
  std::string words;
};

Said why(const std::string& message, const std::string& webhook) {
  ScriptedDaemon daemon;
  daemon.answer("GET /v1/clock", 200, R"({"now":"2026-01-31T12:00:00.000Z","test":true})");
  daemon.answer("GET /v1/messages/msg_1", 200,
                R"({"id":"msg_1","webhook_id":"wh_1","deadline":"2026-02-10T12:00:00.000Z",)" + message + "}");
  if (!webhook.empty()) {
    daemon.answer("GET /v1/webhooks/wh_1", 200,
                  R"({"id":"wh_1","max_in_flight":16,"rate":null,"waiting":3,)" + webhook + "}");
  }
  const Setting setting{{{"WHCTL_SOCKET", daemon.socket_path()}}, true, 80, 1000, -1};
  const Setting script{{{"WHCTL_SOCKET", daemon.socket_path()}}};
  Said said{run_tool({"why", "msg_1", "--fields", "cause"}, script).out, run_tool({"why", "msg_1"}, setting).out};
  said.cause.pop_back();
  return said;
}

const std::string failed_twice =
    R"("webhook":"orders","status":"retrying","attempts":2,"last_attempt_at":"2026-01-31T11:59:00.000Z",)"
    R"("failure":"HTTP 503","next_attempt_at":"2026-01-31T12:05:00.000Z")";
const std::string up = R"("status":"active","health":"up")";

}  // namespace

TEST_CASE("a message that waits for its next attempt says when") {
  const auto said = why(failed_twice, up);
  CHECK(said.cause == "scheduled");
  CHECK(said.words ==
        "msg_1 to orders is Retrying.\n"
        "2 attempts failed, the last one 1m ago (2026-01-31T11:59:00.000Z): HTTP 503.\n"
        "The next attempt is due in 5m (2026-01-31T12:05:00.000Z).\n"
        "It is tried until in 10d (2026-02-10T12:00:00.000Z); what fails then is Failed.\n");
}

TEST_CASE("a message that is due waits for its turn") {
  const auto said = why(R"("webhook":"orders","status":"created","attempts":0,"next_attempt_at":null)", up);
  CHECK(said.cause == "in_turn");
  CHECK(
      said.words.find("It is due now and waits for its turn: orders gets at most 16 requests at once; 3 messages wait "
                      "there.\n") != std::string::npos);
}

TEST_CASE("a webhook that is inactive, down or throttled is the cause") {
  CHECK(why(failed_twice, R"("status":"inactive","status_reason":"manual")").cause == "webhook_inactive");
  const auto gone = why(failed_twice, R"("status":"inactive","status_reason":"gone")");
  CHECK(gone.cause == "webhook_gone");
  CHECK(gone.words.find("is inactive: its endpoint answered 410 Gone.\n") != std::string::npos);
  CHECK(gone.words.find("`whctl activate orders` releases it.\n") != std::string::npos);
  const auto down = why(failed_twice, R"("status":"active","health":"down")");
  CHECK(down.cause == "endpoint_down");
  CHECK(down.words.find("It is due for one in 5m") != std::string::npos);
  CHECK(why(failed_twice, R"("status":"active","health":"throttled")").cause == "throttled");
  CHECK(why(failed_twice, "").cause == "webhook_deleted");
}

TEST_CASE("a settled message says how it ended, by whom, and how to start again") {
  const auto delivered = why(
      R"("webhook":"orders","status":"success","attempts":3,"last_code":200,"settled_at":"2026-01-31T11:00:00.000Z")",
      up);
  CHECK(delivered.cause == "delivered");
  CHECK(
      delivered.words.find("It was delivered 1h ago (2026-01-31T11:00:00.000Z), by attempt 3, answered with 200.\n") !=
      std::string::npos);
  const auto cancelled =
      why(R"("webhook":"orders","status":"cancelled","attempts":1,"settled_at":"2026-01-31T11:00:00.000Z",)"
          R"("cancelled_by":{"uid":1000,"reason":"not wanted"})",
          up);
  CHECK(cancelled.cause == "cancelled");
  CHECK(cancelled.words.find("It was cancelled 1h ago (2026-01-31T11:00:00.000Z) by user id 1000, who said \"not "
                             "wanted\".\n") != std::string::npos);
  CHECK(why(R"("webhook":"orders","status":"failed","reason":"gone","settled_at":"2026-01-31T11:00:00.000Z")", up)
            .cause == "gone");
  const auto expired =
      why(R"("webhook":"orders","status":"failed","reason":"expired","attempts":50,"failure":"timeout")", up);
  CHECK(expired.cause == "expired");
  CHECK(expired.words.find("`whctl retry msg_1` starts a new window.\n") != std::string::npos);
}
