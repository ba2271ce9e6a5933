#include "domain/url.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace webhookd::domain;

namespace {

// The rule that refuses `text`, without the "url: " in front; "accepted" when none does.
std::string refusal(std::string_view text) {
  const auto url = Url::parse(text);
  if (url.has_value()) {
    return "accepted";
  }
  REQUIRE(url.error().code == webhookd::base::ErrorCode::invalid_field);
  REQUIRE(url.error().fields.size() == 1);
  CHECK(url.error().fields[0].pointer == "/url");
  CHECK(url.error().detail.starts_with("url: "));
  return url.error().detail.substr(5);
}

Url parsed(std::string_view text) {
  auto url = Url::parse(text);
  REQUIRE_MESSAGE(url.has_value(), std::string(text));
  return *url;
}

}  // namespace

TEST_CASE("a URL is taken apart once, into canonical parts") {
  const Url url = parsed("HTTPS://Hooks.Example.COM./in/box?a=b&c=%20d");
  CHECK(url.is_https());
  CHECK(url.host_kind() == HostKind::name);
  CHECK(url.host() == "hooks.example.com");
  CHECK(url.port() == 443);
  CHECK(url.target() == "/in/box?a=b&c=%20d");
  CHECK(url.authority() == "hooks.example.com");
  CHECK(url.text() == "https://hooks.example.com/in/box?a=b&c=%20d");
  CHECK(url.redacted() == "https://hooks.example.com/\u2026");
}

TEST_CASE("the path is never empty and the scheme's own port is not written") {
  CHECK(parsed("http://example.com").text() == "http://example.com/");
  CHECK(parsed("http://example.com").redacted() == "http://example.com/");
  CHECK(parsed("http://example.com?x=1").target() == "/?x=1");
  CHECK(parsed("http://example.com:80/").authority() == "example.com");
  CHECK(parsed("https://example.com:80/").authority() == "example.com:80");
  CHECK(parsed("http://example.com:65535/").port() == 65535);
  CHECK(parsed("http://localhost:1/").port() == 1);
  CHECK(parsed("http://example.com/a@b:c//..;x").target() == "/a@b:c//..;x");
}

TEST_CASE("hosts are names, dotted quads or bracketed IPv6") {
  CHECK(parsed("http://xn--bcher-kva.example/").host() == "xn--bcher-kva.example");
  CHECK(parsed("http://a-b.c1/").host_kind() == HostKind::name);
  CHECK(parsed("http://1.example/").host_kind() == HostKind::name);
  CHECK(parsed("http://intranet/").host() == "intranet");  // whether it may be reached is the egress policy's rule
  const Url quad = parsed("http://192.0.2.7:8080/x");
  CHECK(quad.host_kind() == HostKind::ipv4);
  CHECK(quad.address().bytes[3] == 7);
  CHECK(quad.authority() == "192.0.2.7:8080");
  const Url six = parsed("http://[2001:DB8:0:0:0:0:0:1]:8080/");
  CHECK(six.host_kind() == HostKind::ipv6);
  CHECK(six.host() == "2001:db8::1");
  CHECK(six.authority() == "[2001:db8::1]:8080");
  CHECK(parsed("http://[::ffff:127.0.0.1]/").host() == "::ffff:127.0.0.1");
  CHECK(parsed("http://" + std::string(63, 'a') + ".example/").host().size() == 71);
}

TEST_CASE("a canonical URL parses to itself") {
  for (const char* text :
       {"https://example.com/", "http://example.com:8080/a?b", "http://[::1]/", "http://10.0.0.1/"}) {
    const Url url = parsed(text);
    CHECK(url.text() == text);
    CHECK(parsed(url.text()) == url);
  }
}

TEST_CASE("every kind of bad URL is refused by a rule in plain words") {
  CHECK(refusal("") == "is required");
  CHECK(refusal("ftp://example.com/") == "must begin with http:// or https://");
  CHECK(refusal("example.com/") == "must begin with http:// or https://");
  CHECK(refusal("http:/example.com/") == "must begin with http:// or https://");
  CHECK(refusal("//example.com/") == "must begin with http:// or https://");
  CHECK(refusal("http://user@example.com/") == "a user name or password is not allowed");
  CHECK(refusal("http://user:pw@example.com/") == "a user name or password is not allowed");
  CHECK(refusal("http://example.com\\@evil.com/") == "a backslash is not allowed");
  CHECK(refusal("http://example.com/a b") == "spaces are not allowed (write %20 in the path or query)");
  CHECK(refusal(" http://example.com/").starts_with("spaces are not allowed"));
  CHECK(refusal("http://example.com/a\r\nX: y") == "control characters are not allowed");
  CHECK(refusal(std::string_view("http://example.com/\0", 20)) == "control characters are not allowed");
  CHECK(refusal("http://example.com/\x7f") == "control characters are not allowed");
  CHECK(refusal("http://b\xc3\xbc"
                "cher.example/")
            .starts_with("only ASCII is allowed"));
  CHECK(refusal("http://example.com/\xe2\x82\xac").starts_with("only ASCII is allowed"));
  CHECK(refusal("http://exa%6dple.com/") == "% is not allowed in the host");
  CHECK(refusal("http:///path") == "the host is missing");
  CHECK(refusal("http://") == "the host is missing");
  CHECK(refusal("http://./") == "the host is missing");
  CHECK(refusal("http://:80/") == "the host is missing");
  CHECK(refusal("http://example.com/#top") == "a fragment (#) is not allowed");
  CHECK(refusal("http://[fe80::1%25eth0]/") == "a zone id in an IPv6 address is not allowed");
  CHECK(refusal("http://[fe80::1%eth0]/") == "a zone id in an IPv6 address is not allowed");
  CHECK(refusal("http://[v1.fe]/") == "addresses of a future IP version are not allowed");
  CHECK(refusal("http://example.com/" + std::string(2048, 'a')) == "is longer than 2048 bytes");
}

