#include "reload.hpp"

#include <signal.h>
#include <unistd.h>

#include <sstream>
#include <string_view>
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

// Faults stand one a line where a person starts the daemon. A record has one line, and an answer has each by itself.
base::Error kept(const base::Error& error) {
  constexpr std::string_view words = "the settings stay as they are";
  std::vector<std::string> faults;
  std::istringstream lines(error.detail);
  for (std::string line; std::getline(lines, line);) {
    faults.push_back(line);
  }
  base::Error kept{base::ErrorCode::invalid_field, std::string(words) + ": " + base::join(faults, "; "), {}};
  if (faults.size() > 1) {
    kept.fields.push_back({"", std::string(words) + ":"});
    for (std::string& fault : faults) {
      kept.fields.push_back({"", std::move(fault)});
    }
  }
  return kept;
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
    take(reload(false));
  }
  for (Question& question : questions) {
    const auto result = reload(question.dry_run);
    if (!question.dry_run) {
      take(result);
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
    return kept(read.error());
  }
  Changes changes = differences(current_, *read);
  const Settings next = with_live(current_, *read);
  if (auto applied = apply_(next, dry_run); !applied) {
    return kept(applied.error());
  }
  if (!dry_run) {
    current_ = next;
  }
  return changes;
}

server::ReloadState Reloader::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

// Of one that was meant: it is remembered and logged.
void Reloader::take(const base::Result<Changes>& result) {
  {
    const std::lock_guard lock(mutex_);
    state_.succeeded = result.has_value();
    state_.succeeded_at = result ? now_() : state_.succeeded_at;
  }
  if (!result) {
    log_.write(base::LogLevel::error, "reload_refused", {{"error", result.error().detail}});
    return;
  }
  log_.write(base::LogLevel::info, "reloaded",
             {{"changed", keys_of(*result, true)}, {"needs_restart", keys_of(*result, false)}});
}

}  // namespace webhookd::daemon
