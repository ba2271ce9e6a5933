#include "sim/simulation.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "support/sim_world.hpp"

namespace webhookd::sim {

namespace {

using namespace webhookd::support;
using base::MessageId;
using domain::MessageStatus;
using domain::OutcomeKind;

enum class Temper { healthy, flaky, dead, hanging, refusing, recovering };
constexpr std::uint64_t temper_count = 6;
constexpr auto recovery_time = 30h;

// What the outside knows of a message.
struct Known {
  base::WebhookId webhook;
  std::uint64_t attempts = 0;
  bool receiver_said_yes = false;
  bool cancel_answered = false;  // and not retried since
  bool in_flight = false;
  Time last_attempt_at{};
};

// What an outside observer sees of an endpoint.
struct Seen {
  int failures_in_row = 0;
  bool was_down = false;
  Time recovered_at{};
};

// The promises are looked at in the end, in what is left then: nothing may have gone for its age.
engine::EngineOptions keeping_all() {
  engine::EngineOptions options;
  options.retention_age = 3650 * 24h;
  return options;
}

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options), world_(options.seed, keeping_all()), draw_(base::mix64(options.seed + 1)) {
    world_.receive = [this](const auto& request) { return answer(request); };
    world_.on_start = [this](const auto& request) { check_start(request); };
    world_.crash_now = [this](bool& after_commit) { return draw_crash(after_commit); };
  }

  SimulationResult run() {
    for (int i = 0; i < options_.webhooks; ++i) {
      add_webhook();
    }
    const Time end = sim_start + std::chrono::hours(24 * options_.days);
    for (int i = 0; i < options_.events; ++i) {
      plan(end, [this] { emit(); });
    }
    for (int i = 0; i < options_.events / 4; ++i) {
      plan(end, [this] { meddle(); });
    }
    for (int i = 0; i < 40; ++i) {
      plan(end, [this] { check_nothing_idles(); });
    }
    world_.run_until(end);
    is_over_ = true;  // no more crashes, everybody is active again: what waits comes to its end
    activate_all();
    world_.run_until(end + 41 * 24h);
    check_end();
    result_.commits = world_.commits();
    result_.crashes = world_.crashes();
    result_.attempts = world_.attempts().size();
    return result_;
  }

 private:
  void broken(const std::string& what) {
    if (result_.broken.size() < 20) {
      result_.broken.push_back(base::format_time(world_.now()) + " " + what);
    }
  }

  void note(std::uint64_t value) { result_.digest = base::mix64(result_.digest ^ value) + value; }

  void plan(Time end, std::function<void()> task) {
    const auto span = static_cast<std::uint64_t>((end - sim_start).count());
    world_.at(sim_start + Duration{static_cast<std::int64_t>(draw_.below(span))}, std::move(task));
  }

  // ---- the world's side ----

  void add_webhook() {
    const std::uint64_t number = next_name_++;
    domain::Webhook webhook = sim_webhook("w" + std::to_string(number));
    webhook.retry.window = draw_.below(3) == 0 ? Duration{2h} : Duration{10 * 24h};
    webhook.max_in_flight = static_cast<std::uint32_t>(1 + draw_.below(16));
    const Temper temper = static_cast<Temper>(draw_.below(temper_count));
    world_.engine().create_webhook(webhook, world_.now(), [this, temper](auto created) {
      if (created) {
        tempers_[created->id] = temper;
        webhooks_[created->id] = *created;
      }
    });
  }

  SimAnswer answer(const engine::AttemptRequest& request) {
    note(request.message.value ^ static_cast<std::uint64_t>(base::to_ms(request.at)));
    SimAnswer drawn = draw_answer(tempers_[request.webhook->id]);
    if (draw_.below(200) == 0) {
      drawn.shortage = true;
    }
    Known& known = messages_[request.message.value];
    known.in_flight = true;
    // The receiver has said yes when the answer leaves it, whatever becomes of the daemon meanwhile.
    if (!drawn.shortage && drawn.outcome.kind == OutcomeKind::success) {
      known.receiver_said_yes = true;
    }
    if (!drawn.shortage) {
      known.last_attempt_at = request.at;
    }
    world_.at(world_.now() + drawn.latency,
              [this, id = request.message.value, webhook = request.webhook->id, drawn, life = world_.crashes()] {
                messages_[id].in_flight = false;
                if (life == world_.crashes()) {  // the daemon that asked is there to hear the answer
                  observe(seen_[webhook], drawn);
                }
              });
    return drawn;
  }

