// Endpoints that fail, and that come back, on the test clock and over real sockets: who is tried meanwhile, how often,
// and how the backlog leaves.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/time.hpp"
#include "support/api.hpp"
#include "support/counting_receiver.hpp"
#include "support/process.hpp"

namespace {

using namespace webhookd;
using namespace webhookd::support;
using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::uint32_t window_initial = 4;  // behaviour.md section 8
constexpr std::size_t failures_until_down = 5;
constexpr const char* wanted_type = "subscription.create";

base::Time time_of(const json& value) { return *base::parse_time(value.get<std::string>()); }

base::Time now_of(Api& api) { return time_of(api.get("/v1/clock")["now"]); }

// The virtual second at which a request was made.
base::Time sent_at(const ReceivedRequest& request) {
  return base::time_from_ms(std::stoll(request.header("webhook-timestamp")) * 1000);
}

std::string health_of(Api& api, const std::string& webhook) {
  return api.get("/v1/webhooks/" + webhook)["health"].get<std::string>();
}

std::string create(Api& api, const CountingReceiver& receiver, const json& more = json::object()) {
  json definition = {{"display_name", "orders"}, {"url", receiver.url()}, {"events", {"*"}}};
  definition.update(more);
  return api.create_webhook(definition);
}

// A receiver that answers 503 until it is repaired, and takes a moment for each answer so that what comes at once is
// seen at once.
class Repairable {
 public:
  explicit Repairable(std::chrono::milliseconds delay = 5ms)
      : receiver_([this, delay](const auto&) { return ReceiverAnswer(is_repaired_ ? 200 : 503, "", delay); }, 100'000) {
  }
  void repair() { is_repaired_ = true; }
  CountingReceiver* operator->() { return &receiver_; }
  const CountingReceiver& operator*() const { return receiver_; }

 private:
  std::atomic<bool> is_repaired_{false};
  CountingReceiver receiver_;
};

// More requests at once than slow start gives: 4, and one more for each answer since the release began. The first one
// that broke the rule, in words.
std::string herd_in(const std::vector<ReceivedRequest>& requests, std::size_t first, std::uint32_t bound) {
  for (std::size_t i = first; i < requests.size(); ++i) {
    const std::uint64_t allowed =
        std::min<std::uint64_t>(bound, window_initial + requests[i].answered - requests[first].answered);
    if (requests[i].open > allowed) {
      return "request " + std::to_string(i - first) + " of the release: " + std::to_string(requests[i].open) +
             " at once, " + std::to_string(allowed) + " allowed";
    }
  }
  return "";
}

std::size_t first_success(const std::vector<ReceivedRequest>& requests) {
  const auto found = std::find_if(requests.begin(), requests.end(), [](const auto& r) { return r.status == 200; });
  return static_cast<std::size_t>(found - requests.begin());
}

std::size_t place_of(const std::vector<ReceivedRequest>& requests, const std::string& message) {
  const auto found =
      std::find_if(requests.begin(), requests.end(), [&](const auto& r) { return r.header("webhook-id") == message; });
  return static_cast<std::size_t>(found - requests.begin());
}

// Waits until five failures in a row have been counted.
void wait_until_down(Api& api, const std::string& webhook) {
  REQUIRE(eventually([&] { return health_of(api, webhook) == "down"; }));
}

// Until nothing is in flight; the clock moves by as little as it can.
void settle(Api& api) { api.advance(1ms); }

}  // namespace

