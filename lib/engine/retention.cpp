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

void Retention::change(base::Duration age, base::Duration audit_age, std::uint64_t max_bytes, Time now) {
  const bool is_same = options_.age == age && options_.audit_age == audit_age && options_.max_bytes == max_bytes;
  options_.age = age;
  options_.audit_age = audit_age;
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
  step.audit_before = now - options_.audit_age;
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
  removed_.audit_lines += expired->audit_lines;
  if (!expired->done) {
    next_ = now + step_pause;
    return false;
  }
  is_in_pass_ = false;
  const bool has_made_room = removed_.messages + removed_.events > 0;
  was_refused_ = was_refused_ && !has_made_room;
  full_pause_until_ = now + (has_made_room ? full_pause : barren_pause);
  next_.reset();
  // Not before it is older than its age, and a while later, so that many go in one pass.
  if (expired->next) {
    next_ = std::max(*expired->next + options_.age + 1ms, now) + look_after_write;
  }
  const Time of_audit = std::max(expired->next_audit.value_or(now) + options_.audit_age + 1ms, now) + look_after_write;
  next_ = std::min(next_.value_or(of_audit), of_audit);
  return has_made_room || removed_.audit_lines > 0;
}

std::optional<Time> Retention::wake() const { return is_under_way_ ? std::nullopt : next_; }

}  // namespace webhookd::engine
