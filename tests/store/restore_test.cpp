// Copies of a store that goes on, and what becomes of a store when one is put in its place.
#include "store/restore.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "base/random.hpp"
#include "store/check.hpp"
#include "store/harness.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;

std::string content_of(const store::StoreCopy& copy) {
  std::string content(copy.bytes, '\0');
  REQUIRE(::pread(copy.file->get(), content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()));
  return content;
}

std::string backup_of(const store::StoreCopy& copy) {
  domain::BackupWriter writer;
  const std::string data = content_of(copy);
  const std::string head = writer.begin({copy.store_id, copy.schema, "0.1.0", start_time, copy.bytes});
  writer.add(data);
  return head + data + writer.seal();
}

Result<store::RestoreReport> restore(const fs::path& file, const fs::path& directory) {
  return store::restore_store({file.string(), directory.string(), start_time, 77},
                              [](std::string_view, std::uint64_t, std::uint64_t) {});
}

struct Backup {
  LmdbAsker asker;
  TemporaryDirectory directory;
  fs::path file = directory.path() / "backup";
  WebhookId webhook;
  MessageId waiting;

  Backup() {
    webhook = asker.put_webhook(webhook_named("one")).value().id;
    waiting = asker.accept_one(item_for({webhook})).messages.at(0).message;
    write(backup_of(asker.copy().value()));
  }
  void write(const std::string& content) const { std::ofstream(file, std::ios::binary | std::ios::trunc) << content; }
  std::string content() const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace

TEST_CASE("a copy of a store that is written meanwhile holds everything answered before it began") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(webhook_named("one")).value().id;
  std::set<MessageId> answered;
  for (int i = 0; i < 200; ++i) {
    answered.insert(asker.accept_one(item_for({webhook}, std::string(3000, 'x'))).messages.at(0).message);
  }
  std::promise<Result<store::StoreCopy>> promise;
  auto copied = promise.get_future();
  asker.store().copy([&promise](Result<store::StoreCopy> copy) { promise.set_value(std::move(copy)); });
  for (int i = 0; i < 200; ++i) {
    asker.accept_one(item_for({webhook}, std::string(3000, 'y')));
  }
  const Backup nothing;
  nothing.write(backup_of(copied.get().value()));
  const TemporaryDirectory target;
  REQUIRE(restore(nothing.file, target.path() / "data").has_value());
  store::LmdbOptions options = asker.options();
  options.directory = (target.path() / "data").string();
  LmdbAsker restored(options);
  for (const MessageId id : answered) {
    CHECK(restored.message(id).has_value());
  }
}

TEST_CASE("only one copy is made and held at a time") {
  LmdbAsker asker;
  auto first = asker.copy();
  REQUIRE(first.has_value());
  CHECK(asker.copy().error().code == ErrorCode::unavailable);
  first = Error{};
  CHECK(asker.copy().has_value());
}

TEST_CASE("a copy leaves the disk reserve alone") {
  LmdbAsker asker;
  asker.close();
  asker.options().disk_reserve_bytes = std::uint64_t{1} << 60;
  asker.open();
  const auto copy = asker.copy();
  REQUIRE(!copy.has_value());
  CHECK(copy.error().code == ErrorCode::store_full);
  CHECK(copy.error().detail.find("store.disk_reserve") != std::string::npos);
}

