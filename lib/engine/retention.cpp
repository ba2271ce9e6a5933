#include "engine/retention.hpp"

#include <algorithm>

namespace webhookd::engine {

namespace {

using base::Time;
using namespace std::chrono_literals;

constexpr base::Duration step_pause = 20ms;
constexpr base::Duration look_after_write = 10s;
constexpr base::Duration full_pause = 1s;
constexpr base::Duration barren_pause = 30s;  // after a pass that found nothing to remove
constexpr base::Duration failure_pause = 1min;

}  // namespace

void Retention::begin_anew(Time now) {
  after_ = 0;
  full_pause_until_ = {};
  next_ = now;
}

void Retention::change(base::Duration age, std::uint64_t max_bytes, Time now) {
  const bool is_same = options_.age == age && options_.max_bytes == max_bytes;
  options_.age = age;
  options_.max_bytes = max_bytes;
  if (!is_same) {
    begin_anew(now);
  }
}

void Retention::begin_no_later_than(Time time) {
  if (!is_in_pass_) {
    next_ = std::min(next_.value_or(time), time);
  }
}

void Retention::note_write(Time now) { begin_no_later_than(now + (was_refused_ ? full_pause : look_after_write)); }

void Retention::note_full(Time now) {
  was_refused_ = true;
  begin_no_later_than(std::max(now, full_pause_until_));
}

std::optional<store::ExpireStep> Retention::next_step(Time now) {
  if (is_under_way_ || !next_ || *next_ > now) {
    return std::nullopt;
  }
  if (!is_in_pass_) {
    removed_ = {};
  }
  is_under_way_ = true;
  is_in_pass_ = true;
  store::ExpireStep step;
  step.before = now - options_.age;
  step.now = now;
  step.remembered_since = now - options_.remembered;
  step.max_bytes = options_.max_bytes;
  step.after = after_;
  step.after_event = after_event_;
  step.limit = options_.step;
  return step;
}

bool Retention::take(const base::Result<store::Expired>& expired, Time now) {
  is_under_way_ = false;
  if (!expired) {
    is_in_pass_ = false;
    next_ = now + failure_pause;
    return false;
  }
  after_ = std::max(after_, expired->after);
  after_event_ = expired->after_event;
  removed_.messages += expired->messages;
  removed_.events += expired->events;
  if (!expired->done) {
    next_ = now + step_pause;
    return false;
  }
  is_in_pass_ = false;
  const bool has_removed = removed_.messages + removed_.events > 0;
  was_refused_ = was_refused_ && !has_removed;
  full_pause_until_ = now + (has_removed ? full_pause : barren_pause);
  next_.reset();
  if (expired->next) {
    // Not before it is older than the age, and a while later, so that many go in one pass.
    next_ = std::max(*expired->next + options_.age + 1ms, now) + look_after_write;
  }
  return has_removed;
}

std::optional<Time> Retention::wake() const { return is_under_way_ ? std::nullopt : next_; }

}  // namespace webhookd::engine
