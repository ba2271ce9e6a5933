// Which addresses deliveries may reach (reliability.md, "Egress policy"): public ones, what `egress.allow` opens, never
// what `egress.deny` closes. Applied to every address a name resolves to, after resolution and at every connect, and
// to address literals already when a webhook is set. Pure: the host's own interface addresses are given to it.
//
// With a proxy every delivery goes through its CONNECT, also those to http URLs. Then names are resolved by the proxy,
// because a host that needs one often cannot resolve them, and what they resolve to is the proxy's to refuse; here
// policy applies to scheme, port, address literals and localhost. The proxy's own address is the operator's word and
// not subject to it. Proxy environment variables never count.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/url.hpp"

namespace webhookd::net {

// An address range, "10.0.0.0/8", "::1/128", or one address.
struct Cidr {
  domain::AddressBytes base;
  int prefix_bits = 0;
  bool contains(const domain::AddressBytes& address) const;
  static base::Result<Cidr> parse(std::string_view text);
};

struct EgressPolicy {
  std::vector<Cidr> allow;
  std::vector<Cidr> deny;
  std::vector<domain::AddressBytes> own_addresses;  // of the host's interfaces
  bool require_https = false;
  std::vector<std::uint16_t> ports;  // empty: any
  std::optional<domain::Url> proxy;

  // "http://host:port"; nothing else of a URL means anything here. The error's detail is without the key.
  static base::Result<domain::Url> parse_proxy(std::string_view text);

  // Why `address` is refused, naming the rule and the configuration line that allows it; nothing when it may be
  // reached.
  std::optional<std::string> refusal(const domain::AddressBytes& address) const;
  // Scheme and port of a URL, and its address when the host is a literal; a single-label name other than localhost
  // unless `allow` is set.
  std::optional<std::string> refusal(const domain::Url& url) const;
};

// The addresses of this host's interfaces, read once at start (getifaddrs).
std::vector<domain::AddressBytes> interface_addresses();

}  // namespace webhookd::net