TEST_CASE("a restored store has what was in the backup, closed to others, and is the one that belongs there") {
  Backup backup;
  const TemporaryDirectory target;
  const auto report = restore(backup.file, target.path() / "data");
  REQUIRE_MESSAGE(report.has_value(), report.error().detail);
  CHECK(report->kept == "");
  CHECK(report->backup.schema == store::schema_version);
  struct stat status {};
  REQUIRE(::stat((target.path() / "data" / "store" / "data.mdb").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  store::LmdbOptions options = backup.asker.options();
  options.directory = (target.path() / "data").string();
  LmdbAsker restored(options);
  CHECK(restored.webhook(backup.webhook)->webhook == backup.asker.webhook(backup.webhook)->webhook);
  CHECK(restored.message(backup.waiting)->message == backup.asker.message(backup.waiting)->message);
  CHECK(restored.figures().store_id == backup.asker.figures().store_id);
}

TEST_CASE("what is made after a restore has other ids than what was made after the backup") {
  Backup backup;
  const auto after = backup.asker.accept_one(item_for({backup.webhook}));
  const auto webhook_after = backup.asker.put_webhook(webhook_named("after")).value().id;
  backup.asker.close();
  const auto report = restore(backup.file, backup.asker.data());
  REQUIRE_MESSAGE(report.has_value(), report.error().detail);
  backup.asker.open();
  const auto again = backup.asker.accept_one(item_for({backup.webhook}));
  CHECK(again.event != after.event);
  CHECK(again.event.sequence() > after.event.sequence() + 1'000'000'000);
  CHECK(again.messages.at(0).message.sequence() > after.messages.at(0).message.sequence() + 1'000'000'000);
  CHECK(backup.asker.put_webhook(webhook_named("again")).value().id != webhook_after);
  CHECK(!backup.asker.message(after.messages.at(0).message).has_value());
  CHECK(ids_of(backup.asker.list({})).size() == 2);
  // Its own ids are found, those of before and those of now.
  CHECK(backup.asker.message(backup.waiting).has_value());
  CHECK(backup.asker.message(again.messages.at(0).message).has_value());
  backup.asker.close();
  const auto checked = store::check_store_directory(backup.asker.data().string(), [](auto, auto) {});
  for (const auto& finding : checked.value().findings) {
    FAIL_CHECK(finding.table << ": " << finding.detail);
  }
}

TEST_CASE("a store is restored from a backup of a restored store") {
  Backup backup;
  backup.asker.close();
  REQUIRE(restore(backup.file, backup.asker.data()).has_value());
  backup.asker.open();
  const auto between = backup.asker.accept_one(item_for({backup.webhook}));
  backup.write(backup_of(backup.asker.copy().value()));
  backup.asker.close();
  fs::remove_all(backup.asker.data());
  REQUIRE(restore(backup.file, backup.asker.data()).has_value());
  backup.asker.open();
  const auto last = backup.asker.accept_one(item_for({backup.webhook}));
  for (const MessageId id : {backup.waiting, between.messages.at(0).message, last.messages.at(0).message}) {
    CHECK(backup.asker.message(id).has_value());
  }
}

TEST_CASE("a store that is there already is kept under another name") {
  Backup backup;
  const auto later = backup.asker.accept_one(item_for({backup.webhook}));
  backup.asker.close();
  const auto report = restore(backup.file, backup.asker.data());
  REQUIRE_MESSAGE(report.has_value(), report.error().detail);
  CHECK(report->kept == backup.asker.options().directory + "/store.before-restore-" + base::format_time(start_time));
  CHECK(fs::exists(report->kept + "/data.mdb"));
  // It can be put back.
  fs::remove_all(backup.asker.data() / "store");
  fs::rename(report->kept, backup.asker.data() / "store");
  backup.asker.open();
  CHECK(backup.asker.message(later.messages.at(0).message).has_value());
}

TEST_CASE("nothing changes while a daemon uses the directory") {
  Backup backup;
  const auto report = restore(backup.file, backup.asker.data());
  REQUIRE(!report.has_value());
  CHECK(report.error().detail.find("another process holds") != std::string::npos);
}

TEST_CASE("a backup that is cut short or changed is refused and nothing changes") {
  Backup backup;
  backup.asker.close();
  const std::string sound = backup.content();
  base::Random random(3);
  for (int i = 0; i < 60; ++i) {
    std::string content = sound;
    if (i % 2 == 0) {
      content.resize(random.below(content.size()));
    } else {
      content[random.below(content.size())] += 1;
    }
    backup.write(content);
    CHECK(!restore(backup.file, backup.asker.data()).has_value());
  }
  CHECK(!fs::exists(backup.asker.data() / "store.new"));
  backup.asker.open();
  CHECK(backup.asker.message(backup.waiting).has_value());
}

TEST_CASE("a damaged store in a good envelope is refused with the first place") {
  Backup backup;
  auto copy = backup.asker.copy().value();
  std::string data = content_of(copy);
  const std::size_t place = data.find("receiver.example");
  REQUIRE(place != std::string::npos);
  for (std::size_t at = place; at != std::string::npos; at = data.find("receiver.example", at + 1)) {
    data[at] = 'x';
  }
  domain::BackupWriter writer;
  const std::string head = writer.begin({copy.store_id, copy.schema, "0.1.0", start_time, data.size()});
  writer.add(data);
  backup.write(head + data + writer.seal());
  const TemporaryDirectory target;
  const auto report = restore(backup.file, target.path() / "data");
  REQUIRE(!report.has_value());
  CHECK(report.error().detail.find("damaged in") != std::string::npos);
  CHECK(report.error().detail.find("checksum") != std::string::npos);
}

TEST_CASE("a backup that is not there is refused by its name") {
  Backup backup;
  CHECK(restore(backup.directory.path() / "none", backup.asker.data()).error().detail.find("none") !=
        std::string::npos);
}

}  // namespace webhookd::store_test
