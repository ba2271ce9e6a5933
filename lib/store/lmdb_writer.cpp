#include <chrono>

#include "store/lmdb_writer_impl.hpp"

namespace webhookd::store {

Writer::Writer(const Env& env, const TagKeys& tag_keys, const Seals& seals, Space& space, DamageReport& damage,
               ChangeWaiters& waiters, Settings settings, base::LogSink& log)
    : env_(env),
      tag_keys_(tag_keys),
      seals_(seals),
      space_(space),
      damage_(damage),
      waiters_(waiters),
      settings_(std::move(settings)),
      log_(log),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::queue(std::unique_ptr<Write> write) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = queue_.empty();
    queue_.push_back(std::move(write));
  }
  if (was_empty) {
    wake_.notify_one();
  }
}

void Writer::run() {
  Batch batch;
  while (take_batch(batch)) {
    write(batch);
    batch.clear();
  }
}

// At least one write, then more while they fit; false at the end.
bool Writer::take_batch(Batch& batch) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::size_t records = 0;
  std::size_t bytes = 0;
  while (!queue_.empty()) {
    records += queue_.front()->records;
    bytes += queue_.front()->bytes;
    if (!batch.empty() && (records > settings_.records_max || bytes > settings_.bytes_max)) {
      break;
    }
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return !batch.empty();
}

void Writer::write(std::span<std::unique_ptr<Write>> batch) {
  const auto failure = try_commit(batch);
  if (failure && !failure->is_unknown && batch.size() > 1) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      write(batch.subspan(i, 1));
    }
    return;
  }
  if (failure) {
    log_.write(base::LogLevel::error, "store_commit_failed", {{"detail", failure->error.detail}});
  }
  for (const std::unique_ptr<Write>& write : batch) {
    if (failure) {
      write->fail(failure->error);
    } else {
      write->answer();
    }
  }
  if (failure) {
    look_whether_lost();
  }
  waiters_.reach(newest_number_);
}

std::optional<Writer::Failure> Writer::try_commit(std::span<std::unique_ptr<Write>> batch) {
  WriteTransaction transaction(env_);
  Changes changes(transaction, tag_keys_, seals_, space_, damage_);
  if (auto begun = changes.begin(); !begun) {
    damage_.add_structural(transaction);
    return Failure{begun.error()};
  }
  for (const std::unique_ptr<Write>& write : batch) {
    write->apply(changes);
  }
  changes.finish();
  if (transaction.has_failed()) {
    damage_.add_structural(transaction);
    return Failure{transaction.failure("the store could not be written, nothing was changed")};
  }
  if (!changes.changed_anything()) {
    return std::nullopt;
  }
  if (!commit(transaction)) {
    damage_.add_structural(transaction);
    return Failure{transaction.failure("the commit failed, it is not known whether the change is stored"), true};
  }
  ++commits_;
  newest_number_ = changes.newest_number();
  return std::nullopt;
}

// LMDB says so only when the next transaction begins.
void Writer::look_whether_lost() {
  if (settings_.on_lost) {
    WriteTransaction next(env_);
    if (env_.writer_is_lost()) {
      std::exchange(settings_.on_lost, nullptr)();
    }
  }
}

bool Writer::commit(WriteTransaction& transaction) {
  const std::uint64_t begun = settings_.stopwatch ? settings_.stopwatch() : 0;
  const bool is_durable = transaction.commit();
  if (is_durable && settings_.stopwatch) {
    const std::uint64_t took = settings_.stopwatch() - begun;
    const std::lock_guard lock(mutex_);
    commit_time_.record(took);
  }
  return is_durable;
}

base::DiskHistogram Writer::commit_time() const {
  const std::lock_guard lock(mutex_);
  return commit_time_;
}

}  // namespace webhookd::store
