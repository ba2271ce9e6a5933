// SIGINT, SIGTERM and SIGHUP as a descriptor while it lives, so that what runs until it is told to stop ends in order:
// a webhook is removed, a terminal restored. Nothing else may wait for these signals meanwhile.
#pragma once

#include <csignal>

namespace webhookd::whctl {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Readable once one of them came; negative when they cannot be watched.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  sigset_t before_{};
};

}  // namespace webhookd::whctl
