// The same random calls to the LMDB store and to its model, the memory store: every answer must be equal. Writes are
// queued some at a time, so that LMDB's commits hold several that meet on the same messages. One seed, no luck.
#include <algorithm>
#include <array>
#include <functional>
#include <sstream>

#include "base/random.hpp"
#include "store/harness.hpp"
#include "store/records.hpp"

namespace webhookd::store_test {

namespace {

using base::Random;

// ---- answers as text ------------------------------------------------------------------------------------------

std::string say(const Error& error) {
  return "error " + std::to_string(static_cast<int>(error.code)) + " " + error.detail;
}
std::string say(std::uint64_t number) { return std::to_string(number); }
std::string say(const std::string& text) { return text; }
std::string say(Time time) { return base::format_time(time); }

template <class Kind>
std::string say(base::Id<Kind> id) {
  return to_string(id);
}
std::string say(const Message& message) {
  std::string record;
  store::encode_message(message, 0, record);
  return say(message.id) + say(message.webhook) + say(message.event) + record;
}
std::string say(const domain::Webhook& webhook) {
  std::string record;
  store::encode_webhook(webhook, nullptr, record);
  return say(webhook.id) + record;
}
std::string say(const domain::EventType& type) {
  std::string record;
  store::encode_type(type, record);
  return type.name + record;
}
std::string say(const store::WebhookState& state) {
  std::string record;
  store::encode_counters(1, state.counters, record);
  return say(state.webhook) + record + (state.deleting ? "deleting" : "");
}
std::string say(const store::Settled& settled) { return say(settled.message) + (settled.changed ? "+" : "-"); }
std::string say(const store::BulkTask& task) {
  std::string record;
  store::encode_task(task, record);
  return say(task.id) + record;
}
std::string say(const domain::Attempt& attempt) {
  std::string record;
  store::encode_attempt(1, attempt, record);
  return record;
}
std::string say(const domain::EventRef& event) {
  return say(event->id) + event->type + say(event->timestamp) + say(event->accepted_at) + event->idempotency_key +
         event->data;
}
std::string say(const store::MessageRow& row) { return say(row.message) + row.type; }
std::string say(const store::ChangeRow& row) { return std::to_string(row.number) + say(row.message) + row.type; }
std::string say(const store::DueHead& head) {
  return say(head.webhook) + say(head.position.due) + say(head.position.message_sequence);
}
std::string say(const store::ClaimedMessage& claimed) { return say(claimed.message) + say(claimed.event); }
std::string say(const store::MessageRef& ref) { return say(ref.message) + say(ref.webhook); }

template <class T>
std::string say(const std::vector<T>& values);
std::string say(const store::Accepted& accepted);
std::string say(const store::MessageDetail& detail);
std::string say(const store::EventDetail& detail);
std::string say(const store::ChangePage& page);
std::string say(const store::BulkProgress& progress);

template <class T>
std::string say(const Result<T>& result) {
  return result ? say(*result) : say(result.error());
}
template <class T>
std::string say(const std::vector<T>& values) {
  std::string text = "[";
  for (const T& value : values) {
    text += say(value) + ",";
  }
  return text + "]";
}
std::string say(const store::Accepted& accepted) {
  return say(accepted.event) + accepted.type + say(accepted.timestamp) + (accepted.duplicate ? "again" : "new") +
         say(accepted.messages) + say(accepted.message_count);
}
std::string say(const store::Claim& claim) {
  const auto next = claim.next.value_or(store::DuePosition{});
  return say(claim.messages) + say(next.due) + say(next.message_sequence);
}
std::string say(const store::ChangePage& page) {
  std::string text;
  for (const store::ChangeRow& row : page.rows) {
    text += say(row);
  }
  return text + " to " + say(page.position) + " of " + say(page.newest);
}
std::string say(const store::MessageDetail& detail) {
  return say(detail.message) + say(detail.event) + say(detail.attempts);
}
std::string say(const store::EventDetail& detail) {
  return say(detail.event) + say(detail.messages) + say(detail.message_count);
}
std::string say(const store::OpenState& state) { return say(state.webhooks) + say(state.types) + say(state.tasks); }
std::string say(const store::BulkProgress& progress) { return say(progress.task) + say(progress.changed); }

// ---- the two stores -------------------------------------------------------------------------------------------

class ModelAsker final : public Asker {
 public:
  explicit ModelAsker(std::uint64_t tag_key) : store_(store::MemoryStore::create(tag_key)) {
    // LMDB's shipped types were made when the store was.
    for (domain::EventType type : domain::shipped_catalogue()) {
      type.created_at = start_time;
      put_type(type).value();
    }
  }
  Store& store() override { return *store_; }
  void work() override { store_->step(); }

