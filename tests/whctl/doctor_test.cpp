// doctor, for each thing that can be wrong.
#include "doctor.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/time.hpp"
#include "scripted_daemon.hpp"
#include "support/temporary_directory.hpp"
#include "tool.hpp"

using namespace webhookd;
using namespace webhookd::whctl;
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
  std::string failing;  // of the webhook wh_1
  std::string metrics = "\nprocess_open_fds 10\nprocess_max_fds 100\nwebhookd_shortages_total 0\n";
  std::string version = "0.1.0";
  std::string more;  // members of the status
  Machine machine{[] { return std::optional(true); }};
};

Ran examine(const Scene& scene) {
  ScriptedDaemon daemon;
  daemon.answer("GET /v1/status", 200,
                R"({"now":")" + scene.now + R"(","test_clock":)" + scene.clock + R"(,"store":{)" + scene.store + "}" +
                    scene.more + "}",
                "Webhookd-Version: " + scene.version + "\r\n");
  daemon.answer("GET /v1/webhooks?limit=1000", 200, R"({"items":[)" + scene.webhooks + R"(],"next_cursor":null})");
  daemon.answer("GET /v1/messages?status=created,retrying&order=asc&limit=1", 200,
                R"({"items":[)" + scene.messages + R"(],"next_cursor":null})");
  daemon.answer("GET /v1/messages?webhook=wh_1&status=retrying&limit=1", 200,
                R"({"items":[)" + scene.failing + R"(],"next_cursor":null})");
  daemon.answer(
      "GET /v1/messages?webhook=wh_2&status=retrying&limit=1", 200,
      R"({"items":[{"id":"msg_2","webhook":"bills","failure":"tls: certificate has expired"}],"next_cursor":null})");
  daemon.answer_raw("GET /metrics", "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(scene.metrics.size()) +
                                        "\r\n\r\n" + scene.metrics);
  Channel out;
  Channel err;
  whctl::Settings settings;
  settings.socket_path = daemon.socket_path();
  Session session(
      settings, [](std::string_view) { return std::nullopt; }, Console{out, err});
  const auto code = whctl::examine(session, scene.machine);
  return {code ? static_cast<int>(*code) : -1, out.kept(), err.kept()};
}

std::string in_text(base::Duration wait) {
  return base::format_time(std::chrono::floor<base::Duration>(std::chrono::system_clock::now()) + wait);
}

std::string seconds_ago(base::Duration span) {
  const auto now = std::chrono::floor<base::Duration>(std::chrono::system_clock::now());
  return std::to_string(base::to_unix_seconds(now - span));
}

// An active webhook with messages that wait.
std::string waited_for(const std::string& name) {
  return R"({"id":"wh_1","display_name":")" + name +
         R"(","url":"https://127.0.0.1/","status":"active","health":"up","waiting":3,"certificate_expires_at":null})";
}

std::string retried_after(const std::string& failure) {
  return R"({"id":"msg_1","webhook":"orders","created_at":")" + now_text() + R"(","failure":")" + failure + "\"}";
}

}  // namespace

TEST_CASE("a daemon without a fault is fine: nothing printed, exit 0") {
  const Ran ran = examine({});
  CHECK(ran.code == 0);
  CHECK(ran.out == "");
  CHECK(ran.err == "nothing is wrong\n");
}

TEST_CASE("a full store is critical and says whether the quota or the disk is the cause; so are damaged records") {
  Scene scene;
  scene.store = R"("used_bytes":96,"quota_bytes":100,"full":true,"full_because":"quota","damaged_records":2)";
  const Ran critical = examine(scene);
  CHECK(critical.code == 1);
  CHECK(critical.out.find("critical\tstore\t2 damaged records were found\t") != std::string::npos);
  CHECK(
      critical.out.find("critical\tstore\tnew events are refused: 95 % of store.quota is in use\traise store.quota") !=
      std::string::npos);
  scene.store = R"("used_bytes":9,"quota_bytes":100,"full":true,"full_because":"disk_reserve","damaged_records":0)";
  const Ran disk = examine(scene);
  CHECK(disk.code == 1);
  CHECK(disk.out.find("the disk has less left than store.disk_reserve\tfree room on the disk") != std::string::npos);
}

