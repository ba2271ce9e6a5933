// The whole reading of a store: what is sound is called sound, and nothing that is done to its file ends the process
// that checks it.
#include "store/check.hpp"

#include <lmdb.h>

#include <algorithm>
#include <cstdlib>

#include "base/random.hpp"
#include "store/harness.hpp"
#include "store/keys.hpp"
#include "store/raw_store.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;

void no_progress(std::string_view, std::uint64_t) {}

store::CheckReport check(const fs::path& data) {
  auto report = store::check_store_directory(data.string(), no_progress);
  REQUIRE_MESSAGE(report.has_value(), report.error().detail);
  return *report;
}

bool finds(const store::CheckReport& report, std::string_view table, std::string_view words) {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const store::CheckFinding& finding) {
    return finding.table == table && finding.detail.find(words) != std::string::npos;
  });
}

// A closed store with something in every table, some of it removed again.
struct Kept {
  LmdbAsker asker;
  WebhookId webhook;
  MessageId waiting;
  MessageId settled;
  EventId event;

  Kept() {
    webhook = asker.put_webhook(webhook_named("one")).value().id;
    const auto other = asker.put_webhook(webhook_named("other")).value().id;
    const auto gone = asker.put_webhook(webhook_named("gone")).value().id;
    const auto first = asker.accept_one(item_for({webhook, other, gone}, std::string(9000, 'd'), "key"));
    event = first.event;
    settled = first.messages.at(0).message;
    waiting = first.messages.at(1).message;
    for (int i = 0; i < 300; ++i) {
      asker.accept_one(item_for({webhook, gone}));
    }
    asker.settle({settlement(settled, 1, 200, start_time + 1s)});
    asker.settle({settlement(waiting, 1, 503, start_time + 1s)});
    asker.delete_webhook(gone).value();
    asker.purge(gone, 100).value();
    asker.close();
  }
  fs::path data() const { return asker.data(); }
  fs::path file() const { return asker.data() / "store" / "data.mdb"; }
};

void flip_bit(std::string& content, std::size_t place, std::uint64_t bit) {
  content[place] = static_cast<char>(static_cast<unsigned char>(content[place]) ^ (1u << bit));
}

}  // namespace

TEST_CASE("a sound store is clean, and its rows are counted") {
  const Kept kept;
  const auto report = check(kept.data());
  for (const auto& finding : report.findings) {
    FAIL_CHECK(finding.table << ": " << finding.detail);
  }
  CHECK(report.is_clean());
  CHECK(report.store_id.size() == 16);
  CHECK(report.schema == store::schema_version);
  const auto rows = [&](std::string_view table) {
    return std::find_if(report.tables.begin(), report.tables.end(), [&](const auto& t) { return t.table == table; })
        ->rows;
  };
  CHECK(rows("webhooks") == 3);
  CHECK(rows("events") == 301);
  CHECK(rows("messages") == 603 - 100);
  CHECK(rows("attempts") == 2);
}

TEST_CASE("a store is clean after everything was purged") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  for (int i = 0; i < 200; ++i) {
    asker.accept_one(item_for({webhook}, std::string(20'000, 'x')));
  }
  asker.delete_webhook(webhook).value();
  while (!asker.purge(webhook, 50).value().done) {
  }
  asker.close();
  CHECK(check(asker.data()).is_clean());
}

TEST_CASE("a store that a daemon uses is not checked behind its back") {
  LmdbAsker asker;
  const auto report = store::check_store_directory(asker.data().string(), no_progress);
  REQUIRE(!report.has_value());
  CHECK(report.error().detail.find("whctl check") != std::string::npos);
}

TEST_CASE("a directory without a store cannot be checked") {
  const TemporaryDirectory directory;
  CHECK(!store::check_store_directory(directory.path().string(), no_progress).has_value());
}

TEST_CASE("a changed record is found by its checksum") {
  const Kept kept;
  damage_row(kept.data(), "messages", store::sequence_key(kept.waiting.sequence()).view());
  const auto report = check(kept.data());
  CHECK(finds(report, "messages", "checksum"));
  CHECK(finds(report, "due", "does not fit its record"));
}

TEST_CASE("changed data of an event are found") {
  const Kept kept;
  damage_row(kept.data(), "events", store::sequence_key(kept.event.sequence()).view());
  CHECK(finds(check(kept.data()), "events", "checksum of its data"));
}

TEST_CASE("a lost row is found by those that point to it") {
  const Kept kept;
  const auto lose = [&](const char* table, std::string_view key) {
    with_raw_store(kept.data(), [&](MDB_txn* txn) {
      MDB_dbi dbi = 0;
      REQUIRE(mdb_dbi_open(txn, table, 0, &dbi) == MDB_SUCCESS);
      MDB_val wanted{key.size(), const_cast<char*>(key.data())};
      REQUIRE(mdb_del(txn, dbi, &wanted, nullptr) == MDB_SUCCESS);
    });
  };
  SUBCASE("an event") {
    lose("events", store::sequence_key(kept.event.sequence()).view());
    const auto report = check(kept.data());
    CHECK(finds(report, "messages", "of an event that is not there"));
    CHECK(finds(report, "idempotency", "stands for no event"));
    CHECK(finds(report, "counts", "events: 301 by the kept count, 300 by counting"));
  }
  SUBCASE("a message") {
    lose("messages", store::sequence_key(kept.waiting.sequence()).view());
    const auto report = check(kept.data());
    CHECK(finds(report, "attempts", "which is not there"));
    CHECK(finds(report, "by_webhook", "does not fit its record"));
    CHECK(finds(report, "counts", "waiting messages"));
  }
  SUBCASE("a webhook") {
    lose("webhooks", store::sequence_key(kept.webhook.sequence()).view());
    const auto report = check(kept.data());
    CHECK(finds(report, "messages", "of a webhook that is not there"));
    CHECK(finds(report, "names", "stands for no webhook"));
    CHECK(finds(report, "counters", "which is not there"));
  }
}

TEST_CASE("a store of a newer schema is refused with both versions named") {
  const Kept kept;
  with_raw_store(kept.data(), [](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == MDB_SUCCESS);
    store::Key newer;
    newer.append(9, 4);
    MDB_val key{6, const_cast<char*>("schema")};
    MDB_val value{4, const_cast<char*>(newer.view().data())};
    REQUIRE(mdb_put(txn, dbi, &key, &value, 0) == MDB_SUCCESS);
  });
  const auto report = store::check_store_directory(kept.data().string(), no_progress);
  REQUIRE(!report.has_value());
  CHECK(report.error().detail ==
        "the store has schema version 9, this webhookd knows up to " + std::to_string(store::schema_version));
}

TEST_CASE("a sound store of an older schema is clean, and the report says what will become of it") {
  const Kept kept;
  with_raw_store(kept.data(), [](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, "audit", 0, &dbi) == MDB_SUCCESS);
    REQUIRE(mdb_drop(txn, dbi, 1) == MDB_SUCCESS);
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == MDB_SUCCESS);
    store::Key older;
    older.append(3, 4);
    MDB_val key{6, const_cast<char*>("schema")};
    MDB_val value{4, const_cast<char*>(older.view().data())};
    REQUIRE(mdb_put(txn, dbi, &key, &value, 0) == MDB_SUCCESS);
  });
  const auto report = check(kept.data());
  CHECK(report.findings.empty());
  CHECK(report.is_clean());
  CHECK(report.schema == 3);
  CHECK(report.remark ==
        "schema 3 is older than " + std::to_string(store::schema_version) + ": webhookd migrates it at its start");
}

