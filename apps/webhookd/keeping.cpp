#include "keeping.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "control/protocol/json_write.hpp"
#include "store/check.hpp"
#include "store/restore.hpp"

namespace webhookd::daemon {

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr int exit_failure = 1;
constexpr int copy_descriptor = 3;  // of the child
constexpr std::size_t report_bytes_max = std::size_t{16} << 20;

int complain(const Error& error) {
  std::cerr << "webhookd: " << error.detail << "\n";
  return exit_failure;
}

// One line that is written over and over, on a terminal alone.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (is_shown_) {
      std::cerr << "\r\x1b[K" << std::flush;
    }
  }
  void show(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || now - shown_at_ < std::chrono::milliseconds(100)) {
      return;
    }
    shown_at_ = now;
    is_shown_ = true;
    std::cerr << "\r\x1b[K" << text << std::flush;
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

std::string report_json(const store::CheckReport& report) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("clean").boolean(report.is_clean()).name("store_id").string(report.store_id);
  json.name("schema").number(std::uint64_t{report.schema}).name("tables").begin_array();
  for (const auto& table : report.tables) {
    json.begin_object().name("table").string(table.table).name("rows").number(table.rows).end_object();
  }
  json.end_array().name("damage").number(report.damage).name("findings").begin_array();
  for (const auto& finding : report.findings) {
    json.begin_object().name("table").string(finding.table).name("detail").string(finding.detail).end_object();
  }
  json.end_array().end_object();
  return text;
}

std::string read_to_end(int descriptor) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got > 0 && text.size() < report_bytes_max) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got <= 0 && !(got < 0 && errno == EINTR)) {
      return text;
    }
  }
}

// This program, with the copy and a pipe as its only files, and signals as a fresh process has them.
int spawn_check(int copy, int out, pid_t& child) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, copy, copy_descriptor);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = "webhookd";
  std::string flag = "--check-store";
  std::string path = "/proc/self/fd/" + std::to_string(copy_descriptor);
  const std::array<char*, 4> arguments = {name.data(), flag.data(), path.data(), nullptr};
  const int status = ::posix_spawn(&child, "/proc/self/exe", &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return status;
}

Error failed(const std::string& why) { return {ErrorCode::internal, "the check could not be made: " + why, {}}; }

}  // namespace

int print_store_check(const std::string& path) {
  ProgressLine line;
  const store::CheckProgress progress = [&line](std::string_view table, std::uint64_t rows) {
    line.show("checking " + std::string(table) + ": " + std::to_string(rows) + " rows");
  };
  const auto report = std::filesystem::is_directory(path) ? store::check_store_directory(path, progress)
                                                          : store::check_store_file(path, progress);
  if (!report) {
    return complain(report.error());
  }
  if (!report->remark.empty()) {
    std::cerr << "webhookd: " << report->remark << "\n";
  }
  std::cout << report_json(*report) << "\n";
  return report->is_clean() ? 0 : exit_failure;
}

int restore_backup(const std::string& file, const std::string& data_dir) {
  store::RestoreOptions options;
  options.file = file;
  options.directory = data_dir;
  options.now = std::chrono::floor<base::Duration>(std::chrono::system_clock::now());
  if (::getrandom(&options.random, sizeof options.random, 0) != sizeof options.random) {
    return complain({ErrorCode::internal, "the kernel gives no random bytes", {}});
  }
  ProgressLine line;
  const auto report =
      store::restore_store(options, [&line](std::string_view doing, std::uint64_t done, std::uint64_t total) {
        const std::string far = total > 0 ? std::to_string(done * 100 / total) + " %" : std::to_string(done) + " rows";
        line.show(std::string(doing) + ": " + far);
      });
  if (!report) {
    return complain(report.error());
  }
  std::cout << "restored the store " << report->backup.store_id << " as it was at "
            << base::format_time(report->backup.created_at) << " into " << data_dir << "\n";
  if (!report->kept.empty()) {
    std::cout << "what was there is kept in " << report->kept << "\n";
  }
  return 0;
}

void StoreChecks::start(std::shared_ptr<const base::FileDescriptor> copy, base::Completion<std::string> done) {
  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    done(Error{ErrorCode::unavailable, "the daemon is stopping", {}});
    return;
  }
  if (thread_.joinable()) {
    thread_.join();  // it has answered, is behind its last lock, and ends
  }
  thread_ = std::thread([this, copy = std::move(copy), done = std::move(done)]() mutable {
    auto report = check(*copy);
    copy.reset();
    done(std::move(report));
  });
}

void StoreChecks::stop() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
    }
    last = std::move(thread_);  // from now on there is no other
  }
  if (last.joinable()) {
    last.join();
  }
}

Result<std::string> StoreChecks::check(const base::FileDescriptor& copy) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failed(std::strerror(errno));
  }
  const base::FileDescriptor from_child(ends[0]);
  base::FileDescriptor to_parent(ends[1]);
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return Error{ErrorCode::unavailable, "the daemon is stopping", {}};
    }
    if (const int status = spawn_check(copy.get(), to_parent.get(), child_); status != 0) {
      child_ = -1;
      return failed(std::strerror(status));
    }
  }
  to_parent.close();
  std::string report = read_to_end(from_child.get());
  const std::lock_guard lock(mutex_);
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  if (stopped_) {
    return Error{ErrorCode::unavailable, "the check was given up: the daemon is stopping", {}};
  }
  while (report.ends_with('\n')) {
    report.pop_back();
  }
  if (!report.starts_with('{') || !report.ends_with('}')) {
    return failed("the process that reads the copy ended without a report");
  }
  return report;
}

}  // namespace webhookd::daemon
