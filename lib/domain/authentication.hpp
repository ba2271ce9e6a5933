// How a webhook shows its receiver who sends: a TLS client certificate, a header whose value lies in a file, or an
// OAuth2 access token. A definition names files and never holds what is in them: net reads them when an attempt needs
// them, so that no secret can stand in a list, a log, a record, an answer or on a command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "domain/limits.hpp"
#include "domain/url.hpp"

namespace webhookd::domain {

// PEM files: the certificate with its chain, and its key without a passphrase. Both or neither.
struct TlsIdentity {
  std::string client_cert;
  std::string client_key;
  bool is_set() const { return !client_cert.empty() || !client_key.empty(); }
  bool operator==(const TlsIdentity&) const = default;
};

// The whole value of one header, scheme included ("Bearer …"), is the one line of a file.
struct HeaderFile {
  std::string header = "Authorization";
  std::string file;
  bool operator==(const HeaderFile&) const = default;
};

// Client credentials (RFC 6749 section 4.4); the client authenticates itself by HTTP Basic (section 2.3.1).
struct Oauth2 {
  Url token_url;
  std::string client_id;
  std::string client_secret_file;
  std::vector<std::string> scopes;
  bool operator==(const Oauth2&) const = default;
};

using Authentication = std::variant<std::monostate, HeaderFile, Oauth2>;

// The word for it in JSON; "" for none.
std::string_view type_of(const Authentication& auth);

// What a token endpoint gave (RFC 6749 section 5.1).
struct AccessToken {
  std::string value;
  std::optional<Duration> lifetime;
};

// Every broken rule with its pointer, "/tls/…" and "/auth/…".
std::vector<base::FieldError> identity_faults(const TlsIdentity& identity);
std::vector<base::FieldError> authentication_faults(const Authentication& auth);

}  // namespace webhookd::domain
