// Group commit. One thread takes everything that was queued during the last commit into the next one, capped by records
// and bytes; it sleeps when nothing is queued, and no timer holds a lone write back. A write is answered after its
// commit is durable. When a commit fails, everybody in it hears that its state is unknown. When a transaction fails
// before its commit, nothing of it is stored, and its writes are tried again one by one, so that a single one cannot
// keep the others from being written. When no transaction can begin any more, whoever opened the store hears of it.
//
// Never here: what a write does (lmdb_changes_impl.hpp).
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "store/change_waiters.hpp"
#include "store/lmdb_changes_impl.hpp"

namespace webhookd::store {

// One call of the store that writes.
class Write {
 public:
  Write(std::size_t record_count, std::size_t byte_count) : records(record_count), bytes(byte_count) {}
  virtual ~Write() = default;
  virtual void apply(Changes& changes) = 0;  // more than once when a transaction is tried again
  virtual void answer() = 0;
  virtual void fail(const base::Error& error) = 0;

  const std::size_t records;  // about, for the cap of a commit
  const std::size_t bytes;
};

template <class T, class Apply>
class WriteOf final : public Write {
 public:
  WriteOf(std::size_t record_count, std::size_t byte_count, Apply apply, Completion<T> done)
      : Write(record_count, byte_count), apply_(std::move(apply)), done_(std::move(done)) {}
  void apply(Changes& changes) override { result_.emplace(apply_(changes)); }
  void answer() override { done_(std::move(*result_)); }
  void fail(const base::Error& error) override { done_(error); }

 private:
  Apply apply_;
  Completion<T> done_;
  std::optional<Result<T>> result_;
};

class Writer {
 public:
  struct Settings {
    std::size_t records_max = 0;  // of one commit, about
    std::size_t bytes_max = 0;
    std::function<std::uint64_t()> stopwatch;  // microseconds; may be empty
    std::function<void()> on_lost;             // may be empty
  };

  // `waiters` hear of each commit's changes, behind its answers.
  Writer(const Env& env, const TagKeys& tag_keys, const Seals& seals, Space& space, DamageReport& damage,
         ChangeWaiters& waiters, Settings settings, base::LogSink& log);
  // Commits and answers what is queued, then ends.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Any thread.
  void queue(std::unique_ptr<Write> write);
  std::uint64_t commits() const { return commits_; }
  base::DiskHistogram commit_time() const;

 private:
  using Batch = std::vector<std::unique_ptr<Write>>;
  struct Failure {
    base::Error error;
    bool is_unknown = false;  // the commit itself failed: what it holds may be stored or not
  };

  void run();
  bool take_batch(Batch& batch);
  void write(std::span<std::unique_ptr<Write>> batch);
  std::optional<Failure> try_commit(std::span<std::unique_ptr<Write>> batch);
  bool commit(WriteTransaction& transaction);
  void look_whether_lost();

  const Env& env_;
  TagKeys tag_keys_;
  const Seals& seals_;
  Space& space_;
  DamageReport& damage_;
  ChangeWaiters& waiters_;
  Settings settings_;  // its on_lost is empty once it was called
  base::LogSink& log_;
  std::atomic<std::uint64_t> commits_ = 0;
  std::uint64_t newest_number_ = 0;  // of what is committed; of the writer's thread
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Write>> queue_;
  bool stopping_ = false;
  base::DiskHistogram commit_time_{base::disk_bounds_us};
  std::thread thread_;
};

}  // namespace webhookd::store
