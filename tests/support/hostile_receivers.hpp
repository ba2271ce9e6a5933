// Receivers that break every rule, in one table: what each does on a connection, and the one outcome that an attempt at
// it must get. The rows come from reliability.md's list of faults. They are used twice: tests/net gives each to one
// exchange, tests/app puts a hundred connections of each before the whole daemon. A new kind is one line.
//
// Each does the same to every request of a connection, so that it does not matter to the outcome whether a connection
// was kept and used again.
#pragma once

#include <string>
#include <vector>

#include "domain/attempt.hpp"
#include "support/scripted_receiver.hpp"

namespace webhookd::test {

struct HostileReceiver {
  const char* name;
  ScriptedReceiver::Script script;
  domain::OutcomeKind kind;
  std::uint16_t code = 0;
  const char* words = "";       // part of the error
  const char* scheme = "http";  // of the URL under which it is called
};

const std::vector<HostileReceiver>& hostile_receivers();

}  // namespace webhookd::test
