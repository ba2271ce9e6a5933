// Which attempts are under way, remembered over the death of the process: a mapped file of fixed slots, written by the
// engine's thread without a system call and never synced. A kill leaves it as it was; a power cut may lose it, and then
// an interrupted attempt is merely not in the log. Its room on disk is taken when it is made, so that writing to it
// cannot fail. Every slot has a checksum: what a kill cut in half reads as free.
//
// Never here: what an interrupted attempt means.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/lmdb_directory.hpp"
#include "store/store.hpp"

namespace webhookd::store {

class FlightJournal {
 public:
  // Makes the file when there is none or it is not one of ours.
  static base::Result<FlightJournal> open(const std::string& path);
  FlightJournal() = default;  // remembers nothing
  FlightJournal(FlightJournal&& other) noexcept;
  FlightJournal& operator=(FlightJournal&& other) noexcept;
  ~FlightJournal();

  // What was under way when the file was opened; the slots stay taken until they are given back.
  std::vector<FlightNote> found() const;

  // no_flight_slot when all are taken: that attempt is not remembered.
  FlightSlot note(const FlightNote& note);
  void forget(FlightSlot slot);

 private:
  explicit FlightJournal(char* map);
  char* slot_at(FlightSlot slot) const;

  char* map_ = nullptr;
  std::vector<FlightSlot> free_;
};

}  // namespace webhookd::store
