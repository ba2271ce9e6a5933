// Reads the configuration anew while the daemon runs: at SIGHUP, and when somebody asks on the socket. Either the whole
// file is good and everything that can change at once does, or nothing does and the answer says why. What needs a
// restart keeps its old value, and is named each time until the restart.
//
// All of it happens on the main thread, which sleeps until a signal comes: user data bases and files may be slow, and
// nobody else should wait for them. Asking therefore queues the question and raises SIGHUP.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "control/protocol/status_codec.hpp"
#include "control/server/server.hpp"
#include "settings.hpp"

namespace webhookd::daemon {

// As at the start: defaults, file, command line.
using ReadSettings = std::function<base::Result<Settings>()>;
// Takes the live ones of these settings, or only checks that it could.
using ApplySettings = std::function<base::Result<void>(const Settings& settings, bool dry_run)>;

class Reloader {
 public:
  using Changes = std::vector<protocol::SettingChange>;

  Reloader(Settings current, ReadSettings read, ApplySettings apply, std::function<base::Time()> now,
           base::LogSink& log)
      : current_(std::move(current)),
        read_(std::move(read)),
        apply_(std::move(apply)),
        now_(std::move(now)),
        log_(log),
        state_{true, now_()} {}

  // Any thread.
  void ask(bool dry_run, base::Completion<Changes> done);
  server::ReloadState state() const;
  // The main thread, at each SIGHUP.
  void serve();
  // The main thread, at the end: whoever still asks hears that the daemon is stopping.
  void refuse();

 private:
  struct Question {
    bool dry_run = false;
    base::Completion<Changes> done;
  };
  std::vector<Question> take_questions();
  base::Result<Changes> reload(bool dry_run);
  void take(const base::Result<Changes>& result);

  Settings current_;
  ReadSettings read_;
  ApplySettings apply_;
  std::function<base::Time()> now_;
  base::LogSink& log_;
  mutable std::mutex mutex_;
  server::ReloadState state_;
  std::vector<Question> questions_;
};

}  // namespace webhookd::daemon
