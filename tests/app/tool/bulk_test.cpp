// retry and cancel of many messages with the real programs: what is touched, what is printed, and how it ends.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;
using nlohmann::json;

// A receiver that refuses everything until it is repaired, and counts what it then gets.
struct Broken {
  CountingReceiver receiver{[this](const auto&) { return is_repaired ? 200 : 400; }};
  std::atomic<bool> is_repaired = false;
};

// A daemon with messages at "orders" that have all failed.
struct Failed {
  explicit Failed(std::size_t count) {
    Api api(daemon.socket());
    api.create_webhook({{"display_name", "orders"},
                        {"url", broken.receiver.url()},
                        {"events", {"subscription.*"}},
                        {"retry", {{"initial", 1}, {"window", 1}}}});
    api.emit_many("subscription.create", count);
    REQUIRE(eventually(
        [&] {
          return daemon.tell({"retry", "--webhook", "orders", "--dry-run", "--fields", "total"}) ==
                 std::to_string(count);
        },
        std::chrono::seconds(60)));
    broken.is_repaired = true;
    before = broken.receiver.requests();
  }
  std::size_t delivered() { return broken.receiver.requests() - before; }

  Broken broken;
  Daemon daemon;
  std::size_t before = 0;
};

// whctl in the background with its standard error in a file; SIGINT ends it.
int interrupt_once_running(const Daemon& daemon, const std::vector<std::string>& words, const std::string& error_file) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::string> all(words);
    all.insert(all.begin(), WHCTL_BINARY);
    std::vector<char*> arguments;
    for (std::string& word : all) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    ::dup2(::open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::setenv("WHCTL_SOCKET", daemon.socket().c_str(), 1);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  CHECK(eventually([&] { return !Api(daemon.socket()).get("/v1/tasks").at("items").empty(); }));
  CHECK(eventually([&] {
    const json tasks = Api(daemon.socket()).get("/v1/tasks").at("items");
    return tasks.at(0).at("done") > 0;
  }));
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a bulk retry delivers all that has failed, says so, and a dry run before it has counted exactly that") {
  Failed failed(500);
  const json planned = json::parse(failed.daemon.tell({"retry", "--webhook", "orders", "--dry-run", "-o", "json"}));
  CHECK(planned["total"] == 500);
  CHECK(planned["id"].is_null());
  CHECK(planned["state"] == "planned");
  CHECK(failed.delivered() == 0);
  const Ran ran = failed.daemon.whctl({"retry", "--webhook", "orders", "--reason", "repaired", "-o", "json"});
  CHECK(ran.exit_code == 0);
  const json task = json::parse(ran.out);
  CHECK(task["state"] == "done");
  CHECK(task["done"] == 500);
  CHECK(task["total"] == 500);
  CHECK(task["reason"] == "repaired");
  CHECK(ran.err.find("retried 500 messages") != std::string::npos);
  CHECK(eventually([&] { return failed.delivered() == 500; }));
  CHECK(failed.daemon.tell({"retry", "--webhook", "orders", "--dry-run", "--fields", "total"}) == "0");
  CHECK(failed.daemon.whctl({"wait", task["id"]}).exit_code == 0);
}

TEST_CASE("a bulk task survives kill -9 and touches each message once") {
  Failed failed(2000);
  Api(failed.daemon.socket()).call("POST", "/v1/messages/retry", R"({"filter":{"webhook":"orders"},"rate":2000})");
  const auto task = [&] { return Api(failed.daemon.socket()).get("/v1/tasks").at("items").at(0); };
  for (const int done : {200, 900}) {
    CHECK(eventually([&] { return task()["done"] >= done; }));
    failed.daemon.kill();
    failed.daemon.start();
  }
  const Ran waited = failed.daemon.whctl({"wait", task()["id"]});
  CHECK(waited.exit_code == 0);
  CHECK(task()["done"] == 2000);
  CHECK(task()["total"] == 2000);
  CHECK(eventually([&] {
    return failed.daemon.tell({"logs", "-n", "3000", "-q", "--status", "success"}).size() == 2000 * 18 - 1;
  }));
  const json messages = json::parse(failed.daemon.tell({"logs", "-n", "3000", "-o", "json"}));
  for (const json& message : messages["items"]) {
    CHECK(message["retried_by"]["uid"] == ::getuid());
  }
}

