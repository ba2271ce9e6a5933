// A store whose file was damaged while nobody looked: pages emptied, overwritten, put in the place of others. Whatever
// is then asked of it comes back, with an answer or an error; every walk ends; the damage is counted; and the process
// that serves it lives. Each damaged file is used by a process of its own, so that one that dies is seen.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/random.hpp"
#include "store/harness.hpp"
#include "store/raw_store.hpp"
#include "support/sanitizer.hpp"

namespace webhookd::store_test {

namespace {

namespace fs = std::filesystem;

constexpr int calls_max = 2000;  // of one walk: no walk of the small store here takes as many
constexpr unsigned seconds_max = 20;

// A store with branch pages in its large tables, rows with pages of their own, and something in every table.
struct Grown {
  LmdbAsker asker;
  std::vector<WebhookId> webhooks;
  std::vector<MessageId> messages;
  std::vector<EventId> events;
  base::TaskId task;

  Grown() {
    for (const char* name : {"one", "two", "gone"}) {
      webhooks.push_back(asker.put_webhook(webhook_named(name)).value().id);
    }
    for (int i = 0; i < 600; ++i) {
      const std::string data =
          i % 40 == 0 ? "\"" + std::string(9000, 'd') + "\"" : R"({"number":)" + std::to_string(i) + "}";
      const auto accepted = asker.accept_one(item_for(webhooks, data, i % 3 == 0 ? "key-" + std::to_string(i) : ""));
      events.push_back(accepted.event);
      for (const auto& message : accepted.messages) {
        messages.push_back(message.message);
      }
    }
    std::vector<store::Settlement> settlements;
    for (std::size_t i = 0; i < messages.size(); i += 2) {
      settlements.push_back(settlement(messages[i], 1, i % 4 == 0 ? 200 : 503, start_time + 1s));
    }
    asker.settle(std::move(settlements));
    for (int i = 0; i < 100; ++i) {
      store::AuditLine line;
      line.at = start_time;
      line.operation = "testOperation";
      line.detail = std::string(60, 'x');
      asker.note_audit(line).value();
    }
    store::BulkTask draft;
    draft.filter.webhook = webhooks[0];
    draft.actor = {1000, "all"};
    draft.started_at = start_time;
    task = asker.begin_bulk(draft).value().id;
    asker.delete_webhook(webhooks[2]).value();
    asker.purge(webhooks[2], 50).value();
    asker.close();
  }
  fs::path data() const { return asker.data(); }
  fs::path file() const { return asker.data() / "store" / "data.mdb"; }
};

// What became of a process that used a damaged store; as its exit code.
enum class End : int { refused, counted, uncounted, endless, killed };
constexpr std::array<const char*, 5> end_names = {"refused", "counted", "uncounted", "endless", "killed"};

// Everything that a daemon asks of its store.
class User {
 public:
  User(const Grown& grown, Asker& asker) : grown_(grown), asker_(asker) {}

