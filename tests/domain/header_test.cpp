#include "domain/header.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace webhookd::domain;

TEST_CASE("a token with a visible value may be sent") {
  CHECK_FALSE(header_fault({"X-Tenant", "blue"}));
  CHECK_FALSE(header_fault({"Authorization", "Bearer a\tb c~"}));
  CHECK_FALSE(header_fault({"x!#$%&'*+-.^_`|~9", ""}));
  CHECK_FALSE(header_fault({"Web-Hook", "not of the webhook- family"}));
  CHECK_FALSE(header_fault({"Proxy", "x"}));
}

TEST_CASE("headers that framing or signing owns cannot be set, in any case") {
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "CONNECTION", "TE", "Trailer", "Upgrade",
                           "Expect", "Keep-Alive", "Proxy-Authorization", "proxy-connection", "Content-Type",
                           "User-Agent", "webhook-id", "Webhook-Signature", "webhook-anything"}) {
    CAPTURE(name);
    const auto fault = header_fault({name, "x"});
    REQUIRE(fault);
    CHECK(fault->find("belongs to framing or signing") != std::string::npos);
    CHECK(fault->find(name) != std::string::npos);
  }
}

TEST_CASE("a name that is no token is refused") {
  for (const char* name : {"", "a b", "a:b", "a\r\nb", "a\tb", "(x)", "x/y", "\xc3\xa9", "a\"b", "x@y"}) {
    CAPTURE(name);
    CHECK(header_fault({name, "x"}));
  }
}

TEST_CASE("a value that could break out of its line is refused") {
  for (const char* value : {"a\r\nX-Evil: 1", "a\nb", "a\rb", "\x1b[31m", "\x7f", "caf\xc3\xa9", "\x01"}) {
    CAPTURE(value);
    CHECK(header_fault({"X-A", value}));
  }
  CHECK(header_fault({"X-A", std::string("a\0b", 3)}));
}

TEST_CASE("a list is bounded in count and bytes and names no header twice") {
  CHECK(check_headers({}).has_value());
  std::vector<Header> many;
  for (int i = 0; i < 32; ++i) {
    many.push_back({"X-" + std::to_string(i), "v"});
  }
  CHECK(check_headers(many).has_value());
  many.push_back({"X-32", "v"});
  CHECK(check_headers(many).error().fields[0].pointer == "/headers");

  CHECK(check_headers({{"X-A", std::string(8189, 'v')}}).has_value());
  CHECK(check_headers({{"X-A", std::string(8190, 'v')}}).error().detail.find("more than 8192") != std::string::npos);

  const auto twice = check_headers({{"X-A", "1"}, {"x-a", "2"}});
  CHECK(twice.error().detail == "headers: x-a is given twice");
  CHECK(twice.error().fields[0].pointer == "/headers/x-a");
}

TEST_CASE("all faults of a list are told at once, each with its pointer") {
  const auto checked = check_headers({{"Host", "a"}, {"X-Ok", "b"}, {"x/y~z", "c"}});
  REQUIRE(checked.has_error());
  REQUIRE(checked.error().fields.size() == 2);
  CHECK(checked.error().fields[0].pointer == "/headers/Host");
  CHECK(checked.error().fields[1].pointer == "/headers/x~1y~0z");
}

TEST_CASE("a header line is a name, a colon and a trimmed value") {
  CHECK(*parse_header_line("X-Tenant: blue sky ") == Header{"X-Tenant", "blue sky"});
  CHECK(*parse_header_line("X-Url:http://a:1") == Header{"X-Url", "http://a:1"});
  CHECK(*parse_header_line("X-Empty:") == Header{"X-Empty", ""});
  CHECK(parse_header_line("no colon").has_error());
  CHECK(parse_header_line(": x").has_error());
  CHECK(parse_header_line("X-A: b\r\nX-B: c").has_error());
  CHECK(parse_header_line("Host: evil").has_error());
}
