#include "store/flight_journal.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "store/harness.hpp"

using namespace webhookd;
using namespace webhookd::store;
using store_test::TemporaryDirectory;

namespace {

FlightNote note_of(std::uint64_t message) {
  return {MessageId{message}, WebhookId{7}, 3, base::time_from_ms(1'800'000'000'000), domain::Trigger::probe, {}};
}

}  // namespace

TEST_CASE("what was under way is found when the journal is opened again, with its slot still taken") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "flights").string();
  {
    auto journal = FlightJournal::open(path);
    REQUIRE(journal.has_value());
    const FlightSlot ended = journal->note(note_of(1));
    journal->note(note_of(2));
    journal->forget(ended);
  }
  auto journal = FlightJournal::open(path);
  const auto found = journal->found();
  REQUIRE(found.size() == 1);
  CHECK(found[0].message == MessageId{2});
  CHECK(found[0].number == 3);
  CHECK(found[0].trigger == domain::Trigger::probe);
  CHECK(found[0].at == base::time_from_ms(1'800'000'000'000));
  CHECK(journal->note(note_of(4)) != found[0].slot);
  journal->forget(found[0].slot);
  CHECK(journal->found().size() == 1);
}

TEST_CASE("a journal of foreign or damaged content is empty, a damaged slot is free") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "flights").string();
  std::ofstream(path) << "something else";
  {
    auto journal = FlightJournal::open(path);
    REQUIRE(journal.has_value());
    CHECK(journal->found().empty());
    journal->note(note_of(1));
    journal->note(note_of(2));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64 + 8);
    file.put('\x55');
  }
  auto journal = FlightJournal::open(path);
  REQUIRE(journal->found().size() == 1);
  CHECK(journal->found()[0].message == MessageId{2});
}

TEST_CASE("a full journal remembers no more, and again when a slot is given back") {
  const TemporaryDirectory directory;
  auto journal = FlightJournal::open((directory.path() / "flights").string());
  FlightSlot last = no_flight_slot;
  for (FlightSlot slot = journal->note(note_of(1)); slot != no_flight_slot; slot = journal->note(note_of(1))) {
    last = slot;
  }
  journal->forget(last);
  CHECK(journal->note(note_of(2)) == last);
}

TEST_CASE("where no journal can be made, nothing is remembered and nothing fails") {
  CHECK(FlightJournal::open("/proc/nowhere/flights").has_error());
  FlightJournal none;
  CHECK(none.note(note_of(1)) == no_flight_slot);
  none.forget(no_flight_slot);
  CHECK(none.found().empty());
}
