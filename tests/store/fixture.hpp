// The store that is kept of every released schema (tests/fixtures/store-N.gz: a backup, compressed): what is put into
// it, and what must be found in it by every later version.
#pragma once

#include <string>

#include "store/harness.hpp"

namespace webhookd::store_test {

// The same calls in every version, so that the fixtures differ by their format alone.
void fill_fixture(Asker& asker);
// Everything that can be asked, as text, without what differs from one making to the next.
std::string say_fixture(Asker& asker);

std::string fixture_path(std::uint32_t schema);

}  // namespace webhookd::store_test