 private:
  std::unique_ptr<store::MemoryStore> store_;
};

// The tag key that a new LMDB store draws from its seed.
std::uint64_t lmdb_tag_key() { return base::mix64(seed + 2); }

class Pair {
 public:
  // A question that is answered at once.
  void compare(const std::function<std::string(Asker&)>& question) {
    ++questions;
    const std::string expected = question(model_);
    const std::string answered = question(lmdb_);
    CHECK(answered == expected);
  }

  // A write; both answers are compared by `drain`.
  template <class T>
  void write(const std::function<void(Store&, base::Completion<T>)>& call) {
    ++questions;
    for (std::size_t side = 0; side < 2; ++side) {
      const auto promise = std::make_shared<std::promise<std::string>>();
      answers_[side].push_back(promise->get_future());
      Asker& asker = side == 0 ? static_cast<Asker&>(model_) : lmdb_;
      call(asker.store(), [promise](Result<T> result) { promise->set_value(say(result)); });
    }
  }

  std::size_t queued() const { return answers_[0].size(); }

  void drain() {
    // Both stores apply writes in the order of the calls: when this one has been answered, all have.
    for (Asker* asker : {static_cast<Asker*>(&model_), static_cast<Asker*>(&lmdb_)}) {
      CHECK(!asker->remove_type("no.such.type").has_value());
    }
    for (std::size_t i = 0; i < answers_[0].size(); ++i) {
      CHECK(answers_[1][i].get() == answers_[0][i].get());
    }
    answers_[0].clear();
    answers_[1].clear();
  }

  ModelAsker& model() { return model_; }
  LmdbAsker& lmdb() { return lmdb_; }
  int questions = 0;

 private:
  ModelAsker model_{lmdb_tag_key()};
  LmdbAsker lmdb_;
  std::array<std::vector<std::future<std::string>>, 2> answers_;
};

store::MessageQuery newest_ones() {
  store::MessageQuery query;
  query.limit = 40;
  return query;
}

// ---- random calls ---------------------------------------------------------------------------------------------

class Player {
 public:
  explicit Player(std::uint64_t run_seed) : random_(run_seed) {}

  void play(int calls) {
    for (int i = 0; i < 4; ++i) {
      put_webhook();
    }
    drain();
    while (pair_.questions < calls) {
      random_write();
      if (random_.below(30) == 0 || pair_.queued() > 60) {
        drain();
        for (int i = 0; i < 6; ++i) {
          random_read();
        }
      }
    }
    drain();
    final_checks();
  }

 private:
  void drain() {
    pair_.drain();
    webhooks_.clear();
    for (const auto& state : pair_.model().load().webhooks) {
      webhooks_.push_back(state.webhook);
    }
    recent_ = ids_of(pair_.model().list(newest_ones()));
    newest_message_ = recent_.empty() ? 1 : recent_[0].sequence();
  }

  WebhookId any_webhook() {
    if (webhooks_.empty() || random_.below(20) == 0) {
      return WebhookId{random_.next() >> random_.below(64)};
    }
    return webhooks_[random_.below(webhooks_.size())].id;
  }

