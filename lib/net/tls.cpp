#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "base/check.hpp"

namespace webhookd::net {

namespace {

constexpr std::size_t endpoints_max = 4096;
constexpr std::size_t sessions_per_endpoint_max = 8;
constexpr int security_level = 2;  // 112 bits: refuses RSA below 2048 and SHA-1 signatures
constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using SessionPtr = std::unique_ptr<SSL_SESSION, FreeSession>;

struct ReasonWords {
  int reason;
  std::string_view words;
};
constexpr std::array reason_words{
    ReasonWords{SSL_R_WRONG_VERSION_NUMBER, "the receiver does not speak TLS on this port"},
    ReasonWords{SSL_R_HTTP_REQUEST, "the receiver does not speak TLS on this port"},
    ReasonWords{SSL_R_UNSUPPORTED_PROTOCOL, "the receiver speaks no TLS from version 1.2 on"},
    ReasonWords{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the receiver speaks no TLS from version 1.2 on"},
    ReasonWords{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
                "the receiver accepts none of our ciphers, or wants a client certificate (tls.client_cert)"},
    ReasonWords{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the receiver wants a client certificate (tls.client_cert)"},
    ReasonWords{SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the receiver does not know the issuer of our client certificate"},
    ReasonWords{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the receiver refuses our client certificate"},
    ReasonWords{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the receiver refuses our client certificate"},
    ReasonWords{SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the receiver says that our client certificate is revoked"},
    ReasonWords{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the receiver says that our client certificate has expired"},
    ReasonWords{SSL_R_TLSV1_UNRECOGNIZED_NAME, "the receiver does not know this host name"},
};

std::string last_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

// The endpoint an SSL object belongs to, so that new sessions are filed under it; freed with the object.
void free_endpoint(void*, void* endpoint, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<std::string*>(endpoint);
}
int endpoint_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_endpoint);
  return index;
}

}  // namespace

struct TlsContext::Impl {
  static int on_new_session(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto* endpoint = static_cast<const std::string*>(SSL_get_ex_data(ssl, endpoint_index()));
    if (endpoint == nullptr) {
      return 0;
    }
    const std::lock_guard lock(self->mutex);
    if (self->sessions.size() >= endpoints_max && !self->sessions.contains(*endpoint)) {
      self->sessions.erase(self->sessions.begin());
    }
    auto& kept = self->sessions[*endpoint];
    if (kept.size() >= sessions_per_endpoint_max) {
      kept.erase(kept.begin());
    }
    kept.emplace_back(session);
    return 1;  // the reference is ours
  }

  // The newest session is used. One of TLS 1.3 is used up as long as there are others, because a ticket is meant for
  // one connection (RFC 8446 appendix C.4) and some receivers insist on it; the last one is better used again than not.
  void resume(SSL* ssl, const std::string& endpoint) {
    const std::lock_guard lock(mutex);
    const auto found = sessions.find(endpoint);
    if (found == sessions.end()) {
      return;
    }
    auto& kept = found->second;
    std::erase_if(kept, [](const SessionPtr& session) { return SSL_SESSION_is_resumable(session.get()) != 1; });
    if (kept.empty()) {
      return;
    }
    SSL_set_session(ssl, kept.back().get());
    if (kept.size() > 1 && SSL_SESSION_get_protocol_version(kept.back().get()) == TLS1_3_VERSION) {
      kept.pop_back();
    }
  }

  // The system's roots are some hundred certificates: who never speaks TLS does not hold them.
  void need_roots() {
    std::call_once(system_roots, [this] {
      if (!has_own_roots && SSL_CTX_set_default_verify_paths(context.get()) != 1) {
        ERR_clear_error();  // no memory; without roots every certificate is refused
      }
    });
  }

  std::unique_ptr<SSL_CTX, FreeContext> context;
  bool has_own_roots = false;
  std::once_flag system_roots;
  std::mutex mutex;
  std::unordered_map<std::string, std::vector<SessionPtr>> sessions;  // by endpoint, the oldest first
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

base::Result<std::unique_ptr<TlsContext>> TlsContext::create(const std::string& ca_file) {
  auto impl = std::make_unique<Impl>();
  impl->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = impl->context.get();
  base::check(context != nullptr, "OpenSSL makes a client context");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_security_level(context, security_level);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(context, http_1_1, sizeof http_1_1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &Impl::on_new_session);
  SSL_CTX_set_app_data(context, impl.get());
  impl->has_own_roots = !ca_file.empty();
  errno = 0;
  if (impl->has_own_roots && SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
    return base::Error{base::ErrorCode::invalid_field,
                       "egress.ca_file: cannot read certificates from " + ca_file + ": " +
                           (errno != 0 ? std::generic_category().message(errno) : last_error()),
                       {}};
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

base::Result<ssl_st*> TlsContext::open(const domain::Url& url, const std::string& endpoint,
                                       const ClientIdentity* identity) {
  const base::Error no_memory{base::ErrorCode::unavailable, "no memory for a TLS session", {}};
  impl_->need_roots();
  ERR_clear_error();
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(impl_->context.get()), &SSL_free);
  if (!ssl) {
    return no_memory;
  }
  bool is_set = false;
  if (url.host_kind() == domain::HostKind::name) {
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    is_set = SSL_set1_host(ssl.get(), url.host().c_str()) == 1 &&
             SSL_set_tlsext_host_name(ssl.get(), url.host().c_str()) == 1;
  } else {
    const std::size_t size = url.address().is_v6 ? 16 : 4;
    is_set = X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl.get()), url.address().bytes.data(), size) == 1;
  }
  is_set = is_set && SSL_set_ex_data(ssl.get(), endpoint_index(), new std::string(endpoint)) == 1;
  if (!is_set) {
    return no_memory;
  }
  if (identity != nullptr) {
    if (const auto shown = identity->show_in(ssl.get()); !shown) {
      return shown.error();
    }
  }
  impl_->resume(ssl.get(), endpoint);
  return ssl.release();
}

std::string_view tls_reason_words(unsigned long code) {
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  const auto* found = std::find_if(reason_words.begin(), reason_words.end(),
                                   [&](const ReasonWords& row) { return row.reason == reason; });
  return found == reason_words.end() ? std::string_view() : found->words;
}

std::string certificate_fault(const ssl_st* session) {
  const long found = SSL_get_verify_result(session);
  return found == X509_V_OK ? std::string() : X509_verify_cert_error_string(found);
}

std::optional<base::Time> certificate_expiry(const ssl_st* session) {
  const X509* certificate = SSL_get0_peer_certificate(session);
  std::tm parts{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) {
    return std::nullopt;
  }
  return base::Time(std::chrono::seconds(::timegm(&parts)));
}

void keep_resumable(ssl_st* session) { SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

}  // namespace webhookd::net
