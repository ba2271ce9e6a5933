// What became of an event: its messages, and their attempts. A history leaves one store and enters another as it is;
// what enters must be one that the rules of message.hpp can have made, since the rest of the house relies on them.
//
// Ids are those of the store that it left; the store that it enters gives its own.
//
// Never here: how a history is written down, which webhook a message belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "domain/attempt.hpp"
#include "domain/event.hpp"
#include "domain/message.hpp"

namespace webhookd::domain {

struct MessageHistory {
  Message message;
  std::vector<Attempt> attempts;  // oldest first, at most the latest limits::attempts_in_history
  bool operator==(const MessageHistory&) const = default;
};

struct EventHistory {
  std::shared_ptr<Event> event;
  std::vector<MessageHistory> messages;
};

// It can have come about: the times are times of this world, the status fits the reason, the times and the attempts,
// and texts are within their bounds. Errors are invalid_field with pointers below the message ("/status"), all at once.
base::Result<void> check_history(const MessageHistory& history, Time now);
// The same for the event's own times.
base::Result<void> check_history(const Event& event, Time now);

// Nothing happened to the message since it was made.
bool is_untouched(const Message& message);

}  // namespace webhookd::domain
