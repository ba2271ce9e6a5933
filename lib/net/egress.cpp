#include "net/egress.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "base/check.hpp"
#include "base/text.hpp"

namespace webhookd::net {

namespace {

using domain::AddressBytes;

// A range that deliveries never reach by themselves, and what it is, for the operator.
struct Rule {
  const char* range;
  const char* what;
};

constexpr std::array ipv4_rules{
    Rule{"0.0.0.0/8", "an address of \"this network\""},
    Rule{"10.0.0.0/8", "a private address"},
    Rule{"100.64.0.0/10", "a shared carrier address"},
    Rule{"127.0.0.0/8", "a loopback address"},
    Rule{"168.63.129.16/32", "a cloud platform's own address"},
    Rule{"169.254.0.0/16", "a link-local address"},
    Rule{"172.16.0.0/12", "a private address"},
    Rule{"192.0.0.0/24", "a protocol assignment"},
    Rule{"192.0.2.0/24", "a documentation address"},
    Rule{"192.31.196.0/24", "an AS112 address"},
    Rule{"192.52.193.0/24", "an AMT address"},
    Rule{"192.88.99.0/24", "a 6to4 relay address"},
    Rule{"192.168.0.0/16", "a private address"},
    Rule{"192.175.48.0/24", "an AS112 address"},
    Rule{"198.18.0.0/15", "a benchmarking address"},
    Rule{"198.51.100.0/24", "a documentation address"},
    Rule{"203.0.113.0/24", "a documentation address"},
    Rule{"224.0.0.0/4", "a multicast address"},
    Rule{"240.0.0.0/4", "a reserved address"},
};

// IPv6 is closed but for `ipv6_public`. The first rows are holes in it; the others lie outside and only give the
// refusal a better name.
constexpr const char* ipv6_public = "2000::/3";
constexpr std::array ipv6_rules{
    Rule{"2001::/23", "a protocol assignment"},    Rule{"2001:db8::/32", "a documentation address"},
    Rule{"2002::/16", "a 6to4 address"},           Rule{"3fff::/20", "a documentation address"},
    Rule{"2620:4f:8000::/48", "an AS112 address"}, Rule{"::/128", "the unspecified address"},
    Rule{"::1/128", "a loopback address"},         Rule{"::ffff:0:0/96", "an IPv4-mapped address"},
    Rule{"64:ff9b::/96", "a NAT64 address"},       Rule{"fc00::/7", "a unique local address"},
    Rule{"fe80::/10", "a link-local address"},     Rule{"ff00::/8", "a multicast address"},
};

Cidr known_range(const char* text) {
  const auto range = Cidr::parse(text);
  base::check(range.has_value(), "a range of the egress table reads");
  return *range;
}

struct ParsedRule {
  Cidr range;
  Rule rule;
};

template <std::size_t N>
std::vector<ParsedRule> parse_rules(const std::array<Rule, N>& rules) {
  std::vector<ParsedRule> parsed;
  for (const Rule& rule : rules) {
    parsed.push_back({known_range(rule.range), rule});
  }
  return parsed;
}

std::string allow_hint(const std::string& range) { return "; to allow it add egress.allow = [\"" + range + "\"]"; }

std::string single_range(const AddressBytes& address) {
  return domain::format_address(address) + (address.is_v6 ? "/128" : "/32");
}

std::string range_text(const Cidr& range) {
  return domain::format_address(range.base) + "/" + std::to_string(range.prefix_bits);
}

const Cidr* find_range(const std::vector<Cidr>& ranges, const AddressBytes& address) {
  const auto found =
      std::find_if(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.contains(address); });
  return found == ranges.end() ? nullptr : &*found;
}

std::optional<std::string> builtin_refusal(const AddressBytes& address) {
  static const std::vector<ParsedRule> v4 = parse_rules(ipv4_rules);
  static const std::vector<ParsedRule> v6 = parse_rules(ipv6_rules);
  static const Cidr v6_public = known_range(ipv6_public);
  for (const ParsedRule& row : address.is_v6 ? v6 : v4) {
    if (row.range.contains(address)) {
      return domain::format_address(address) + " is " + row.rule.what + " (" + row.rule.range + ")" +
             allow_hint(row.rule.range);
    }
  }
  if (address.is_v6 && !v6_public.contains(address)) {
    return domain::format_address(address) + " is outside of the public range " + ipv6_public +
           allow_hint(single_range(address));
  }
  return std::nullopt;
}

}  // namespace

