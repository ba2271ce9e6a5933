#include "editor.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "input.hpp"
#include "manifest.hpp"
#include "plan.hpp"
#include "program.hpp"
#include "safe_text.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::failure;
using client::Result;

namespace {

constexpr std::string_view suffix = ".toml";

struct Fetched {
  Document document;
  std::string etag;
};

Result<Fetched> fetch(Session& session, const std::string& webhook) {
  client::Request request;
  request.target = path_to("webhooks", webhook);
  auto answer = session.exchange(request);
  if (!answer) return client::about(webhook, answer.error());
  const auto etag = answer->head.header("etag");
  if (!etag) return failure(client::codes::bad_answer, request.target, "the daemon gave no ETag");
  return Fetched{std::move(answer->document), std::string(*etag)};
}

std::string text_of(Json webhook) {
  return "# " + safe_line(webhook["display_name"].text()) + " (" + webhook["id"].text() +
         "): change, save and leave the editor. A line taken out means the default.\n" +
         webhook_toml(Json(declared_webhook(webhook)));
}

// A file of its own with the text, readable by its owner alone.
Result<std::string> write_draft(const std::string& text) {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/whctl-XXXXXX";
  path += suffix;
  const int file = ::mkstemps(path.data(), static_cast<int>(suffix.size()));
  if (file < 0) return failure(client::codes::io, path, std::strerror(errno));
  Channel channel(file);
  channel.write(text);
  channel.flush();
  ::close(file);
  if (channel.fault() != 0) return failure(client::codes::io, path, std::strerror(channel.fault()));
  return path;
}

Result<std::string> edited(Session& session, const std::string& path) {
  session.console().out.flush();
  session.console().err.flush();
  const auto ended =
      run_program({"/bin/sh", "-c", shell_command(session.settings().editor, " \"$1\""), "sh", path}, std::nullopt);
  if (ended == ended_by_interrupt) {
    return failure(client::codes::interrupted, "editor", "interrupted; nothing was sent");
  }
  if (!ended || *ended != 0) {
    return failure(client::codes::io, "editor", "`" + session.settings().editor + "` failed; nothing was sent");
  }
  return read_input(path, -1);
}

Result<Document> send_patch(Session& session, const Fetched& before, const std::string& text, const std::string& path) {
  const auto declared = read_webhook_toml(text, path, "");
  if (!declared) return declared.error();
  const std::string patch = merge_patch(before.document.root(), Json(declared->members));
  client::Request request;
  request.method = "PATCH";
  request.target = path_to("webhooks", before.document.root()["id"].text());
  request.body = patch;
  request.content_type = "application/merge-patch+json";
  request.headers.emplace_back("If-Match", before.etag);
  auto answer = session.exchange(request);
  if (!answer) return answer.error();
  return std::move(answer->document);
}

void show_both(Session& session, const std::string& id, const std::string& mine) {
  auto& err = session.console().err;
  if (const auto theirs = fetch(session, id)) {
    err.line("--- as it is now");
    err.write(safe_block(text_of(theirs->document.root())));
  }
  err.line("--- your text");
  err.write(safe_block(mine));
}

}  // namespace

Result<ExitCode> edit_in_editor(Session& session, const std::string& webhook) {
  const auto before = fetch(session, webhook);
  if (!before) return before.error();
  const std::string original = text_of(before->document.root());
  const auto path = write_draft(original);
  if (!path) return path.error();
  const auto text = edited(session, *path);
  if (!text) {
    const auto left = read_input(*path, -1);
    if (left && *left == original) {
      ::unlink(path->c_str());
    } else {
      session.note("your text is kept in " + *path);
    }
    return text.error();
  }
  if (*text == original) {
    ::unlink(path->c_str());
    session.note("nothing was changed");
    return ExitCode::done;
  }
  auto changed = send_patch(session, *before, *text, *path);
  if (!changed) {
    auto why = changed.error();
    if (why.code == "version_mismatch") show_both(session, before->document.root()["id"].text(), *text);
    session.note("your text is kept in " + *path);
    return client::about(webhook, why);
  }
  ::unlink(path->c_str());
  const auto printed = session.output().made(webhook_view(), changed->root());
  if (!printed) return printed.error();
  return ExitCode::done;
}

}  // namespace webhookd::whctl
