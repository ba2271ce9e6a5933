// Secrets at rest: what is in the file of a sealed store, who can open it, and that sealing anew is all or nothing.
#include "store/seals.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/log.hpp"
#include "store/check.hpp"
#include "store/codec.hpp"
#include "store/harness.hpp"
#include "store/keys.hpp"
#include "store/raw_store.hpp"

namespace webhookd::store_test {

namespace {

const std::string secret_text = "a-signing-secret-of-thirty-two-b";

// Turns every bit over: enough to see what is sealed, with which key, and for which place.
class FlippingSealer final : public store::Sealer {
 public:
  explicit FlippingSealer(std::string key_id) : key_id_(std::move(key_id)) {}
  const std::string& key_id() const override { return key_id_; }
  std::string seal(std::string_view plain, std::string_view place) const override {
    return key_id_ + "|" + std::string(place) + "|" + flipped(plain);
  }
  std::optional<std::string> open(std::string_view sealed, std::string_view place) const override {
    const std::string head = key_id_ + "|" + std::string(place) + "|";
    return sealed.starts_with(head) ? std::optional(flipped(sealed.substr(head.size()))) : std::nullopt;
  }

 private:
  static std::string flipped(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return static_cast<char>(~c); });
    return out;
  }
  std::string key_id_;
};

const store::SealerRef first = std::make_shared<FlippingSealer>("key-1");
const store::SealerRef second = std::make_shared<FlippingSealer>("key-2");

domain::Webhook secretive(const std::string& name) {
  domain::Webhook webhook = webhook_named(name);
  webhook.secrets = {{domain::SecretKind::hmac_sha256, secret_text, std::nullopt},
                     {domain::SecretKind::ed25519, secret_text, start_time + 24h}};
  return webhook;
}

std::string file_of(const LmdbAsker& asker) {
  std::ifstream file(asker.data() / "store" / "data.mdb", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool holds(const std::string& bytes, const std::string& text) { return bytes.find(text) != std::string::npos; }

// The record of a webhook as somebody who can write the file would forge it: sound but for the seal.
void say_it_was_sealed_for_webhook_1(const LmdbAsker& asker, std::uint64_t sequence) {
  const store::Key sequence_key = store::sequence_key(sequence);
  with_raw_store(asker.data(), [&](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, "webhooks", 0, &dbi) == MDB_SUCCESS);
    MDB_val key{sequence_key.view().size(), const_cast<char*>(sequence_key.view().data())};
    MDB_val found{};
    REQUIRE(mdb_get(txn, dbi, &key, &found) == MDB_SUCCESS);
    std::string record(static_cast<const char*>(found.mv_data), found.mv_size);
    const std::string place = "webhook " + std::to_string(sequence);
    const std::size_t at = record.find(place);
    REQUIRE(at != std::string::npos);
    record[at + place.size() - 1] = '1';
    const std::uint32_t checksum = store::RecordWriter::checksum(sequence_key.view(), record);
    for (std::size_t i = 0; i < 4; ++i) {
      record[1 + i] = static_cast<char>(checksum >> (8 * i));
    }
    MDB_val changed{record.size(), record.data()};
    REQUIRE(mdb_put(txn, dbi, &key, &changed, 0) == MDB_SUCCESS);
  });
}

// Opened with these; the error's text, or nothing.
std::string refusal(LmdbAsker& asker, std::vector<store::SealerRef> sealers) {
  asker.close();
  asker.options().sealers = std::move(sealers);
  base::SilentLog log;
  auto opened = store::open_lmdb_store(asker.options(), log);
  return opened ? "" : opened.error().detail;
}

}  // namespace

TEST_CASE("a store that was made with a sealer never has a secret in its file, and gives it back as it was") {
  LmdbAsker asker;
  asker.close();
  asker.options().sealers = {first};
  asker.open();
  const auto webhook = asker.put_webhook(secretive("one")).value();
  CHECK(asker.webhook(webhook.id).value().webhook == webhook);
  CHECK(asker.figures().master_key == "key-1");
  asker.reopen();
  CHECK(asker.webhook(webhook.id).value().webhook == webhook);
  CHECK(asker.load().webhooks.at(0).webhook == webhook);
  CHECK(asker.figures().damaged_records == 0);
  asker.close();
  CHECK_FALSE(holds(file_of(asker), secret_text));
  CHECK(holds(file_of(asker), "key-1|webhook 1|"));
}