bool Cidr::contains(const AddressBytes& address) const {
  if (address.is_v6 != base.is_v6) {
    return false;
  }
  const auto whole = static_cast<std::size_t>(prefix_bits / 8);
  if (std::memcmp(address.bytes.data(), base.bytes.data(), whole) != 0) {
    return false;
  }
  const int rest = prefix_bits % 8;
  return rest == 0 || (address.bytes[whole] ^ base.bytes[whole]) >> (8 - rest) == 0;
}

base::Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto v4 = domain::parse_ipv4(host);
  const auto address = v4 ? v4 : domain::parse_ipv6(host);
  if (!address) {
    return base::Error{base::ErrorCode::invalid_field,
                       "\"" + std::string(text) + "\" is no address range such as 10.0.0.0/8 or fc00::/7",
                       {}};
  }
  const int width = address->is_v6 ? 128 : 32;
  const auto bits = slash == std::string_view::npos
                        ? static_cast<unsigned long long>(width)
                        : base::parse_whole_number(text.substr(slash + 1), static_cast<unsigned long long>(width));
  if (!bits) {
    return base::Error{base::ErrorCode::invalid_field,
                       "\"" + std::string(text) + "\": the prefix length is 0 to " + std::to_string(width),
                       {}};
  }
  Cidr range{*address, static_cast<int>(*bits)};
  for (int bit = range.prefix_bits; bit < width; ++bit) {
    auto& byte = range.base.bytes[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte & ~(0x80 >> (bit % 8)));
  }
  if (range.base != *address) {
    return base::Error{base::ErrorCode::invalid_field,
                       "\"" + std::string(text) + "\" has bits set behind its prefix; write " + range_text(range),
                       {}};
  }
  return range;
}

base::Result<domain::Url> EgressPolicy::parse_proxy(std::string_view text) {
  auto url = domain::Url::parse(text);
  const bool fits = url && !url->is_https() && url->target() == "/";
  if (!fits) {
    return base::Error{base::ErrorCode::invalid_field,
                       "\"" + std::string(text) + "\" is not a proxy such as http://10.0.0.1:3128" +
                           (url ? std::string() : " (" + url.error().detail + ")"),
                       {}};
  }
  return url;
}

std::optional<std::string> EgressPolicy::refusal(const AddressBytes& address) const {
  if (const Cidr* closed = find_range(deny, address)) {
    const std::string range = range_text(*closed);
    return domain::format_address(address) + " is closed by egress.deny (" + range + "); to allow it remove \"" +
           range + "\" from egress.deny";
  }
  if (find_range(allow, address) != nullptr) {
    return std::nullopt;
  }
  if (auto reason = builtin_refusal(address)) {
    return reason;
  }
  if (std::find(own_addresses.begin(), own_addresses.end(), address) != own_addresses.end()) {
    return domain::format_address(address) + " is an address of this host" + allow_hint(single_range(address));
  }
  return std::nullopt;
}

std::optional<std::string> EgressPolicy::refusal(const domain::Url& url) const {
  if (require_https && !url.is_https()) {
    return "only https is allowed; to allow http set egress.require_https = false";
  }
  if (!ports.empty() && std::find(ports.begin(), ports.end(), url.port()) == ports.end()) {
    std::vector<std::string> with_it;
    std::transform(ports.begin(), ports.end(), std::back_inserter(with_it),
                   [](std::uint16_t port) { return std::to_string(port); });
    with_it.push_back(std::to_string(url.port()));
    return "port " + with_it.back() + " is not in egress.ports; to allow it set egress.ports = [" +
           base::join(with_it, ", ") + "]";
  }
  if (url.host_kind() != domain::HostKind::name) {
    return refusal(url.address());
  }
  const bool is_single_label = url.host().find('.') == std::string::npos;
  if (is_single_label && url.host() != "localhost" && allow.empty()) {
    return url.host() +
           " is a name of a single label, which may mean anything here; to allow it add the range that it resolves to, "
           "as in egress.allow = [\"10.0.0.0/8\"]";
  }
  return std::nullopt;
}

std::vector<AddressBytes> interface_addresses() {
  std::vector<AddressBytes> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return addresses;
  }
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    AddressBytes address;
    if (entry->ifa_addr == nullptr) {
      continue;
    }
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      std::memcpy(address.bytes.data(), &v4->sin_addr, 4);
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      std::memcpy(address.bytes.data(), &v6->sin6_addr, 16);
      address.is_v6 = true;
    } else {
      continue;
    }
    addresses.push_back(address);
  }
  freeifaddrs(list);
  return addresses;
}

}  // namespace webhookd::net
