// A lane is what the engine holds in memory for one webhook: its definition, its window, the messages claimed for it,
// and the position of the first due message not yet claimed. Lanes are what take turns; a webhook's backlog is
// in its own lane and nobody else's. Bounded: the claimed messages by the engine's memory budget, the rest is the
// store's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "domain/endpoint.hpp"
#include "domain/event.hpp"
#include "domain/webhook.hpp"
#include "engine/ports.hpp"
#include "store/store.hpp"

namespace webhookd::engine {

// A message that may start now.
struct Ready {
  base::MessageId message;
  domain::EventRef event;
  std::uint32_t attempts = 0;
  bool manual = false;

  // What it costs to hold, by the engine's memory budget: data and bookkeeping.
  std::size_t cost() const { return event->data.size() + 256; }
};

struct Lane;

// Requests in flight to one scheme, host and port, over all webhooks that share it.
struct Host {
  std::uint32_t in_flight = 0;
  std::deque<Lane*> parked;  // lanes whose turn came while the host was at its cap
};

struct Lane {
  explicit Lane(std::shared_ptr<const domain::Webhook> webhook) : definition(std::move(webhook)) {}

  std::shared_ptr<const domain::Webhook> definition;
  bool deleting = false;
  bool purged = false;  // nothing of it is left in the store
  std::shared_ptr<Host> host;

  domain::Window window;
  std::uint32_t in_flight = 0;
  std::uint32_t unsettled = 0;  // outcome known, commit under way

  std::deque<Ready> ready;
  std::optional<store::DuePosition> backlog;  // first due message not claimed, below the horizon
  bool claiming = false;

  base::Time not_before{};                 // after a shortage of ours
  std::optional<base::Time> expiry_sweep;  // while inactive: when held messages may have waited out their windows
  bool sweeping = false;

  bool queued = false;             // in the turn ring, or parked at its host
  std::optional<base::Time> wake;  // its entry in the engine's timers

  base::WebhookId id() const { return definition->id; }
  std::uint32_t room() const {
    const std::uint32_t size = window.size(definition->max_in_flight);
    return in_flight < size ? size - in_flight : 0;
  }
};

}  // namespace webhookd::engine
