// A certificate authority for one test run: roots, and certificates good and bad, of servers and clients, made by
// OpenSSL when they are asked for.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/temporary_file.hpp"

namespace webhookd::test {

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeOpenssl>;
using Certificate = std::unique_ptr<X509, FreeOpenssl>;
using ServerContext = std::unique_ptr<SSL_CTX, FreeOpenssl>;

// What a certificate says. Times are seconds from now.
struct CertificateShape {
  std::string names = "IP:127.0.0.1";  // subjectAltName
  long valid_from = -3600;
  long valid_until = 3600;
  int rsa_bits = 0;        // 0: P-256
  const char* usage = "";  // extendedKeyUsage; empty: any
  bool is_self_signed = false;
  bool is_signed_with_sha1 = false;
  bool shows_its_root = false;  // sends the authority's certificate along
};

// A client's certificate and key, as the files that a webhook names.
struct ClientFiles {
  TemporaryFile certificate;
  TemporaryFile key;
};

class Authority {
 public:
  explicit Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    root_ = make(name, key_.get(), {}, true, name, key_.get());
    char path[] = "/tmp/webhookd-test-ca-XXXXXX";
    const int descriptor = mkstemp(path);
    FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "w");
    if (file == nullptr || PEM_write_X509(file, root_.get()) != 1) {
      throw std::runtime_error("cannot write a test certificate");
    }
    fclose(file);
    file_ = path;
    name_ = name;
  }
  ~Authority() { unlink(file_.c_str()); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& file() const { return file_; }

  // A server that shows a certificate of this authority.
  ServerContext server(const CertificateShape& shape = {}) const {
    const Key key(shape.rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(shape.rsa_bits)) : EVP_EC_gen("P-256"));
    const Certificate certificate = issue("server", key.get(), shape);
    ServerContext context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_security_level(context.get(), 0);  // so that it can show weak ones
    if (SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
      throw std::runtime_error("a test server cannot use its certificate");
    }
    if (shape.shows_its_root && SSL_CTX_add1_chain_cert(context.get(), root_.get()) != 1) {
      throw std::runtime_error("a test server cannot show its root");
    }
    return context;
  }
  // One that also wants a client certificate of this authority.
  ServerContext server_for_clients() const {
    ServerContext context = server();
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("test"), 4);
    if (SSL_CTX_load_verify_file(context.get(), file_.c_str()) != 1) {
      throw std::runtime_error("a test server cannot read its authority");
    }
    return context;
  }
  // A client called `name`.
  std::unique_ptr<ClientFiles> client(const std::string& name) const {
    auto files = std::make_unique<ClientFiles>();
    write_client(name, *files);
    return files;
  }
  // A private key that wants a passphrase.
  static std::string locked_key() {
    const Key key(EVP_EC_gen("P-256"));
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(memory, key.get(), EVP_aes_128_cbc(), "passphrase", 10, nullptr, nullptr);
    return text_of(memory);
  }
  // Replaces both files, as a renewal does.
  void write_client(const std::string& name, const ClientFiles& files) const {
    const Key key(EVP_EC_gen("P-256"));
    files.certificate.write(pem_of(issue(name, key.get(), {}).get()));
    files.key.write(pem_of(key.get()));
  }

 private:
  Certificate issue(const std::string& name, EVP_PKEY* key, const CertificateShape& shape) const {
    return shape.is_self_signed ? make(name, key, shape, false, name, key)
                                : make(name, key, shape, false, name_, key_.get());
  }
  template <class Object>
  static std::string pem_of(Object* object) {
    BIO* memory = BIO_new(BIO_s_mem());
    if constexpr (std::is_same_v<Object, X509>) {
      PEM_write_bio_X509(memory, object);
    } else {
      PEM_write_bio_PrivateKey(memory, object, nullptr, nullptr, 0, nullptr, nullptr);
    }
    return text_of(memory);
  }
  static std::string text_of(BIO* memory) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    std::string text(bytes, static_cast<std::size_t>(size));
    BIO_free(memory);
    return text;
  }
  static Certificate make(const std::string& name, EVP_PKEY* key, const CertificateShape& shape, bool is_root,
                          const std::string& issuer, EVP_PKEY* issuer_key) {
    static long serial = 1;
    Certificate certificate(X509_new());
    X509* x = certificate.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), shape.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(x), shape.valid_until);
    set_name(X509_get_subject_name(x), name);
    set_name(X509_get_issuer_name(x), issuer);
    X509_set_pubkey(x, key);
    add_extension(x, NID_basic_constraints, is_root ? "critical,CA:TRUE" : "CA:FALSE");
    if (!is_root && !shape.names.empty()) {
      add_extension(x, NID_subject_alt_name, shape.names);
    }
    if (shape.usage[0] != '\0') {
      add_extension(x, NID_ext_key_usage, shape.usage);
    }
    if (X509_sign(x, issuer_key, shape.is_signed_with_sha1 ? EVP_sha1() : EVP_sha256()) == 0) {
      throw std::runtime_error("cannot sign a test certificate");
    }
    return certificate;
  }
  static void set_name(X509_NAME* name, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1,
                               0);
  }
  static void add_extension(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  Key key_;
  Certificate root_;
  std::string name_;
  std::string file_;
};

}  // namespace webhookd::test
