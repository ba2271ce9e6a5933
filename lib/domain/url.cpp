#include "domain/url.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "domain/limits.hpp"

namespace webhookd::domain {

namespace {

constexpr std::size_t label_bytes = 63;  // RFC 1035 section 2.3.4
constexpr std::size_t name_bytes = 253;
constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;
constexpr unsigned port_max = 65535;
constexpr std::size_t groups = 8;  // of an IPv6 address
constexpr std::size_t quoted_bytes = 40;

base::Error refuse(std::string rule) { return base::field_error("/url", "url: " + std::move(rule)); }

// A part of the URL inside a message: never so long that it hides the rule.
std::string quoted(std::string_view part) {
  return part.size() <= quoted_bytes ? std::string(part) : std::string(part.substr(0, quoted_bytes)) + "...";
}

struct ByteRule {
  bool (*is_refused)(unsigned char);
  const char* rule;
};
// Of the whole text, before anything is taken apart.
constexpr ByteRule byte_rules[] = {
    {[](unsigned char c) { return c < 0x20 || c == 0x7f; }, "control characters are not allowed"},
    {[](unsigned char c) { return c == ' '; }, "spaces are not allowed (write %20 in the path or query)"},
    {[](unsigned char c) { return c > 0x7f; },
     "only ASCII is allowed (write an international host as xn--, other characters with % in the path or query)"},
    {[](unsigned char c) { return c == '\\'; }, "a backslash is not allowed"},
    {[](unsigned char c) { return c == '#'; }, "a fragment (#) is not allowed"},
};

std::optional<base::Error> byte_fault(std::string_view text) {
  for (const ByteRule& rule : byte_rules) {
    if (std::any_of(text.begin(), text.end(), [&](char c) { return rule.is_refused(static_cast<unsigned char>(c)); })) {
      return refuse(rule.rule);
    }
  }
  return std::nullopt;
}

std::optional<std::string> label_fault(std::string_view label) {
  if (label.empty()) {
    return "a part of the host between dots is empty";
  }
  if (label.size() > label_bytes) {
    return "a part of the host is longer than 63 bytes";
  }
  const auto is_ldh = [](char c) { return base::is_letter(c) || base::is_digit(c) || c == '-'; };
  if (!std::all_of(label.begin(), label.end(), is_ldh)) {
    return "host " + quoted(label) + " may only contain letters, digits, hyphens and dots";
  }
  if (label.front() == '-' || label.back() == '-') {
    return "a part of the host must not begin or end with a hyphen";
  }
  return std::nullopt;
}

// Resolvers read 127.1, 0177.0.0.1, 2130706433 and 0x7f000001 as addresses; names that end so are therefore refused.
bool looks_like_an_address(std::string_view last_label) {
  return std::all_of(last_label.begin(), last_label.end(), base::is_digit) ||
         base::to_lower(last_label).starts_with("0x");
}

// `name` is lower case and without its trailing dot.
std::optional<std::string> name_fault(std::string_view name) {
  if (name.size() > name_bytes) {
    return "the host is longer than 253 bytes";
  }
  std::string_view rest = name;
  for (;;) {
    const auto dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (auto fault = label_fault(label)) {
      return fault;
    }
    if (dot == std::string_view::npos) {
      return looks_like_an_address(label)
                 ? std::optional("host " + quoted(name) +
                                 " is not an address in plain form (four numbers 0-255 "
                                 "without leading zeros) and not a name, because it ends in a number")
                 : std::nullopt;
    }
    rest.remove_prefix(dot + 1);
  }
}

struct Host {
  HostKind kind = HostKind::name;
  std::string text;
  AddressBytes address;
};

base::Result<Host> parse_bracketed(std::string_view inside) {
  if (inside.find('%') != std::string_view::npos) {
    return refuse("a zone id in an IPv6 address is not allowed");
  }
  if (inside.starts_with('v') || inside.starts_with('V')) {
    return refuse("addresses of a future IP version are not allowed");
  }
  const auto address = parse_ipv6(inside);
  if (!address) {
    return refuse("host [" + quoted(inside) + "] is not an IPv6 address");
  }
  return Host{HostKind::ipv6, format_address(*address), *address};
}

base::Result<Host> parse_host(std::string_view text) {
  if (text.starts_with('[')) {
    return parse_bracketed(text.substr(1, text.size() - 2));
  }
  if (text.find('%') != std::string_view::npos) {
    return refuse("% is not allowed in the host");
  }
  if (const auto address = parse_ipv4(text)) {
    return Host{HostKind::ipv4, std::string(text), *address};
  }
  std::string name = base::to_lower(text);
  if (name.ends_with('.')) {
    name.pop_back();
  }
  if (name.empty()) {
    return refuse("the host is missing");
  }
  if (auto fault = name_fault(name)) {
    return refuse(std::move(*fault));
  }
  return Host{HostKind::name, std::move(name), {}};
}

base::Result<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty()) {
    return refuse("the port after ':' is missing");
  }
  if (!std::all_of(text.begin(), text.end(), base::is_digit)) {
    return refuse("port " + quoted(text) + " is not a plain number");
  }
  if (text.front() == '0' && text.size() > 1) {
    return refuse("port " + quoted(text) + " has a leading zero");
  }
  const auto port = base::parse_whole_number(text, port_max);
  if (!port || *port == 0) {
    return refuse("port " + quoted(text) + " is not between 1 and 65535");
  }
  return static_cast<std::uint16_t>(*port);
}

