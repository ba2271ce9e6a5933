// What was answered is there after a power cut at any moment, and after a disk that refused any call: the store is run
// on a disk that is recorded, and then opened as that disk may be found (support/recorded_disk.hpp).
#include <atomic>
#include <cerrno>
#include <future>

#include "store/check.hpp"
#include "store/harness.hpp"
#include "support/recorded_disk.hpp"
#include "support/sanitizer.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;
using support::PowerCuts;
using support::RecordedDisk;

// A message that somebody was told of, by the number of the answer.
struct Promised {
  MessageId message;
  std::string data;
  std::uint64_t accepted_at = 0;
  std::uint64_t settled_at = 0;  // 0: not
};

// Asks for several events at once, so that they share commits, and settles some of those before.
class Workload {
 public:
  Workload(LmdbAsker& asker, RecordedDisk& disk, std::vector<WebhookId> webhooks)
      : asker_(asker), disk_(disk), webhooks_(std::move(webhooks)) {}

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const std::size_t before = promised_.size();
      accept_some(1 + round % 5, round);
      settle_some(before);
    }
  }
  const std::vector<Promised>& promised() const { return promised_; }
  std::size_t refused() const { return refused_; }
  bool was_last_refused() const { return was_last_refused_; }

 private:
  using Answers = std::vector<Result<store::Accepted>>;

  static std::string data_of(int round, int number) {
    const std::size_t filler = (round + number) % 7 == 0 ? 9000 : 20;
    return "\"" + std::to_string(round) + "." + std::to_string(number) + std::string(filler, 'x') + "\"";
  }

  // On the store's thread, before it begins its next commit.
  void take(const Result<Answers>& answers, const std::string& data) {
    const bool is_accepted = answers && answers->front();
    was_last_refused_ = !is_accepted;
    refused_ += !is_accepted;
    if (is_accepted) {
      disk_.note(++answered_);
      for (const auto& message : answers->front()->messages) {
        promised_.push_back({message.message, data, answered_, 0});
      }
    }
  }
  void accept_some(int count, int round) {
    std::vector<std::future<void>> answers;
    for (int i = 0; i < count; ++i) {
      const std::string data = data_of(round, i);
      const auto promise = std::make_shared<std::promise<void>>();
      answers.push_back(promise->get_future());
      asker_.store().accept({item_for(webhooks_, data)}, start_time, [this, data, promise](Result<Answers> result) {
        take(result, data);
        promise->set_value();
      });
    }
    for (auto& answer : answers) {
      REQUIRE(answer.wait_for(30s) == std::future_status::ready);
    }
  }
  void settle_some(std::size_t end) {
    std::vector<store::Settlement> settlements;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < end; i += 3) {
      if (promised_[i].settled_at == 0 && settlements.size() < 6) {
        settlements.push_back(settlement(promised_[i].message, 1, 200, start_time + 1s));
        which.push_back(i);
      }
    }
    const auto kept = std::make_shared<const std::vector<store::Settlement>>(std::move(settlements));
    const auto settled =
        asker_.ask<std::vector<store::Settled>>([&](auto done) { asker_.store().settle(kept, std::move(done)); });
    if (settled) {
      disk_.note(++answered_);
      for (const std::size_t i : which) {
        promised_[i].settled_at = answered_;
      }
    }
  }

  LmdbAsker& asker_;
  RecordedDisk& disk_;
  std::vector<WebhookId> webhooks_;
  std::vector<Promised> promised_;
  std::uint64_t answered_ = 0;
  std::size_t refused_ = 0;
  bool was_last_refused_ = false;
};

std::vector<WebhookId> add_webhooks(LmdbAsker& asker) {
  std::vector<WebhookId> ids;
  for (const char* name : {"one", "two"}) {
    ids.push_back(asker.put_webhook(webhook_named(name)).value().id);
  }
  return ids;
}

bool is_kept(Asker& asker, const Promised& promised, std::uint64_t answered) {
  const auto found = asker.message(promised.message);
  if (!found || found->event->data != promised.data) {
    return false;
  }
  const bool is_settled = promised.settled_at != 0 && promised.settled_at <= answered;
  return !is_settled || found->message.status == MessageStatus::success;
}

// Of what had been answered by then.
std::size_t lost(Asker& asker, const std::vector<Promised>& promised, std::uint64_t answered) {
  return static_cast<std::size_t>(std::count_if(promised.begin(), promised.end(), [&](const Promised& one) {
    return one.accepted_at <= answered && !is_kept(asker, one, answered);
  }));
}

// A run of a store, and the disk under it.
struct Recording {
  TemporaryDirectory image;
  store::LmdbOptions options;
  std::vector<Promised> promised;
  std::vector<RecordedDisk::Call> calls;

