// Whether events are refused for want of room, as the log is told it: once when the first is refused, and once when
// there is room again. The store does not say when that is, so it is asked now and then, and only while it is full;
// an event that gets through in between is no news, or a store at the line would fill the log.
//
// Never here: what is refused (the store's), and a clock.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace webhookd::engine {

class Refusals {
 public:
  static constexpr base::Duration look_pause = std::chrono::seconds(5);

  // True of the first since there was room.
  bool note(base::Time now) {
    const bool is_news = !next_look_ && !is_looking_;
    if (is_news) {
      next_look_ = now + look_pause;
    }
    return is_news;
  }
  // True when the store is to be asked; `take` brings its answer.
  bool begin_look(base::Time now) {
    if (!next_look_ || *next_look_ > now) {
      return false;
    }
    next_look_.reset();
    is_looking_ = true;
    return true;
  }
  // True when there is room again.
  bool take(bool is_full, base::Time now) {
    is_looking_ = false;
    if (is_full) {
      next_look_ = now + look_pause;
    }
    return !is_full;
  }
  std::optional<base::Time> wake() const { return next_look_; }

 private:
  std::optional<base::Time> next_look_;
  bool is_looking_ = false;
};

}  // namespace webhookd::engine
