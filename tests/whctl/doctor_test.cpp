// doctor, for each thing that can be wrong.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/time.hpp"
#include "scripted_daemon.hpp"
#include "support/temporary_directory.hpp"
#include "tool.hpp"

using namespace webhookd;
using namespace std::chrono_literals;
using namespace webhookd::whctl::testing;

namespace {

std::string now_text() {
  return base::format_time(std::chrono::floor<base::Duration>(std::chrono::system_clock::now()));
}

struct Scene {
  std::string now = now_text();
  std::string clock = "false";
  std::string store = R"("used_bytes":10,"quota_bytes":100,"full":false,"damaged_records":0)";
  std::string webhooks;
  std::string messages;
  std::string metrics = "\nprocess_open_fds 10\nprocess_max_fds 100\nwebhookd_shortages_total 0\n";
  std::string version = "0.1.0";
};

Ran examine(const Scene& scene, const std::vector<std::string>& arguments = {"doctor"}) {
  ScriptedDaemon daemon;
  daemon.answer("GET /v1/status", 200,
                R"({"now":")" + scene.now + R"(","test_clock":)" + scene.clock + R"(,"store":{)" + scene.store + "}}",
                "Webhookd-Version: " + scene.version + "\r\n");
  daemon.answer("GET /v1/webhooks?limit=1000", 200, R"({"items":[)" + scene.webhooks + R"(],"next_cursor":null})");
  daemon.answer("GET /v1/messages?status=created,retrying&order=asc&limit=1", 200,
                R"({"items":[)" + scene.messages + R"(],"next_cursor":null})");
  daemon.answer_raw("GET /metrics", "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(scene.metrics.size()) +
                                        "\r\n\r\n" + scene.metrics);
  return run_tool(arguments, {{{"WHCTL_SOCKET", daemon.socket_path()}}});
}

}  // namespace

TEST_CASE("a daemon without a fault is fine: nothing printed, exit 0") {
  const Ran ran = examine({});
  CHECK(ran.code == 0);
  CHECK(ran.out == "");
  CHECK(ran.err == "nothing is wrong\n");
}

TEST_CASE("a full store or damaged records are critical, a filling one is a warning") {
  Scene scene;
  scene.store = R"("used_bytes":96,"quota_bytes":100,"full":true,"damaged_records":2)";
  const Ran critical = examine(scene);
  CHECK(critical.code == 1);
  CHECK(critical.out.find("critical\tstore\t2 damaged records were found\t") != std::string::npos);
  CHECK(critical.out.find("critical\tstore\tnew events are refused for want of room\t") != std::string::npos);
  scene.store = R"("used_bytes":85,"quota_bytes":100,"full":false,"damaged_records":0)";
  const Ran warning = examine(scene);
  CHECK(warning.code == 10);
  CHECK(warning.out.find("warning\tstore\t85 % of the quota is taken\t") != std::string::npos);
}

TEST_CASE("a disk that is nearly full, for the store as it is, is a warning") {
  Scene scene;
  const std::string common = R"("quota_bytes":1048576000000,"full":false,"damaged_records":0,"directory":"/nowhere",)"
                             R"("disk_reserve_bytes":104857600,)";
  scene.store = common + R"("used_bytes":104857600,"disk_free_bytes":1048576000)";
  CHECK(examine(scene).code == 0);
  scene.store = common + R"("used_bytes":104857600,"disk_free_bytes":199229440)";
  const Ran nearly = examine(scene);
  CHECK(nearly.code == 10);
  CHECK(nearly.out.find("190 MiB are left on the disk of the store, which takes 100 MiB; below 100 MiB new events are "
                        "refused") != std::string::npos);
  scene.store = common + R"("used_bytes":10485760000,"disk_free_bytes":2097152000)";
  CHECK(examine(scene).code == 10);
}

