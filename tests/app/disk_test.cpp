// A disk that fails under the running daemon. That nothing is lost by it is shown call by call in tests/power; here,
// what the daemon does when LMDB gives up: it ends, so that whoever started it starts it again.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/api.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd::support;

// Refused, or left without an answer by a daemon that ends.
bool is_not_accepted(Api& api) {
  try {
    return api.ask("POST", "/v1/events", R"({"type":"subscription.create","data":1})").status == 500;
  } catch (const std::runtime_error&) {
    return true;
  }
}

}  // namespace

TEST_CASE(
    "when the disk refuses the last step of a commit the daemon ends with 1, and its next start has every event") {
  const TemporaryDirectory places;
  const std::string flag = places.path() + "/refuses";
  Daemon daemon({}, {}, "[\"127.0.0.0/8\"]",
                {{std::string("LD_PRELOAD=") + REFUSING_DISK, "REFUSING_DISK=" + flag,
                  "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"}});
  std::string webhook;
  {
    Api api(daemon.socket());
    webhook = api.create_webhook(
        {{"display_name", "far"}, {"url", "http://127.0.0.1:1/"}, {"events", {"subscription.create"}}});
    for (int i = 0; i < 10; ++i) {
      api.emit("subscription.create");
    }
    places.write("refuses", "");
    CHECK(is_not_accepted(api));
  }
  CHECK(daemon.wait_for_exit() == 1);
  CHECK(daemon.log().find("store_commit_failed") != std::string::npos);
  CHECK(daemon.log().find("store_writer_lost") != std::string::npos);

  std::filesystem::remove(flag);
  daemon.start();
  Api api(daemon.socket());
  // The one that was refused is unknown: it may be there.
  CHECK(api.get("/v1/messages?limit=100&webhook=" + webhook)["items"].size() >= 10);
  api.emit("subscription.create");
  CHECK(daemon.stop() == 0);
}