  void observe(Seen& seen, const SimAnswer& drawn) {
    if (drawn.shortage) {
      return;
    }
    if (domain::endpoint_signal(drawn.outcome) == domain::EndpointSignal::failing) {
      seen.was_down |= ++seen.failures_in_row >= domain::EndpointHealth::failures_until_down;
      return;
    }
    seen.failures_in_row = 0;
    if (drawn.outcome.kind == OutcomeKind::success && std::exchange(seen.was_down, false)) {
      seen.recovered_at = world_.now();
    }
  }

  SimAnswer draw_answer(Temper temper) {
    const Duration latency{static_cast<std::int64_t>(1 + draw_.below(300))};
    switch (temper) {
      case Temper::healthy:
        return {answered(200), latency};
      case Temper::flaky:
        return {answered(draw_.below(2) == 0 ? 200 : 503), latency};
      case Temper::dead:
        return {failed(OutcomeKind::connect, "refused"), Duration{1}};
      case Temper::hanging:
        return {failed(OutcomeKind::timeout, "no answer"), Duration{15'000}};
      case Temper::refusing:
        return {answered(draw_.below(100) == 0 ? 410 : 400), latency};
      case Temper::recovering:
        return {answered(world_.now() > sim_start + recovery_time ? 204 : 500), latency};
    }
    return {answered(200), latency};
  }

  bool draw_crash(bool& after_commit) {
    if (is_over_ || draw_.below(1000) >= static_cast<std::uint64_t>(options_.crashes_per_thousand_commits)) {
      return false;
    }
    after_commit = draw_.below(2) == 0;
    for (auto& [id, known] : messages_) {
      known.in_flight = false;
    }
    return true;
  }

  // ---- what people and producers do; each answer is remembered only when it came ----

  void emit() {
    std::vector<engine::EventDraft> drafts(1 + draw_.below(4), {"subscription.create", "{}", {}, {}});
    world_.engine().accept(std::move(drafts), world_.now(), [this](auto results) {
      for (const auto& accepted : *results) {
        if (!accepted) {
          continue;
        }
        ++result_.events;
        for (const auto& ref : accepted->messages) {
          messages_[ref.message.value].webhook = ref.webhook;
          answered_.insert(ref.message.value);
        }
      }
    });
  }

  base::WebhookId some_webhook() {
    auto place = webhooks_.begin();
    std::advance(place, static_cast<std::ptrdiff_t>(draw_.below(webhooks_.size())));
    return place->first;
  }

  void meddle() {
    if (webhooks_.empty()) {
      add_webhook();
      return;
    }
    switch (draw_.below(40)) {
      case 0:
        return remove(some_webhook());
      case 1:
        return add_webhook();
      case 2:
      case 3:
      case 4:
      case 5:
        return toggle(some_webhook());
      default:
        return draw_.below(2) == 0 ? cancel_some() : retry_some();
    }
  }

  void remove(base::WebhookId id) {
    doomed_.insert(id.value);
    webhooks_.erase(id);
    world_.engine().delete_webhook(id, [](auto) {});
  }

  void toggle(base::WebhookId id) {
    domain::Webhook webhook = world_.webhook(id).webhook;
    webhook.status = webhook.is_active() ? domain::WebhookStatus::inactive : domain::WebhookStatus::active;
    const std::uint64_t version = webhook.version;
    world_.engine().edit_webhook(webhook, version, world_.now(), [](auto) {});
  }

  void activate_all() {
    for (const auto& [id, unused] : webhooks_) {
      if (!world_.webhook(id).webhook.is_active()) {
        toggle(id);
      }
    }
  }

  std::optional<MessageId> some_message() {
    if (answered_.empty()) {
      return std::nullopt;
    }
    auto place = answered_.begin();
    std::advance(place, static_cast<std::ptrdiff_t>(draw_.below(answered_.size())));
    return MessageId{*place};
  }

  void cancel_some() {
    const auto id = some_message();
    if (id) {
      world_.engine().cancel(*id, {0, ""}, world_.now(), [this, id](auto cancelled) {
        messages_[id->value].cancel_answered |= cancelled.has_value();
      });
    }
  }

  void retry_some() {
    const auto id = some_message();
    if (id) {
      // From the moment it is asked for, an attempt is allowed again.
      messages_[id->value].cancel_answered = false;
      world_.engine().retry(*id, {0, ""}, world_.now(), [](auto) {});
    }
  }

  // ---- the promises ----

  void check_start(const engine::AttemptRequest& request) {
    Known& known = messages_[request.message.value];
    ++known.attempts;
    if (known.cancel_answered) {
      broken("promise 4: an attempt of " + to_string(request.message) + " started after its cancel was answered");
    }
    if (known.in_flight) {
      broken("two attempts of " + to_string(request.message) + " at once");
    }
    if (!world_.exists(request.message)) {
      return;  // deleted while its request was on the way
    }
    const domain::Message message = world_.message(request.message);
    if (!message.is_waiting()) {
      broken("an attempt of a settled message " + to_string(request.message) + " started");
    } else if (*message.next_attempt_at > request.at &&
               known.last_attempt_at >= seen_[request.webhook->id].recovered_at) {
      broken("an attempt of " + to_string(request.message) + " started before it was due");
    }
    if (world_.in_flight(request.webhook->id) >= request.webhook->max_in_flight) {
      broken("more requests in flight than the window of " + to_string(request.webhook->id));
    }
  }

  // Whatever is overdue at an endpoint that counts as up has a request in flight before it: nothing waits while
  // capacity is free. (A pause after a shortage of ours is a second.)
  void check_nothing_idles() {
    for (const std::uint64_t value : answered_) {
      const Known& known = messages_[value];
      const MessageId id{value};
      if (doomed_.contains(known.webhook.value) || !world_.exists(id) || world_.in_flight(known.webhook) > 0) {
        continue;
      }
      const auto figures = world_.engine().webhook_figures(known.webhook);
      const domain::Message message = world_.message(id);
      if (figures && figures->health == domain::Health::up && world_.webhook(known.webhook).webhook.is_active() &&
          message.is_waiting() && *message.next_attempt_at + 3s < world_.now()) {
        broken(to_string(id) + " is overdue and nothing is in flight to its endpoint");
      }
    }
  }

  void check_end() {
    for (const std::uint64_t value : answered_) {
      const MessageId id{value};
      const Known& known = messages_[value];
      if (doomed_.contains(known.webhook.value)) {
        continue;
      }
      if (!world_.exists(id)) {
        broken("promise 1: " + to_string(id) + " was answered and is lost");
        continue;
      }
      const domain::Message message = world_.message(id);
      ++result_.messages;
      ++result_.by_status[static_cast<int>(message.status)];
      note(value ^ static_cast<std::uint64_t>(message.status));
      if (message.is_waiting() || message.reason == domain::SettleReason::none) {
        broken("promise 2: " + to_string(id) + " never came to its end");
      }
      if (message.status == MessageStatus::success && !known.receiver_said_yes) {
        broken("promise 5: " + to_string(id) + " succeeded without a receiver's yes");
      }
      check_deadline(message);
    }
  }

  void check_deadline(const domain::Message& message) {
    if (message.reason == domain::SettleReason::expired && *message.settled_at < message.deadline) {
      broken("promise 2: " + to_string(message.id) + " failed before its deadline");
    }
  }

  SimulationOptions options_;
  SimWorld world_;
  base::Random draw_;
  SimulationResult result_;
  bool is_over_ = false;
  std::uint64_t next_name_ = 0;
  std::map<base::WebhookId, Temper> tempers_;
  std::map<base::WebhookId, domain::Webhook> webhooks_;
  std::set<std::uint64_t> doomed_;
  std::map<std::uint64_t, Known> messages_;
  std::map<base::WebhookId, Seen> seen_;
  std::set<std::uint64_t> answered_;
};

}  // namespace

SimulationResult simulate(const SimulationOptions& options) { return Simulation(options).run(); }

}  // namespace webhookd::sim
