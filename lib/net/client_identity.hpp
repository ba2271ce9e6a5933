// The certificates with which webhooks show themselves in a TLS handshake: read from the files that the definition
// names, and again when one of them has changed. A private key never leaves this object but into an OpenSSL session.
//
// One object for each loop; nothing is locked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.hpp"
#include "domain/authentication.hpp"
#include "net/small_file.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace webhookd::net {

class ClientIdentity {
 public:
  ~ClientIdentity();
  ClientIdentity(const ClientIdentity&) = delete;
  ClientIdentity& operator=(const ClientIdentity&) = delete;

  // Errors name the field; those of code `unavailable` are a shortage.
  static base::Result<std::shared_ptr<const ClientIdentity>> load(const domain::TlsIdentity& files);

  // What a session shows when it is asked. Why it cannot, in words; nothing when it can.
  base::Result<void> show_in(ssl_st* session) const;
  // Differs between any two identities that were loaded: connections and TLS sessions made with one are never used
  // with another.
  std::uint64_t number() const { return number_; }
  // Still what the files hold.
  bool is_current(const FileStamp& certificate, const FileStamp& key) const {
    return certificate == certificate_stamp_ && key == key_stamp_;
  }

 private:
  struct Parts;
  explicit ClientIdentity(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
  FileStamp certificate_stamp_;
  FileStamp key_stamp_;
  std::uint64_t number_ = 0;
};
using ClientIdentityRef = std::shared_ptr<const ClientIdentity>;

class ClientIdentities {
 public:
  static constexpr std::size_t kept_max = 4096;

  base::Result<ClientIdentityRef> get(const domain::TlsIdentity& files);

 private:
  std::unordered_map<std::string, ClientIdentityRef> kept_;  // by both paths
};

}  // namespace webhookd::net
