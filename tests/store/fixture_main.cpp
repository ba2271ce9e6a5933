// Writes the fixture of this version's schema (./dev fixture compresses it into tests/fixtures): write_store_fixture
// FILE. A test case, because the harness that it uses asserts.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "domain/backup.hpp"
#include "store/fixture.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

std::string path;

}  // namespace

TEST_CASE("the fixture is written") {
  LmdbAsker asker;
  fill_fixture(asker);
  const auto copy = asker.copy().value();
  std::string data(copy.bytes, '\0');
  REQUIRE(::pread(copy.file->get(), data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()));
  domain::BackupWriter writer;
  std::ofstream out(path, std::ios::binary);
  out << writer.begin({copy.store_id, copy.schema, WEBHOOKD_VERSION, start_time, copy.bytes});
  writer.add(data);
  out << data << writer.seal();
  out.flush();
  CHECK(out.good());
}

}  // namespace webhookd::store_test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "write_store_fixture FILE\n";
    return 2;
  }
  webhookd::store_test::path = argv[1];
  return doctest::Context().run();
}