TEST_CASE("a busy store that retention keeps at its line is fine; one that fills with what waits is a warning") {
  const auto store = [](int used, int waiting) {
    return R"("quota_bytes":100,"full":false,"damaged_records":0,"messages":100,"used_bytes":)" + std::to_string(used) +
           R"(,"waiting":)" + std::to_string(waiting);
  };
  Scene scene;
  for (const auto& [used, waiting, code] :
       std::vector<std::tuple<int, int, int>>{{91, 10, 0}, {94, 10, 10}, {81, 60, 10}, {79, 60, 0}}) {
    scene.store = store(used, waiting);
    CAPTURE(scene.store);
    CHECK(examine(scene).code == code);
  }
  scene.store = store(85, 60);
  CHECK(examine(scene).out.find("warning\tstore\t85 % of the quota is taken by what retention may not remove; messages "
                                "that wait: 60\t") != std::string::npos);
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
  const auto shown = [](const std::string& name, const std::string& expiry) {
    return R"({"display_name":")" + name + R"(","url":"https://127.0.0.1/","status":"active","health":"up",)" +
           R"("waiting":0,"certificate_expires_at":)" + expiry + "}";
  };
  Scene scene;
  scene.webhooks = shown("far", '"' + in_text(15 * 24h) + '"') + "," + shown("unknown", "null");
  CHECK(examine(scene).code == 0);
  scene.webhooks = shown("near", '"' + in_text(13 * 24h) + '"');
  const Ran near = examine(scene);
  CHECK(near.code == 10);
  CHECK(near.out.find("warning\tcertificate\tthe certificate of near expires on ") != std::string::npos);
  scene.webhooks = shown("past", '"' + in_text(-1h) + '"');
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

TEST_CASE("the store's own files are looked at as well, and whose they are") {
  const support::TemporaryDirectory directory;
  REQUIRE(::mkdir((directory.path() + "/store").c_str(), 0700) == 0);
  const std::string file = directory.write("store/data.mdb", "x");
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  Scene scene;
  scene.store += R"(,"directory":")" + directory.path() + R"(","disk_free_bytes":200,"disk_reserve_bytes":1)";
  CHECK(examine(scene).out.find("warning\tpermissions\t") == std::string::npos);
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(examine(scene).out.find("others than its owner may read or write " + file) != std::string::npos);
  if (::getuid() != 0) {
    MESSAGE("SKIPPED: only root can give a file away");
    return;
  }
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  REQUIRE(::chown(file.c_str(), 65534, 65534) == 0);
  CHECK(examine(scene).out.find(file + " belongs to another user than the data directory\tchown it") !=
        std::string::npos);
}

TEST_CASE("a configuration that others may write is a warning, a master key that they may read is critical") {
  const support::TemporaryDirectory directory;
  const std::string configuration = directory.write("webhookd.toml", "");
  const std::string key = directory.write("key", "x");
  const std::string next = directory.write("key.next", "x");
  Scene scene;
  scene.store += R"(,"directory":")" + directory.path() + R"(/data","disk_free_bytes":200,"disk_reserve_bytes":1)";
  REQUIRE(::mkdir((directory.path() + "/data").c_str(), 0700) == 0);
  scene.more = R"(,"configuration":")" + configuration + R"(","master_key_file":")" + key + '"';
  REQUIRE(::chmod(configuration.c_str(), 0644) == 0);
  REQUIRE(::chmod(key.c_str(), 0600) == 0);
  REQUIRE(::chmod(next.c_str(), 0600) == 0);
  CHECK(examine(scene).code == 0);
  REQUIRE(::chmod(configuration.c_str(), 0664) == 0);
  const Ran written = examine(scene);
  CHECK(written.code == 10);
  CHECK(written.out.find("others than its owner may write " + configuration + "\tchmod go-w") != std::string::npos);
  REQUIRE(::chmod(next.c_str(), 0644) == 0);
  const Ran read = examine(scene);
  CHECK(read.code == 1);
  CHECK(read.out.find("critical\tpermissions\tothers than its owner may read or write " + next) != std::string::npos);
}