TEST_CASE("Ctrl-C leaves a bulk task running and says how to watch and stop it") {
  Failed failed(300);
  const std::string errors = failed.daemon.directory().path() + "/errors";
  CHECK(interrupt_once_running(failed.daemon, {"retry", "--webhook", "orders", "--rate", "20/s"}, errors) == 130);
  const json task = Api(failed.daemon.socket()).get("/v1/tasks").at("items").at(0);
  CHECK(task["state"] == "running");
  const Ran shown = run({"/bin/cat", errors});
  CHECK(shown.out.find("`whctl wait " + task["id"].get<std::string>() + "` watches it again") != std::string::npos);
  CHECK(failed.daemon.whctl({"cancel", task["id"]}).exit_code == 0);
  CHECK(failed.daemon.whctl({"wait", task["id"]}).exit_code == 9);
  CHECK(failed.daemon.whctl({"cancel", task["id"]}).exit_code == 5);
}

TEST_CASE("a bulk cancel in a script needs --yes, ends what waits, and counts it") {
  Daemon daemon;
  Api api(daemon.socket());
  api.create_webhook({{"display_name", "orders"}, {"url", "http://127.0.0.1:9/"}, {"events", {"*"}}});
  api.emit_many("subscription.create", 300);
  const Ran asked = daemon.whctl({"cancel", "--webhook", "orders"});
  CHECK(asked.exit_code == 2);
  CHECK(asked.err.find("--yes") != std::string::npos);
  const json task =
      json::parse(daemon.tell({"cancel", "--webhook", "orders", "--yes", "--reason", "wrong", "-o", "json"}));
  CHECK(task["done"] == 300);
  CHECK(daemon.tell({"logs", "-n", "1000", "-q", "--status", "cancelled"}).size() == 300 * 18 - 1);
  CHECK(daemon.whctl({"cancel", "--webhook", "orders", "--status", "failed", "--yes"}).exit_code == 2);
}

TEST_CASE("some that a task could not change are exit code 10") {
  Failed failed(200);
  Api api(failed.daemon.socket());
  const json begun = api.call("POST", "/v1/messages/retry", R"({"filter":{"webhook":"orders"},"rate":40})");
  CHECK(eventually([&] { return api.get("/v1/tasks/" + begun["id"].get<std::string>()).at("done") > 0; }));
  api.call("POST", "/v1/webhooks/orders/deactivate");
  const Ran waited = failed.daemon.whctl({"wait", begun["id"]});
  CHECK(waited.exit_code == 10);
  CHECK(waited.err.find("failed") != std::string::npos);
  CHECK(failed.daemon.whctl({"retry", "--webhook", "orders"}).exit_code == 5);
}

TEST_CASE("what chooses messages is checked before anything is done") {
  Daemon daemon;
  CHECK(daemon.whctl({"retry"}).exit_code == 2);
  CHECK(daemon.whctl({"retry", "--code", "5xx"}).err.find("--webhook: is needed") != std::string::npos);
  CHECK(daemon.whctl({"retry", "msg_0000000000000", "--webhook", "x"}).exit_code == 2);
  CHECK(daemon.whctl({"retry", "--webhook", "nobody"}).exit_code == 3);
  CHECK(daemon.whctl({"retry", "--webhook", "x", "--code", "9999"}).err.find("filter.code") != std::string::npos);
  CHECK(daemon.whctl({"wait", "task_0000000000000"}).exit_code == 3);
  Api api(daemon.socket());
  const auto refused = api.ask("POST", "/v1/messages/retry", R"({"filter":{}})");
  CHECK(refused.status == 422);
  CHECK(json::parse(refused.body)["errors"][0]["pointer"] == "/filter/webhook");
  const auto unknown = api.ask("POST", "/v1/messages/retry", R"({"filter":{"webhook":"x","statos":"failed"}})");
  CHECK(json::parse(unknown.body)["errors"][0]["pointer"] == "/filter/statos");
}
