// An event: accepted once, immutable, shared by reference by all its messages. `data` is the producer's bytes,
// never parsed or copied after the border.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "base/time.hpp"

namespace webhookd::domain {

// Where an event was accepted first, when that was another store: it was carried over with its history, and is known by
// this pair wherever it goes.
struct Origin {
  std::string store;  // its id
  base::EventId event;
  bool operator==(const Origin&) const = default;
};

struct Event {
  base::EventId id;
  std::string type;
  base::Time timestamp{};  // the producer's, or when it was accepted
  base::Time accepted_at{};
  std::string idempotency_key;  // empty when none was given
  std::string data;             // a valid JSON text, verbatim
  std::optional<Origin> origin = {};
  bool operator==(const Event&) const = default;
};

using EventRef = std::shared_ptr<const Event>;

}  // namespace webhookd::domain
