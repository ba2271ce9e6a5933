// Secrets at rest. Whoever opens a store may bring sealers: the store then keeps signing secrets sealed, and names in a
// row of its own which sealer that is, so that all seals of one state were made by one of them. Making another one that
// sealer is one transaction: at any moment the store is sealed with the one or with the other, and whoever brings both
// can open it.
//
// Never here: keys and ciphers.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::store {

// Any thread.
class Sealer {
 public:
  virtual ~Sealer() = default;
  virtual const std::string& key_id() const = 0;
  virtual std::string seal(std::string_view plain, std::string_view place) const = 0;
  // Nothing when this sealer did not seal it, for this place.
  virtual std::optional<std::string> open(std::string_view sealed, std::string_view place) const = 0;
};
using SealerRef = std::shared_ptr<const Sealer>;

// The sealers at hand. Any thread.
class Seals {
 public:
  Seals() = default;
  explicit Seals(std::vector<SealerRef> sealers) : sealers_(std::move(sealers)) {}

  void add(SealerRef sealer);
  // Null when there is none of this id.
  SealerRef find(std::string_view key_id) const;
  std::optional<std::string> open(std::string_view sealed, std::string_view place) const;

 private:
  mutable std::mutex mutex_;
  std::vector<SealerRef> sealers_;
};

}  // namespace webhookd::store
