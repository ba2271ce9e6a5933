// Bulk tasks that run: which of them may make a step now, how large, and when the next one may. The record of a task is
// the store's; what is here is rebuilt from it at a start, and a task goes on behind its last committed step.
//
// A task first counts what matches, so that its progress has an end, then steps through it. Steps are small: they share
// commits with deliveries, and between two of them everybody else has a turn. A rate is kept by the pause after a step:
// as long as its messages are worth.
//
// Never here: the store, what a step does (bulk.cpp), a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "store/store.hpp"

namespace webhookd::engine {

class Tasks {
 public:
  static constexpr std::size_t running_max = 64;

  struct Running {
    store::BulkTask task;
    std::uint64_t counted = 0;              // so far
    std::optional<std::uint64_t> count_at;  // where counting goes on; none: it is done
    base::Time not_before{};
    bool is_stepping = false;
  };

  bool has_room() const { return running_.size() < running_max; }
  void add(store::BulkTask task);
  // Null when it has ended.
  Running* find(base::TaskId id);
  void remove(base::TaskId id) { running_.erase(id); }

  // Those that may step at `now`.
  std::vector<base::TaskId> due(base::Time now) const;
  // When the next one may; nothing while all are stepping.
  std::optional<base::Time> next_wake() const;

  // How many messages its next step may change.
  static std::size_t step_size(const store::BulkTask& task);
  // The step that changed `messages` is committed.
  static void take_pause(Running& running, std::size_t messages, base::Time now);

 private:
  std::map<base::TaskId, Running> running_;
};

}  // namespace webhookd::engine
