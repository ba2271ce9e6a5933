// TLS as deliveries use it: 1.2 and later, certificates always verified against the system's roots or one file, the
// host name or address of the URL always matched, SNI for names only, sessions resumed for each endpoint (a full
// handshake costs three times a resumed one). One context serves all loops. There is no switch that turns verification
// off.
//
// OpenSSL alone is used here, so that the rules are in one small unit; the streams are made where the connections are.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "domain/url.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace webhookd::net {

class TlsContext {
 public:
  // `ca_file` replaces the system's roots; empty keeps them. Errors: a file that cannot be read as certificates.
  static base::Result<std::unique_ptr<TlsContext>> create(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A client session for the URL's host, resuming an earlier one with `endpoint` when there is one. The caller owns it;
  // null when memory is short. Thread-safe.
  ssl_st* open(const domain::Url& url, const std::string& endpoint);

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What verification found wrong with the peer's certificate ("certificate has expired"); empty when nothing.
std::string certificate_fault(const ssl_st* session);

// Call before freeing a session whose TCP connection is simply closed: it stays resumable (traps.md).
void keep_resumable(ssl_st* session);

}  // namespace webhookd::net
