// Commands about the store as a whole: backup, check.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/file_descriptor.hpp"
#include "control/protocol/json_write.hpp"
#include "domain/backup.hpp"
#include "parse.hpp"
#include "progress_line.hpp"
#include "session.hpp"
#include "views.hpp"
#include "whole_file.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

// ---- backup -----------------------------------------------------------------------------------------------------

// Read while it passes, so that only a backup whose seal fits takes its name.
class BackupFile {
 public:
  explicit BackupFile(const std::string& name) : name_(name), file_(name) {}

  Result<void> open() { return file_.open(); }
  // A first failure is kept for finish(); the rest is then dropped.
  void take(std::string_view bytes) {
    if (!fault_.code.empty()) return;
    if (auto fed = reader_.feed(bytes, [](std::string_view) {}); !fed) {
      fault_ = failure(client::codes::bad_answer, name_, fed.error().detail);
      return;
    }
    file_.write(bytes);
  }
  Result<domain::BackupHead> finish() {
    if (!fault_.code.empty()) return fault_;
    if (auto ended = reader_.end(); !ended) {
      return failure(client::codes::bad_answer, name_, ended.error().detail);
    }
    if (auto finished = file_.finish(); !finished) return finished.error();
    return reader_.head();
  }
  const domain::BackupReader& reader() const { return reader_; }

 private:
  std::string name_;
  WholeFile file_;
  domain::BackupReader reader_;
  client::Failure fault_;
};

std::string progress_of(const domain::BackupReader& reader, std::uint64_t received) {
  if (!reader.has_head()) return "copying the store";
  const std::uint64_t total = std::max<std::uint64_t>(reader.head().data_bytes, 1);
  return std::to_string(std::min<std::uint64_t>(received * 100 / total, 100)) + " % of " +
         bytes_for_people(static_cast<double>(total));
}

std::string made_backup(const std::string& file, const domain::BackupHead& head) {
  std::string text;
  protocol::JsonWriter json(text);
  json.begin_object().name("file").string(file).name("store_id").string(head.store_id);
  json.name("schema").number(std::uint64_t{head.schema}).name("created_at").time(head.created_at);
  json.name("bytes").number(head.data_bytes).end_object();
  return text;
}

// ---- check ------------------------------------------------------------------------------------------------------

std::string path_of_daemon() {
  std::array<char, 4096> path{};
  const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string own(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string beside = own.substr(0, own.rfind('/') + 1) + "webhookd";
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "webhookd";
}

// What webhookd says of the directory; it shares our standard error.
Result<std::string> run_offline_check(const std::string& directory) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failure(client::codes::io, "check", std::strerror(errno));
  const base::FileDescriptor from_daemon(ends[0]);
  base::FileDescriptor to_tool(ends[1]);
  const std::string program = path_of_daemon();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(to_tool.get(), STDOUT_FILENO);
    ::execlp(program.c_str(), "webhookd", "--check-store", directory.c_str(), nullptr);
    constexpr std::string_view said = "whctl: webhookd: cannot be run\n";
    static_cast<void>(::write(STDERR_FILENO, said.data(), said.size()) == 0);
    ::_exit(127);
  }
  to_tool.close();
  std::string report;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto got = ::read(from_daemon.get(), buffer.data(), buffer.size());
    if (got > 0) {
      report.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      break;
    }
  }
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (report.empty()) return failure(client::codes::io, directory, "the store could not be checked");
  return report;
}

Result<Document> report_of(Session& session, const Invocation& invocation) {
  if (invocation.has("offline")) {
    auto report = run_offline_check(invocation.value("offline"));
    if (!report) return report.error();
    auto document = Document::parse(std::move(*report));
    if (!document) return failure(client::codes::bad_answer, "webhookd", "the report is not JSON");
    return std::move(*document);
  }
  client::Request request;
  request.method = "POST";
  request.target = "/v1/admin/check";
  request.silence_timeout = std::nullopt;  // it answers when the whole store was read
  auto answer = session.exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

double rows_of(Json report) {
  double rows = 0;
  for (const auto& table : report["tables"].elements()) rows += table["rows"].number().value_or(0);
  return rows;
}

}  // namespace

Result<ExitCode> back_up_store(Session& session, const Invocation& invocation) {
  const std::string& name = invocation.value("FILE");
  if (name == "-") {
    return failure(client::codes::usage, "FILE", "a backup is a file, which takes its name when it is complete",
                   "name a file; ./- for one that is called so");
  }
  BackupFile file(name);
  if (auto opened = file.open(); !opened) return opened.error();
  client::Request request;
  request.method = "POST";
  request.target = "/v1/admin/backup";
  request.silence_timeout = std::nullopt;  // the copy is made before its first byte comes
  std::string kept;                        // the start of the answer, when it is a problem
  std::uint64_t received = 0;
  ProgressLine line(session);
  line.show("copying the store");
  const auto head = session.ask(request, [&](std::string_view piece) {
    constexpr std::size_t kept_max = 64 * 1024;
    if (kept.size() < kept_max) kept.append(piece.substr(0, kept_max - kept.size()));
    received += piece.size();
    file.take(piece);
    line.show(progress_of(file.reader(), received));
  });
  if (!head) return head.error();
  if (head->status < 200 || head->status > 299) return client::failure_of(head->status, kept);
  const auto backup = file.finish();
  if (!backup) return backup.error();
  const std::string made = made_backup(name, *backup);
  const auto printed = session.output().made(backup_view(), Json(made));
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> rotate_master_key(Session& session, const Invocation& invocation) {
  const bool is_dry = invocation.has("dry-run");
  const std::string target = "/v1/admin/master-key/rotate";
  const auto answer = session.send("POST", is_dry ? target + "?dry_run=true" : target, "");
  if (!answer) return answer.error();
  const bool is_new = answer->root()["from"].text() != answer->root()["to"].text();
  if (!is_dry || !is_new) {
    session.note(is_new ? "move the file of the next key over the present one now"
                        : "it is sealed with that key already");
  }
  const auto printed = session.output().row(master_key_view(), answer->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

Result<ExitCode> check_store(Session& session, const Invocation& invocation) {
  const auto document = report_of(session, invocation);
  if (!document) return document.error();
  const Json report = document->root();
  const bool is_clean = report["clean"].truth();
  if (session.output().is_json()) {
    const auto printed = session.output().object(check_view(), report);
    if (!printed) return printed.error();
  } else if (!is_clean) {
    const auto printed = session.output().list(damage_view(), report["findings"].elements());
    if (!printed) return printed.error();
  }
  session.note("store " + report["store_id"].text() + ": " +
               (is_clean ? "clean" : report["damage"].plain() + " places are damaged") + ", " +
               std::to_string(static_cast<std::uint64_t>(rows_of(report))) + " rows");
  return is_clean ? ExitCode::done : ExitCode::failure;
}

}  // namespace webhookd::whctl
