// The store as a whole: copies of it, sent away as a backup or read by a process of its own, and what it is sealed
// with.
#include <unistd.h>

#include "control/protocol/status_codec.hpp"
#include "control/server/call_impl.hpp"
#include "domain/backup.hpp"

namespace webhookd::server {

using protocol::JsonWriter;

namespace {

constexpr std::size_t piece_bytes = std::size_t{256} << 10;

asio::awaitable<Result<store::StoreCopy>> copy_store(Context& context) {
  store::Store& store = context.world.store;
  auto copy = [&store](Completion<store::StoreCopy> done) { store.copy(std::move(done)); };
  return ask<store::StoreCopy>(context, std::move(copy));
}

// The next piece; empty when the file cannot be read.
std::string read_piece(const store::StoreCopy& copy, std::uint64_t at) {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, copy.bytes - at)), '\0');
  const ssize_t got = ::pread(copy.file->get(), piece.data(), piece.size(), static_cast<off_t>(at));
  piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return piece;
}

// False when the peer is gone or the copy cannot be read: what was sent then has no seal.
asio::awaitable<bool> send_backup(const store::StoreCopy& copy, base::Time now, StreamedAnswer& stream) {
  domain::BackupWriter writer;
  domain::BackupHead head;
  head.store_id = copy.store_id;
  head.schema = copy.schema;
  head.version = WEBHOOKD_VERSION;
  head.created_at = now;
  head.data_bytes = copy.bytes;
  std::string piece = writer.begin(head);
  bool written = co_await stream.write(std::move(piece));
  for (std::uint64_t at = 0; at < copy.bytes && written;) {
    piece = read_piece(copy, at);
    if (piece.empty()) {
      co_return false;
    }
    at += piece.size();
    writer.add(piece);
    written = co_await stream.write(std::move(piece));
  }
  if (!written) {
    co_return false;
  }
  piece = writer.seal();
  written = co_await stream.write(std::move(piece));
  co_return written;
}

// A backup is there to be restored, and one of a damaged store is refused then: better now, while the last good one is
// still kept. Only what was met since the start is known without reading it all.
Error damaged_store(std::uint64_t damage) {
  return {base::ErrorCode::internal,
          "the store is damaged (" + std::to_string(damage) +
              " places were met since webhookd started): a backup of it could not be restored; keep the last good one, "
              "and see what is lost with `whctl check`",
          {}};
}

}  // namespace

Reply back_up(Context& context, const Request& request) {
  const auto copy = co_await copy_store(context);
  if (!copy) {
    co_return copy.error();
  }
  if (copy->damaged_records > 0) {
    co_return damaged_store(copy->damaged_records);
  }
  auto audit = audit_of(context, request, {}, std::to_string(copy->bytes) + " bytes");
  const auto noted = co_await note_in_audit(context, std::move(audit));
  if (!noted) {
    co_return noted.error();
  }
  const base::Time now = context.world.clock.now();
  context.world.log.write(base::LogLevel::info, "backup_started", {{"bytes", std::to_string(copy->bytes)}});
  StreamedAnswer stream(request, protocol::media::octets);
  const bool sent = co_await send_backup(*copy, now, stream);
  if (sent) {
    context.tally.last_backup_at = context.world.clock.now();
    context.world.log.write(base::LogLevel::info, "backup_sent", {{"bytes", std::to_string(copy->bytes)}});
    co_await stream.finish();
  } else {
    context.world.log.write(base::LogLevel::warning, "backup_broken_off", {{"bytes", std::to_string(copy->bytes)}});
    boost::system::error_code ignored;
    request.session->socket.close(ignored);  // an answer without an end is no answer
  }
  Answer answer;
  answer.streamed = true;
  co_return answer;
}

Reply check_store(Context& context, const Request&) {
  auto copy = co_await copy_store(context);
  if (!copy) {
    co_return copy.error();
  }
  auto check = [&context, file = std::move(copy->file)](Completion<std::string> done) {
    context.options.check_copy(file, std::move(done));
  };
  auto report = co_await ask<std::string>(context, std::move(check));
  if (!report) {
    co_return report.error();
  }
  Answer answer;
  answer.body = std::move(*report);
  co_return answer;
}

Reply rotate_master_key(Context& context, const Request& request) {
  auto next = context.options.next_master_key();
  if (!next) {
    co_return next.error();
  }
  Answer answer;
  JsonWriter json(answer.body);
  if (request.dry_run) {
    const auto figures = co_await read_figures(context);
    if (!figures) {
      co_return figures.error();
    }
    const bool is_new = figures->master_key != (*next)->key_id();
    protocol::write_master_key_rotation(json, figures->master_key, (*next)->key_id(), is_new ? figures->webhooks : 0);
    co_return answer;
  }
  store::Store& store = context.world.store;
  auto reseal = [&store, sealer = std::move(*next), audit = audit_of(context, request)](
                    Completion<store::Resealed> done) { store.reseal(sealer, std::move(done), audit); };
  const auto resealed = co_await ask<store::Resealed>(context, std::move(reseal));
  if (!resealed) {
    co_return resealed.error();
  }
  context.world.log.write(
      base::LogLevel::warning, "master_key_rotated",
      {{"from", resealed->from}, {"to", resealed->to}, {"webhooks", std::to_string(resealed->webhooks)}});
  protocol::write_master_key_rotation(json, resealed->from, resealed->to, resealed->webhooks);
  co_return answer;
}

}  // namespace webhookd::server