TEST_CASE("a receiver's certificate that expires within 14 days is a warning, an expired one critical") {
  const auto in = [](base::Duration wait) {
    return base::format_time(std::chrono::floor<base::Duration>(std::chrono::system_clock::now()) + wait);
  };
  const auto shown = [](const std::string& name, const std::string& expiry) {
    return R"({"display_name":")" + name + R"(","url":"https://127.0.0.1/","status":"active","health":"up",)" +
           R"("waiting":0,"certificate_expires_at":)" + expiry + "}";
  };
  Scene scene;
  scene.webhooks = shown("far", '"' + in(15 * 24h) + '"') + "," + shown("unknown", "null");
  CHECK(examine(scene).code == 0);
  scene.webhooks = shown("near", '"' + in(13 * 24h) + '"');
  const Ran near = examine(scene);
  CHECK(near.code == 10);
  CHECK(near.out.find("warning\tcertificate\tthe certificate of near expires on ") != std::string::npos);
  scene.webhooks = shown("past", '"' + in(-1h) + '"');
  const Ran past = examine(scene);
  CHECK(past.code == 1);
  CHECK(past.out.find("critical\tcertificate\tthe certificate of past has expired on ") != std::string::npos);
}

TEST_CASE("a store that others may look into is a warning that names the file") {
  const support::TemporaryDirectory directory;
  const std::string file = directory.write("data.mdb", "x");
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  Scene scene;
  scene.store += R"(,"directory":")" + directory.path() + R"(","disk_free_bytes":200,"disk_reserve_bytes":1)";
  CHECK(examine(scene).code == 0);
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  const Ran ran = examine(scene);
  CHECK(ran.code == 10);
  CHECK(ran.out.find("others than its owner may read or write " + file) != std::string::npos);
}

TEST_CASE("clocks that differ, a test clock and another version are warnings") {
  Scene scene;
  scene.now = "2020-01-01T00:00:00.000Z";
  CHECK(examine(scene).out.find("warning\tclock\tthe daemon's clock says 2020-01-01") != std::string::npos);
  scene.clock = "true";
  CHECK(examine(scene).out.find("runs on a test clock") != std::string::npos);
  scene = {};
  scene.version = "9.9.9";
  CHECK(examine(scene).out.find("talks to webhookd 9.9.9") != std::string::npos);
}

TEST_CASE("descriptors that run out and shortages are warnings") {
  Scene scene;
  scene.metrics = "\nprocess_open_fds 90\nprocess_max_fds 100\nwebhookd_shortages_total 3\n";
  const Ran ran = examine(scene);
  CHECK(ran.code == 10);
  CHECK(ran.out.find("90 % of the file descriptors are open") != std::string::npos);
  CHECK(ran.out.find("attempts were put off") != std::string::npos);
}

TEST_CASE("endpoints that are down, held messages, a long wait and a name that does not resolve each say what to do") {
  Scene scene;
  scene.webhooks =
      R"({"display_name":"orders","url":"http://127.0.0.1/","status":"active","health":"down","waiting":7},)"
      R"({"display_name":"old","url":"http://127.0.0.1/","status":"inactive","health":"up","waiting":2},)"
      R"({"display_name":"lost","url":"http://no-such-host.invalid/","status":"active","health":"up","waiting":0})";
  scene.messages = R"({"id":"msg_1","created_at":"2020-01-01T00:00:00.000Z"})";
  const Ran ran = examine(scene);
  CHECK(ran.code == 10);
  CHECK(ran.out.find("orders is down; messages that wait: 7\twhctl logs 'orders' --status retrying says why") !=
        std::string::npos);
  CHECK(ran.out.find("old is inactive; messages that are held: 2\twhctl activate 'old'") != std::string::npos);
  CHECK(ran.out.find("msg_1 waits since 2020-01-01T00:00:00.000Z\twhctl why msg_1") != std::string::npos);
  CHECK(ran.out.find("warning\tnames\tno-such-host.invalid: ") != std::string::npos);
}
