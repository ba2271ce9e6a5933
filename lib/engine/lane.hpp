// A lane is what the engine holds in memory for one webhook: its definition, its window and health, the messages
// claimed for it, and the position of the first due message not yet claimed. Lanes are what take turns; a webhook's
// backlog is in its own lane and nobody else's. Bounded: the claimed messages by the engine's memory budget, the rest
// is the store's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "domain/endpoint.hpp"
#include "domain/event.hpp"
#include "domain/webhook.hpp"
#include "engine/ports.hpp"
#include "engine/recent.hpp"
#include "store/store.hpp"

namespace webhookd::engine {

// A message that may start now.
struct Ready {
  base::MessageId message;
  domain::EventRef event;
  std::uint32_t attempts = 0;
  bool manual = false;
  base::Time due{};
  base::Time deadline{};

  bool is_fresh() const { return attempts == 0; }
  store::DuePosition position() const { return {due, message.sequence()}; }
  // What it costs to hold, by the engine's memory budget: data and bookkeeping.
  std::size_t cost() const { return event->data.size() + 256; }
};

class Slots;

// An endpoint that was down has answered: what waits for it is due at once, whatever its own wait, if its last attempt
// was made before. The due index is walked from `cursor`; records are not rewritten.
struct Release {
  base::Time since{};
  store::DuePosition cursor;
};

struct Lane {
  explicit Lane(std::shared_ptr<const domain::Webhook> webhook) : definition(std::move(webhook)) {}

  std::shared_ptr<const domain::Webhook> definition;
  bool deleting = false;
  bool purged = false;          // nothing of it is left in the store
  std::shared_ptr<Slots> host;  // of its scheme, host and port, over all webhooks that share them

  domain::Window window;
  domain::EndpointHealth health;
  domain::Pace pace;
  RecentHours failures;                              // of messages
  std::optional<base::Time> certificate_expires_at;  // the receiver's, as last seen
  std::uint32_t in_flight = 0;
  std::uint32_t unsettled = 0;  // outcome known, commit under way

  // Lists, because an empty deque takes a page's eighth, and most of thousands of lanes are empty.
  std::list<Ready> ready;     // claimed, or accepted with nothing older before it; in due order
  std::list<Ready> arrivals;  // accepted or asked for by a person while older ones wait in the store; takes every
                              // other turn, so that what is new is not last in line
  bool is_arrivals_turn = true;
  std::uint32_t fresh_held = 0;               // of both: never tried
  std::optional<store::DuePosition> backlog;  // first due message not claimed, below the horizon
  std::optional<Release> release;
  bool claiming = false;

  base::Time up_since{};                   // it was down until then; before, nothing was late by our doing
  base::Time not_before{};                 // after a shortage of ours, or a timeout of a suspect endpoint
  std::optional<base::Time> expiry_sweep;  // while held: when waiting messages may have waited out their windows
  bool sweeping = false;

  bool queued = false;             // in the turn ring, or parked
  std::optional<base::Time> wake;  // its entry in the engine's timers

  base::WebhookId id() const { return definition->id; }
  // How many more requests may start; a probe goes alone.
  std::uint32_t room() const {
    const std::uint32_t size = health.is_down() ? 1 : window.size(definition->max_in_flight);
    return in_flight < size ? size - in_flight : 0;
  }
  base::Time earliest_start() const {
    const base::Time by_pace = definition->rate ? pace.not_before() : base::Time{};
    return std::max({not_before, health.not_before(), by_pace});
  }
  bool holds_any() const { return !ready.empty() || !arrivals.empty(); }
  bool has_due_in_store(base::Time now) const { return (backlog && backlog->due <= now) || release; }
  // A deadline that passed while nothing was tried is the end of the message (behaviour.md section 6); one that passed
  // before its endpoint was watched is not: the last attempt is owed.
  bool has_waited_out(base::Time deadline, base::Time now) const {
    return deadline <= now && (!definition->is_active() || deadline > health.watched_since());
  }
  // No attempt is made before deadlines pass: inactive, or known to be dead right now (behaviour.md section 6).
  bool is_held(base::Time now) const { return !definition->is_active() || health.is_freshly_probed(now); }
};

}  // namespace webhookd::engine