  explicit Recording(int rounds) {
    LmdbAsker asker;
    options = asker.options();
    const auto webhooks = add_webhooks(asker);
    asker.reopen();
    fs::copy(asker.data(), image.path(), fs::copy_options::recursive);
    RecordedDisk disk(asker.data());
    Workload work(asker, disk, webhooks);
    work.run(rounds);
    promised = work.promised();
    calls = disk.take();
  }
};

struct Found {
  std::size_t cuts = 0;
  std::size_t lost = 0;
  std::size_t unclean = 0;
};

// The store at every `step`-th place of the recording.
Found cut_everywhere(const Recording& recording, PowerCuts::Syncs syncs, const std::vector<double>& kept_chances,
                     std::size_t step) {
  Found found;
  std::mt19937_64 random(seed);
  PowerCuts cuts(recording.image.path(), recording.calls, syncs);
  for (std::size_t number = 0; cuts.next(); ++number) {
    if (number % step != 0) {
      continue;
    }
    const TemporaryDirectory directory;
    cuts.write_to(directory.path(), kept_chances[found.cuts % kept_chances.size()], random);
    store::LmdbOptions options = recording.options;
    options.directory = directory.path().string();
    CAPTURE(number);
    LmdbAsker asker(options);
    found.lost += lost(asker, recording.promised, cuts.noted());
    // It also works on.
    CHECK(asker.accept_one(item_for({asker.list_webhooks().front().webhook.id})).messages.size() == 1);
    asker.close();
    const auto checked = store::check_store_directory(options.directory, [](std::string_view, std::uint64_t) {});
    found.unclean += !checked || !checked->is_clean();
    ++found.cuts;
  }
  return found;
}

}  // namespace

TEST_CASE("a power cut at any call to the disk loses nothing that was answered, and leaves a store that is whole") {
  const Recording recording(60);
  const Found found =
      cut_everywhere(recording, {.are_kept = true}, {0.0, 0.5, 1.0, 0.1, 0.9}, support::is_sanitized ? 5 : 1);
  CHECK(found.cuts >= (support::is_sanitized ? 100 : 500));
  CHECK(found.lost == 0);
  CHECK(found.unclean == 0);
  MESSAGE(found.cuts << " power cuts, " << recording.promised.size() << " messages, " << found.lost << " lost");
}

TEST_CASE("on a disk that only says that it has synced, a power cut is seen to lose what was answered") {
  const Recording recording(5);
  const Found found = cut_everywhere(recording, {.are_kept = false}, {0.0}, 5);
  CHECK(found.lost > 0);
}

TEST_CASE("a disk that refuses any one call costs no answered event, and no answer is given for what it refused") {
  std::size_t went_on = 0;
  std::size_t ended = 0;
  std::uint64_t calls = 1;
  for (std::uint64_t k = 0; k < calls; k += support::is_sanitized ? 5 : 1) {
    CAPTURE(k);
    LmdbAsker asker;
    const auto webhooks = add_webhooks(asker);
    std::atomic<int> times_lost = 0;
    asker.options().on_writer_lost = [&times_lost] { ++times_lost; };
    asker.reopen();
    RecordedDisk disk(asker.data());
    disk.refuse(k, 1, EIO);
    Workload work(asker, disk, webhooks);
    work.run(6);
    calls = k == 0 ? disk.calls() : calls;
    disk.refuse(0, 0, 0);  // no more
    work.run(1);           // it goes on by itself, or has said that it has to be opened anew
    disk.take();
    CHECK(times_lost == (work.was_last_refused() ? 1 : 0));
    ++(work.was_last_refused() ? ended : went_on);
    asker.options().on_writer_lost = nullptr;
    asker.reopen();
    CHECK(lost(asker, work.promised(), ~std::uint64_t{0}) == 0);
    asker.close();
    const auto checked =
        store::check_store_directory(asker.options().directory, [](std::string_view, std::uint64_t) {});
    CHECK((checked && checked->is_clean()));
  }
  CHECK(went_on > ended);
  MESSAGE("after " << went_on << " refused calls the store went on, after " << ended << " it had to be opened anew");
}

TEST_CASE("a disk that refuses every call from one on stops the answers, and loses nothing of what was answered") {
  for (std::uint64_t k = 0; k < 32; k += support::is_sanitized ? 7 : 1) {
    CAPTURE(k);
    LmdbAsker asker;
    const auto webhooks = add_webhooks(asker);
    RecordedDisk disk(asker.data());
    disk.refuse(k, ~std::uint64_t{0}, k % 2 == 0 ? EIO : ENOSPC);
    Workload work(asker, disk, webhooks);
    work.run(6);
    disk.take();
    CHECK(work.refused() > 0);
    CHECK(work.was_last_refused());
    asker.reopen();
    CHECK(lost(asker, work.promised(), ~std::uint64_t{0}) == 0);
    CHECK(asker.accept_one(item_for(webhooks)).messages.size() == 2);
  }
}

}  // namespace webhookd::store_test
