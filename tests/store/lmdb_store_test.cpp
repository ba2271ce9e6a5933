// What the LMDB store promises beyond being a store: it keeps everything over restarts, shares commits, refuses stores
// that are not the right one, reports damage, and stops accepting before it is too full to work.
#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>

#include "store/harness.hpp"
#include "store/keys.hpp"
#include "store/raw_store.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;

Error refusal_of(const store::LmdbOptions& options) {
  base::SilentLog log;
  const auto opened = store::open_lmdb_store(options, log);
  REQUIRE(!opened.has_value());
  return opened.error();
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

store::LmdbOptions small_store(const TemporaryDirectory& directory, std::uint64_t quota) {
  store::LmdbOptions options;
  options.directory = (directory.path() / "data").string();
  options.quota_bytes = quota;
  options.disk_reserve_bytes = 0;
  options.seed = seed;
  options.now = start_time;
  return options;
}

// Accepts events of 64 KiB until the store is full; answers their messages.
std::vector<MessageId> fill(LmdbAsker& asker, WebhookId webhook) {
  std::vector<MessageId> messages;
  const std::string data = "\"" + std::string(64 * 1024, 'x') + "\"";
  for (int i = 0; i < 10'000; ++i) {
    const auto answer = asker.accept({item_for({webhook}, data)}, start_time).at(0);
    if (!answer) {
      CHECK(answer.error().code == ErrorCode::store_full);
      return messages;
    }
    messages.push_back(answer->messages.at(0).message);
  }
  FAIL("the store never filled up");
  return messages;
}

// Fills the store with logged attempts, which a purge gives back.
std::vector<MessageId> fill_with_attempts(LmdbAsker& asker, WebhookId webhook) {
  std::vector<MessageId> messages;
  for (int i = 0; i < 1000; ++i) {
    const auto answer = asker.accept({item_for({webhook})}, start_time).at(0);
    if (!answer) {
      CHECK(answer.error().code == ErrorCode::store_full);
      return messages;
    }
    messages.push_back(answer->messages.at(0).message);
    std::vector<store::Settlement> settlements;
    for (std::uint32_t number = 1; number <= 50; ++number) {
      settlements.push_back(settlement(messages.back(), number, 503, start_time));
      settlements.back().attempt.outcome.response_body = std::string(4096, 'b');
    }
    asker.settle(std::move(settlements));
  }
  FAIL("the store never filled up");
  return messages;
}

}  // namespace

TEST_CASE("everything is as it was after a restart") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value();
  const auto gone = asker.put_webhook(webhook_named("gone")).value();
  const auto first = asker.accept_one(item_for({webhook.id, gone.id}, "1", "k"));
  const auto second = asker.accept_one(item_for({webhook.id}));
  const auto settled = asker.settle(settlement(first.messages[0].message, 1, 503, start_time));
  asker.delete_webhook(gone.id).value();
  const auto figures = asker.figures();
  asker.reopen();

  CHECK(asker.webhook(webhook.id).value().webhook == webhook);
  CHECK(asker.webhook(webhook.id).value().counters.waiting == 2);
  CHECK(asker.load().webhooks.at(1).deleting);
  CHECK(asker.message(first.messages[0].message).value().message == settled.message);
  CHECK(asker.message(first.messages[0].message).value().attempts.size() == 1);
  CHECK(asker.accept_one(item_for({webhook.id}, "1", "k")).duplicate);
  CHECK(ids_of(asker.claim(claim_all(webhook.id))) ==
        std::vector{second.messages[0].message, first.messages[0].message});
  CHECK(asker.list_types().size() == domain::shipped_catalogue().size());
  const auto after = asker.figures();
  CHECK(after.store_id == figures.store_id);
  CHECK(after.events == figures.events);
  CHECK(after.messages == figures.messages);
  CHECK(after.waiting == figures.waiting);
  const auto third = asker.accept_one(item_for({webhook.id}));
  CHECK(third.event.sequence() == second.event.sequence() + 1);
  CHECK(asker.purge(gone.id, 100).value().done);
}

