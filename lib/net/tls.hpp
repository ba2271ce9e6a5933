// TLS as deliveries use it: 1.2 and later, certificates always verified against the system's roots or one file, the
// host name or address of the URL always matched, SNI for names only, sessions resumed for each endpoint (a full
// handshake costs three times a resumed one). One context serves all loops. A webhook's own certificate is shown when
// the receiver asks for one. There is no switch that turns verification off.
//
// OpenSSL alone is used here, so that the rules are in one small unit; the streams are made where the connections are.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/url.hpp"
#include "net/client_identity.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace webhookd::net {

class TlsContext {
 public:
  // `ca_file` replaces the system's roots, which are read when the first session is opened. Errors: a file that cannot
  // be read as certificates.
  static base::Result<std::unique_ptr<TlsContext>> create(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A client session for the URL's host, resuming an earlier one with `endpoint` when there is one. The caller owns it.
  // Errors: a client certificate that cannot be used; those of code `unavailable` are a shortage. Thread-safe.
  base::Result<ssl_st*> open(const domain::Url& url, const std::string& endpoint, const ClientIdentity* identity);

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What an error code of OpenSSL means for deliveries, in words; empty for one without words of ours.
std::string_view tls_reason_words(unsigned long code);

// What verification found wrong with the peer's certificate ("certificate has expired"); empty when nothing.
std::string certificate_fault(const ssl_st* session);

// When the verified peer's certificate expires; also of a resumed session. Nothing before the handshake.
std::optional<base::Time> certificate_expiry(const ssl_st* session);

// Call before freeing a session whose TCP connection is simply closed: it stays resumable (traps.md).
void keep_resumable(ssl_st* session);

}  // namespace webhookd::net
