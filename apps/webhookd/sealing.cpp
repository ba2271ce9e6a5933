#include "sealing.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "crypto/master_key.hpp"
#include "net/small_file.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view field = "secrets.master_key_file";
constexpr std::string_view credential = "master_key";
constexpr std::size_t key_file_bytes_max = 4096;

class KeySealer final : public store::Sealer {
 public:
  explicit KeySealer(crypto::MasterKey key) : key_(std::move(key)) {}
  const std::string& key_id() const override { return key_.id(); }
  std::string seal(std::string_view plain, std::string_view place) const override {
    return key_.seal(plain, place, crypto::random_nonce());
  }
  std::optional<std::string> open(std::string_view sealed, std::string_view place) const override {
    return key_.open(sealed, place);
  }

 private:
  crypto::MasterKey key_;
};

std::string credentials_directory() {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory == nullptr ? "" : directory;
}

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string next_of(const std::string& path) { return path + ".next"; }

Result<void> check_mode(const std::string& path) {
  struct stat file {};
  const std::string credentials = credentials_directory();
  const bool is_credential = !credentials.empty() && path.starts_with(credentials + "/");
  if (!is_credential && ::stat(path.c_str(), &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return net::file_error(field, "others than its owner may use it: chmod 0600", path);
  }
  return {};
}

Result<store::SealerRef> read_key(const std::string& path) {
  if (auto mode = check_mode(path); !mode) {
    return mode.error();
  }
  auto content = net::FileContent::read(path, field, key_file_bytes_max);
  if (!content) {
    return content.error();
  }
  auto key = crypto::MasterKey::parse(content->bytes);
  ::explicit_bzero(content->bytes.data(), content->bytes.size());
  if (!key) {
    return net::file_error(field, key.error().detail, path);
  }
  return store::SealerRef(std::make_shared<KeySealer>(std::move(*key)));
}

}  // namespace

std::string master_key_path(const Settings& settings) {
  if (!settings.secrets_master_key_file.empty()) {
    return settings.secrets_master_key_file;
  }
  const std::string credentials = credentials_directory();
  const std::string path = credentials + "/" + std::string(credential);
  return !credentials.empty() && is_there(path) ? path : std::string();
}

Result<MasterKeys> read_master_keys(const std::string& path) {
  MasterKeys keys;
  if (path.empty()) {
    return keys;
  }
  auto present = read_key(path);
  if (!present) {
    return present.error();
  }
  keys.sealers.push_back(std::move(*present));
  if (is_there(next_of(path))) {
    auto next = read_key(next_of(path));
    if (next) {
      keys.sealers.push_back(std::move(*next));
    } else {
      keys.next_fault = next.error().detail;
    }
  }
  return keys;
}

Result<store::SealerRef> read_next_master_key(const std::string& path) {
  if (path.empty()) {
    return Error{ErrorCode::no_master_key,
                 "the store is not sealed: set secrets.master_key_file, or load the credential master_key, and restart",
                 {}};
  }
  if (!is_there(next_of(path))) {
    return Error{ErrorCode::no_master_key, "put the key that takes its place into " + next_of(path) + " first", {}};
  }
  return read_key(next_of(path));
}

}  // namespace webhookd::daemon