TEST_CASE("writes that wait for a commit share the next one") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto before = asker.figures().commits;
  constexpr int writes = 2000;
  std::atomic<int> answered = 0;
  for (int i = 0; i < writes; ++i) {
    asker.store().accept({item_for({webhook})}, start_time, [&](auto answer) {
      CHECK(answer.has_value());
      ++answered;
    });
  }
  asker.accept_one(item_for({}));  // answers after all that was queued before it
  CHECK(answered == writes);
  CHECK(asker.figures().events == writes + 1);
  CHECK(asker.figures().commits - before < writes / 4);
}

TEST_CASE("a commit takes no more records than it may") {
  TemporaryDirectory directory;
  auto options = small_store(directory, std::uint64_t{64} << 20);
  options.commit_records_max = 50;  // an event with one message weighs five
  LmdbAsker asker(options);
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto before = asker.figures().commits;
  for (int i = 0; i < 100; ++i) {
    asker.store().accept({item_for({webhook})}, start_time, [](auto) {});
  }
  asker.accept_one(item_for({}));
  CHECK(asker.figures().commits - before >= 10);
}

TEST_CASE("a write that changes nothing needs no commit") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  asker.accept_one(item_for({webhook}, "1", "k"));
  const auto before = asker.figures().commits;
  CHECK(asker.accept_one(item_for({webhook}, "1", "k")).duplicate);
  CHECK(!asker.put_webhook(webhook_named("one")).has_value());
  CHECK(asker.figures().commits == before);
}

TEST_CASE("the time that each commit took is counted once, by the stopwatch that was given") {
  TemporaryDirectory directory;
  auto options = small_store(directory, std::uint64_t{64} << 20);
  options.stopwatch = [now = std::uint64_t{0}]() mutable { return now += 700; };
  LmdbAsker asker(options);
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  asker.accept_one(item_for({webhook}));
  const auto figures = asker.figures();
  CHECK(figures.commit_time.count() == figures.commits);
  CHECK(figures.commit_time.sum() == 700 * figures.commits);
}

TEST_CASE("what is queued when the store closes is committed and answered") {
  LmdbAsker asker;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 100; ++i) {
    asker.store().accept({item_for({})}, start_time, [&](auto answer) { answered += answer.has_value() ? 1 : 0; });
  }
  asker.reopen();
  CHECK(answered == 100);
  CHECK(asker.figures().events == 100);
}

TEST_CASE("a failed commit is answered as unknown, and the store goes on when the fault is gone") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto previous_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlimit small{64 * 1024, limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto refused = asker.ask<std::vector<Result<store::Accepted>>>([&](auto done) {
    asker.store().accept({item_for({webhook}, std::string(1 << 20, '1'))}, start_time, std::move(done));
  });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, previous_handler);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == ErrorCode::internal);
  CHECK(refused.error().detail.find("not known") != std::string::npos);

  const auto accepted = asker.accept_one(item_for({webhook}));
  asker.reopen();
  CHECK(asker.message(accepted.messages.at(0).message).has_value());
  CHECK(asker.figures().damaged_records == 0);
}

// ---- damage ---------------------------------------------------------------------------------------------------

