#include "net/egress.hpp"

#include <doctest/doctest.h>

#include <array>

namespace webhookd::net {

namespace {

domain::AddressBytes address(std::string_view text) {
  const auto v4 = domain::parse_ipv4(text);
  return v4 ? *v4 : domain::parse_ipv6(text).value();
}

Cidr cidr(std::string_view text) { return *Cidr::parse(text); }

std::optional<std::string> refusal_of_url(const EgressPolicy& policy, std::string_view text) {
  return policy.refusal(*domain::Url::parse(text));
}

struct Range {
  const char* before;  // the last address in front of it that is public, or null
  const char* first;
  const char* last;
  const char* after;
};

constexpr std::array denied_ranges{
    Range{nullptr, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    Range{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    Range{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    Range{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    Range{"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
    Range{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    Range{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    Range{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    Range{"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    Range{"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
    Range{"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
    Range{"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    Range{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    Range{"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
    Range{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    Range{"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    Range{"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    Range{"223.255.255.255", "224.0.0.0", "255.255.255.255", nullptr},
    // IPv6: what lies around the public range, and the holes in it.
    Range{nullptr, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
    Range{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    Range{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
          "2001:db9::"},
    Range{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    Range{"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
          "2620:4f:8001::"},
    Range{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    Range{"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr},
};

}  // namespace

TEST_CASE("every denied range is closed from its first to its last address, and not beyond") {
  const EgressPolicy policy;
  for (const Range& range : denied_ranges) {
    CAPTURE(range.first);
    CHECK(policy.refusal(address(range.first)).has_value());
    CHECK(policy.refusal(address(range.last)).has_value());
    if (range.before != nullptr) {
      CHECK_FALSE(policy.refusal(address(range.before)).has_value());
    }
    if (range.after != nullptr) {
      CHECK_FALSE(policy.refusal(address(range.after)).has_value());
    }
  }
}

TEST_CASE("every disguise of a private address in IPv6 is denied") {
  const EgressPolicy policy;
  for (const char* text :
       {"::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1", "fec0::1", "fd00::1",
        "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"}) {
    CAPTURE(text);
    CHECK(policy.refusal(address(text)).has_value());
  }
}

TEST_CASE("a refusal names the address, the rule, and the line that allows it") {
  EgressPolicy policy;
  policy.own_addresses = {address("8.8.4.4")};
  policy.deny = {cidr("9.9.0.0/16")};
  struct Row {
    const char* address;
    const char* words;
  };
  const std::array rows{
      Row{"127.0.0.1",
          "127.0.0.1 is a loopback address (127.0.0.0/8); to allow it add egress.allow = [\"127.0.0.0/8\"]"},
      Row{"169.254.169.254",
          "169.254.169.254 is a link-local address (169.254.0.0/16); to allow it add egress.allow = "
          "[\"169.254.0.0/16\"]"},
      Row{"::1", "::1 is a loopback address (::1/128); to allow it add egress.allow = [\"::1/128\"]"},
      Row{"5f00::1",
          "5f00::1 is outside of the public range 2000::/3; to allow it add egress.allow = [\"5f00::1/128\"]"},
      Row{"8.8.4.4", "8.8.4.4 is an address of this host; to allow it add egress.allow = [\"8.8.4.4/32\"]"},
      Row{"9.9.9.9",
          "9.9.9.9 is closed by egress.deny (9.9.0.0/16); to allow it remove \"9.9.0.0/16\" from egress.deny"},
  };
  for (const Row& row : rows) {
    CHECK(policy.refusal(address(row.address)) == row.words);
  }
}

TEST_CASE("allow opens what is closed by default, and deny closes even that") {
  EgressPolicy policy;
  policy.allow = {cidr("10.0.0.0/8"), cidr("::1")};
  policy.deny = {cidr("10.1.0.0/16")};
  policy.own_addresses = {address("10.2.0.1")};
  CHECK_FALSE(policy.refusal(address("10.0.0.1")).has_value());
  CHECK_FALSE(policy.refusal(address("10.2.0.1")).has_value());
  CHECK_FALSE(policy.refusal(address("::1")).has_value());
  CHECK(policy.refusal(address("10.1.0.1")).has_value());
  CHECK(policy.refusal(address("11.0.0.1")) == std::nullopt);
  CHECK(policy.refusal(address("127.0.0.1")).has_value());
  CHECK(policy.refusal(address("::ffff:10.0.0.1")).has_value());
}

TEST_CASE("ranges are read strictly") {
  CHECK(cidr("10.0.0.0/8").prefix_bits == 8);
  CHECK(cidr("1.2.3.4").prefix_bits == 32);
  CHECK(cidr("fc00::/7").prefix_bits == 7);
  CHECK(cidr("0.0.0.0/0").contains(address("255.255.255.255")));
  CHECK_FALSE(cidr("0.0.0.0/0").contains(address("::1")));
  for (const char* text : {"", "10", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/-1", "127.1/8",
                           "10.0.0.0/8 ", "host/8", "fe80::1%eth0/10"}) {
    CAPTURE(text);
    CHECK_FALSE(Cidr::parse(text).has_value());
  }
  CHECK(Cidr::parse("10.0.0.1/8").error().detail == "\"10.0.0.1/8\" has bits set behind its prefix; write 10.0.0.0/8");
}

TEST_CASE("a URL is refused for its scheme, its port, or its address") {
  EgressPolicy policy;
  CHECK_FALSE(refusal_of_url(policy, "http://example.com/").has_value());
  CHECK(refusal_of_url(policy, "http://127.0.0.1:8080/").has_value());
  CHECK(refusal_of_url(policy, "https://[::1]/").has_value());
  policy.require_https = true;
  policy.ports = {443, 8443};
  CHECK(refusal_of_url(policy, "http://example.com/") ==
        "only https is allowed; to allow http set egress.require_https = false");
  CHECK(refusal_of_url(policy, "https://example.com:444/") ==
        "port 444 is not in egress.ports; to allow it set egress.ports = [443, 8443, 444]");
  CHECK_FALSE(refusal_of_url(policy, "https://example.com/").has_value());
}

TEST_CASE("a name of a single label needs egress.allow, except localhost") {
  EgressPolicy policy;
  CHECK(refusal_of_url(policy, "http://intranet/").has_value());
  CHECK_FALSE(refusal_of_url(policy, "http://localhost/").has_value());
  policy.allow = {cidr("10.0.0.0/8")};
  CHECK_FALSE(refusal_of_url(policy, "http://intranet/").has_value());
}

TEST_CASE("the addresses of this host's interfaces include loopback") {
  const auto own = interface_addresses();
  CHECK(std::find(own.begin(), own.end(), address("127.0.0.1")) != own.end());
}

}  // namespace webhookd::net
