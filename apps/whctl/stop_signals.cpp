#include "stop_signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <initializer_list>

namespace webhookd::whctl {

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, &before_);
  descriptor_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
}

// Signals that came and were not read are taken first: they were asked for an end that has come.
StopSignals::~StopSignals() {
  sigset_t pending;
  sigpending(&pending);
  int signal = 0;
  for (const int watched : {SIGINT, SIGTERM, SIGHUP}) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, watched);
    if (sigismember(&pending, watched) == 1) ::sigwait(&one, &signal);
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace webhookd::whctl
