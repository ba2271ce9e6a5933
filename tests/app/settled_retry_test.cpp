// A retry of what was settled, which opens a new window.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

TEST_CASE("a retry of a settled message is a manual attempt") {
  using namespace webhookd::support;
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  const CountingReceiver receiver;
  api.create_webhook({{"display_name", "orders"}, {"url", receiver.url()}, {"events", {"*"}}});
  const std::string id = api.emit("subscription.create").at(0);
  REQUIRE(eventually([&] { return api.message(id)["status"] == "success"; }));
  api.call("POST", "/v1/messages/" + id + "/retry");
  REQUIRE(eventually([&] { return api.message(id)["attempts"] == 2; }));
  const nlohmann::json message = api.message(id);
  CHECK(message["attempt_log"].back()["trigger"] == "manual");
}