TEST_CASE(
    "what no retry will mend is a finding: an expired certificate, a file that cannot be used, a denied address") {
  const std::vector<std::tuple<std::string, int, std::string>> rows = {
      {"tls: certificate has expired", 1,
       "critical\tcertificate\tattempts of orders fail: tls: certificate has expired"},
      {"tls: self-signed certificate", 10, "warning\tcertificate\tattempts of orders fail: tls: self-signed"},
      {"tls: nothing was sent: tls.client_cert cannot be used (Permission denied): /etc/hooks/c.pem", 1,
       "critical\tcredentials\tattempts of orders fail: tls: nothing was sent: tls.client_cert cannot be used"},
      {"denied: 10.1.2.3 is a private address (10.0.0.0/8); to allow it add egress.allow = [\\\"10.0.0.0/8\\\"]", 1,
       "to allow it add egress.allow = [\"10.0.0.0/8\"]\tchange webhookd.toml as it says, then whctl reload"},
      {"HTTP 503", 0, ""},
      {"timeout: no answer within 15s", 0, ""},
  };
  for (const auto& [failure, code, finding] : rows) {
    Scene scene;
    scene.webhooks = waited_for("orders");
    scene.failing = retried_after(failure);
    CAPTURE(scene.failing);
    const Ran ran = examine(scene);
    CHECK(ran.code == code);
    CHECK(ran.out.find(finding) != std::string::npos);
  }
}

TEST_CASE("each webhook whose attempts fail for good is named") {
  Scene scene;
  scene.failing = retried_after("denied: 10.1.2.3 is a private address");
  scene.webhooks =
      waited_for("orders") +
      R"(,{"id":"wh_2","display_name":"bills","url":"https://127.0.0.1/","status":"active","health":"up",)" +
      R"("waiting":1,"certificate_expires_at":null})";
  const Ran ran = examine(scene);
  CHECK(ran.out.find("critical\tegress\tattempts of orders fail: denied: 10.1.2.3") != std::string::npos);
  CHECK(ran.out.find("critical\tcertificate\tattempts of bills fail: tls: certificate has expired") !=
        std::string::npos);
}

TEST_CASE("a clock that nothing keeps and a refused reload are warnings; a kernel that cannot be asked is none") {
  Scene scene;
  scene.machine = {[] { return std::optional(false); }};
  CHECK(
      examine(scene).out.find("warning\tclock\tnothing keeps the clock of this machine right\tlet systemd-timesyncd") !=
      std::string::npos);
  scene.machine = {[] { return std::optional<bool>(); }};
  CHECK(examine(scene).code == 0);
  scene.metrics += "webhookd_config_last_reload_successful 0\n";
  const Ran refused = examine(scene);
  CHECK(refused.code == 10);
  CHECK(refused.out.find("warning\tconfiguration\tthe latest reload was refused") != std::string::npos);
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

TEST_CASE("descriptors that run out and shortages of the last hour are warnings, older shortages are none") {
  Scene scene;
  scene.metrics = "\nprocess_open_fds 90\nprocess_max_fds 100\nwebhookd_last_shortage_timestamp_seconds " +
                  seconds_ago(59min) + "\n";
  const Ran ran = examine(scene);
  CHECK(ran.code == 10);
  CHECK(ran.out.find("90 % of the file descriptors are open") != std::string::npos);
  CHECK(ran.out.find("attempts were put off within the last hour") != std::string::npos);
  scene.metrics = "\nwebhookd_shortages_total 3\nwebhookd_last_shortage_timestamp_seconds " + seconds_ago(61min) + "\n";
  CHECK(examine(scene).code == 0);
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
