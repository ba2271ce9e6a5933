// Small texts: URLs, addresses, headers, times, ids, secrets, signatures.
#include <algorithm>

#include "base/base64.hpp"
#include "base/check.hpp"
#include "base/id.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "crypto/signer.hpp"
#include "domain/event_type.hpp"
#include "domain/header.hpp"
#include "domain/limits.hpp"
#include "domain/url.hpp"
#include "domain/webhook.hpp"
#include "fuzz/targets.hpp"
#include "net/egress.hpp"

namespace webhookd::fuzz {

namespace {

using base::check;
using domain::Url;

constexpr base::Time now = base::time_from_ms(1'795'000'000'000);

// Nothing that could end a line of the request, and nothing that needs another encoding on the way.
bool is_safe_in_a_request_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '#'; });
}

void run_url(std::string_view input) {
  const auto url = Url::parse(input);
  if (!url) {
    check(url.error().fields.size() == 1 && url.error().fields[0].pointer == "/url", "a refusal names the URL");
    return;
  }
  const auto again = Url::parse(url->text());
  check(again.has_value() && *again == *url, "the canonical text of a URL reads as the same URL");
  check(again->text() == url->text(), "the canonical text of a URL is a fixed point");
  check(is_safe_in_a_request_line(url->text()), "a URL holds nothing that steers a request");
  check(url->target().starts_with('/') && url->port() != 0 && !url->host().empty(), "a URL has all its parts");
  check(url->text().size() <= domain::limits::url_bytes, "a URL stays within its bound");
  if (url->host_kind() != domain::HostKind::name) {
    check(domain::format_address(url->address()) == url->host(), "the host of an address is that address");
  }
}

void check_address(const std::optional<domain::AddressBytes>& address) {
  if (address) {
    const std::string text = domain::format_address(*address);
    const auto again = address->is_v6 ? domain::parse_ipv6(text) : domain::parse_ipv4(text);
    check(again == address, "an address that is written reads back the same");
    static_cast<void>(net::EgressPolicy{}.refusal(*address));
  }
}

void run_address(std::string_view input) {
  check_address(domain::parse_ipv4(input));
  check_address(domain::parse_ipv6(input));
  if (const auto range = net::Cidr::parse(input)) {
    check(range->prefix_bits >= 0 && range->prefix_bits <= (range->base.is_v6 ? 128 : 32), "a prefix fits its address");
    check(range->contains(range->base), "a range contains its own base");
  }
  static_cast<void>(net::EgressPolicy::parse_proxy(input));
}

void run_header(std::string_view input) {
  const auto header = domain::parse_header_line(input);
  if (header) {
    check(!domain::header_fault(*header), "a header that was read may be sent");
    check(header->name.find_first_of("\r\n: ") == std::string::npos, "a name cannot end its line");
    check(header->value.find_first_of("\r\n") == std::string::npos, "a value cannot end its line");
    const auto again = domain::parse_header_line(header->name + ": " + header->value);
    check(again.has_value() && *again == *header, "a header that is written reads back the same");
    check(domain::check_headers({*header}).has_value() ||
              header->name.size() + header->value.size() > domain::limits::header_bytes,
          "one header that may be sent is a list that may be sent");
  }
  const bool has_line_end = input.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
  check(!has_line_end || !domain::is_header_value(input), "no value holds a line end");
}

void run_time(std::string_view input) {
  if (const auto time = base::parse_time(input)) {
    const std::string text = base::format_time(*time);
    check(base::parse_time(text) == time, "a time that is written reads back the same");
  }
  if (const auto date = base::parse_http_date(input, now)) {
    check(base::parse_time(base::format_time(*date)) == date, "a date of HTTP is a time of this world");
  }
  if (const auto duration = base::parse_duration(input)) {
    check(duration->count() > 0, "a duration is positive");
    check(base::parse_duration(base::format_duration(*duration)) == duration,
          "a duration that is written reads back the same");
  }
}

void run_id(std::string_view input) {
  if (const auto id = base::parse_webhook_id(input)) {
    check(base::to_string(*id) == input, "an id has one spelling");
  }
  if (const auto range = base::decode_id_prefix("msg_", input)) {
    check(range->first <= range->second, "a prefix is a range");
    check(base::encode_id("msg_", range->first).starts_with(input), "the first id of a prefix begins with it");
    check(base::encode_id("msg_", range->second).starts_with(input), "the last id of a prefix begins with it");
  }
  if (domain::is_event_type_name(input)) {
    check(domain::is_event_pattern(input) && domain::pattern_matches(input, input), "a name is its own pattern");
    check(domain::pattern_matches("*", input), "everything matches *");
  }
  static_cast<void>(domain::pattern_matches(input, "api.update"));
  static_cast<void>(base::closest(input, {"subscription.create", "api.update", ""}));
}