// Host and port as they stand in the authority; a missing port is an empty optional, "host:" an empty text.
struct Authority {
  std::string_view host;
  std::optional<std::string_view> port;
};

base::Result<Authority> split_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return refuse("a user name or password is not allowed");
  }
  std::size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) {
      return refuse("the IPv6 address lacks its closing bracket");
    }
    host_end = bracket + 1;
    if (host_end < text.size() && text[host_end] != ':') {
      return refuse("only a port may follow the closing bracket of the IPv6 address");
    }
  } else if (host_end != std::string_view::npos && text.find(':', host_end + 1) != std::string_view::npos) {
    return refuse("the host contains more than one ':' (an IPv6 address stands in brackets)");
  }
  if (host_end >= text.size()) {
    return Authority{text, std::nullopt};
  }
  return Authority{text.substr(0, host_end), text.substr(host_end + 1)};
}

// What follows "://", and the scheme itself; nothing when the scheme is another one.
struct SchemeRest {
  bool https;
  std::string_view rest;
};
std::optional<SchemeRest> take_scheme(std::string_view text) {
  constexpr SchemeRest schemes[] = {{true, "https://"}, {false, "http://"}};
  for (const auto& [https, prefix] : schemes) {
    if (base::equals_ignoring_case(text.substr(0, prefix.size()), prefix)) {
      return SchemeRest{https, text.substr(prefix.size())};
    }
  }
  return std::nullopt;
}

std::optional<std::uint16_t> parse_hex_group(std::string_view text) {
  if (text.empty() || text.size() > 4) {
    return std::nullopt;
  }
  unsigned value = 0;
  for (const char c : text) {
    const auto digit = std::string_view("0123456789abcdef").find(base::to_lower(c));
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<std::uint16_t>(value);
}

// The groups of one side of "::"; a dotted quad may stand last when `quad_allowed`.
std::optional<std::vector<std::uint16_t>> parse_groups(std::string_view text, bool quad_allowed) {
  std::vector<std::uint16_t> found;
  if (text.empty()) {
    return found;
  }
  for (;;) {
    const auto colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (const auto group = parse_hex_group(part)) {
      found.push_back(*group);
    } else if (const auto quad = quad_allowed && colon == std::string_view::npos ? parse_ipv4(part) : std::nullopt) {
      found.push_back(static_cast<std::uint16_t>(quad->bytes[0] << 8 | quad->bytes[1]));
      found.push_back(static_cast<std::uint16_t>(quad->bytes[2] << 8 | quad->bytes[3]));
    } else {
      return std::nullopt;
    }
    if (found.size() > groups) {
      return std::nullopt;
    }
    if (colon == std::string_view::npos) {
      return found;
    }
    text.remove_prefix(colon + 1);
  }
}

struct ZeroRun {
  std::size_t start = groups;
  std::size_t length = 0;
};

// The longest run of at least two zero groups, the first of equals (RFC 5952 section 4.2).
ZeroRun longest_zero_run(const std::array<std::uint16_t, groups>& values) {
  ZeroRun best;
  for (std::size_t i = 0; i < groups; ++i) {
    std::size_t end = i;
    while (end < groups && values[end] == 0) {
      ++end;
    }
    if (end - i >= 2 && end - i > best.length) {
      best = {i, end - i};
    }
  }
  return best;
}

std::string hex(std::uint16_t value) {
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = (value >> shift) & 15U;
    if (digit != 0 || !text.empty() || shift == 0) {
      text += "0123456789abcdef"[digit];
    }
  }
  return text;
}

std::string dotted_quad(const std::uint8_t* bytes) {
  std::string text = std::to_string(bytes[0]);
  for (std::size_t i = 1; i < 4; ++i) {
    text += '.' + std::to_string(bytes[i]);
  }
  return text;
}

bool is_mapped_ipv4(const AddressBytes& address) {
  constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(std::begin(prefix), std::end(prefix), address.bytes.begin());
}