TEST_CASE("a damaged message is named, counted once, and does not stop the others") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto bad = asker.accept_one(item_for({webhook})).messages[0].message;
  const auto good = asker.accept_one(item_for({webhook})).messages[0].message;
  asker.close();
  damage_row(asker.data(), "messages", store::sequence_key(bad.sequence()).view());
  asker.open();

  const auto answer = asker.message(bad);
  REQUIRE(!answer.has_value());
  CHECK(answer.error().code == ErrorCode::internal);
  CHECK(answer.error().detail.find(to_string(bad)) != std::string::npos);
  CHECK(asker.cancel(bad, start_time).error().code == ErrorCode::internal);
  CHECK(!asker.settle(settlement(bad, 1, 200, start_time)).message.id.is_set());
  CHECK(ids_of(asker.list({})) == std::vector{good});
  CHECK(ids_of(asker.claim(claim_all(webhook))) == std::vector{good});
  CHECK(asker.settle(settlement(good, 1, 200, start_time)).changed);
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("damaged data of an event is not delivered") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto bad = asker.accept_one(item_for({webhook}));
  asker.close();
  damage_row(asker.data(), "events", store::sequence_key(bad.event.sequence()).view());
  asker.open();
  CHECK(asker.claim(claim_all(webhook)).messages.empty());
  CHECK(asker.event(bad.event).error().detail.find(to_string(bad.event)) != std::string::npos);
  CHECK(asker.list({}).rows.size() == 1);  // its head is sound
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("damaged counters begin again and deliveries go on") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto id = asker.accept_one(item_for({webhook})).messages[0].message;
  asker.close();
  damage_row(asker.data(), "counters", store::sequence_key(webhook.sequence()).view());
  asker.open();
  CHECK(asker.settle(settlement(id, 1, 200, start_time)).changed);
  CHECK(asker.webhook(webhook).value().counters.success == 1);
  CHECK(asker.webhook(webhook).value().counters.waiting == 0);
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("a webhook with a damaged message is purged to the last row") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto bad = asker.accept_one(item_for({webhook})).messages[0].message;
  asker.accept_one(item_for({webhook}));
  asker.close();
  damage_row(asker.data(), "messages", store::sequence_key(bad.sequence()).view());
  asker.open();
  asker.delete_webhook(webhook).value();
  CHECK(asker.purge(webhook, 100).value().done);
  CHECK(asker.figures().messages == 0);
  CHECK(!asker.due_heads(heads_until(start_time)).next_bucket);
  CHECK(asker.due_heads(heads_until(start_time)).heads.empty());
}

// ---- opening --------------------------------------------------------------------------------------------------

TEST_CASE("the directory and its files are closed to others") {
  LmdbAsker asker;
  CHECK(mode_of(asker.data()) == 0700);
  CHECK(mode_of(asker.data() / "store") == 0700);
  for (const char* file : {"lock", "store-id", "store/data.mdb", "store/lock.mdb"}) {
    CHECK(mode_of(asker.data() / file) == 0600);
  }
}

TEST_CASE("a second process is refused") {
  LmdbAsker asker;
  const auto error = refusal_of(asker.options());
  CHECK(error.code == ErrorCode::unavailable);
  CHECK(error.detail.find("another process") != std::string::npos);
}

TEST_CASE("a store that vanished is not replaced by an empty one") {
  LmdbAsker asker;
  asker.close();
  fs::rename(asker.data() / "store", asker.data() / "elsewhere");
  CHECK(refusal_of(asker.options()).detail.find("store-id") != std::string::npos);
  fs::rename(asker.data() / "elsewhere", asker.data() / "store");
  asker.open();
}

TEST_CASE("an emptied store is not taken for a new one") {
  LmdbAsker asker;
  asker.close();
  SUBCASE("no file") { fs::remove(asker.data() / "store/data.mdb"); }
  SUBCASE("a file of no length") { fs::resize_file(asker.data() / "store/data.mdb", 0); }
  CHECK(refusal_of(asker.options()).detail.find("restore") != std::string::npos);
  fs::remove(asker.data() / "store-id");
  CHECK(refusal_of(asker.options()).detail.find("holds no store") != std::string::npos);
}

TEST_CASE("another store in its place is refused") {
  LmdbAsker asker;
  asker.close();
  std::ofstream(asker.data() / "store-id") << "0123456789abcdef\n";
  const auto error = refusal_of(asker.options());
  CHECK(error.detail.find("0123456789abcdef") != std::string::npos);
  fs::remove(asker.data() / "store-id");
  asker.open();
  CHECK(fs::exists(asker.data() / "store-id"));
}

