#include "engine/registry.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace webhookd::engine {

namespace {

std::string host_key(const domain::Url& url) {
  return std::string(url.is_https() ? "s" : "p") + std::to_string(url.port()) + url.host();
}

std::string unknown_type_words(std::string_view type, const std::vector<std::string>& known) {
  std::string words = "event type `" + std::string(type) + "` is not in the catalogue";
  if (const auto meant = base::closest(type, known)) {
    words += "; did you mean `" + *meant + "`?";
  }
  return words;
}

}  // namespace

Lane& Registry::add(std::shared_ptr<const domain::Webhook> webhook) {
  subscribers_.clear();
  auto& lane = lanes_[webhook->id];
  lane = std::make_unique<Lane>(webhook);
  lane->host = host_of(webhook->url);
  return *lane;
}

void Registry::redefine(Lane& lane, std::shared_ptr<const domain::Webhook> webhook, base::Time now) {
  subscribers_.clear();
  const bool same_endpoint = webhook->url == lane.definition->url;
  const bool same_pace = webhook->rate == lane.definition->rate;
  const bool is_activated = webhook->is_active() && !lane.definition->is_active();
  lane.definition = std::move(webhook);
  if (!same_pace) {
    lane.pace = {};
  }
  if (!same_endpoint || is_activated) {
    // What was learnt about the old endpoint, or long ago, says nothing now.
    lane.window = {};
    lane.health.renew(now);
  }
  if (!same_endpoint) {
    lane.certificate_expires_at.reset();
    if (lane.host->forget(lane)) {
      lane.queued = false;
    }
    lane.host = host_of(lane.definition->url);
  }
}

void Registry::set_slots_per_host(std::uint32_t bound, std::deque<Lane*>& ring) {
  slots_per_host_ = bound;
  for (auto& [name, known] : hosts_) {
    if (const auto host = known.lock()) {
      host->set_bound(bound);
      host->readmit(ring);
    }
  }
}

std::shared_ptr<Slots> Registry::host_of(const domain::Url& url) {
  std::erase_if(hosts_, [](const auto& host) { return host.second.expired(); });
  auto& known = hosts_[host_key(url)];
  auto host = known.lock();
  if (!host) {
    host = std::make_shared<Slots>(slots_per_host_);
    known = host;
  }
  return host;
}

void Registry::remove(Lane& lane) {
  subscribers_.clear();
  lanes_.erase(lane.id());
}

Lane* Registry::find(base::WebhookId id) {
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? nullptr : found->second.get();
}

const Lane* Registry::find(base::WebhookId id) const {
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? nullptr : found->second.get();
}

const std::vector<store::Subscriber>& Registry::subscribers(const std::string& type) {
  const auto [entry, is_new] = subscribers_.try_emplace(type);
  if (is_new) {
    for (const auto& [id, lane] : lanes_) {
      if (!lane->deleting && lane->definition->is_active() && lane->definition->wants(type)) {
        entry->second.push_back({id, lane->definition->retry.window});
      }
    }
    // The map has no order of its own; messages of one event come in the order of their webhooks.
    std::sort(entry->second.begin(), entry->second.end(),
              [](const auto& a, const auto& b) { return a.webhook < b.webhook; });
  }
  return entry->second;
}

void Registry::put_type(const domain::EventType& type) { types_.insert_or_assign(type.name, type.origin); }

void Registry::remove_type(const std::string& name) {
  types_.erase(name);
  subscribers_.erase(name);
}

std::string Registry::user_of_type(std::string_view name) const {
  for (const auto& [id, lane] : lanes_) {
    const auto& events = lane->definition->events;
    if (!lane->deleting && std::find(events.begin(), events.end(), name) != events.end()) {
      return lane->definition->display_name;
    }
  }
  return {};
}

bool Registry::matches_any_type(std::string_view pattern) const {
  return pattern == "*" || std::any_of(types_.begin(), types_.end(), [pattern](const auto& type) {
           return domain::pattern_matches(pattern, type.first);
         });
}

bool Registry::has_pattern(base::WebhookId webhook, std::string_view pattern) const {
  const Lane* lane = find(webhook);
  return lane && std::find(lane->definition->events.begin(), lane->definition->events.end(), pattern) !=
                     lane->definition->events.end();
}

base::Result<void> Registry::check_removal(std::string_view name) const {
  const std::string shown = "event type `" + std::string(name) + "`";
  const auto found = types_.find(name);
  if (found == types_.end()) {
    return base::Error{base::ErrorCode::not_found, "there is no " + shown, {}};
  }
  if (found->second == domain::TypeOrigin::builtin) {
    return base::Error{base::ErrorCode::type_reserved, shown + " is built in and stays", {}};
  }
  if (const std::string user = user_of_type(name); !user.empty()) {
    return base::Error{
        base::ErrorCode::type_in_use, shown + " is named by webhook `" + user + "`: edit or delete that first", {}};
  }
  return {};
}

std::vector<std::string> Registry::type_names() const {
  std::vector<std::string> names;
  for (const auto& [name, origin] : types_) {
    names.push_back(name);
  }
  return names;
}

base::Result<void> Registry::check_type(std::string_view type) const {
  if (knows_type(type)) {
    return {};
  }
  base::Error error = base::field_error("/type", unknown_type_words(type, type_names()));
  error.code = base::ErrorCode::unknown_type;
  return error;
}

base::Result<void> Registry::check_events(const domain::Webhook& webhook) const {
  base::Error error{base::ErrorCode::invalid_field, {}, {}};
  for (std::size_t i = 0; i < webhook.events.size(); ++i) {
    if (!matches_any_type(webhook.events[i]) && !has_pattern(webhook.id, webhook.events[i])) {
      error.fields.push_back({"/events/" + std::to_string(i), unknown_type_words(webhook.events[i], type_names())});
    }
  }
  if (error.fields.empty()) {
    return {};
  }
  error.detail = error.fields.front().detail;
  return error;
}

}  // namespace webhookd::engine
