// Histories from another store: the store writes them; what waits in them is due here like everything that waits.
#include "engine/engine_impl.hpp"

namespace webhookd::engine {

void Engine::Impl::import_histories(std::vector<domain::EventHistory> histories, Time now,
                                    Completion<std::vector<Result<store::Imported>>> done) {
  note_now(now);
  std::vector<store::Subscriber> concerned;
  for (const domain::EventHistory& history : histories) {
    for (const domain::MessageHistory& message : history.messages) {
      concerned.push_back({message.message.webhook, {}});
    }
  }
  store_.import_histories(std::move(histories), options_.idempotency_window, now,
                          back<std::vector<Result<store::Imported>>>(
                              [this, concerned = std::move(concerned), done = std::move(done)](auto results) mutable {
                                if (results) {
                                  take_imported(*results);
                                } else {
                                  recheck(concerned);  // the commit may have landed all the same
                                }
                                done(std::move(results));
                              }));
}

void Engine::Impl::take_imported(const std::vector<Result<store::Imported>>& results) {
  for (const Result<store::Imported>& result : results) {
    if (!result) {
      note_full(result.error());
      continue;
    }
    if (!result->known) {
      retention_.note_write(now_);
    }
    for (const domain::Message& message : result->waiting) {
      if (Lane* lane = registry_.find(message.webhook); lane && !lane->deleting) {
        add_due(*lane, {*message.next_attempt_at, message.id.sequence()});
      }
    }
  }
}

}  // namespace webhookd::engine
