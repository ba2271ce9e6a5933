#include "reload.hpp"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "base/text.hpp"

namespace webhookd::daemon {

namespace {

std::string keys_of(const Reloader::Changes& changes, bool is_live) {
  std::vector<std::string> keys;
  for (const protocol::SettingChange& change : changes) {
    if (change.is_live == is_live) {
      keys.push_back(change.key);
    }
  }
  return base::join(keys, ", ");
}

}  // namespace

void Reloader::ask(bool dry_run, base::Completion<Changes> done) {
  {
    const std::lock_guard lock(mutex_);
    questions_.push_back({dry_run, std::move(done)});
  }
  ::kill(::getpid(), SIGHUP);
}

std::vector<Reloader::Question> Reloader::take_questions() {
  const std::lock_guard lock(mutex_);
  return std::exchange(questions_, {});
}

void Reloader::serve() {
  auto questions = take_questions();
  if (questions.empty()) {
    say(reload(false));
  }
  for (Question& question : questions) {
    const auto result = reload(question.dry_run);
    if (!question.dry_run) {
      say(result);
    }
    question.done(result);
  }
}

void Reloader::refuse() {
  for (Question& question : take_questions()) {
    question.done(base::Error{base::ErrorCode::unavailable, "the daemon is stopping", {}});
  }
}

base::Result<Reloader::Changes> Reloader::reload(bool dry_run) {
  const auto read = read_();
  if (!read) {
    return base::Error{base::ErrorCode::invalid_field, "the settings stay as they are: " + read.error().detail, {}};
  }
  Changes changes = differences(current_, *read);
  const Settings next = with_live(current_, *read);
  if (auto applied = apply_(next, dry_run); !applied) {
    return base::Error{base::ErrorCode::invalid_field, "the settings stay as they are: " + applied.error().detail, {}};
  }
  if (!dry_run) {
    current_ = next;
  }
  return changes;
}

void Reloader::say(const base::Result<Changes>& result) {
  if (!result) {
    log_.write(base::LogLevel::error, "reload_refused", {{"error", result.error().detail}});
    return;
  }
  log_.write(base::LogLevel::info, "reloaded",
             {{"changed", keys_of(*result, true)}, {"needs_restart", keys_of(*result, false)}});
}

}  // namespace webhookd::daemon