TEST_CASE("a table that its schema has is missed") {
  const Kept kept;
  with_raw_store(kept.data(), [](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, "audit", 0, &dbi) == MDB_SUCCESS);
    REQUIRE(mdb_drop(txn, dbi, 1) == MDB_SUCCESS);
  });
  CHECK(finds(check(kept.data()), "audit", "the table is missing"));
}

TEST_CASE("a store in the place of another is found by the marker beside it, and so is a marker that is gone") {
  const Kept kept;
  write_content(kept.data() / "store-id", "0123456789abcdef\n");
  const auto other = check(kept.data());
  CHECK(other.damage == 1);
  CHECK(finds(other, "store-id", "says that 0123456789abcdef belongs there"));
  fs::remove(kept.data() / "store-id");
  CHECK(finds(check(kept.data()), "store-id", "is missing"));
}

TEST_CASE("behind a damaged table the others are still read") {
  const Kept kept;
  const std::size_t place = root_place(kept.data(), "events");
  std::string content = content_of(kept.file());
  content.replace(place, page_bytes, page_bytes, '\0');
  write_content(kept.file(), content);
  const auto report = check(kept.data());
  CHECK(finds(report, "events", "it was read up to row 0: table events: "));
  CHECK(std::any_of(report.tables.begin(), report.tables.end(),
                    [](const auto& table) { return table.table == "attempts" && table.rows == 2; }));
}

TEST_CASE("files that are no store are told from one") {
  const Kept kept;
  const std::string sound = content_of(kept.file());
  const auto damage_of = [&](const std::string& content) {
    write_content(kept.file(), content);
    return check(kept.data()).damage;
  };
  CHECK(damage_of("") > 0);
  CHECK(damage_of("x") > 0);
  CHECK(damage_of(std::string(sound.size(), '\0')) > 0);
  CHECK(damage_of(sound.substr(0, 4096)) > 0);
  CHECK(damage_of(sound.substr(0, sound.size() / 2)) > 0);
  CHECK(damage_of(sound) == 0);
}

// Whatever is done to the file, the check comes back with a report; and what it calls clean, the store opens.
TEST_CASE("thousands of damaged files never end the process that checks them") {
  const Kept kept;
  const std::string sound = content_of(kept.file());
  const char* wanted = std::getenv("WEBHOOKD_TEST_MUTATIONS");
  const int mutations = wanted ? std::atoi(wanted) : 1000;
  base::Random random(11);
  constexpr std::size_t page = page_bytes;
  int found = 0;
  for (int i = 0; i < mutations; ++i) {
    std::string content = sound;
    const std::size_t place = random.below(content.size() / page) * page;
    switch (i % 5) {
      case 0:  // one bit
        flip_bit(content, random.below(content.size()), random.below(8));
        break;
      case 1:  // a few bytes of a page's head, where LMDB finds its way
        for (int byte = 0; byte < 4; ++byte) {
          content[place + random.below(64)] = static_cast<char>(random.below(256));
        }
        break;
      case 2:  // a page of noise
        std::generate_n(content.begin() + static_cast<std::ptrdiff_t>(place), page,
                        [&] { return static_cast<char>(random.below(256)); });
        break;
      case 3:  // one page in the place of another
        content.replace(place, page, sound, random.below(sound.size() / page) * page, page);
        break;
      default:  // the end is missing
        content.resize(random.below(content.size()));
    }
    write_content(kept.file(), content);
    const auto report = store::check_store_directory(kept.data().string(), no_progress);
    REQUIRE(report.has_value());
    found += report->is_clean() ? 0 : 1;
  }
  MESSAGE(mutations << " mutations, " << found << " found");
  CHECK(found > mutations / 2);  // the rest fell into pages that nothing uses
}

}  // namespace webhookd::store_test