TEST_CASE("an endpoint that was down for an hour gets its 10 000 messages within minutes, and never as a herd") {
  constexpr std::size_t backlog = 10'000;
  constexpr std::uint32_t window = 16;
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  Repairable receiver;
  const std::string webhook = create(api, *receiver, {{"max_in_flight", window}});
  api.emit_many(wanted_type, backlog);
  wait_until_down(api, webhook);
  api.advance(1h);
  CHECK(health_of(api, webhook) == "down");
  const base::Time repaired = now_of(api);
  receiver.repair();

  std::thread clock([&] { Api(daemon.socket()).advance(5min); });
  REQUIRE(eventually([&] { return receiver->distinct_successes() > backlog / 20; }, 60s));
  const std::string fresh = api.emit(wanted_type).at(0);
  clock.join();
  CHECK(eventually([&] { return receiver->distinct_successes() == backlog + 1; }, 60s));

  const auto requests = receiver->received();
  const std::size_t first = first_success(requests);
  REQUIRE(requests.size() == first + backlog + 1);  // after the first success nothing fails, nothing comes twice
  CHECK(sent_at(requests[first]) - repaired <= 5min + 1s);
  CHECK(sent_at(requests.back()) - sent_at(requests[first]) <= 5min);
  CHECK(herd_in(requests, first, window) == "");
  const std::size_t behind_fresh = requests.size() - 1 - place_of(requests, fresh);
  MESSAGE("first delivery " << (sent_at(requests[first]) - repaired).count() / 1000
                            << " s after the repair, all within "
                            << (sent_at(requests.back()) - sent_at(requests[first])).count() / 1000 << " s; "
                            << behind_fresh << " messages came after the fresh one");
  CHECK(behind_fresh > 100);
  CHECK(api.get("/v1/status")["store"]["waiting"] == 0);
  CHECK(health_of(api, webhook) == "up");
}

TEST_CASE("a lone message to a dead receiver sees the waits of its own schedule") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  std::string nobody;
  {
    const CountingReceiver gone;
    nobody = gone.url();
  }
  api.create_webhook({{"display_name", "orders"}, {"url", nobody}, {"events", {"*"}}});
  const std::string id = api.emit(wanted_type).at(0);
  api.advance(24h);
  const json log = api.message(id)["attempt_log"];
  const double planned_s[] = {5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 21600};
  REQUIRE(log.size() > std::size(planned_s));
  for (std::size_t i = 0; i < std::size(planned_s); ++i) {
    CAPTURE(i);
    const double wait = base::to_seconds(time_of(log[i + 1]["at"]) - time_of(log[i]["at"]));
    CHECK(wait >= planned_s[i] * 0.89 - 1);
    CHECK(wait <= planned_s[i] * 1.11 + 1);
    CHECK(log[i]["outcome"] == "connect");
  }
}

TEST_CASE("while an endpoint is down one attempt at a time is made, after 5 s doubling to 5 min") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  Repairable receiver(20ms);
  const std::string webhook = create(api, *receiver);
  api.emit_many(wanted_type, 300);
  wait_until_down(api, webhook);
  settle(api);
  const std::size_t before = receiver->received().size();
  CHECK(before >= failures_until_down);
  CHECK(before < failures_until_down + window_initial);
  receiver->take_most_open();
  const base::Time went_down = now_of(api);
  api.advance(1h);
  CHECK(receiver->take_most_open() == 1);
  const auto requests = receiver->received();
  base::Time last = went_down;
  double least_s = 5;
  for (std::size_t i = before; i < requests.size(); ++i) {
    CAPTURE(i - before);
    const double gap = base::to_seconds(sent_at(requests[i]) - last);
    CHECK(gap >= least_s * 0.89 - 1);
    last = sent_at(requests[i]);
    least_s = std::min(least_s * 2, 300.0);
  }
  const std::size_t probes = requests.size() - before;
  MESSAGE(probes << " probes in an hour");
  CHECK(probes >= 12);  // 6 in the first five minutes, then one in five
  CHECK(probes <= 20);
}

TEST_CASE("the newest message that was never tried is the next probe") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  Repairable receiver;
  const std::string webhook = create(api, *receiver);
  api.emit_many(wanted_type, 50);
  wait_until_down(api, webhook);
  api.advance(10min);
  const std::size_t before = receiver->received().size();
  const std::string fresh = api.emit(wanted_type).at(0);
  api.advance(6min);
  const auto requests = receiver->received();
  REQUIRE(requests.size() > before);
  CHECK(place_of(requests, fresh) == before);
}

TEST_CASE("the log tells automatic attempts and probes apart") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  Repairable receiver;
  const std::string webhook = create(api, *receiver);
  const std::string id = api.emit(wanted_type).at(0);
  api.advance(1h);
  receiver.repair();
  api.advance(1h);
  const json log = api.message(id)["attempt_log"];
  REQUIRE(log.size() > failures_until_down);
  for (std::size_t i = 0; i < log.size(); ++i) {
    CAPTURE(i);
    CHECK(log[i]["number"] == i + 1);
    CHECK(log[i]["trigger"] == (i < failures_until_down ? "automatic" : "probe"));
  }
  CHECK(log.back()["outcome"] == "success");
  CHECK(api.message(id)["status"] == "success");
  const auto requests = receiver->received();
  CHECK(requests.size() == log.size());
  CHECK(std::all_of(requests.begin(), requests.end(), [&](const auto& r) { return r.header("webhook-id") == id; }));
}

