// Stores of older schemas: opened, migrated by the table of steps, and kept as they were.
#include <lmdb.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

#include "store/check.hpp"
#include "store/fixture.hpp"
#include "store/lmdb_migration_impl.hpp"
#include "store/raw_store.hpp"
#include "store/records.hpp"
#include "store/restore.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;

void make_older(const fs::path& data, std::uint32_t schema, const std::vector<std::string>& tables_without) {
  with_raw_store(data, [&](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    for (const std::string& table : tables_without) {
      REQUIRE(mdb_dbi_open(txn, table.c_str(), 0, &dbi) == MDB_SUCCESS);
      REQUIRE(mdb_drop(txn, dbi, 1) == MDB_SUCCESS);
    }
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == MDB_SUCCESS);
    store::Key older;
    older.append(schema, 4);
    MDB_val key{store::schema_key.size(), const_cast<char*>(store::schema_key.data())};
    MDB_val value{4, const_cast<char*>(older.view().data())};
    REQUIRE(mdb_put(txn, dbi, &key, &value, 0) == MDB_SUCCESS);
  });
}

void check_clean(const fs::path& data) {
  const auto report = store::check_store_directory(data.string(), [](auto, auto) {});
  REQUIRE(report.has_value());
  for (const auto& finding : report->findings) {
    FAIL_CHECK(finding.table << ": " << finding.detail);
  }
}

}  // namespace

TEST_CASE("every schema but the newest has one step to the next, in order") {
  std::uint32_t schema = 1;
  for (const store::Migration& step : store::migrations()) {
    CHECK(step.from == schema++);
    const auto is_table = [&](std::string_view name) { return name == step.adds; };
    CHECK(std::any_of(store::table_names.begin(), store::table_names.end(), is_table));
  }
  CHECK(schema == store::schema_version);
}

TEST_CASE("an older store is migrated once, and kept as it was") {
  LmdbAsker asker;
  fill_fixture(asker);
  const std::string before = say_fixture(asker);
  asker.close();
  make_older(asker.data(), store::schema_version - 1, {"audit"});
  asker.open();
  CHECK(say_fixture(asker) == before);
  CHECK(asker.figures().schema == store::schema_version);
  const fs::path kept = asker.data() / ("store.schema-" + std::to_string(store::schema_version - 1));
  CHECK(fs::exists(kept / "data.mdb"));
  const auto written = fs::last_write_time(kept / "data.mdb");
  asker.reopen();
  CHECK(fs::last_write_time(kept / "data.mdb") == written);
  asker.close();
  check_clean(asker.data());
  // The copy is a store of the old schema, which opens in the place of the new one.
  fs::remove_all(asker.data() / "store");
  fs::rename(kept, asker.data() / "store");
  asker.open();
  CHECK(say_fixture(asker) == before);
}

TEST_CASE("the stores of all released schemas are restored, opened and whole") {
  // Schemas 1 and 2 were never released.
  for (std::uint32_t schema = 3; schema <= store::schema_version; ++schema) {
    CAPTURE(schema);
    const TemporaryDirectory directory;
    const std::string backup = (directory.path() / "backup").string();
    const std::string unpack = "gzip -dc '" + fixture_path(schema) + "' > '" + backup + "'";
    REQUIRE_MESSAGE(std::system(unpack.c_str()) == 0, "make it with ./dev fixture");
    store::LmdbOptions options;
    options.directory = (directory.path() / "data").string();
    options.quota_bytes = std::uint64_t{256} << 20;
    options.disk_reserve_bytes = 0;
    const auto restored = store::restore_store({backup, options.directory, start_time, 5},
                                               [](std::string_view, std::uint64_t, std::uint64_t) {});
    REQUIRE_MESSAGE(restored.has_value(), restored.error().detail);
    CHECK(restored->backup.schema == schema);
    LmdbAsker kept(options);
    LmdbAsker made;
    fill_fixture(made);
    CHECK(say_fixture(kept) == say_fixture(made));
    kept.accept_one(item_for({kept.list_webhooks().at(0).webhook.id}));
    kept.close();
    check_clean(options.directory);
  }
}

}  // namespace webhookd::store_test
