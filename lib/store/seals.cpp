#include "store/seals.hpp"

#include <algorithm>

namespace webhookd::store {

void Seals::add(SealerRef sealer) {
  const std::lock_guard lock(mutex_);
  sealers_.push_back(std::move(sealer));
}

SealerRef Seals::find(std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(sealers_.begin(), sealers_.end(),
                                  [key_id](const SealerRef& sealer) { return sealer->key_id() == key_id; });
  return found == sealers_.end() ? nullptr : *found;
}

std::optional<std::string> Seals::open(std::string_view sealed, std::string_view place) const {
  const std::lock_guard lock(mutex_);
  for (const SealerRef& sealer : sealers_) {
    if (auto plain = sealer->open(sealed, place)) {
      return plain;
    }
  }
  return std::nullopt;
}

}  // namespace webhookd::store