TEST_CASE("a file that is cut short or is no store is refused") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  asker.accept_one(item_for({webhook}, std::string(std::size_t{40} << 20, '1')));
  asker.close();
  SUBCASE("cut short") {
    fs::resize_file(asker.data() / "store/data.mdb", 128 * 1024);
    CHECK(refusal_of(asker.options()).detail.find("cut short") != std::string::npos);
  }
  SUBCASE("no LMDB") {
    std::ofstream(asker.data() / "store/data.mdb") << std::string(8192, 'x');
    CHECK(refusal_of(asker.options()).detail.find("cannot open the store") != std::string::npos);
  }
}

TEST_CASE("a store of a newer schema is refused by both versions' names") {
  LmdbAsker asker;
  asker.close();
  with_raw_store(asker.data(), [](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == MDB_SUCCESS);
    std::string name = "schema";
    std::string version("\0\0\0\7", 4);
    MDB_val key{name.size(), name.data()};
    MDB_val value{version.size(), version.data()};
    REQUIRE(mdb_put(txn, dbi, &key, &value, 0) == MDB_SUCCESS);
  });
  const auto error = refusal_of(asker.options());
  CHECK(error.detail.find("version 7") != std::string::npos);
  CHECK(error.detail.find("up to " + std::to_string(store::schema_version)) != std::string::npos);
}

TEST_CASE("a store of the first schema is opened, and its messages stand in the feed where they were created") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto first = asker.accept_one(item_for({webhook})).messages[0].message;
  const auto second = asker.accept_one(item_for({webhook})).messages[0].message;
  asker.close();
  with_raw_store(asker.data(), [&](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, "changes", 0, &dbi) == MDB_SUCCESS);
    REQUIRE(mdb_drop(txn, dbi, 1) == MDB_SUCCESS);
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == MDB_SUCCESS);
    std::string name = "schema";
    std::string version("\0\0\0\1", 4);
    MDB_val key{name.size(), name.data()};
    MDB_val value{version.size(), version.data()};
    REQUIRE(mdb_put(txn, dbi, &key, &value, 0) == MDB_SUCCESS);
  });
  asker.open();
  CHECK(asker.figures().schema == store::schema_version);
  asker.settle(settlement(first, 1, 200, start_time));
  const auto page = asker.changes({}).value();
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0].message.id == second);
  CHECK(page.rows[1].message.id == first);
  asker.reopen();
  CHECK(asker.changes({}).value().rows.size() == 2);
}

TEST_CASE("an entry of the feed whose message is damaged is left out and reported") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto bad = asker.accept_one(item_for({webhook})).messages[0].message;
  const auto good = asker.accept_one(item_for({webhook})).messages[0].message;
  asker.settle({settlement(bad, 1, 200, start_time), settlement(good, 1, 200, start_time)});
  asker.close();
  damage_row(asker.data(), "messages", store::sequence_key(bad.sequence()).view());
  asker.open();
  const auto page = asker.changes({}).value();
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0].message.id == good);
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("a creation that was cut off is begun again") {
  TemporaryDirectory directory;
  const auto options = small_store(directory, std::uint64_t{64} << 20);
  fs::create_directories(fs::path(options.directory) / "store.new");
  std::ofstream(fs::path(options.directory) / "store.new/data.mdb") << "half";
  LmdbAsker asker(options);
  CHECK(!fs::exists(fs::path(options.directory) / "store.new"));
  CHECK(asker.list_types().size() == domain::shipped_catalogue().size());
}

TEST_CASE("a directory that cannot be made is named") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  auto options = small_store(directory, std::uint64_t{64} << 20);
  options.directory = (directory.path() / "file/data").string();
  CHECK(refusal_of(options).detail.find(options.directory) != std::string::npos);
}

TEST_CASE("room for the file is reserved without changing its length") {
  TemporaryDirectory directory;
  auto options = small_store(directory, std::uint64_t{64} << 20);
  options.preallocate_bytes = std::uint64_t{8} << 20;
  LmdbAsker asker(options);
  struct stat status {};
  REQUIRE(::stat((asker.data() / "store/data.mdb").c_str(), &status) == 0);
  CHECK(status.st_size < 1 << 20);
  CHECK(status.st_blocks * 512 >= 8 << 20);
}

