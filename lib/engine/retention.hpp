// When old messages and lines of the audit are removed: what settled `age` ago, and above `max_bytes` whatever settled
// first. A pass walks what settled, oldest first, in bounded steps with a pause between them, so that deliveries never
// wait for more than one; it begins when the oldest that is left comes of age, a while after something was written (the
// store may have grown too large), or soon after an event was refused for lack of room. With nothing stored and nothing
// written it sleeps, for as long as the audit keeps its lines: nobody tells of a line that is written, and one that is
// written while it sleeps comes of age no earlier than that.
//
// The place in the walk is kept from pass to pass: what was passed over waits, and stands further on once it settles.
//
// Never here: what is removed (store/rules.hpp), and a clock.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "base/time.hpp"
#include "store/store.hpp"

namespace webhookd::engine {

struct RetentionOptions {
  base::Duration age = std::chrono::hours(24 * 30);
  base::Duration audit_age = std::chrono::hours(24 * 365);
  std::uint64_t max_bytes = ~std::uint64_t{0};
  base::Duration remembered = std::chrono::hours(24);  // events are kept that long for their idempotency keys
  std::size_t step = 500;                              // messages and events removed in one transaction
};

class Retention {
 public:
  explicit Retention(RetentionOptions options) : options_(options) {}

  // At the start, and when the clock was set.
  void begin_anew(base::Time now);
  // From now on; what that makes old enough goes with a pass that begins at once.
  void change(base::Duration age, base::Duration audit_age, std::uint64_t max_bytes, base::Time now);
  void note_write(base::Time now);
  void note_full(base::Time now);
  // What to do now; its end is told by `take`, and until then there is nothing more to do.
  std::optional<store::ExpireStep> next_step(base::Time now);
  // True at the end of a pass that removed something: `removed` says how much.
  bool take(const base::Result<store::Expired>& expired, base::Time now);
  // When it wants to be asked again.
  std::optional<base::Time> wake() const;

  struct Removed {
    std::uint64_t messages = 0;
    std::uint64_t events = 0;
    std::uint64_t audit_lines = 0;
  };
  const Removed& removed() const { return removed_; }  // in the pass that just ended

 private:
  void begin_no_later_than(base::Time time);

  RetentionOptions options_;
  std::optional<base::Time> next_ = base::Time{};  // the next step, of this pass or a new one; at first: at once
  bool is_under_way_ = false;
  bool is_in_pass_ = false;
  bool was_refused_ = false;  // an event, and no pass has made room since
  base::Time full_pause_until_{};
  std::uint64_t after_ = 0;
  std::uint64_t after_event_ = 0;
  Removed removed_;
};

}  // namespace webhookd::engine
