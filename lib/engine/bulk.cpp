// Bulk tasks at work: begun, counted, stepped through, stopped. How often is tasks.hpp's.
#include "engine/engine_impl.hpp"

namespace webhookd::engine {

namespace {

constexpr std::size_t rows_per_look = 500;  // the store is read on this thread: everybody else waits meanwhile
constexpr Duration failed_step_pause = 1s;
const std::vector<domain::Message> no_messages;

}  // namespace

void Engine::Impl::begin_bulk(store::BulkTask task, Time now, Completion<store::BulkTask> done, store::Audit audit) {
  note_now(now);
  const Lane* lane = registry_.find(*task.filter.webhook);
  if (!lane || lane->deleting) {
    done(base::Error{base::ErrorCode::not_found, "there is no webhook " + to_string(*task.filter.webhook), {}});
    return;
  }
  if (const auto allowed = check_bulk(task); !allowed) {
    done(allowed.error());
    return;
  }
  if (!tasks_.has_room()) {
    done(base::Error{base::ErrorCode::unavailable,
                     std::to_string(Tasks::running_max) + " tasks are running already: wait for one of them",
                     {}});
    return;
  }
  task.started_at = now;
  store_.begin_bulk(std::move(task), back<store::BulkTask>([this, done = std::move(done)](auto begun) mutable {
                      if (begun) {
                        tasks_.add(*begun);
                      }
                      done(std::move(begun));
                    }),
                    std::move(audit));
}

Result<void> Engine::Impl::check_bulk(const store::BulkTask& task) const {
  const Lane* lane = registry_.find(*task.filter.webhook);
  if (task.action == store::BulkAction::retry && lane && !lane->definition->is_active()) {
    return base::Error{base::ErrorCode::webhook_inactive,
                       "webhook " + to_string(*task.filter.webhook) + " is inactive: activate it, then retry",
                       {}};
  }
  return {};
}

void Engine::Impl::end_bulk(base::TaskId task, Time now, Completion<store::BulkTask> done, store::Audit audit) {
  note_now(now);
  store_.end_bulk(task, now, back<store::BulkTask>([this, task, done = std::move(done)](auto ended) mutable {
                    if (ended) {
                      tasks_.remove(task);
                    }
                    done(std::move(ended));
                  }),
                  std::move(audit));
}

void Engine::Impl::run_tasks() {
  if (stopped_) {
    return;
  }
  for (const base::TaskId id : tasks_.due(now_)) {
    Tasks::Running& running = *tasks_.find(id);
    running.is_stepping = true;
    if (running.count_at) {
      count_for(running);
    } else {
      look_for(running);
    }
  }
}

void Engine::Impl::count_for(const Tasks::Running& running) {
  store::CountQuery query;
  static_cast<store::MessageFilter&>(query) = running.task.filter;
  query.after = *running.count_at;
  query.up_to = running.task.up_to;
  query.scan_limit = rows_per_look;
  store_.count_messages(query, back<store::MessageCount>([this, id = running.task.id](auto counted) {
                          if (Tasks::Running* found = tasks_.find(id)) {
                            take_count(*found, counted);
                          }
                        }));
}

void Engine::Impl::take_count(Tasks::Running& running, const Result<store::MessageCount>& counted) {
  running.is_stepping = false;
  if (!counted) {
    put_off(running, counted.error());
    return;
  }
  running.counted += counted->count;
  running.count_at = counted->next;
  if (!running.count_at) {
    running.task.total = running.counted;
  }
}

void Engine::Impl::look_for(const Tasks::Running& running) {
  store::MessageQuery query;
  static_cast<store::MessageFilter&>(query) = running.task.filter;
  query.oldest_first = true;
  query.after_sequence = running.task.position;
  query.limit = Tasks::step_size(running.task);
  query.scan_limit = rows_per_look;
  store_.list_messages(query, back<store::MessagePage>([this, id = running.task.id](auto page) {
                         Tasks::Running* found = tasks_.find(id);
                         if (!found) {
                           return;
                         }
                         if (page) {
                           step(*found, *page);
                         } else {
                           found->is_stepping = false;
                           put_off(*found, page.error());
                         }
                       }));
}

void Engine::Impl::step(const Tasks::Running& running, const store::MessagePage& page) {
  store::BulkStep step;
  step.task = running.task.id;
  step.from = running.task.position;
  step.to = std::min(page.next.value_or(running.task.up_to), running.task.up_to);
  step.total = running.task.total;
  step.now = now_;
  for (const store::MessageRow& row : page.rows) {
    if (row.message.id.sequence() <= running.task.up_to) {
      step.messages.push_back(row.message.id);
    }
  }
  if (running.task.action == store::BulkAction::cancel) {
    for (const domain::MessageId message : step.messages) {
      keep_from_starting(message);
    }
  }
  auto messages = step.messages;
  store_.step_bulk(std::move(step),
                   back<store::BulkProgress>([this, id = running.task.id, webhook = *running.task.filter.webhook,
                                              messages = std::move(messages)](auto progress) {
                     release_changing(messages);
                     for (const domain::Message& message : progress ? progress->changed : no_messages) {
                       note_settled(message);
                     }
                     if (Lane* lane = registry_.find(webhook); lane && !lane->deleting) {
                       take_changed(*lane, messages.size(), progress);
                     }
                     take_step(id, progress);
                   }));
}

void Engine::Impl::release_changing(const std::vector<domain::MessageId>& messages) {
  for (const domain::MessageId message : messages) {
    if (const Tracked* tracked = tracker_.find(message); tracked && tracked->stage == Stage::changing) {
      tracker_.release(message);
    }
  }
}

// Retried messages are due now: their lane looks at the store again. So do those that were to be changed and were not,
// or of which that is not known: they were let go of meanwhile.
void Engine::Impl::take_changed(Lane& lane, std::size_t asked, const Result<store::BulkProgress>& progress) {
  if (!progress || progress->changed.size() != asked) {
    add_due(lane, store::DuePosition{});
  }
  if (!progress) {
    return;
  }
  for (const domain::Message& message : progress->changed) {
    if (message.next_attempt_at) {
      add_due(lane, {*message.next_attempt_at, message.id.sequence()});
    }
  }
  if (progress->task.action == store::BulkAction::retry && !progress->changed.empty()) {
    lane.health.hasten(now_);
    consider(lane);
  }
}

void Engine::Impl::take_step(base::TaskId id, const Result<store::BulkProgress>& progress) {
  Tasks::Running* running = tasks_.find(id);
  if (!running) {
    return;
  }
  running->is_stepping = false;
  if (!progress) {
    put_off(*running, progress.error());
    return;
  }
  running->task = progress->task;
  Tasks::take_pause(*running, progress->changed.size(), now_);
  if (running->task.state != store::BulkState::running) {
    log_.write(base::LogLevel::info, "task_ended",
               {{"task", to_string(id)},
                {"done", std::to_string(running->task.done)},
                {"failed", std::to_string(running->task.failed)}});
    tasks_.remove(id);
  }
}

void Engine::Impl::put_off(Tasks::Running& running, const base::Error& error) {
  log_.write(base::LogLevel::error, "task_step_failed",
             {{"task", to_string(running.task.id)}, {"error", error.detail}});
  if (error.code == base::ErrorCode::not_found) {
    tasks_.remove(running.task.id);  // its record is gone
    return;
  }
  running.not_before = now_ + failed_step_pause;
}

}  // namespace webhookd::engine