// ---- space ----------------------------------------------------------------------------------------------------

TEST_CASE("above its quota the store refuses new events, does everything else, and recovers") {
  TemporaryDirectory directory;
  LmdbAsker asker(small_store(directory, std::uint64_t{8} << 20));
  for (int cycle = 0; cycle < 5; ++cycle) {
    const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
    const auto messages = fill_with_attempts(asker, webhook);
    REQUIRE(messages.size() > 2);
    CHECK(asker.figures().full);
    CHECK(asker.figures().full_because == "quota");
    CHECK(asker.figures().used_bytes <= std::uint64_t{8} << 20);
    CHECK(asker.settle(settlement(messages[0], 100, 503, start_time)).changed);
    CHECK(asker.cancel(messages[1], start_time).has_value());
    CHECK(asker.delete_webhook(webhook).has_value());
    while (!asker.purge(webhook, 5).value().done) {
    }
    CHECK(!asker.figures().full);
    CHECK(asker.figures().full_because == "");
    CHECK(asker.accept({item_for({})}, start_time).at(0).has_value());
  }
}

TEST_CASE("a larger quota lets a full store go on") {
  TemporaryDirectory directory;
  LmdbAsker asker(small_store(directory, std::uint64_t{4} << 20));
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  CHECK(fill(asker, webhook).size() > 30);
  CHECK(asker.figures().full);
  asker.close();
  asker.options().quota_bytes = std::uint64_t{64} << 20;
  asker.open();
  CHECK(!asker.figures().full);
  CHECK(asker.accept({item_for({webhook})}, start_time).at(0).has_value());
}

TEST_CASE("attempts go on being logged in a full store, without the receiver's answer") {
  TemporaryDirectory directory;
  LmdbAsker asker(small_store(directory, std::uint64_t{4} << 20));
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto messages = fill(asker, webhook);
  asker.settle(settlement(messages.at(0), 1, 503, start_time));
  const auto attempts = asker.message(messages.at(0)).value().attempts;
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].outcome.code == 503);
  CHECK(attempts[0].outcome.response_body.empty());
  CHECK(attempts[0].outcome.response_truncated);
}

TEST_CASE("below the disk reserve new events are refused") {
  TemporaryDirectory directory;
  auto options = small_store(directory, std::uint64_t{64} << 20);
  options.disk_reserve_bytes = std::uint64_t{1} << 60;
  LmdbAsker asker(options);
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  const auto refused = asker.accept({item_for({webhook})}, start_time).at(0);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == ErrorCode::store_full);
  CHECK(refused.error().detail.find("store.disk_reserve") != std::string::npos);
  CHECK(asker.figures().full);
  CHECK(asker.figures().full_because == "disk_reserve");
}

TEST_CASE("a waiting message takes at most its data and 300 bytes on disk") {
  LmdbAsker asker;
  std::vector<WebhookId> webhooks;
  for (int i = 0; i < 50; ++i) {
    webhooks.push_back(asker.put_webhook(webhook_named("hook " + std::to_string(i))).value().id);
  }
  const auto before = asker.figures().used_bytes;
  constexpr std::size_t messages = 40'000;
  const std::string data = "\"" + std::string(510, 'x') + "\"";
  std::vector<store::AcceptItem> items;
  for (std::size_t i = 0; i < messages; ++i) {
    items.push_back(item_for({webhooks[i * 7 % webhooks.size()]}, data));
    if (items.size() == 1000) {
      asker.accept(std::move(items), start_time + std::chrono::milliseconds(i));
      items.clear();
    }
  }
  const auto bytes_each = (asker.figures().used_bytes - before) / messages;
  MESSAGE("bytes on disk for a waiting message of 512 bytes: " << bytes_each);
  CHECK(bytes_each <= 512 + 300);
}

}  // namespace webhookd::store_test
