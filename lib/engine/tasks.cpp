#include "engine/tasks.hpp"

#include <algorithm>
#include <cmath>

namespace webhookd::engine {

namespace {

constexpr std::size_t step_messages_max = 200;
constexpr double steps_per_second = 10;  // of a task with a rate, at most

}  // namespace

void Tasks::add(store::BulkTask task) {
  Running running;
  running.count_at = task.total ? std::nullopt : std::optional(std::uint64_t{0});
  running.task = std::move(task);
  running_.emplace(running.task.id, std::move(running));
}

Tasks::Running* Tasks::find(base::TaskId id) {
  const auto found = running_.find(id);
  return found == running_.end() ? nullptr : &found->second;
}

std::vector<base::TaskId> Tasks::due(base::Time now) const {
  std::vector<base::TaskId> ids;
  for (const auto& [id, running] : running_) {
    if (!running.is_stepping && running.not_before <= now) {
      ids.push_back(id);
    }
  }
  return ids;
}

std::optional<base::Time> Tasks::next_wake() const {
  std::optional<base::Time> wake;
  for (const auto& [id, running] : running_) {
    if (!running.is_stepping) {
      wake = wake ? std::min(*wake, running.not_before) : running.not_before;
    }
  }
  return wake;
}

std::size_t Tasks::step_size(const store::BulkTask& task) {
  if (!task.rate) {
    return step_messages_max;
  }
  const double wanted = std::ceil(*task.rate / steps_per_second);
  return wanted >= static_cast<double>(step_messages_max) ? step_messages_max
                                                          : std::max<std::size_t>(1, static_cast<std::size_t>(wanted));
}

void Tasks::take_pause(Running& running, std::size_t messages, base::Time now) {
  if (running.task.rate) {
    const double worth_ms = static_cast<double>(messages) * 1000 / *running.task.rate;
    running.not_before = now + base::Duration{static_cast<base::Duration::rep>(std::ceil(worth_ms))};
  }
}

}  // namespace webhookd::engine
