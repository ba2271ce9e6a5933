#include "store/check.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/text.hpp"
#include "store/lmdb_check_impl.hpp"
#include "store/lmdb_directory.hpp"
#include "store/lmdb_migration_impl.hpp"

namespace webhookd::store {

namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t findings_kept = 1000;
constexpr std::size_t detail_bytes_max = 1000;

// ---- what the child tells its parent: lines of tab-separated words --------------------------------------------------

constexpr std::string_view word_store = "store";      // id, schema
constexpr std::string_view word_rows = "rows";        // table, how many so far
constexpr std::string_view word_finding = "finding";  // table, detail
constexpr std::string_view word_damage = "damage";    // how many findings in all
constexpr std::string_view word_refused = "refused";  // why
constexpr std::string_view word_end = "end";

class Teller {
 public:
  explicit Teller(int pipe) : pipe_(pipe) {}

  void tell(std::initializer_list<std::string_view> words) const {
    std::string line;
    for (const std::string_view word : words) {
      line += line.empty() ? "" : "\t";
      for (const char c : word.substr(0, detail_bytes_max)) {
        line += static_cast<unsigned char>(c) < ' ' ? '?' : c;
      }
    }
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t written = ::write(pipe_, rest.data(), rest.size());
      if (written <= 0) {
        ::_exit(1);  // nobody listens
      }
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  int pipe_;
};

void tell_identity(ReadTransaction& view, const Teller& teller, std::uint32_t schema) {
  const auto record = view.get_main(meta_key);
  const auto meta = record ? decode_meta(*record) : Error{};
  teller.tell({word_store, meta ? store_id_text(meta->store_id) : "", std::to_string(schema)});
}

// A file that LMDB or we cannot even begin with has one finding.
void tell_unreadable(const Teller& teller, std::string_view detail) {
  teller.tell({word_finding, "store", detail});
  teller.tell({word_damage, "1"});
  teller.tell({word_end});
}

void read_tables(const Env& env, std::uint32_t schema, ReadPool& pool, const Teller& teller) {
  ReadTransaction view(pool);
  std::size_t told = 0;
  const CheckProgress progress = [&](std::string_view table, std::uint64_t rows) {
    teller.tell({word_rows, table, std::to_string(rows)});
  };
  WholeReading reading(env, schema, view, progress, [&](const CheckFinding& finding) {
    if (told++ < findings_kept) {
      teller.tell({word_finding, finding.table, finding.detail});
    }
  });
  reading.read();
  teller.tell({word_damage, std::to_string(reading.damage())});
  teller.tell({word_end});
}

void read_in_child(const std::string& data_file, const Teller& teller) {
  Env::Options options;
  options.directory = data_file;
  options.is_file = true;
  auto env = Env::open(options);
  if (!env) {
    tell_unreadable(teller, env.error().detail);
    return;
  }
  if (auto main_table = (*env)->open_main_table(); !main_table) {
    tell_unreadable(teller, main_table.error().detail);
    return;
  }
  ReadPool pool(**env);
  std::uint32_t schema = 0;
  {
    ReadTransaction view(pool);
    const auto record = view.get_main(schema_key);
    schema = record ? decode_schema(*record) : 0;
    if (schema > schema_version) {
      teller.tell({word_refused, "the store has schema version " + std::to_string(schema) +
                                     ", this webhookd knows up to " + std::to_string(schema_version)});
      return;
    }
    if (schema == 0) {
      tell_unreadable(teller, "this is no store of webhookd, or its first pages are damaged");
      return;
    }
    tell_identity(view, teller, schema);
  }
  if (auto tables = (*env)->open_tables_there_are(); !tables) {
    tell_unreadable(teller, tables.error().detail);
    return;
  }
  read_tables(**env, schema, pool, teller);
}

[[noreturn]] void be_child(const std::string& data_file, int pipe) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    ::signal(signal, SIG_DFL);  // whatever the parent does about its own; what Env guards, it guards anew
  }
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, 2);  // LMDB's last words; the signal says enough
  read_in_child(data_file, Teller(pipe));
  ::_exit(0);
}

// ---- what the parent makes of it --------------------------------------------------------------------------------

class Listener {
 public:
  explicit Listener(const CheckProgress& progress) : progress_(progress) {}

