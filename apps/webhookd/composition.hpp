// Wires the house together from checked settings, runs it until a signal, and takes it down in order: refuse new
// requests, start no more attempts, let what is in flight end and be settled (bounded), stop the loops, close the
// store.
#pragma once

#include <string>

#include "base/result.hpp"
#include "log_writer.hpp"
#include "reload.hpp"
#include "settings.hpp"
#include "supervisor.hpp"

namespace webhookd::daemon {

struct Places {
  std::string data_dir;
  std::string socket;
  bool test_clock = false;
  std::string configuration;  // the file that was read; empty: none
};

// What can be checked without starting: address ranges, ports, the test clock's place.
base::Result<void> check_settings(const Settings& settings, const Places& places);

// Returns after a clean stop. Signals SIGTERM and SIGINT end it, a second one at once; SIGHUP reads the settings anew.
base::Result<void> run_daemon(const Settings& settings, const Places& places, ReadSettings read, Supervisor& supervisor,
                              LogWriter& log);

}  // namespace webhookd::daemon
