// Real deliveries over loopback: one network loop, and a place where its reports arrive.
#pragma once

#include <doctest/doctest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "net/delivery.hpp"

namespace webhookd::net {

inline Cidr range(const char* text) { return *Cidr::parse(text); }

// Loopback open, all else as shipped.
inline DeliveryOptions loopback_options() {
  DeliveryOptions options;
  options.egress.allow = {range("127.0.0.1/32"), range("::1/128")};
  return options;
}

inline domain::Webhook webhook_to(const std::string& url, base::Duration timeout = base::Duration(5000)) {
  domain::Webhook webhook;
  webhook.id.value = 1;
  webhook.display_name = "test";
  webhook.url = *domain::Url::parse(url);
  webhook.events = {"*"};
  webhook.secrets = {{domain::SecretKind::hmac_sha256, std::string(32, 'k'), std::nullopt}};
  webhook.timeout = timeout;
  return webhook;
}

inline domain::EventRef event_with(std::string data) {
  domain::Event event;
  event.id.value = 7;
  event.type = "subscription.create";
  event.timestamp = base::time_from_ms(1'700'000'000'123);
  event.data = std::move(data);
  return std::make_shared<const domain::Event>(std::move(event));
}

class Harness {
 public:
  explicit Harness(const DeliveryOptions& options = loopback_options()) {
    std::vector<ReportSink> sinks;
    for (std::uint32_t i = 0; i < options.threads; ++i) {
      sinks.emplace_back([this](std::vector<engine::AttemptReport> reports) { take(std::move(reports)); });
    }
    auto made = Delivery::create(options, std::move(sinks), log_);
    REQUIRE(made.has_value());
    delivery_ = std::move(*made);
  }

  engine::AttemptKey start(const domain::Webhook& webhook, std::string data = R"({"a":1})") {
    std::vector<engine::AttemptRequest> requests;
    requests.push_back(request(webhook, std::move(data)));
    const engine::AttemptKey key = requests.front().key;
    delivery_->start(std::move(requests));
    return key;
  }
  engine::AttemptRequest request(const domain::Webhook& webhook, std::string data) {
    engine::AttemptRequest made;
    made.key = ++last_key_;
    made.message.value = 0x1234567;
    made.event = event_with(std::move(data));
    made.webhook = std::make_shared<const domain::Webhook>(webhook);
    made.at = base::time_from_ms(1'700'000'001'999);
    return made;
  }
  engine::AttemptReport wait_for(engine::AttemptKey key) {
    std::unique_lock lock(mutex_);
    const bool arrived = changed_.wait_for(lock, std::chrono::seconds(20), [&] { return reports_.contains(key); });
    REQUIRE(arrived);
    return reports_.at(key);
  }
  domain::Outcome deliver(const domain::Webhook& webhook, std::string data = R"({"a":1})") {
    return wait_for(start(webhook, std::move(data))).outcome;
  }
  Delivery& delivery() { return *delivery_; }
  int doubles() {
    const std::lock_guard lock(mutex_);
    return doubles_;
  }

 private:
  void take(std::vector<engine::AttemptReport> reports) {
    const std::lock_guard lock(mutex_);
    for (engine::AttemptReport& report : reports) {
      const auto key = report.key;
      doubles_ += reports_.emplace(key, std::move(report)).second ? 0 : 1;
    }
    changed_.notify_all();
  }

  base::SilentLog log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<engine::AttemptKey, engine::AttemptReport> reports_;
  int doubles_ = 0;
  engine::AttemptKey last_key_ = 0;
  std::unique_ptr<Delivery> delivery_;  // last: its threads use the rest
};

}  // namespace webhookd::net