  void take(std::string_view bytes) {
    pending_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
      take_line(std::string_view(pending_).substr(begin, end - begin));
      begin = end + 1;
    }
    pending_.erase(0, begin);
  }

  Result<CheckReport> end(int status) {
    if (!refusal_.empty()) {
      return Error{ErrorCode::unavailable, refusal_, {}};
    }
    if (!has_ended_) {
      add({table_.empty() ? "store" : table_,
           std::string("reading it ended the process") +
               (WIFSIGNALED(status) ? std::string(" (") + ::strsignal(WTERMSIG(status)) + ")" : "") +
               ": a page is damaged; the rest was not read"});
      report_.damage = std::max<std::uint64_t>(report_.damage, report_.findings.size());
    }
    return std::move(report_);
  }

 private:
  void take_line(std::string_view line) {
    const auto next = [&line] {
      const std::string_view word = line.substr(0, line.find('\t'));
      line.remove_prefix(std::min(line.size(), word.size() + 1));
      return word;
    };
    const std::string_view kind = next();
    const std::string_view first = next();
    const std::string_view second = next();
    if (kind == word_store) {
      report_.store_id = first;
      report_.schema = static_cast<std::uint32_t>(number(second));
      if (report_.schema < schema_version) {
        report_.remark = "schema " + std::to_string(report_.schema) + " is older than " +
                         std::to_string(schema_version) + ": webhookd migrates it at its start";
      }
    } else if (kind == word_rows) {
      take_rows(first, number(second));
    } else if (kind == word_finding) {
      add({std::string(first), std::string(second)});
    } else if (kind == word_damage) {
      report_.damage = number(first);
    } else if (kind == word_refused) {
      refusal_ = first;
    }
    has_ended_ = has_ended_ || kind == word_end;
  }

  void take_rows(std::string_view table, std::uint64_t rows) {
    if (table != table_) {
      table_ = table;
      report_.tables.push_back({table_, 0});
    }
    report_.tables.back().rows = rows;
    progress_(table, rows);
  }

  void add(CheckFinding finding) {
    if (report_.findings.size() < findings_kept) {
      report_.findings.push_back(std::move(finding));
    }
  }

  static std::uint64_t number(std::string_view text) { return base::parse_whole_number(text, ~0ULL).value_or(0); }

  const CheckProgress& progress_;
  CheckReport report_;
  std::string pending_;
  std::string table_;
  std::string refusal_;
  bool has_ended_ = false;
};

// What the daemon would say of the marker when it starts; nothing when it fits.
std::optional<std::string> marker_fault(const StorePaths& paths, const std::string& store_id) {
  const auto marker = read_marker(paths);
  if (!marker) {
    return marker.error().detail;
  }
  if (!*marker) {
    return paths.marker + " is missing: it says which store belongs there, and none would be missed";
  }
  const auto identity = check_identity(paths, *marker, store_id);
  return identity ? std::nullopt : std::optional(identity.error().detail);
}

Result<FileDescriptor> hold_unused(const StorePaths& paths) {
  FileDescriptor lock(::open(paths.lock.c_str(), O_RDONLY | O_CLOEXEC));
  if (lock.is_open() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{
        ErrorCode::unavailable, "a webhookd uses " + paths.root + ": ask it to check its store (whctl check)", {}};
  }
  return lock;
}

}  // namespace

Result<CheckReport> check_store_file(const std::string& data_file, const CheckProgress& progress) {
  if (::access(data_file.c_str(), R_OK) != 0) {
    return system_error("cannot read", data_file, errno);
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_error("cannot check", data_file, errno);
  }
  FileDescriptor from_child(ends[0]);
  FileDescriptor to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    return system_error("cannot check in a process of its own", data_file, errno);
  }
  if (child == 0) {
    be_child(data_file, to_parent.get());
  }
  to_parent.close();
  Listener listener(progress);
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t got = ::read(from_child.get(), buffer.data(), buffer.size());
    if (got > 0) {
      listener.take({buffer.data(), static_cast<std::size_t>(got)});
    } else if (got == 0 || errno != EINTR) {
      break;
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return listener.end(status);
}

Result<CheckReport> check_store_directory(const std::string& directory, const CheckProgress& progress) {
  const StorePaths paths(directory);
  const auto lock = hold_unused(paths);
  if (!lock) {
    return lock.error();
  }
  auto report = check_store_file(paths.data_file, progress);
  if (!report || report->store_id.empty()) {
    return report;
  }
  if (auto fault = marker_fault(paths, report->store_id)) {
    report->findings.insert(report->findings.begin(), {"store-id", std::move(*fault)});
    ++report->damage;
  }
  return report;
}

}  // namespace webhookd::store