TEST_CASE("a store with secrets is sealed when there is a sealer for the first time") {
  LmdbAsker asker;
  const auto webhook = asker.put_webhook(secretive("one")).value();
  CHECK(asker.figures().master_key == "");
  asker.close();
  asker.options().sealers = {first};
  asker.open();
  CHECK(asker.figures().master_key == "key-1");
  CHECK(asker.webhook(webhook.id).value().webhook == webhook);
}

TEST_CASE("a sealed store does not open without its sealer, and the refusal names both keys") {
  LmdbAsker asker;
  asker.put_webhook(secretive("one")).value();
  CHECK(refusal(asker, {first}) == "");
  CHECK(refusal(asker, {}).starts_with("the store is sealed with the master key key-1, and none is given: "));
  CHECK(refusal(asker, {second}).starts_with("the store is sealed with the master key key-1, and given is key-2: "));
  CHECK(refusal(asker, {second, first}) == "");
}

TEST_CASE("sealing anew takes every secret, in one step, to the other sealer") {
  LmdbAsker asker;
  asker.close();
  asker.options().sealers = {first};
  asker.open();
  std::vector<domain::Webhook> webhooks;
  for (const char* name : {"one", "two", "three"}) {
    webhooks.push_back(asker.put_webhook(secretive(name)).value());
  }
  const auto resealed = asker.reseal(second).value();
  CHECK(resealed.from == "key-1");
  CHECK(resealed.to == "key-2");
  CHECK(resealed.webhooks == 3);
  CHECK(asker.reseal(second).value().webhooks == 0);
  webhooks.push_back(asker.put_webhook(secretive("four")).value());
  for (const domain::Webhook& webhook : webhooks) {
    CHECK(asker.webhook(webhook.id).value().webhook == webhook);
  }
  CHECK(refusal(asker, {first}) != "");
  asker.options().sealers = {second};
  asker.open();
  CHECK(asker.load().webhooks.size() == 4);
  CHECK(asker.figures().damaged_records == 0);
}

TEST_CASE("a restart in the middle of a rotation finds its key, whichever comes first") {
  LmdbAsker asker;
  asker.close();
  asker.options().sealers = {first, second};
  asker.open();
  const auto webhook = asker.put_webhook(secretive("one")).value();
  asker.reseal(second).value();
  asker.reopen();
  CHECK(asker.figures().master_key == "key-2");
  CHECK(asker.webhook(webhook.id).value().webhook == webhook);
}

TEST_CASE("a secret that was moved to another webhook is damage, and nothing is sealed anew over it") {
  LmdbAsker asker;
  asker.close();
  asker.options().sealers = {first};
  asker.open();
  const auto one = asker.put_webhook(secretive("one")).value();
  const auto two = asker.put_webhook(secretive("two")).value();
  asker.close();
  say_it_was_sealed_for_webhook_1(asker, two.id.sequence());
  asker.open();
  CHECK(asker.webhook(one.id).has_value());
  CHECK_FALSE(asker.webhook(two.id).has_value());
  CHECK(asker.figures().damaged_records == 1);
  CHECK_FALSE(asker.reseal(second).has_value());
  CHECK(asker.figures().master_key == "key-1");
  CHECK(asker.webhook(one.id).has_value());
}

TEST_CASE("a check needs no key") {
  LmdbAsker asker;
  asker.close();
  asker.options().sealers = {first};
  asker.open();
  asker.put_webhook(secretive("one")).value();
  asker.close();
  const auto report = store::check_store_directory(asker.data().string(), [](std::string_view, std::uint64_t) {});
  REQUIRE(report.has_value());
  CHECK(report->is_clean());
}

TEST_CASE("a store in memory has nothing at rest, and says with what it was sealed") {
  MemoryAsker asker;
  asker.put_webhook(secretive("one")).value();
  CHECK(asker.reseal(first).value().webhooks == 1);
  CHECK(asker.figures().master_key == "key-1");
  CHECK(asker.reseal(first).value().webhooks == 0);
}

}  // namespace webhookd::store_test