std::string format_ipv6(const AddressBytes& address) {
  if (is_mapped_ipv4(address)) {  // RFC 5952 section 5
    return "::ffff:" + dotted_quad(address.bytes.data() + 12);
  }
  std::array<std::uint16_t, groups> values{};
  for (std::size_t i = 0; i < groups; ++i) {
    values[i] = static_cast<std::uint16_t>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
  }
  const ZeroRun run = longest_zero_run(values);
  std::string text;
  for (std::size_t i = 0; i < groups;) {
    if (i == run.start) {
      text += "::";
      i += run.length;
    } else {
      text += (text.empty() || text.ends_with(':') ? "" : ":") + hex(values[i]);
      ++i;
    }
  }
  return text;
}

}  // namespace

base::Result<Url> Url::parse(std::string_view text) {
  if (text.empty()) {
    return refuse("is required");
  }
  if (text.size() > limits::url_bytes) {
    return refuse("is longer than " + std::to_string(limits::url_bytes) + " bytes");
  }
  if (auto fault = byte_fault(text)) {
    return std::move(*fault);
  }
  const auto scheme = take_scheme(text);
  if (!scheme) {
    return refuse("must begin with http:// or https://");
  }
  const std::size_t authority_end = std::min(scheme->rest.find_first_of("/?"), scheme->rest.size());
  const auto authority = split_authority(scheme->rest.substr(0, authority_end));
  if (authority.has_error()) {
    return authority.error();
  }
  auto host = parse_host(authority->host);
  if (host.has_error()) {
    return host.error();
  }
  Url url;
  url.https_ = scheme->https;
  url.host_kind_ = host->kind;
  url.host_ = std::move(host->text);
  url.address_ = host->address;
  url.port_ = scheme->https ? https_port : http_port;
  if (authority->port) {
    const auto port = parse_port(*authority->port);
    if (port.has_error()) {
      return port.error();
    }
    url.port_ = *port;
  }
  const std::string_view target = scheme->rest.substr(authority_end);
  url.target_ = (target.starts_with('/') ? "" : "/") + std::string(target);
  if (url.text().size() > limits::url_bytes) {  // what is stored is read back by this same function
    return refuse("is longer than " + std::to_string(limits::url_bytes) + " bytes in its canonical form");
  }
  return url;
}

std::string Url::authority() const {
  const std::string host = host_kind_ == HostKind::ipv6 ? "[" + host_ + "]" : host_;
  return port_ == (https_ ? https_port : http_port) ? host : host + ":" + std::to_string(port_);
}

std::string Url::text() const { return (https_ ? "https://" : "http://") + authority() + target_; }

std::string Url::redacted() const {
  return (https_ ? "https://" : "http://") + authority() + (target_ == "/" ? "/" : "/\u2026");
}

std::optional<AddressBytes> parse_ipv4(std::string_view text) {
  AddressBytes address;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto dot = text.find('.');
    const auto part = base::parse_whole_number(text.substr(0, dot), 255);
    if (!part || (dot == std::string_view::npos) != (i == 3)) {
      return std::nullopt;
    }
    address.bytes[i] = static_cast<std::uint8_t>(*part);
    text.remove_prefix(i == 3 ? text.size() : dot + 1);
  }
  return address;
}

std::optional<AddressBytes> parse_ipv6(std::string_view text) {
  const auto gap = text.find("::");
  const bool has_gap = gap != std::string_view::npos;
  const auto head = parse_groups(text.substr(0, gap), !has_gap);
  const auto tail = has_gap ? parse_groups(text.substr(gap + 2), true) : std::optional(std::vector<std::uint16_t>());
  if (!head || !tail) {
    return std::nullopt;
  }
  const std::size_t given = head->size() + tail->size();
  if (has_gap ? given >= groups : given != groups) {  // "::" stands for at least one group
    return std::nullopt;
  }
  AddressBytes address;
  address.is_v6 = true;
  const auto put = [&](std::size_t group, std::uint16_t value) {
    address.bytes[2 * group] = static_cast<std::uint8_t>(value >> 8);
    address.bytes[2 * group + 1] = static_cast<std::uint8_t>(value & 0xff);
  };
  for (std::size_t i = 0; i < head->size(); ++i) {
    put(i, (*head)[i]);
  }
  for (std::size_t i = 0; i < tail->size(); ++i) {
    put(groups - tail->size() + i, (*tail)[i]);
  }
  return address;
}

std::string format_address(const AddressBytes& address) {
  return address.is_v6 ? format_ipv6(address) : dotted_quad(address.bytes.data());
}

}  // namespace webhookd::domain
