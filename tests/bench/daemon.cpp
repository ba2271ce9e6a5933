#include "bench/daemon.hpp"

#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "bench/load.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// 64 requests at once over all webhooks, as many as the connections of ceiling P: lanes that are busy share three
// quarters of the slots (engine/slots.hpp).
constexpr const char* configuration = R"([store]
quota = "16GiB"
disk_reserve = "64MiB"
[delivery]
max_in_flight = 86
max_in_flight_per_host = 86
[egress]
allow = ["127.0.0.0/8"]
[log]
level = "warning"
)";

std::string prepare(const std::string& directory) {
  ::mkdir(directory.c_str(), 0700);
  std::ofstream(directory + "/webhookd.toml") << configuration;
  return directory;
}

}  // namespace

Daemon::Daemon(const std::string& directory)
    : socket_(prepare(directory) + "/socket"),
      process_({BENCH_WEBHOOKD, "--config", directory + "/webhookd.toml", "--data-dir", directory + "/data", "--socket",
                socket_},
               directory + "/log") {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  for (;;) {
    try {
      status();
      return;
    } catch (const std::runtime_error& error) {
      if (!process_.is_running() || std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("webhookd does not answer (see " + directory + "/log): " + error.what());
      }
      std::this_thread::sleep_for(5ms);
    }
  }
}

json Daemon::call(const std::string& method, const std::string& path, const std::string& body) const {
  const Answer answer = bench::call(socket_, http_request(method, path, body.empty() ? "" : "application/json", body));
  if (answer.status / 100 != 2) {
    throw std::runtime_error(method + " " + path + ": " + std::to_string(answer.status) + " " + answer.body);
  }
  return answer.body.empty() ? json() : json::parse(answer.body);
}

json Daemon::status() const { return call("GET", "/v1/status"); }

std::uint64_t Daemon::waiting() const { return status().at("store").at("waiting").get<std::uint64_t>(); }

void Daemon::wait_until_waiting(std::uint64_t target) const {
  std::uint64_t least = ~std::uint64_t{0};
  auto progress_at = std::chrono::steady_clock::now();
  for (std::uint64_t now = waiting(); now > target; now = waiting()) {
    if (now < least) {
      least = now;
      progress_at = std::chrono::steady_clock::now();
    } else if (std::chrono::steady_clock::now() > progress_at + 30s) {
      throw std::runtime_error("deliveries stopped with " + std::to_string(now) + " messages waiting");
    }
    std::this_thread::sleep_for(10ms);
  }
}

std::string Daemon::create_webhook(const std::string& name, const std::string& url, const std::string& pattern,
                                   unsigned max_in_flight) const {
  const json definition = {
      {"display_name", name}, {"url", url}, {"events", {pattern}}, {"max_in_flight", max_in_flight}, {"timeout", 60}};
  return call("POST", "/v1/webhooks", definition.dump()).at("id").get<std::string>();
}

}  // namespace bench
