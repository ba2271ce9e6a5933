#include "policies.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

Result<std::vector<net::Cidr>> parse_ranges(const Strings& texts, const std::string& key) {
  std::vector<net::Cidr> ranges;
  for (const std::string& text : texts) {
    auto range = net::Cidr::parse(text);
    if (!range) {
      return Error{ErrorCode::invalid_field, key + ": \"" + text + "\": " + range.error().detail, {}};
    }
    ranges.push_back(*range);
  }
  return ranges;
}

domain::Webhook webhook_defaults(const Settings& settings) {
  domain::Webhook webhook;
  webhook.timeout = settings.delivery_timeout;
  webhook.retry = {settings.retry_initial, settings.retry_factor, settings.retry_max, settings.retry_jitter,
                   settings.retry_window};
  return webhook;
}

server::SchemaMode schema_mode(const std::string& word) {
  using Mode = server::SchemaMode;
  constexpr std::array<std::pair<std::string_view, Mode>, 3> modes{
      {{"off", Mode::off}, {"warn", Mode::warn}, {"enforce", Mode::enforce}}};
  const auto* const found =
      std::find_if(modes.begin(), modes.end(), [&](const auto& row) { return row.first == word; });
  base::check(found != modes.end(), "the table of settings lets no other word in");
  return found->second;
}

}  // namespace

Result<net::EgressPolicy> egress_policy(const Settings& settings) {
  net::EgressPolicy policy;
  auto allow = parse_ranges(settings.egress_allow, "egress.allow");
  if (!allow) {
    return allow.error();
  }
  auto deny = parse_ranges(settings.egress_deny, "egress.deny");
  if (!deny) {
    return deny.error();
  }
  policy.allow = std::move(*allow);
  policy.deny = std::move(*deny);
  policy.require_https = settings.egress_require_https;
  for (const std::string& text : settings.egress_ports) {
    const auto port = base::parse_whole_number(text, 65535);
    if (!port || *port == 0) {
      return Error{ErrorCode::invalid_field, "egress.ports: \"" + text + "\": a port is from 1 to 65535", {}};
    }
    policy.ports.push_back(static_cast<std::uint16_t>(*port));
  }
  if (!settings.egress_proxy.empty()) {
    auto proxy = net::EgressPolicy::parse_proxy(settings.egress_proxy);
    if (!proxy) {
      return Error{ErrorCode::invalid_field, "egress.proxy: " + proxy.error().detail, {}};
    }
    policy.proxy = std::move(*proxy);
  }
  policy.own_addresses = net::interface_addresses();
  return policy;
}

Result<std::optional<server::MetricsPlace>> metrics_place(const Settings& settings) {
  const std::string& text = settings.metrics_listen;
  if (text.empty()) {
    return std::optional<server::MetricsPlace>();
  }
  const auto url = domain::Url::parse("http://" + text + "/");
  if (!url || url->host_kind() == domain::HostKind::name || !text.ends_with(":" + std::to_string(url->port()))) {
    return Error{ErrorCode::invalid_field,
                 "metrics.listen: \"" + text + "\": must be an address and a port, like \"127.0.0.1:9464\"",
                 {}};
  }
  const domain::AddressBytes address = url->address();
  if (!net::Cidr::parse("127.0.0.0/8")->contains(address) && !net::Cidr::parse("::1/128")->contains(address)) {
    return Error{ErrorCode::invalid_field,
                 "metrics.listen: \"" + text + "\": must be a loopback address, because nobody is asked who they are",
                 {}};
  }
  return std::optional(server::MetricsPlace{address, url->port()});
}

engine::EngineOptions engine_options(const Settings& settings) {
  engine::EngineOptions options;
  options.max_in_flight = static_cast<std::uint32_t>(settings.delivery_max_in_flight);
  options.max_in_flight_per_host = static_cast<std::uint32_t>(settings.delivery_max_in_flight_per_host);
  options.idempotency_window = settings.events_idempotency_window;
  options.retention_age = settings.retention_age;
  options.retention_audit_age = settings.retention_audit_age;
  options.retention_max_bytes =
      settings.retention_max_bytes != 0 ? settings.retention_max_bytes : settings.store_quota / 10 * 9;
  return options;
}

server::AccessLists access_lists(const Settings& settings) {
  return {settings.access_read, settings.access_emit, settings.access_operate, settings.access_admin};
}

server::LiveOptions live_server_options(const Settings& settings, net::EgressPolicy policy) {
  server::LiveOptions options;
  options.access = access_lists(settings);
  options.event_data_bytes_max = settings.events_max_size;
  options.schema_mode = schema_mode(settings.events_schema);
  options.defaults = webhook_defaults(settings);
  options.url_refusal = [policy = std::move(policy)](const domain::Url& url) { return policy.refusal(url); };
  return options;
}

}  // namespace webhookd::daemon