void run_base64(std::string_view input) {
  check(base::base64_decode(base::base64_encode(input)) == input, "bytes that are encoded decode to themselves");
  if (const auto bytes = base::base64_decode(input)) {
    check(base::base64_encode(*bytes) == input, "base64 has one spelling");
  }
}

void run_utf8(std::string_view input) {
  std::size_t at = 0;
  std::size_t count = 0;
  while (at < input.size() && base::decode_utf8(input.substr(at), at)) {
    check(at <= input.size(), "a code point ends within the text");
    ++count;
  }
  const bool is_valid = at == input.size();
  check(base::is_valid_utf8(input) == is_valid, "a text is valid when each of its code points is");
  if (is_valid) {
    check(base::count_code_points(input) == count, "code points are counted as they are read");
    static_cast<void>(base::has_control_characters(input));
  }
}

void run_secret(std::string_view input) {
  if (const auto secret = domain::parse_secret(input)) {
    const auto again = domain::parse_secret(domain::format_secret(*secret));
    check(again.has_value() && *again == *secret, "a secret that is written reads back the same");
  }
  if (const auto key = crypto::parse_public_key(input)) {
    check(!crypto::verify_by_public_key(*key, "msg_1", 1, "{}", "v1a,"), "an empty signature verifies nothing");
  }
}

const std::vector<domain::Secret>& known_secrets() {
  static const std::vector<domain::Secret> secrets = {
      {domain::SecretKind::hmac_sha256, std::string(32, 'k'), {}},
      {domain::SecretKind::ed25519, std::string(32, 's'), {}},
  };
  return secrets;
}

std::string known_signature() {
  const std::string_view body[] = {"{}"};
  return crypto::Signer().standard_signature(known_secrets(), "msg_1", 1, body, now);
}

void run_signature(std::string_view input) {
  static const std::string right = known_signature();
  static const std::string hmac = right.substr(0, right.find(' '));
  static const std::string ed25519 = right.substr(right.find(' ') + 1);
  if (crypto::verify_standard(known_secrets(), "msg_1", 1, "{}", input)) {
    check(input.find(hmac) != std::string_view::npos || input.find(ed25519) != std::string_view::npos,
          "what verifies holds a right signature");
  }
}

}  // namespace

std::vector<Target> text_targets() {
  return {
      {"url",
       run_url,
       {"https://shop.example.com/hook?a=b%20c", "http://[2001:db8::1]:8080/x", "http://127.0.0.1:80",
        "HTTP://Ex.Org.?q", "https://xn--bcher-kva.example:443/", "http://[::ffff:1.2.3.4]/", "https://localhost",
        "http://a@b/", "http://[fe80::1%25eth0]/", "http://0x7f.1/", "http://host:65536/#x"}},
      {"address",
       run_address,
       {"10.0.0.0/8", "fc00::/7", "1.2.3.4", "::ffff:1.2.3.4", "2001:db8::1", "::", "1::", "1:2:3:4:5:6:7:8",
        "0:0:0:0::1", "http://proxy.example:3128"}},
      {"header",
       run_header,
       {"X-Team: billing", "Authorization:Bearer a.b-c", "Host: x", "Content-Length: 1", "webhook-id: 1", "X: a\tb",
        "X:\r\nEvil: 1", "Proxy-Connection: x", "X-Empty:"}},
      {"time",
       run_time,
       {"2026-11-23T20:24:45.123Z", "1970-01-01T00:00:00+00:00", "9999-12-31t23:59:59.9999z",
        "2024-02-29T12:00:00-23:59", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "1h30m", "1.5s", "1w2d3h4m5s6ms", "1000000000w", "0.0000000001ms"}},
      {"id",
       run_id,
       {"wh_0000000000001", "msg_fzzzzzzzzzzzz", "msg_0", "wh_gggg", "subscription.create", "api.*", "*"}},
      {"base64", run_base64, {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYmE=", "+/+/", "Zh=="}},
      {"utf8",
       run_utf8,
       {"plain", "caf\u00e9", "\u20ac", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"}},
      {"secret",
       run_secret,
       {domain::format_secret(known_secrets()[0]), domain::format_secret(known_secrets()[1]),
        crypto::public_key_text(known_secrets()[1]), "whsec_", "whsk_AAAA"}},
      {"signature", run_signature, {known_signature(), "v1,AAAA v1a,BBBB", "v1,", " ", "v2,x"}},
  };
}

}  // namespace webhookd::fuzz
