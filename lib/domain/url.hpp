// A webhook's URL, parsed once by our own strict grammar (reliability.md, "URL grammar") into a value from which the
// check, the connection, the Host header and SNI are all taken: no second parser can read it differently.
// Boost.URL is not the gate because version 1.81 accepts ":80JUNK" and turns port 99999 into 34463.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace webhookd::domain {

enum class HostKind { name, ipv4, ipv6 };

// A canonical 16-byte address; IPv4 uses the first 4 bytes.
struct AddressBytes {
  std::array<std::uint8_t, 16> bytes{};
  bool is_v6 = false;
  bool operator==(const AddressBytes&) const = default;
};

class Url {
 public:
  Url() = default;

  // Errors name the rule that is broken; the pointer is "/url".
  static base::Result<Url> parse(std::string_view text);

  bool is_https() const { return https_; }
  HostKind host_kind() const { return host_kind_; }
  // Lower case, without brackets or a trailing dot: what is resolved, verified and sent as SNI.
  const std::string& host() const { return host_; }
  const AddressBytes& address() const { return address_; }  // meaningful unless host_kind() is name
  std::uint16_t port() const { return port_; }              // explicit or the scheme's own
  // Path and query as sent in the request line; never empty.
  const std::string& target() const { return target_; }
  // The Host header: host, brackets when IPv6, and the port unless it is the scheme's own.
  std::string authority() const;
  // The whole URL in canonical form.
  std::string text() const;
  // Scheme and authority alone, with "/…" when there is more: safe for logs.
  std::string redacted() const;

  bool operator==(const Url&) const = default;

 private:
  bool https_ = false;
  HostKind host_kind_ = HostKind::name;
  std::uint16_t port_ = 0;
  std::string host_;
  AddressBytes address_;
  std::string target_;
};

// A canonical dotted quad (no leading zeros, exactly four parts).
std::optional<AddressBytes> parse_ipv4(std::string_view text);
// RFC 4291 section 2.2, with "::" and a trailing dotted quad, without zone.
std::optional<AddressBytes> parse_ipv6(std::string_view text);
// Dotted quad, or RFC 5952 canonical IPv6 without brackets.
std::string format_address(const AddressBytes& address);

}  // namespace webhookd::domain
