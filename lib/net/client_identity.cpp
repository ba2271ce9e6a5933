#include "net/client_identity.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <atomic>

#include "domain/limits.hpp"

namespace webhookd::net {

namespace {

using base::Result;

constexpr std::string_view certificate_field = "tls.client_cert";
constexpr std::string_view key_field = "tls.client_key";

struct FreeOpenssl {
  void operator()(BIO* source) const { BIO_free(source); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
template <class Object>
using Owned = std::unique_ptr<Object, FreeOpenssl>;

Owned<BIO> source_of(const std::string& bytes) {
  return Owned<BIO>(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// OpenSSL would ask the terminal; a daemon has nobody to ask.
int refuse_passphrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "OpenSSL refuses it" : reason;
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

struct ClientIdentity::Parts {
  Owned<X509> certificate;
  Owned<STACK_OF(X509)> chain;
  Owned<EVP_PKEY> key;

  bool read_certificates(const std::string& bytes) {
    const auto source = source_of(bytes);
    certificate.reset(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
    chain.reset(sk_X509_new_null());
    if (!certificate || !chain) {
      return false;
    }
    while (X509* next = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
      if (sk_X509_push(chain.get(), next) <= 0) {
        X509_free(next);
        return false;
      }
    }
    ERR_clear_error();  // of the end of the file
    return true;
  }
};

ClientIdentity::ClientIdentity(std::unique_ptr<Parts> parts) : parts_(std::move(parts)), number_(next_number()) {}
ClientIdentity::~ClientIdentity() = default;

Result<ClientIdentityRef> ClientIdentity::load(const domain::TlsIdentity& files) {
  constexpr std::size_t bytes_max = domain::limits::certificate_file_bytes;
  const auto certificate = FileContent::read(files.client_cert, certificate_field, bytes_max);
  if (!certificate) {
    return certificate.error();
  }
  const auto key = FileContent::read(files.client_key, key_field, bytes_max);
  if (!key) {
    return key.error();
  }
  ERR_clear_error();
  auto parts = std::make_unique<Parts>();
  if (!parts->read_certificates(certificate->bytes)) {
    ERR_clear_error();
    return file_error(certificate_field, "it is no PEM certificate", files.client_cert);
  }
  bool is_locked = false;
  parts->key.reset(PEM_read_bio_PrivateKey(source_of(key->bytes).get(), nullptr, &refuse_passphrase, &is_locked));
  if (!parts->key) {
    ERR_clear_error();
    return file_error(key_field, is_locked ? "its key wants a passphrase" : "it is no PEM private key",
                      files.client_key);
  }
  if (X509_check_private_key(parts->certificate.get(), parts->key.get()) != 1) {
    ERR_clear_error();
    return file_error(key_field, "it is not the key of the certificate in tls.client_cert", files.client_key);
  }
  const std::shared_ptr<ClientIdentity> identity(new ClientIdentity(std::move(parts)));
  identity->certificate_stamp_ = certificate->stamp;
  identity->key_stamp_ = key->stamp;
  return ClientIdentityRef(identity);
}

Result<void> ClientIdentity::show_in(ssl_st* session) const {
  if (SSL_use_cert_and_key(session, parts_->certificate.get(), parts_->key.get(), parts_->chain.get(), 1) == 1) {
    return {};
  }
  return base::Error{base::ErrorCode::invalid_field, "tls.client_cert cannot be used (" + last_reason() + ")", {}};
}

Result<ClientIdentityRef> ClientIdentities::get(const domain::TlsIdentity& files) {
  const auto certificate = FileStamp::of(files.client_cert, certificate_field);
  if (!certificate) {
    return certificate.error();
  }
  const auto key = FileStamp::of(files.client_key, key_field);
  if (!key) {
    return key.error();
  }
  const std::string name = files.client_cert + '\0' + files.client_key;
  const auto found = kept_.find(name);
  if (found != kept_.end() && found->second->is_current(*certificate, *key)) {
    return found->second;
  }
  auto loaded = ClientIdentity::load(files);
  if (!loaded) {
    return loaded.error();
  }
  if (kept_.size() >= kept_max) {
    kept_.clear();
  }
  kept_[name] = *loaded;
  return loaded;
}

}  // namespace webhookd::net
