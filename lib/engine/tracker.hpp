// Which messages are in somebody's hands: claimed, in flight, or changing in the store. The due index still lists them,
// and a claim may return them again; whoever is tracked is skipped, so no message has two attempts at once. A claim
// that was asked for before a change was durable may show the state from before it: entries therefore linger until
// every claim older than the change has been answered.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <unordered_map>

#include "base/id.hpp"

namespace webhookd::engine {

enum class Stage : std::uint8_t {
  ready,      // claimed, waiting for its turn
  flying,     // an attempt is under way
  settling,   // its outcome is being committed
  changing,   // a cancel is being committed
  lingering,  // nothing is under way, but an older claim may still show it
};

struct Tracked {
  Stage stage = Stage::ready;
  std::uint64_t attempt_key = 0;  // while flying
};

class Tracker {
 public:
  Tracked* find(base::MessageId message) {
    const auto found = messages_.find(message.value);
    return found == messages_.end() ? nullptr : &found->second;
  }
  Tracked& track(base::MessageId message, Stage stage) {
    Tracked& tracked = messages_[message.value];
    tracked = {stage, 0};
    return tracked;
  }
  void release(base::MessageId message) {
    if (claims_.empty()) {
      messages_.erase(message.value);
      return;
    }
    track(message, Stage::lingering);
    lingering_.push_back({next_claim_, message});
  }

  std::uint64_t begin_claim() {
    claims_.insert(next_claim_);
    return next_claim_++;
  }
  void end_claim(std::uint64_t claim) {
    claims_.erase(claim);
    while (!lingering_.empty() && (claims_.empty() || *claims_.begin() >= lingering_.front().claim)) {
      const auto found = messages_.find(lingering_.front().message.value);
      if (found != messages_.end() && found->second.stage == Stage::lingering) {
        messages_.erase(found);
      }
      lingering_.pop_front();
    }
  }

 private:
  struct Lingering {
    std::uint64_t claim;  // the first claim that began after the change was durable
    base::MessageId message;
  };
  std::unordered_map<std::uint64_t, Tracked> messages_;
  std::set<std::uint64_t> claims_;
  std::deque<Lingering> lingering_;
  std::uint64_t next_claim_ = 1;
};

}  // namespace webhookd::engine