  // Mostly a recent one.
  MessageId any_message() {
    if (random_.below(30) == 0) {
      return MessageId{random_.next() >> random_.below(64)};
    }
    if (recent_.empty() || random_.below(4) == 0) {
      return MessageId{base::id_value(1 + random_.below(newest_message_), lmdb_tag_key())};
    }
    return recent_[random_.below(recent_.size())];
  }

  void pass_time() {
    if (random_.below(500) == 0) {
      now_ -= std::chrono::hours(random_.below(48));
    } else if (random_.below(3) == 0) {
      now_ += std::chrono::milliseconds(random_.below(random_.below(10) == 0 ? 86'400'000 : 20'000));
    }
  }

  void random_write() {
    pass_time();
    static constexpr std::array<void (Player::*)(), 22> writes = {
        &Player::accept,   &Player::accept, &Player::accept, &Player::accept, &Player::settle, &Player::settle,
        &Player::settle,   &Player::settle, &Player::settle, &Player::accept, &Player::cancel, &Player::retry,
        &Player::wait_out, &Player::expire, &Player::retry,  &Player::edit,   &Player::accept, &Player::purge,
        &Player::settle,   &Player::rare,   &Player::bulk,   &Player::bulk};
    (this->*writes[random_.below(writes.size())])();
  }

  void rare() {
    static constexpr std::array<void (Player::*)(), 5> writes = {
        &Player::put_webhook, &Player::delete_webhook, &Player::put_type, &Player::remove_type, &Player::put_webhook};
    (this->*writes[random_.below(writes.size())])();
  }

  void accept() {
    struct Draft {
      std::string type, data, key;
      std::vector<store::Subscriber> subscribers;
    };
    std::vector<Draft> drafts(1 + random_.below(3));
    for (Draft& draft : drafts) {
      draft.type = random_.below(2) == 0 ? "subscription.create" : "api.update";
      draft.data = std::to_string(random_.below(3)) + std::string(random_.below(30) == 0 ? 5000 : 0, ' ');
      draft.key = random_.below(3) == 0 ? "key-" + std::to_string(random_.below(200)) : "";
      for (std::uint64_t i = random_.below(5); i > 0; --i) {
        draft.subscribers.push_back({any_webhook(), std::chrono::hours(1 + random_.below(240))});
      }
    }
    const Time now = now_;
    pair_.write<std::vector<Result<store::Accepted>>>([=](Store& store, auto done) {
      std::vector<store::AcceptItem> items;
      for (const Draft& draft : drafts) {
        auto event = std::make_shared<domain::Event>();
        *event = {{}, draft.type, now - 1s, now, draft.key, draft.data};
        items.push_back({std::move(event), draft.subscribers, 24h});
      }
      store.accept(std::move(items), now, std::move(done));
    });
  }

  void settle() {
    static constexpr std::array<std::uint16_t, 8> codes = {200, 204, 500, 503, 429, 404, 301, 410};
    std::vector<store::Settlement> settlements;
    for (std::uint64_t i = 1 + random_.below(4); i > 0; --i) {
      const auto code = codes[random_.below(random_.below(10) == 0 ? codes.size() : codes.size() - 1)];
      const auto number = static_cast<std::uint32_t>(1 + random_.below(random_.below(3) == 0 ? 6 : 2));
      settlements.push_back(settlement(any_message(), number, code, now_));
      settlements.back().jitter = random_.signed_unit();
      if (random_.below(10) == 0) {
        settlements.back().attempt.outcome.kind = domain::OutcomeKind::interrupted;
      }
      if (random_.below(10) == 0) {
        settlements.back().attempt.trigger = domain::Trigger::manual;
      }
    }
    const auto shared = std::make_shared<const std::vector<store::Settlement>>(std::move(settlements));
    pair_.write<std::vector<store::Settled>>([=](Store& store, auto done) { store.settle(shared, std::move(done)); });
  }

  void wait_out() {
    const store::WaitedOut input{any_message(), "inactive", now_ + std::chrono::hours(random_.below(400)),
                                 std::chrono::hours(random_.below(400))};
    pair_.write<std::vector<store::Settled>>(
        [=](Store& store, auto done) { store.wait_out({input}, std::move(done)); });
  }

  void cancel() {
    const MessageId id = any_message();
    const Time now = now_;
    pair_.write<Message>([=](Store& store, auto done) { store.cancel(id, {1000, "no"}, now, std::move(done)); });
  }

  void retry() {
    const MessageId id = any_message();
    const Time now = now_;
    pair_.write<Message>([=](Store& store, auto done) { store.retry(id, {0, ""}, now, std::move(done)); });
  }

  // A task is begun, makes a step (the right one, or one that is not its turn), or is stopped.
  void bulk() {
    const auto running = pair_.model().load().tasks;
    const Time now = now_;
    if (running.empty() || random_.below(20) == 0) {
      store::BulkTask task;
      task.action = random_.below(2) == 0 ? store::BulkAction::retry : store::BulkAction::cancel;
      choose_filter(task.filter);
      task.filter.webhook = any_webhook();
      task.started_at = now;
      pair_.write<store::BulkTask>([=](Store& store, auto done) { store.begin_bulk(task, std::move(done)); });
      return;
    }
    const store::BulkTask task = running[random_.below(running.size())];
    if (random_.below(20) == 0) {
      pair_.write<store::BulkTask>([=](Store& store, auto done) { store.end_bulk(task.id, now, std::move(done)); });
      return;
    }
    store::BulkStep step;
    step.task = task.id;
    step.from = random_.below(20) == 0 ? task.position + 1 : task.position;
    step.to = std::min(task.up_to, step.from + random_.below(newest_message_ / 4 + 2));
    step.now = now;
    for (std::uint64_t i = random_.below(6); i > 0; --i) {
      step.messages.push_back(any_message());
    }
    pair_.write<store::BulkProgress>([=](Store& store, auto done) { store.step_bulk(step, std::move(done)); });
  }

  void put(const domain::Webhook& webhook, std::uint64_t expected_version) {
    pair_.write<domain::Webhook>([=](Store& store, auto done) {
      store.put_webhook({webhook, expected_version}, std::move(done));
    });
  }

  void put_webhook() { put(webhook_named("hook " + std::to_string(random_.below(12))), 0); }

  void edit() {
    if (webhooks_.empty()) {
      return;
    }
    domain::Webhook webhook = webhooks_[random_.below(webhooks_.size())];
    const std::uint64_t expected = random_.below(8) == 0 ? webhook.version + 1 : webhook.version;
    ++webhook.version;
    webhook.updated_at = now_;
    webhook.status = random_.below(4) == 0 ? domain::WebhookStatus::inactive : domain::WebhookStatus::active;
    if (random_.below(3) == 0) {
      webhook.display_name = "hook " + std::to_string(random_.below(12));
    }
    put(webhook, expected);
  }

  void delete_webhook() {
    if (webhooks_.size() > 3) {
      const WebhookId id = any_webhook();
      pair_.write<std::uint64_t>([=](Store& store, auto done) { store.delete_webhook(id, std::move(done)); });
    }
  }

  void purge() {
    const WebhookId id = any_webhook();
    const std::size_t limit = 1 + random_.below(40);
    pair_.write<std::string>([=](Store& store, auto done) {
      store.purge_webhook(id, limit, [done = std::move(done)](Result<store::PurgeStep> step) mutable {
        if (step) {
          done(std::to_string(step->removed) + (step->done ? " done" : " more"));
        } else {
          done(step.error());
        }
      });
    });
  }

  void expire() {
    store::ExpireStep step;
    step.before = now_ - std::chrono::hours(random_.below(72));
    step.now = now_;
    step.remembered_since = now_ - std::chrono::hours(24);
    step.max_bytes = ~std::uint64_t{0};
    step.after = random_.below(3) == 0 ? random_.below(newest_message_) : 0;
    step.after_event = random_.below(10) == 0 ? random_.below(newest_message_) : 0;
    step.limit = 1 + random_.below(40);
    pair_.write<std::string>([=](Store& store, auto done) {
      store.expire(step, [done = std::move(done)](Result<store::Expired> result) mutable {
        if (!result) {
          done(result.error());
          return;
        }
        done(std::to_string(result->messages) + " " + std::to_string(result->events) + " " +
             std::to_string(result->after) + " " + std::to_string(result->after_event) +
             (result->done ? " done " : " more ") + (result->next ? say(*result->next) : ""));
      });
    });
  }

  void put_type() {
    const domain::EventType type{
        "own.type" + std::string(random_.below(3), 'x'), "", "{}", "1", domain::TypeOrigin::user, now_};
    pair_.write<domain::EventType>([=](Store& store, auto done) { store.put_type(type, std::move(done)); });
  }

  void remove_type() {
    const std::string name = "own.type" + std::string(random_.below(3), 'x');
    pair_.write<std::string>([=](Store& store, auto done) { store.remove_type(name, std::move(done)); });
  }

  void random_read() {
    switch (random_.below(10)) {
      case 0:
        return pair_.compare([](Asker& asker) { return say(asker.load()) + say(asker.list_webhooks()); });
      case 1: {
        const MessageId id = any_message();
        return pair_.compare([=](Asker& asker) { return say(asker.message(id)); });
      }
      case 2: {
        const EventId id{base::id_value(1 + random_.below(newest_message_), lmdb_tag_key())};
        return pair_.compare([=](Asker& asker) { return say(asker.event(id, 3)); });
      }
      case 3: {
        const std::uint64_t low = any_message().value;
        return pair_.compare([=](Asker& asker) {
          return say(asker.find_messages(low, low + (1 << 24), 10)) + say(asker.find_events(low, low + (1 << 24), 10));
        });
      }
      case 4:
        return random_.below(8) == 0 ? compare_lists() : void();
      case 5:
        return compare_heads();
      case 7:
        return compare_changes();
      case 8:
        return compare_counts();
      case 6: {
        const WebhookId id = any_webhook();
        return pair_.compare([=](Asker& asker) { return say(asker.webhook(id)); });
      }
      default:
        return compare_claims();
    }
  }

  void compare_heads() {
    auto query = heads_until(now_ + std::chrono::hours(random_.below(100)), 1 + random_.below(20));
    query.from_bucket = random_.below(2) == 0 ? 0 : store::due_bucket(now_) - random_.below(50);
    pair_.compare([=](Asker& asker) {
      const auto heads = asker.due_heads(query);
      return say(heads.heads) + (heads.complete ? "complete" : "more") + say(heads.next_bucket.value_or(0)) +
             say(heads.resume_bucket) + say(heads.resume_after);
    });
  }

  void compare_claims() {
    store::ClaimQuery query = claim_all(any_webhook());
    query.from =
        random_.below(2) == 0 ? store::DuePosition{} : store::DuePosition{now_, random_.below(newest_message_)};
    query.due_until = now_ + std::chrono::hours(random_.below(300));
    query.until_bucket = store::due_bucket(query.due_until) + random_.below(3);
    query.rows = random_.below(20);
    query.bytes = random_.below(10'000);
    pair_.compare([=](Asker& asker) { return say(asker.claim(query)); });
  }

  // Pages may end at other places; the rows in order may not differ, nor where they end.
  void compare_changes() {
    store::ChangeQuery query;
    const std::uint64_t newest = pair_.model().changes({}).value().newest;
    query.after = random_.below(8) == 0 ? random_.below(newest + 10) : newest - std::min(newest, random_.below(200));
    query.limit = 1 + random_.below(40);
    query.scan_limit = random_.below(2) == 0 ? 10 : 1'000'000;
    if (random_.below(4) == 0) {
      query.up_to = query.after + random_.below(50);
    }
    choose_filter(query);
    pair_.compare([query](Asker& asker) {
      auto part = query;
      std::string rows;
      for (std::size_t count = 0; count < 300;) {
        const auto page = asker.changes(part);
        if (!page || page->at_end) {
          return rows + say(page);
        }
        for (const auto& row : page->rows) {
          if (count++ < 300) {
            rows += say(row);
          }
        }
        part.after = page->position;
      }
      return rows;
    });
  }

  void compare_lists() {
    store::MessageQuery query;
    query.limit = 1 + random_.below(100);
    query.scan_limit = 1'000'000;
    query.oldest_first = random_.below(2) == 0;
    query.after_sequence = random_.below(2) == 0 ? 0 : random_.below(newest_message_);
    choose_filter(query);
    compare_pages(query);
  }

  void compare_counts() {
    store::CountQuery query;
    query.after = random_.below(newest_message_);
    query.up_to = query.after + random_.below(newest_message_);
    query.scan_limit = 1'000'000;
    choose_filter(query);
    pair_.compare([query](Asker& asker) { return say(asker.count(query).count) + say(asker.list_bulk_tasks(20)); });
  }

  void choose_filter(store::MessageFilter& query) {
    query.statuses = random_.below(2) == 0 ? ~0u : static_cast<std::uint32_t>(random_.below(32));
    if (random_.below(2) == 0) {
      query.webhook = any_webhook();
    }
    if (random_.below(3) == 0) {
      query.since = now_ - std::chrono::hours(random_.below(200));
    }
    if (random_.below(3) == 0) {
      query.until = now_ - std::chrono::hours(random_.below(200));
    }
    if (random_.below(3) == 0) {
      query.type = "api.update";
    }
    if (random_.below(4) == 0) {
      query.text = "http 50";
    }
  }

  void compare_pages(const store::MessageQuery& query) {
    // Pages may end at other places; the rows in order may not differ.
    pair_.compare([query](Asker& asker) {
      auto part = query;
      std::string rows;
      for (std::size_t count = 0; count < 300;) {
        const auto page = asker.list(part);
        for (const auto& row : page.rows) {
          if (count++ < 300) {
            rows += say(row);
          }
        }
        if (!page.next) {
          break;
        }
        part.after_sequence = *page.next;
      }
      return rows;
    });
  }

  void final_checks() {
    pair_.compare([](Asker& asker) {
      const auto figures = asker.figures();
      return say(figures.events) + " " + say(figures.messages) + " " + say(figures.waiting) + " " +
             say(figures.webhooks) + " " + say(figures.damaged_records);
    });
    pair_.lmdb().reopen();
    pair_.compare([](Asker& asker) { return say(asker.load()); });
    store::ChangeQuery whole_feed;
    whole_feed.limit = whole_feed.scan_limit = 1'000'000;
    pair_.compare([&](Asker& asker) { return say(asker.changes(whole_feed)); });
    for (const auto& webhook : webhooks_) {
      pair_.compare([&](Asker& asker) { return say(asker.claim(claim_all(webhook.id))); });
    }
    MESSAGE("messages made: " << newest_message_ << ", at the end: " << pair_.model().figures().messages);
  }

  Random random_;
  Pair pair_;
  Time now_ = start_time;
  std::uint64_t newest_message_ = 1;
  std::vector<MessageId> recent_;
  std::vector<domain::Webhook> webhooks_;
};

}  // namespace

TEST_CASE("random calls are answered by the LMDB store as by its model") {
  Player player(20261123);
  player.play(20'000);
}

}  // namespace webhookd::store_test