TEST_CASE("an attempt that a person asked for is logged as manual and leaves the automatic plan alone") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  CountingReceiver receiver([](const auto&) { return 404; });
  create(api, receiver);
  const std::string id = api.emit(wanted_type).at(0);
  REQUIRE(eventually([&] { return api.message(id)["attempts"] == 1; }));
  const json planned = api.message(id)["next_attempt_at"];
  api.call("POST", "/v1/messages/" + id + "/retry");
  REQUIRE(eventually([&] { return api.message(id)["attempts"] == 2; }));
  CHECK(api.message(id)["next_attempt_at"] == planned);
  api.advance(6s);
  const json log = api.message(id)["attempt_log"];
  REQUIRE(log.size() == 3);
  CHECK(log[0]["trigger"] == "automatic");
  CHECK(log[1]["trigger"] == "manual");
  CHECK(log[2]["trigger"] == "automatic");
}

TEST_CASE("429 with Retry-After holds the whole endpoint until then") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  std::atomic<int> asked{0};
  CountingReceiver receiver(
      [&](const auto&) { return ++asked == 1 ? ReceiverAnswer(429, "Retry-After: 120\r\n") : ReceiverAnswer(200); });
  const std::string webhook = create(api, receiver);
  const std::string first = api.emit(wanted_type).at(0);
  REQUIRE(eventually([&] { return api.message(first)["attempts"] == 1; }));
  const base::Time refused = time_of(api.message(first)["last_attempt_at"]);
  CHECK(health_of(api, webhook) == "throttled");
  api.emit_many(wanted_type, 20);
  api.advance(118s);
  CHECK(receiver.requests() == 1);
  api.advance(5min);
  CHECK(receiver.distinct_successes() == 21);
  CHECK(health_of(api, webhook) == "up");
  CHECK(time_of(api.message(first)["attempt_log"][1]["at"]) - refused >= 120s);
  const auto requests = receiver.received();
  CHECK(std::all_of(requests.begin() + 1, requests.end(), [&](const auto& r) { return sent_at(r) - refused >= 119s; }));
}

TEST_CASE("Retry-After of another failure lengthens the wait of its own message") {
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  CountingReceiver receiver([](const auto&) { return ReceiverAnswer(404, "Retry-After: 100\r\n"); });
  create(api, receiver);
  const std::string id = api.emit(wanted_type).at(0);
  api.advance(10min);
  const json log = api.message(id)["attempt_log"];
  REQUIRE(log.size() >= 3);
  for (std::size_t i = 1; i < log.size(); ++i) {
    CHECK(time_of(log[i]["at"]) - time_of(log[i - 1]["at"]) >= 100s);
  }
}

TEST_CASE("the rate of a webhook is kept, smoothly") {
  constexpr std::size_t rate = 50;
  constexpr std::size_t count = 150;
  Daemon daemon({"--test-clock"});
  Api api(daemon.socket());
  CountingReceiver receiver;
  create(api, receiver, {{"rate", rate}});
  api.emit_many(wanted_type, count);
  api.advance(1min);
  REQUIRE(receiver.distinct_successes() == count);
  std::vector<base::Time> at;
  const json messages = api.get("/v1/messages?limit=1000");
  for (const json& message : messages["items"]) {
    at.push_back(time_of(api.message(message["id"])["attempt_log"][0]["at"]));
  }
  std::sort(at.begin(), at.end());
  std::size_t most = 0;
  for (std::size_t i = 0, first = 0; i < at.size(); ++i) {
    while (at[i] - at[first] >= 100ms) {
      ++first;
    }
    most = std::max(most, i - first + 1);
  }
  const double took = base::to_seconds(at.back() - at.front());
  MESSAGE(count << " messages at " << rate << "/s in " << took << " s, at most " << most << " in 100 ms");
  CHECK(most <= rate / 10 + 2);
  CHECK(took >= 2.5);
  CHECK(took <= 3.5);
}