  void read() {
    note(ask<store::OpenState>([&](auto done) { store().load(std::move(done)); }));
    note(ask<std::vector<store::WebhookState>>([&](auto done) { store().list_webhooks(std::move(done)); }));
    note(ask<std::vector<domain::EventType>>([&](auto done) { store().list_types(std::move(done)); }));
    note(ask<std::vector<store::BulkTask>>([&](auto done) { store().list_bulk_tasks(100, std::move(done)); }));
    read_audit();
    for (const bool oldest_first : {true, false}) {
      read_list(oldest_first, std::nullopt);
      read_list(oldest_first, grown_.webhooks[0]);
    }
    read_feed();
    read_histories();
    read_due();
    for (std::size_t i = 0; i < grown_.events.size(); i += 50) {
      note(ask<store::EventDetail>([&](auto done) { store().event(grown_.events[i], 100, std::move(done)); }));
      note(ask<store::MessageDetail>([&](auto done) { store().message(grown_.messages[i], std::move(done)); }));
    }
    note(ask<std::vector<MessageId>>([&](auto done) { store().find_messages(0, ~0ULL, 10'000, std::move(done)); }));
    note(ask<std::vector<EventId>>([&](auto done) { store().find_events(0, ~0ULL, 10'000, std::move(done)); }));
    note(ask<store::StoreCopy>([&](auto done) { store().copy(std::move(done)); }));
  }

  void write() {
    const Time later = start_time + 2h;
    for (int i = 0; i < 20; ++i) {
      note(ask<std::vector<Result<store::Accepted>>>([&](auto done) {
        store().accept({item_for({grown_.webhooks[0]}, "{}", "new-" + std::to_string(i))}, later, std::move(done));
      }));
    }
    for (std::size_t i = 1; i < grown_.messages.size(); i += 24) {
      settle({settlement(grown_.messages[i], 1, 200, later)});
    }
    for (std::size_t i = 2; i < grown_.messages.size(); i += 48) {
      note(ask<Message>([&](auto done) { store().retry(grown_.messages[i], {1000, "r"}, later, std::move(done)); }));
      note(ask<Message>([&](auto done) {
        store().cancel(grown_.messages[i + 1], {1000, "c"}, later, std::move(done));
      }));
    }
    step_task();
    note(ask<std::uint64_t>([&](auto done) { store().delete_webhook(grown_.webhooks[1], std::move(done)); }));
    for (const WebhookId webhook : {grown_.webhooks[2], grown_.webhooks[1]}) {
      repeat([&] {
        const auto step =
            ask<store::PurgeStep>([&](auto done) { store().purge_webhook(webhook, 100, std::move(done)); });
        return note(step) && !step->done;
      });
    }
    expire(later);
    note(ask<domain::Webhook>([&](auto done) { store().put_webhook({webhook_named("another"), 0}, std::move(done)); }));
  }

  bool is_endless() const { return is_endless_; }
  std::uint64_t damage() {
    const auto figures = ask<store::StoreFigures>([&](auto done) { store().figures(std::move(done)); });
    return figures ? figures->damaged_records : failed_;
  }
  std::uint64_t failed() const { return failed_; }

 private:
  Store& store() { return asker_.store(); }
  template <class T, class Question>
  Result<T> ask(Question question) {
    return asker_.ask<T>(std::move(question));
  }
  template <class T>
  bool note(const Result<T>& result) {
    failed_ += !result && result.error().code == ErrorCode::internal ? 1 : 0;
    return result.has_value();
  }
  // Until `again` answers false; a walk that does not end is what this is about.
  template <class Again>
  void repeat(Again again) {
    int calls = 0;
    while (again()) {
      if (++calls > calls_max) {
        is_endless_ = true;
        return;
      }
    }
  }

  void read_audit() {
    store::AuditQuery query;
    repeat([&] {
      const auto page = ask<store::AuditPage>([&](auto done) { store().list_audit(query, std::move(done)); });
      query.before = note(page) ? page->next.value_or(0) : 0;
      return query.before != 0;
    });
  }
  void read_list(bool oldest_first, std::optional<WebhookId> webhook) {
    store::MessageQuery query;
    query.oldest_first = oldest_first;
    query.webhook = webhook;
    repeat([&] {
      const auto page = ask<store::MessagePage>([&](auto done) { store().list_messages(query, std::move(done)); });
      query.after_sequence = note(page) ? page->next.value_or(0) : 0;
      return query.after_sequence != 0;
    });
  }
  void read_feed() {
    store::ChangeQuery query;
    repeat([&] {
      const auto page = ask<store::ChangePage>([&](auto done) { store().changes(query, std::move(done)); });
      query.after = page ? page->position : 0;
      return note(page) && !page->at_end;
    });
  }
  void read_histories() {
    store::HistoryQuery query;
    repeat([&] {
      const auto page = ask<store::HistoryPage>([&](auto done) { store().histories(query, std::move(done)); });
      query.after = page ? page->position : 0;
      return note(page) && !page->at_end;
    });
  }
  void read_due() {
    store::DueHeadQuery query = heads_until(start_time + 240h, 1);
    repeat([&] {
      const auto heads = ask<store::DueHeads>([&](auto done) { store().due_heads(query, std::move(done)); });
      query.from_bucket = heads ? heads->resume_bucket : 0;
      query.after = heads ? heads->resume_after : WebhookId();
      return note(heads) && !heads->complete;
    });
    for (const WebhookId webhook : grown_.webhooks) {
      store::ClaimQuery claim = claim_all(webhook);
      claim.rows = 10;
      repeat([&] {
        const auto due = ask<store::Claim>([&](auto done) { store().claim_due(claim, std::move(done)); });
        claim.from = note(due) ? due->next.value_or(claim.from) : claim.from;
        return due && due->next;
      });
    }
  }
  void settle(std::vector<store::Settlement> settlements) {
    const auto shared = std::make_shared<const std::vector<store::Settlement>>(std::move(settlements));
    note(ask<std::vector<store::Settled>>([&](auto done) { store().settle(shared, std::move(done)); }));
  }
  void step_task() {
    store::BulkStep step;
    step.task = grown_.task;
    step.to = 100;
    step.messages.assign(grown_.messages.begin(), grown_.messages.begin() + 100);
    step.now = start_time + 3h;
    note(ask<store::BulkProgress>([&](auto done) { store().step_bulk(step, std::move(done)); }));
  }
  void expire(Time later) {
    store::ExpireStep step;
    step.before = later + 1h;
    step.now = later + 2h;
    step.remembered_since = later;
    step.max_bytes = ~0ULL;
    step.audit_before = later;
    step.limit = 100;
    repeat([&] {
      const auto expired = ask<store::Expired>([&](auto done) { store().expire(step, std::move(done)); });
      step.after = expired ? expired->after : 0;
      step.after_event = expired ? expired->after_event : 0;
      return note(expired) && !expired->done;
    });
  }

  const Grown& grown_;
  Asker& asker_;
  std::uint64_t failed_ = 0;
  bool is_endless_ = false;
};

// As the writer's and the copier's threads do, the store may only be opened behind the fork.
class OpenedAsker final : public Asker {
 public:
  explicit OpenedAsker(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  Store& store() override { return *store_; }
  void work() override { std::this_thread::sleep_for(20us); }

 private:
  std::unique_ptr<Store> store_;
};

End use(const Grown& grown, store::LmdbOptions options) {
  base::SilentLog log;
  auto opened = store::open_lmdb_store(options, log);
  if (!opened) {
    return End::refused;
  }
  OpenedAsker asker(std::move(*opened));
  User user(grown, asker);
  user.read();
  user.write();
  user.read();
  if (user.is_endless()) {
    return End::endless;
  }
  return user.damage() > 0 ? End::counted : user.failed() > 0 ? End::uncounted : End::counted;
}

End use_in_child(Grown& grown) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
      ::signal(signal, SIG_DFL);  // doctest's handlers tell of what the parent tells
    }
    ::alarm(seconds_max);
    ::close(2);
    ::_exit(static_cast<int>(use(grown, grown.asker.options())));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM ? End::endless : End::killed;
  }
  return static_cast<End>(WEXITSTATUS(status));
}

struct DamageKind {
  const char* name;
  std::string (*page)(const std::string& sound, std::size_t place, base::Random& random);
};
std::string noise(std::size_t bytes, base::Random& random) {
  std::string made(bytes, '\0');
  std::generate(made.begin(), made.end(), [&] { return static_cast<char>(random.below(256)); });
  return made;
}
const std::array damage_kinds = {
    DamageKind{"zeroed", [](const std::string&, std::size_t, base::Random&) { return std::string(page_bytes, '\0'); }},
    DamageKind{"noise",
               [](const std::string&, std::size_t, base::Random& random) { return noise(page_bytes, random); }},
    DamageKind{"another page",
               [](const std::string& sound, std::size_t, base::Random& random) {
                 return sound.substr(random.below(sound.size() / page_bytes) * page_bytes, page_bytes);
               }},
    DamageKind{"damaged head",
               [](const std::string& sound, std::size_t place, base::Random& random) {
                 std::string page = sound.substr(place, page_bytes);
                 for (int i = 0; i < 4; ++i) {
                   page[random.below(64)] = static_cast<char>(random.below(256));
                 }
                 return page;
               }},
};

// The topmost page of a table, emptied.
void empty_root(Grown& grown, const char* table) {
  const std::size_t place = root_place(grown.data(), table);
  std::string content = content_of(grown.file());
  content.replace(place, page_bytes, page_bytes, '\0');
  write_content(grown.file(), content);
}

// The last page below the topmost one of a table is its first one again.
void make_cyclic(Grown& grown, const char* table) {
  constexpr std::size_t head_bytes = 16;
  const std::size_t place = root_place(grown.data(), table);
  std::string content = content_of(grown.file());
  char* page = content.data() + place;
  std::uint16_t kind = 0;
  std::uint16_t end = 0;
  std::memcpy(&kind, page + 10, sizeof kind);
  std::memcpy(&end, page + 12, sizeof end);
  REQUIRE(kind == 1);  // it branches
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::memcpy(&first, page + head_bytes, sizeof first);
  std::memcpy(&last, page + end - sizeof last, sizeof last);
  std::memcpy(page + last, page + first, sizeof(std::uint32_t));
  write_content(grown.file(), content);
}

}  // namespace

TEST_CASE("what needs a damaged page fails with a reason, is counted and logged once, and the rest goes on") {
  Grown grown;
  empty_root(grown, "messages");
  LmdbAsker& asker = grown.asker;
  asker.open();
  for (int i = 0; i < 3; ++i) {
    const auto page =
        asker.ask<store::MessagePage>([&](auto done) { asker.store().list_messages({}, std::move(done)); });
    REQUIRE(!page.has_value());
    CHECK(page.error().code == ErrorCode::internal);
    CHECK(page.error().detail.find("table messages: ") != std::string::npos);
    CHECK(page.error().detail.find("whctl check") != std::string::npos);
  }
  CHECK(asker.figures().damaged_records == 1);
  CHECK(asker.log().count("store_structure_damaged") == 1);
  CHECK(asker.list_webhooks().size() == 2);
  CHECK(asker.audit().lines.size() == 50);
}

TEST_CASE("a change that meets a damaged page is not made, and those after it are") {
  Grown grown;
  empty_root(grown, "attempts");
  LmdbAsker& asker = grown.asker;
  asker.open();
  const auto shared = std::make_shared<const std::vector<store::Settlement>>(
      std::vector{settlement(grown.messages[1], 1, 200, start_time + 2s)});
  const auto settled =
      asker.ask<std::vector<store::Settled>>([&](auto done) { asker.store().settle(shared, std::move(done)); });
  REQUIRE(!settled.has_value());
  CHECK(settled.error().detail.find("table attempts: ") != std::string::npos);
  CHECK(asker.cancel(grown.messages[1], start_time + 3s).has_value());
  CHECK(asker.accept_one(item_for({grown.webhooks[0]})).messages.size() == 1);
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("a step of a bulk task that meets a damaged page fails, again and again, and the task stands where it was") {
  Grown grown;
  empty_root(grown, "changes");
  LmdbAsker& asker = grown.asker;
  asker.open();
  store::BulkStep step;
  step.task = grown.task;
  step.to = 100;
  step.messages = {grown.messages[0], grown.messages[3]};
  step.now = start_time + 3h;
  for (int i = 0; i < 3; ++i) {
    const auto stepped = asker.step_bulk(step);
    REQUIRE(!stepped.has_value());
    CHECK(stepped.error().code == ErrorCode::internal);
  }
  CHECK(asker.bulk_task(grown.task).value().position == 0);
}

TEST_CASE("walks of a tree that leads back to its beginning end with the keys out of order") {
  Grown grown;
  make_cyclic(grown, "events");
  LmdbAsker& asker = grown.asker;
  asker.open();
  store::HistoryQuery query;
  bool has_failed = false;
  for (int calls = 0; calls < calls_max && !has_failed; ++calls) {
    const auto page =
        asker.ask<store::HistoryPage>([&](auto done) { asker.store().histories(query, std::move(done)); });
    has_failed = !page.has_value();
    REQUIRE((has_failed || !page->at_end));
    query.after = has_failed ? 0 : page->position;
    if (has_failed) {
      CHECK(page.error().detail.find("table events: its keys are out of order") != std::string::npos);
    }
  }
  CHECK(has_failed);
  CHECK(asker.figures().damaged_records == 1);
}

TEST_CASE("a copy of a store says that damage was met in it") {
  Grown grown;
  empty_root(grown, "messages");
  LmdbAsker& asker = grown.asker;
  asker.open();
  CHECK(asker.copy().value().damaged_records == 0);
  (void)asker.ask<store::MessagePage>([&](auto done) { asker.store().list_messages({}, std::move(done)); });
  CHECK(asker.copy().value().damaged_records == 1);
}

TEST_CASE("a store whose list of free pages is damaged is not opened: pages in use would be written over") {
  Grown grown;
  std::string content = content_of(grown.file());
  std::uint64_t transactions[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    std::memcpy(&transactions[i], content.data() + i * page_bytes + 144, sizeof transactions[i]);
  }
  const std::size_t newest = transactions[1] > transactions[0] ? 1 : 0;
  std::uint64_t root = 0;
  std::memcpy(&root, content.data() + newest * page_bytes + 80, sizeof root);
  content.replace(root * page_bytes, page_bytes, page_bytes, '\0');
  write_content(grown.file(), content);
  const auto opened = store::open_lmdb_store(grown.asker.options(), *std::make_unique<base::SilentLog>());
  REQUIRE(!opened.has_value());
  CHECK(opened.error().detail.find("the list of free pages: ") != std::string::npos);
}

TEST_CASE("damaged pages never end the process that serves the store, and every walk ends") {
  Grown grown;
  const std::string sound = content_of(grown.file());
  REQUIRE(use_in_child(grown) == End::counted);
  const char* wanted = std::getenv("WEBHOOKD_TEST_DAMAGES");
  const int damages = wanted ? std::atoi(wanted) : 60;
  base::Random random(7);
  std::map<std::string, std::array<int, end_names.size()>> ends;
  for (int i = 0; i < damages; ++i) {
    const DamageKind& kind = damage_kinds[static_cast<std::size_t>(i) % damage_kinds.size()];
    const std::size_t place = random.below(sound.size() / page_bytes) * page_bytes;
    std::string content = sound;
    content.replace(place, page_bytes, kind.page(sound, place, random));
    write_content(grown.file(), content);
    const End end = use_in_child(grown);
    ++ends[kind.name].at(static_cast<std::size_t>(end));
    INFO(kind.name << " page " << place / page_bytes << " of " << sound.size() / page_bytes << ", damage " << i);
    CHECK((end != End::killed || support::is_thread_sanitized));
    CHECK(end != End::endless);
    CHECK(end != End::uncounted);
  }
  for (const auto& [kind, counts] : ends) {
    std::string said;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      said += std::string(" ") + end_names[i] + " " + std::to_string(counts[i]);
    }
    MESSAGE(kind << ":" << said);
  }
}

}  // namespace webhookd::store_test
