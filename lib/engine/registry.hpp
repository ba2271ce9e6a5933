// All webhooks and event types as the engine knows them, and the answer to "who wants this type?", computed once per
// type and kept until a webhook or a type changes.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "domain/event_type.hpp"
#include "engine/lane.hpp"
#include "engine/slots.hpp"

namespace webhookd::engine {

class Registry {
 public:
  explicit Registry(std::uint32_t slots_per_host) : slots_per_host_(slots_per_host) {}

  // Lanes that were refused a slot and may have one now go to the end of `ring`.
  void set_slots_per_host(std::uint32_t bound, std::deque<Lane*>& ring);
  Lane& add(std::shared_ptr<const domain::Webhook> webhook);
  // Takes the new definition and the host that goes with it; a lane parked at its old host leaves it.
  void redefine(Lane& lane, std::shared_ptr<const domain::Webhook> webhook, base::Time now);
  void remove(Lane& lane);
  Lane* find(base::WebhookId id);
  const Lane* find(base::WebhookId id) const;
  void forget_subscribers() { subscribers_.clear(); }

  template <class F>
  void each_lane(F&& visit) {
    for (auto& [id, lane] : lanes_) {
      visit(*lane);
    }
  }

  // One entry for each active webhook that wants `type`.
  const std::vector<store::Subscriber>& subscribers(const std::string& type);

  void put_type(const domain::EventType& type);
  void remove_type(const std::string& name);
  bool knows_type(std::string_view name) const { return types_.contains(name); }
  base::Result<void> check_type(std::string_view type) const;
  // Every pattern has a type, but for those that the webhook has had before: an edit of something else is no reason to
  // refuse it when the last type behind `resource.*` has gone meanwhile.
  base::Result<void> check_events(const domain::Webhook& webhook) const;
  // What removing the type is refused with: not_found, type_reserved (built in), type_in_use.
  base::Result<void> check_removal(std::string_view name) const;

 private:
  // The display name of a webhook that names this type itself; empty when none does.
  std::string user_of_type(std::string_view name) const;
  bool matches_any_type(std::string_view pattern) const;
  bool has_pattern(base::WebhookId webhook, std::string_view pattern) const;
  std::vector<std::string> type_names() const;

  std::uint32_t slots_per_host_;
  std::unordered_map<base::WebhookId, std::unique_ptr<Lane>> lanes_;
  std::shared_ptr<Slots> host_of(const domain::Url& url);

  std::unordered_map<std::string, std::weak_ptr<Slots>> hosts_;
  std::map<std::string, domain::TypeOrigin, std::less<>> types_;
  std::unordered_map<std::string, std::vector<store::Subscriber>> subscribers_;
};

}  // namespace webhookd::engine