TEST_CASE("a port is plain digits between 1 and 65535") {
  CHECK(refusal("http://example.com:/") == "the port after ':' is missing");
  CHECK(refusal("http://example.com:0/") == "port 0 is not between 1 and 65535");
  CHECK(refusal("http://example.com:99999/") == "port 99999 is not between 1 and 65535");
  CHECK(refusal("http://example.com:65536/") == "port 65536 is not between 1 and 65535");
  CHECK(refusal("http://example.com:18446744073709551617/") == "port 18446744073709551617 is not between 1 and 65535");
  CHECK(refusal("http://example.com:080/") == "port 080 has a leading zero");
  CHECK(refusal("http://example.com:80JUNK/") == "port 80JUNK is not a plain number");
  CHECK(refusal("http://example.com:+80/") == "port +80 is not a plain number");
  CHECK(refusal("http://example.com:8 0/").starts_with("spaces are not allowed"));
  CHECK(refusal("http://example.com:80:80/").starts_with("the host contains more than one ':'"));
  CHECK(refusal("http://[::1]:0/") == "port 0 is not between 1 and 65535");
}

TEST_CASE("numbers that a resolver would read as an address are refused") {
  for (const char* host :
       {"127.1", "0177.0.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
        "1.2.3.04", "1.2.3.4.", "example.123", "example.0x1f", "0", "0X7F"}) {
    CAPTURE(host);
    CHECK(refusal("http://" + std::string(host) + "/").find("is not an address in plain form") != std::string::npos);
  }
}

TEST_CASE("a name is LDH labels of at most 63 bytes, 253 in all") {
  CHECK(refusal("http://-a.example/") == "a part of the host must not begin or end with a hyphen");
  CHECK(refusal("http://a-.example/") == "a part of the host must not begin or end with a hyphen");
  CHECK(refusal("http://a..example/") == "a part of the host between dots is empty");
  CHECK(refusal("http://.example/") == "a part of the host between dots is empty");
  CHECK(refusal("http://example../") == "a part of the host between dots is empty");
  CHECK(refusal("http://a_b.example/").find("may only contain letters") != std::string::npos);
  CHECK(refusal("http://a!b.example/").find("may only contain letters") != std::string::npos);
  CHECK(refusal("http://" + std::string(64, 'a') + ".example/") == "a part of the host is longer than 63 bytes");
  std::string name;
  for (int i = 0; i < 126; ++i) {
    name += "a.";
  }
  CHECK(refusal("http://" + name + "a/") == "accepted");  // 253
  CHECK(refusal("http://" + name + "aa/") == "the host is longer than 253 bytes");
}

TEST_CASE("brackets hold a well-formed IPv6 address and nothing else") {
  for (const char* inside :
       {"", ":", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", ":::", "12345::", "g::", "1:2:3:4:5:6:7::8:9",
        "1.2.3.4", "::1.2.3", "::1.2.3.4:5", "::256.1.1.1", "1:2:3:4:5:6:7:8::"}) {
    CAPTURE(inside);
    CHECK(refusal("http://[" + std::string(inside) + "]/").ends_with("is not an IPv6 address"));
  }
  CHECK(refusal("http://[::1/") == "the IPv6 address lacks its closing bracket");
  CHECK(refusal("http://[::1]x/") == "only a port may follow the closing bracket of the IPv6 address");
  CHECK(refusal("http://::1/").starts_with("the host contains more than one ':'"));
}

TEST_CASE("addresses are written in RFC 5952 form") {
  const auto canonical = [](const char* text) { return format_address(*parse_ipv6(text)); };
  CHECK(canonical("::") == "::");
  CHECK(canonical("0:0:0:0:0:0:0:1") == "::1");
  CHECK(canonical("1:0:0:0:0:0:0:0") == "1::");
  CHECK(canonical("2001:0db8::0001:0000") == "2001:db8::1:0");
  CHECK(canonical("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // one zero group is not shortened
  CHECK(canonical("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");           // the longest run
  CHECK(canonical("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");     // the first of equals
  CHECK(canonical("::ffff:7f00:1") == "::ffff:127.0.0.1");
  CHECK(canonical("64:ff9b::192.0.2.1") == "64:ff9b::c000:201");
  CHECK(format_address(*parse_ipv4("0.10.200.255")) == "0.10.200.255");
  CHECK_FALSE(parse_ipv4("1.2.3.4 "));
  CHECK_FALSE(parse_ipv4(""));
}
